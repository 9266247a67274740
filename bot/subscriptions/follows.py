"""Adds the direct chats of people who follow a submission to the rooms that subscriptions match. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from bot.ids import RoomId, SubscriptionId
from bot.query.evaluate import Reason, TermOutcome
from bot.query.options import NO_OPTIONS
from bot.subscriptions.matching import MatchReason, RoomMatch

FOLLOW: Final = SubscriptionId(0)  # stands for a follow among the reasons of a card; no subscription has it
_REASON: Final = MatchReason(FOLLOW, Reason(TermOutcome.FOUND, "follow", ()))


def with_followers(matches: Sequence[RoomMatch], chats: Iterable[RoomId]) -> list[RoomMatch]:
    """Return *matches* with a match for each of *chats*, by room; one that matches anyway has one reason more.

    A follow brings a card at once, even if the subscriptions of the chat wait for a digest.
    """
    by_room = {match.room: match for match in matches}
    for chat in chats:
        match = by_room.get(chat, RoomMatch(chat, (), ()))
        options = tuple(dict.fromkeys((*match.options, NO_OPTIONS)))
        by_room[chat] = replace(match, why=(*match.why, _REASON), options=options)
    return [by_room[room] for room in sorted(by_room)]


def only_followed(match: RoomMatch) -> bool:
    """Return whether a room gets something only because somebody follows it."""
    return all(each.subscription == FOLLOW for each in match.why)
