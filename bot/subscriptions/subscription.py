"""Subscriptions as made in chat, and as held by the index."""

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
    """Return the id of a subscription in the settings, derived from its contents because its position may change."""
    digest = hashlib.sha256(f"{room}\n{query}".encode()).digest()
    return SubscriptionId(_CONFIGURED + int.from_bytes(digest[:6], "big"))


def is_configured(id_: SubscriptionId) -> bool:
    """Return whether a subscription is one of the settings."""
    return id_ >= _CONFIGURED


@dataclass(frozen=True, slots=True)
class ChatSubscription:
    """A subscription made in chat: its room, and its owner, None if that is the room.

    *query* is canonical; times are UTC, *muted_until* is None if it is not muted.
    """

    id: SubscriptionId
    room: RoomId
    person: UserId | None
    query: str
    added_by: UserId
    added_at: datetime
    muted_until: datetime | None = None

    def as_of(self, now: datetime) -> "ChatSubscription":
        """Return the subscription without a mute that has ended."""
        return replace(self, muted_until=None) if self.muted_until and self.muted_until <= now else self


@dataclass(frozen=True, slots=True)
class QueryContext:
    """The context of a query: the default project of its room, "" for all, and its owner's addresses."""

    project: str = ""
    addresses: tuple[str, ...] = ()


def listening(subscribed: ChatSubscription, standing: QueryContext) -> Subscription | None:
    """Return the subscription for the index; None if this version of the program cannot parse the query."""
    try:
        query = parse(subscribed.query)
    except QueryError:
        return None
    return Subscription(subscribed.id, subscribed.room, meant(query, standing), subscribed.muted_until)


def meant(query: Query, standing: QueryContext) -> Query:
    """Return *query* limited to the room's project unless it names one, with `is:mine` as the owner's addresses."""
    query = resolved(query, standing.addresses)
    if not standing.project or names_project(query):
        return query
    return replace(query, tree=all_of([Term(Key.PROJECT, (standing.project,)), query.tree]))


def names_project(query: Query) -> bool:
    """Return whether *query* names projects itself."""
    return any(term.key is Key.PROJECT for term in terms_of(query.tree))


def latest(times: Iterable[datetime | None]) -> datetime | None:
    """Return the latest of *times*; None if there is none."""
    return max((time for time in times if time is not None), default=None)
