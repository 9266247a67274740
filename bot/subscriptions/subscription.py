"""A subscription as somebody made it in chat, and what the index is to hold for it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.errors import QueryError
from bot.ids import RoomId, SubscriptionId, UserId
from bot.query.index.index import Subscription
from bot.query.keys import Key
from bot.query.parser import parse
from bot.query.query import Query, Term, all_of, resolved, terms_of

FOR_GOOD = datetime(9999, 12, 31, tzinfo=UTC)  # the end of a mute that has none
_CONFIGURED = 1 << 52  # larger than any id that is given in chat, and still whole in JSON


def configured_id(room: str, query: Query) -> SubscriptionId:
    """The id of a subscription of the configuration file, by what it says: its place there may change."""
    digest = hashlib.sha256(f"{room}\n{query}".encode()).digest()
    return SubscriptionId(_CONFIGURED + int.from_bytes(digest[:6], "big"))


def is_configured(id_: SubscriptionId) -> bool:
    """Whether a subscription is one of the configuration file."""
    return id_ >= _CONFIGURED


@dataclass(frozen=True, slots=True)
class ChatSubscription:
    """A subscription made in chat: the room where it is told, and its owner, None where that is the room.

    *query* is canonical; times are UTC, *muted_until* None where it is not muted.
    """

    id: SubscriptionId
    room: RoomId
    person: UserId | None
    query: str
    added_by: UserId
    added_at: datetime
    muted_until: datetime | None = None

    def as_of(self, now: datetime) -> "ChatSubscription":
        """It without a mute that is over."""
        return replace(self, muted_until=None) if self.muted_until and self.muted_until <= now else self


@dataclass(frozen=True, slots=True)
class QueryContext:
    """What a query is read with: the project that its room means, "" for all, and its owner's addresses."""

    project: str = ""
    addresses: tuple[str, ...] = ()


def listening(subscribed: ChatSubscription, standing: QueryContext) -> Subscription | None:
    """What the index is to hold; None where this version of the program cannot read the query any more."""
    try:
        query = parse(subscribed.query)
    except QueryError:
        return None
    return Subscription(subscribed.id, subscribed.room, meant(query, standing), subscribed.muted_until)


def meant(query: Query, standing: QueryContext) -> Query:
    """The *query* as it is decided: within the room's project unless it names one, `is:mine` by its addresses."""
    query = resolved(query, standing.addresses)
    if not standing.project or names_project(query):
        return query
    return replace(query, tree=all_of([Term(Key.PROJECT, (standing.project,)), query.tree]))


def names_project(query: Query) -> bool:
    """Whether the *query* says itself which projects it is about."""
    return any(term.key is Key.PROJECT for term in terms_of(query.tree))


def latest(times: Iterable[datetime | None]) -> datetime | None:
    """The latest of *times*; None where there is none."""
    return max((time for time in times if time is not None), default=None)
