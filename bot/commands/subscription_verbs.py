"""Which command about subscriptions is answered by what."""

from collections.abc import Mapping

from bot.commands.admin import AdminCommands
from bot.commands.context import CommandContext, in_words
from bot.commands.muting import MuteCommands
from bot.commands.own_addresses import AddressCommands
from bot.commands.request import Handler
from bot.commands.settings import SettingCommands
from bot.commands.subscribing import ExportCommand, SubscriptionCommands, WhyCommand


def about_subscriptions(context: CommandContext) -> Mapping[str, Handler]:
    """The handlers, by verb."""
    subscribing, muting, setting = SubscriptionCommands(context), MuteCommands(context), SettingCommands(context)
    addresses, housekeeping = AddressCommands(context), AdminCommands(context)
    handlers: Mapping[str, Handler] = {
        "sub": subscribing.sub,
        "unsub": subscribing.unsub,
        "edit": subscribing.edit,
        "subs": subscribing.subs,
        "test": subscribing.test,
        "why": WhyCommand(context).why,
        "mute": muting.mute,
        "unmute": muting.unmute,
        "set": setting.set,
        "settings": setting.settings,
        "me": addresses.me,
        "me forget": addresses.forget,
        "export": ExportCommand(context).export,
        "rooms": housekeeping.rooms,
        "leave": housekeeping.leave,
    }
    return {verb: in_words(handler) for verb, handler in handlers.items()}
