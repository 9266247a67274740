"""The first message in a room or direct chat: what the bot does, how to begin, and who may change what."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands.command_table import typed
from bot.commands.context import CommandContext
from bot.commands.proposal import Proposal, propose
from bot.commands.request import Answer
from bot.commands.servers import LookupServer
from bot.ids import ProjectName
from bot.notices.card import ServerLinks
from bot.notices.markup import Bullets, Code, Document, Inline, Line, Lines, Link, Strong, lines, words
from bot.patchwork.references import list_url
from bot.store.inbox_book import InboxMessage

_EXAMPLE = "path:drivers/net/"
_MOST_PROJECTS = 5


@dataclass(frozen=True, slots=True)
class WelcomeContext:
    """What the welcome depends on: the prefix, "" in a direct chat, and the *subscriptions* that there are already."""

    prefix: str
    is_direct: bool
    subscriptions: int = 0
    proposal: Proposal | None = None


class Welcome:
    """Writes the welcome in a room that the bot has joined."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def welcome(self, message: InboxMessage, prefix: str, direct: bool) -> Answer:  # noqa: FBT001  # a handler
        """Return the welcome; *message* stands for the join, and its sender is who invited the bot."""
        async with self._context.store.reading() as tx:
            person = message.sender if direct else None
            count = len(await tx.subscriptions.of_owner(message.room, person))
        proposal = await propose(self._context, message.room) if not (count or direct) else None
        places = self._context.places
        urls = [place.api.url for place in places]
        site = ServerLinks(urls[0], others=tuple(urls[1:])) if urls else None
        return Answer(welcome(WelcomeContext(prefix, direct, count, proposal), places), site)


def welcome(context: WelcomeContext, places: Sequence[LookupServer]) -> Document:
    """Return the welcome, or in a chat that has subscriptions already, that the bot is back."""
    return _back(context) if context.subscriptions else _first(context, places)


def proposal_line(proposal: Proposal, prefix: str) -> Line:
    """Return a line with a proposed subscription: the command, how much it brings, and why it is proposed."""
    often = f"about {proposal.a_week:,.0f} series a week" if proposal.a_week >= 1 else "less than one series a week"
    return words(Code(typed("sub", str(proposal.query), prefix)), f" is {often} ({proposal.reason})")


def _back(context: WelcomeContext) -> Document:
    count = context.subscriptions
    what = "subscription" if count == 1 else f"{count} subscriptions"
    list_them = Code(typed("subs", "", context.prefix))
    return (Lines((words("👋 ", Strong(f"I am back, with your {what}."), " ", list_them, " lists what comes here."),)),)


def _first(context: WelcomeContext, places: Sequence[LookupServer]) -> Document:
    prefix, direct = context.prefix, context.is_direct

    def code(verb: str, argument: str = "") -> Code:
        return Code(typed(verb, argument, prefix))

    query = str(context.proposal.query) if context.proposal else _EXAMPLE
    projects = _projects(places)
    hello = "Hello, I tell you about patches from Patchwork" if direct else "Hello, I post patches from Patchwork here"
    mine = [words("Your own patches: ", code("me", "ada@example.org"), " — you hear what happens to them.")]
    steps = [
        *(mine if direct else []),
        words("Choose: ", code("sub", query), " — or try it first: ", code("test", f"{query} 7d")),
        *([] if direct else [words("Each new series is one message; what happens to it goes into its thread.")]),
        words("Look one up: paste a lore or Patchwork link.")
        if direct
        else words("Look one up: ", code("show"), " with a lore or Patchwork link."),
    ]
    who = "What you choose here is yours alone · " if direct else "Moderators may change what is posted · "
    more: list[str | Inline] = [who, code("help"), " for more"]
    more += [] if direct else [" · write to me directly for your own patches"]
    return (
        lines([words("👋 ", Strong(hello), *([" (", *projects, ")."] if projects else ["."]))]),
        Bullets(tuple(steps), numbered=True),
        lines([proposal_line(context.proposal, prefix) if context.proposal else (), words(*more)]),
    )


def _projects(places: Sequence[LookupServer]) -> list[str | Inline]:
    """Return the watched projects as links, a few at most."""
    linked: list[Inline] = [
        Link(project, list_url(place.api.url, ProjectName(project)), spelled=False)
        for place in places
        for project in place.projects
    ]
    shown: list[str | Inline] = [part for link in linked[:_MOST_PROJECTS] for part in (", ", link)][1:]
    rest = len(linked) - _MOST_PROJECTS
    return [*shown, f" and {rest} more"] if rest > 0 else shown
