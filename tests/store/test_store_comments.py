"""Who wrote comments, and when, in each kind of database."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.ids import Msgid, PatchId, RoomId, SeriesId
from bot.patchwork.model import Comment, PatchRef, Person, Trailer, TrailerKind
from bot.patchwork.updates import CommentHint, CommentTarget, MailKind, TrailersRead
from bot.poll import CommentsRead, FollowUpResult, Poll
from bot.store.comment_book import CommentsOfMail
from bot.store.retention import delete_outdated
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from bot.subscriptions.turns import ReviewComment
from support.store_rig import OTHER_ROOM, OTHER_SERVER, PROJECT, ROOM, SERVER, StoreRig, ask

SERIES = SubmissionRef(SERVER, SubmissionKind.SERIES, 5)
REY = Person("Rey Viewer", "rey@example.org")
ON_ONE, ON_COVER = CommentTarget(MailKind.PATCH, 1), CommentTarget(MailKind.COVER, 1)
REVIEWED = Trailer(TrailerKind.REVIEWED, "rey@example.org", "Rey Viewer")


def a_comment(number: int = 7, date: str = "2025-12-31T10:00:00", *trailers: Trailer) -> Comment:
    return Comment(number, REY, date, "Looks good.", frozenset(trailers))


def announced(number: int) -> CommentHint:
    return CommentHint(ON_ONE, number, PROJECT, PatchRef(PatchId(1), Msgid("1@hs"), "Patch 1"))


async def followed(store: Store, result: FollowUpResult) -> None:
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, "", followed=result))


async def read(store: Store, on: CommentTarget, *comments: Comment) -> None:
    await followed(store, FollowUpResult(comments=(CommentsRead(on, SERIES, comments),)))


async def known(
    store: Store, kind: MailKind = MailKind.PATCH, mails: Sequence[int] = (1,)
) -> dict[int, CommentsOfMail]:
    return await ask(store, lambda tx: tx.comments.of(SERVER, kind, mails))


async def test_who_commented_and_when_is_known_once_the_comments_are_read(store: Store, rig: StoreRig) -> None:
    await followed(store, FollowUpResult(new_comments=(announced(7), announced(8))))
    before = await known(store)
    await read(store, ON_ONE, a_comment(7, "2025-12-31T10:00:00", REVIEWED))
    await read(store, ON_ONE, a_comment(7, "2025-12-31T10:00:00", REVIEWED))

    seven = ReviewComment(REY, datetime(2025, 12, 31, 10, tzinfo=UTC), frozenset({TrailerKind.REVIEWED}), PatchId(1))
    eight = ReviewComment(None, rig.now)
    assert before == {1: CommentsOfMail((eight, eight))}
    assert await known(store) == {1: CommentsOfMail((seven, eight), is_read=True)}
    assert await known(store, MailKind.COVER) == {}


async def test_comments_that_were_read_for_their_trailers_are_known_too(store: Store) -> None:
    trailers = TrailersRead(
        (), SeriesId(5), frozenset(), comments=((ON_COVER, (a_comment(),)), (CommentTarget(MailKind.PATCH, 2), ()))
    )

    await followed(store, FollowUpResult(trailers=(trailers,)))

    [on_cover] = (await known(store, MailKind.COVER))[1].comments
    assert (on_cover.person, on_cover.patch) == (REY, None)
    assert (await known(store, mails=(2,)))[2] == CommentsOfMail(is_read=True)


async def test_comments_that_were_read_for_something_else_are_still_news(store: Store) -> None:
    trailers = TrailersRead((), comments=((ON_ONE, (a_comment(7),)),))
    await followed(store, FollowUpResult(trailers=(trailers,)))

    assert await ask(store, lambda tx: tx.watch.known_comments(SERVER, MailKind.PATCH, [7])) == set()


async def test_a_comment_is_never_from_the_future(store: Store, rig: StoreRig) -> None:
    await read(store, ON_ONE, a_comment(7, "2999-01-01T00:00:00"), a_comment(8, "soon"))

    assert {each.at for each in (await known(store))[1].comments} == {rig.now}


async def test_authors_of_comments_are_forgotten_with_the_patches(store: Store, rig: StoreRig) -> None:
    await read(store, ON_ONE, a_comment())
    rig.advance(days=179)
    await delete_outdated(store)
    kept = rig.count("mail_comment")
    rig.advance(days=2)
    await delete_outdated(store)

    assert (kept, rig.count("mail_comment"), rig.count("mail_read")) == (1, 0, 0)


async def test_a_rebuilt_server_has_no_known_comments_and_no_listed_rows(store: Store, rig: StoreRig) -> None:
    await read(store, ON_ONE, a_comment())
    other = SubmissionRef(OTHER_SERVER, SubmissionKind.PATCH, 3)
    async with store.transaction() as tx:
        await tx.queues.number(ROOM, [SERIES, other])
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, "", rebuilt=True))

    assert [rig.count(table) for table in ("mail_comment", "mail_read", "listed_row")] == [0, 0, 1]


async def test_comments_on_very_many_mails_are_found(store: Store) -> None:
    await read(store, CommentTarget(MailKind.PATCH, 1_999), a_comment())

    assert list(await known(store, mails=range(2_000))) == [1_999]


async def test_rows_are_numbered_until_the_next_list_of_the_room(store: Store) -> None:
    lone = SubmissionRef(OTHER_SERVER, SubmissionKind.PATCH, 3)
    async with store.transaction() as tx:
        await tx.queues.number(ROOM, [SERIES, lone])
        await tx.queues.number(OTHER_ROOM, [SERIES])
    async with store.transaction() as tx:
        rows = [await tx.queues.listed(ROOM, number) for number in (1, 2, 3)]
        await tx.queues.number(ROOM, [lone])
    async with store.transaction() as tx:
        later = [await tx.queues.listed(ROOM, number) for number in (1, 2)]
        other = await tx.queues.listed(OTHER_ROOM, 1)

    assert (rows, later, other) == ([SERIES, lone, None], [lone, None], SERIES)


async def test_a_queue_that_nobody_asks_for_is_forgotten_after_a_month(store: Store, rig: StoreRig) -> None:
    async with store.transaction() as tx:
        await tx.queues.use(ROOM)
    rig.advance(days=20)
    async with store.transaction() as tx:
        await tx.queues.use(OTHER_ROOM)
    both = await ask(store, lambda tx: tx.queues.rooms())
    rig.advance(days=11)
    await delete_outdated(store)

    assert sorted(both) == [OTHER_ROOM, ROOM]
    assert [*await ask(store, lambda tx: tx.queues.rooms())] == [OTHER_ROOM]
    assert rig.count("queue_room") == 1


async def test_a_room_that_replaces_another_keeps_its_numbers_and_its_queue(store: Store) -> None:
    new = RoomId("!new:hs")
    async with store.transaction() as tx:
        await tx.queues.number(ROOM, [SERIES])
        await tx.queues.use(ROOM)
        await tx.session.move(ROOM, new)
    async with store.transaction() as tx:
        assert await tx.queues.listed(new, 1) == SERIES
        assert await tx.queues.listed(ROOM, 1) is None
        assert [*await tx.queues.rooms()] == [new]
