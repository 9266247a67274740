"""Which command about subscriptions is answered by what."""

from collections.abc import Mapping

from bot.commands.admin import Housekeeping
from bot.commands.context import Means, in_words
from bot.commands.muting import Muting
from bot.commands.own_addresses import Addresses
from bot.commands.request import Handler
from bot.commands.settings import SettingUp
from bot.commands.subscribing import Exporting, Reasons, Subscribing


def about_subscriptions(means: Means) -> Mapping[str, Handler]:
    """The handlers, by verb."""
    subscribing, muting, setting = Subscribing(means), Muting(means), SettingUp(means)
    addresses, housekeeping = Addresses(means), Housekeeping(means)
    handlers: Mapping[str, Handler] = {
        "sub": subscribing.sub,
        "unsub": subscribing.unsub,
        "edit": subscribing.edit,
        "subs": subscribing.subs,
        "test": subscribing.test,
        "why": Reasons(means).why,
        "mute": muting.mute,
        "unmute": muting.unmute,
        "set": setting.set,
        "settings": setting.settings,
        "me": addresses.me,
        "me forget": addresses.forget,
        "export": Exporting(means).export,
        "rooms": housekeeping.rooms,
        "leave": housekeeping.leave,
    }
    return {verb: in_words(handler) for verb, handler in handlers.items()}
