"""Maps each verb to its handler."""

from collections.abc import Mapping

from bot.commands.about import AboutCommands
from bot.commands.act_commands import ActCommands, ActContext
from bot.commands.admin import AdminCommands
from bot.commands.context import CommandContext, in_words
from bot.commands.following import FollowCommands
from bot.commands.help import HelpCommand
from bot.commands.listing import ListCommands
from bot.commands.lookups import LookupCommands
from bot.commands.muting import MuteCommands
from bot.commands.own_addresses import AddressCommands
from bot.commands.queues import QueueCommand
from bot.commands.request import Handler
from bot.commands.rights import ChatPrivacy
from bot.commands.settings import SettingCommands
from bot.commands.snoozing import SnoozeCommands
from bot.commands.subscribing import SubscriptionCommands
from bot.commands.token_commands import TokenCommands
from bot.commands.why import WhyCommand


def handlers(
    about: AboutCommands, lookups: LookupCommands, context: CommandContext, acting: ActContext
) -> Mapping[str, Handler]:
    """Return the handler of each verb; `help` covers all of them."""
    found: dict[str, Handler] = {
        "status": about.status,
        "version": about.version,
        "show": lookups.show,
        "series": lookups.series,
        "diff": lookups.diff,
        "also": lookups.also,
        "checks": lookups.checks,
        "comments": lookups.comments,
        "find": lookups.find,
        "stats": lookups.stats,
        "chart": lookups.chart,
        **_subscription_handlers(context),
        **_acting_handlers(acting, context.room_rights),
    }
    states = [place.api for place in context.places]
    help_ = HelpCommand({"help", *found}, context.room_rights.is_admin, lambda: [api.states for api in states])
    return {"help": help_.help, **found}


def _acting_handlers(context: ActContext, privacy: ChatPrivacy) -> Mapping[str, Handler]:
    acts, tokens = ActCommands(context), TokenCommands(context.store, context.accesses, privacy, context.rooms)
    found: Mapping[str, Handler] = {
        "state": acts.state,
        "delegate": acts.delegate,
        "archive": acts.archive,
        "unarchive": acts.unarchive,
        "token": tokens.token,
        "token forget": tokens.forget,
    }
    return {verb: in_words(handler) for verb, handler in found.items()}


def _subscription_handlers(context: CommandContext) -> Mapping[str, Handler]:
    subscriptions, muting, settings = SubscriptionCommands(context), MuteCommands(context), SettingCommands(context)
    follows, snoozes = FollowCommands(context), SnoozeCommands(context)
    addresses, admin, lists = AddressCommands(context), AdminCommands(context), ListCommands(context)
    found: Mapping[str, Handler] = {
        "sub": subscriptions.sub,
        "unsub": subscriptions.unsub,
        "edit": subscriptions.edit,
        "subs": lists.subs,
        "test": subscriptions.test,
        "queue": QueueCommand(context).queue,
        "why": WhyCommand(context).why,
        "mute": muting.mute,
        "unmute": muting.unmute,
        "set": settings.set,
        "settings": settings.settings,
        "me": addresses.me,
        "me forget": addresses.forget,
        "export": lists.export,
        "follow": follows.follow,
        "unfollow": follows.unfollow,
        "follows": follows.follows,
        "snooze": snoozes.snooze,
        "unsnooze": snoozes.unsnooze,
        "rooms": admin.rooms,
        "leave": admin.leave,
    }
    return {verb: in_words(handler) for verb, handler in found.items()}
