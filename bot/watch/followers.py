"""Determines whose direct chats get the news of a submission, because they follow it."""

from bot.ids import RoomId
from bot.store.store import Transaction
from bot.submission import SubmissionRef
from bot.subscriptions.registry import Audience


async def chats_following(
    tx: Transaction, audience: Audience, about: SubmissionRef, *, only_earlier: bool = False
) -> set[RoomId]:
    """Return the direct chats of those who follow a submission, or an earlier version of it, unless they are muted.

    With *only_earlier*, those who follow this very version do not count.
    """
    chats = await tx.follows.chats_following(about, only_earlier=only_earlier)
    return {chat for chat in chats if chat in audience.direct and audience.is_active(chat, tx.now)}
