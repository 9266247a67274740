"""The `SessionMemory` in the database: what a session takes is one transaction with the inbox and the outbox."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import structlog

from bot.ids import RoomId, UserId
from bot.matrix.model import Invitation
from bot.matrix.session_memory import Heard, Remembered, Taken
from bot.notices.notice import Notice
from bot.store.inbox_book import Said
from bot.store.session_book import Invited
from bot.store.store import Store, Transaction

MAX_UNASKED = 10  # answers that may wait for a person before welcomes and the like are left out
_log = structlog.get_logger(__name__)


class StoredMemory:
    """A memory that outlasts the process; *took* hears of everything once it is kept, *doubts* of what may be."""

    def __init__(
        self,
        store: Store,
        user: UserId,
        took: Callable[[Taken], None] = lambda _: None,
        doubts: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._user = user
        self._took = took
        self._doubts = doubts

    async def remembered(self) -> Remembered:
        """What was kept."""
        async with self._store.transaction() as tx:
            kept = await tx.session.kept(self._user)
        asked = tuple(Invitation(each.room, each.inviter, each.direct) for each in kept.invitations)
        return Remembered(
            kept.since, asked, kept.direct, kept.suspended, kept.alone, encrypted=kept.encrypted, skipped=kept.skipped
        )

    async def take(self, taken: Taken) -> None:
        """Keep it."""
        try:
            taken = await self._kept(taken)
        except BaseException:
            self._doubts()
            raise
        self._took(taken)

    async def _kept(self, taken: Taken) -> Taken:
        """Keep it, with the direct chats that others took the place of."""
        async with self._store.transaction() as tx:
            former = await self._former_chats(tx, taken.partners)
            taken = replace(taken, moved=(*taken.moved, *former), resumed=(*taken.resumed, *(new for _, new in former)))
            await self._keep_rooms(tx, taken)
            for invitation in taken.invited:
                await tx.session.invited(Invited(invitation.room, invitation.inviter, invitation.direct))
            for room in taken.settled:
                await tx.session.settled(room)
            for heard in taken.heard:
                await tx.inbox.add(_said(heard))
            await tx.outbox.add(await self._bearable(tx, taken.notices))
            for room, event in taken.redacted:
                if (card := await tx.cards.redacted(room, event)) is not None:
                    await tx.outbox.forget_about(card)
            if taken.since is not None:
                await tx.session.go_on(self._user, taken.since)
        return taken

    async def _bearable(self, tx: Transaction, notices: Sequence[Notice]) -> list[Notice]:
        """Leave out welcomes and requests to send again for people for whom enough waits to be sent."""
        if not notices:
            return []
        unsent = (await tx.outbox.unsent_answers()).people
        bearable: list[Notice] = []
        for notice in notices:
            if notice.asked_by is not None and unsent[notice.asked_by] >= MAX_UNASKED:
                _log.warning("notice.left_out", key=notice.key, person=notice.asked_by, unsent=unsent[notice.asked_by])
                continue
            bearable.append(notice)
            if notice.asked_by is not None:
                unsent[notice.asked_by] += 1
        return bearable

    async def _former_chats(
        self, tx: Transaction, partners: Iterable[tuple[RoomId, UserId]]
    ) -> list[tuple[RoomId, RoomId]]:
        """The direct chats of the same person that each of the new ones takes the place of."""
        return [(old, chat) for chat, person in partners for old in await tx.subscriptions.former_chats(person, chat)]

    async def _keep_rooms(self, tx: Transaction, taken: Taken) -> None:
        """How the rooms stand; before the notices, for these wait where a room is suspended."""
        for old, new in taken.moved:
            await tx.session.move(old, new)
        for room, until in taken.skipped:
            await tx.session.skip(room, until)
        await self._keep_company(tx, taken)
        for room in (each for each in taken.suspended if each not in taken.resumed):
            await tx.session.suspend(room)
        for room in taken.left:
            await tx.session.left(room)
        for room, algorithm in taken.encrypted:
            await tx.session.encrypted(room, algorithm)
        for room in taken.resumed:
            await tx.session.resume(room)
        for name, room in taken.named:
            await tx.session.called(name, room)

    async def _keep_company(self, tx: Transaction, taken: Taken) -> None:
        """Who else is in the rooms."""
        for room in taken.direct:
            await tx.session.is_direct(room)
        for room in taken.crowded:
            await tx.session.is_direct(room, direct=False)
        for room in taken.alone:
            await tx.session.is_alone(room)
        for room in taken.accompanied:
            await tx.session.is_alone(room, alone=False)


def _said(heard: Heard) -> Said:
    return Said(heard.room, heard.event, heard.sender, heard.body, heard.sent_at, heard.thread, heard.replies_to)
