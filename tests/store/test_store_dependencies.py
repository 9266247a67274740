"""What submissions need, and what that is by now, in both databases."""

from collections.abc import Sequence
from dataclasses import replace

from bot.ids import Msgid
from bot.notices.needs import MAX_SHOWN, Need, Needs
from bot.patchwork.dependencies import dependencies_in
from bot.patchwork.model import Dependency, DependencyKind
from bot.poll import CoverRead, FollowUpResult, Poll, SeriesRead
from bot.store.dependency_book import MAX_DEPENDENTS
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import SERVER, a_notice, a_patch, a_series, ask

CURSOR = "2026-01-01T00:00:00"
HOST = "patchwork.example.org"


def needing(number: int, *lines: str, state: str = "new", cover: bool = False) -> SeriesRead:
    """Series *number* of one patch, ten times its number, whose mail has *lines*."""
    patch = replace(a_patch(number * 10, series=number, state=state), needs=dependencies_in("\n".join(lines)))
    series = a_series(number, patches=(number * 10,))
    return SeriesRead(replace(series, cover=Msgid(f"cover-{number}@hs") if cover else None), (patch,))


async def save(store: Store, *reads: SeriesRead, covers: Sequence[CoverRead] = ()) -> None:
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, CURSOR, series=reads, followed=FollowUpResult(covers=tuple(covers))))


def ref(number: int, kind: SubmissionKind = SubmissionKind.SERIES) -> SubmissionRef:
    return SubmissionRef(SERVER, kind, number)


async def needs(store: Store, number: int) -> Needs:
    about = ref(number)
    return (await ask(store, lambda tx: tx.dependencies.of(SERVER, HOST, {about: ()}))).get(about, Needs())


def shown(needs: Needs) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
    """What is shown: the name of what is known, or else the reference; and its states."""
    return [(_name(each), each.states) for each in needs.first]


def _name(need: Need) -> str:
    if need.series is not None:
        return need.series.name
    return need.patch.name if need.patch is not None else f"{need.reference.kind} {need.reference.id}"


async def test_series_patches_and_mails_are_found_by_all_their_names(store: Store) -> None:
    lone = a_patch(7, series=None, state="rfc")
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, CURSOR, patches=(lone,)))
    await save(store, needing(1, state="accepted"), needing(2, cover=True), needing(3))
    names = [
        "Depends-on: series-1",
        "Depends-on: patch-10",
        f"Depends-on: https://{HOST}/project/x/list/?series=1",
        "Depends-on: <cover-2@hs>",
        f"Depends-on: <{lone.msgid}>",
        "Depends-on: patch-7",
    ]

    await save(store, needing(4, *names))

    found = await needs(store, 4)
    assert shown(found) == [("Series 1", (("accepted", 1),)), ("Series 2", (("new", 1),)), (lone.name, (("rfc", 1),))]
    assert found.more == 0


async def test_what_is_not_known_is_shown_by_its_name_until_it_arrives(store: Store) -> None:
    await save(store, needing(4, "Depends-on: series-9", "Depends-on: https://other.example.com/patch/10/"))
    before = shown(await needs(store, 4))

    await save(store, needing(9), needing(1))

    assert before == [("series 9", ()), ("patch 10", ())]
    assert shown(await needs(store, 4)) == [("Series 9", (("new", 1),)), ("patch 10", ())]


async def test_nothing_needs_itself_and_a_circle_is_no_trouble(store: Store) -> None:

    await save(
        store,
        needing(1, "Depends-on: series-1", "Depends-on: patch-10", "Depends-on: series-2"),
        needing(2, "Depends-on: series-1", "Depends-on: <cover-2@hs>", cover=True),
    )

    assert shown(await needs(store, 1)) == [("Series 2", (("new", 1),))]
    assert shown(await needs(store, 2)) == [("Series 1", (("new", 1),))]


async def test_five_hundred_patches_with_five_hundred_lines_each_are_cut(store: Store) -> None:
    one = needing(1)
    news = tuple(
        replace(
            a_patch(number, series=1),
            needs=dependencies_in("\n".join(f"Depends-on: series-{number * 500 + each}" for each in range(500))),
        )
        for number in range(1, 501)
    )

    await save(store, replace(one, news=news))

    found = await needs(store, 1)
    assert (len(found.first), found.more) == (MAX_SHOWN, None)


async def test_ids_and_message_ids_as_long_as_they_may_be_are_stored(store: Store) -> None:
    msgid = "ä" * 243 + "@example.org"
    host = "h" * 96 + ".com"

    await save(store, needing(1, f"Depends-on: <{msgid}>", f"Depends-on: https://{host}/patch/2147483647/"))

    references = [each.reference for each in (await needs(store, 1)).first]
    assert references == [Dependency(DependencyKind.MAIL, msgid), Dependency(DependencyKind.PATCH, "2147483647", host)]


async def test_what_a_cover_letter_and_the_api_say_is_added_once(store: Store) -> None:
    told = needing(4, "Depends-on: https://alias.example.org/project/x/list/?series=2")
    told = replace(told, series=replace(told.series, needs=(Dependency(DependencyKind.SERIES, "2"),)))
    await save(store, needing(2), needing(3), told)

    await save(store, covers=[CoverRead(told.series.id, dependencies_in("Depends-on: series-3\nDepends-on: series-2"))])

    assert sorted(shown(await needs(store, 4))) == [("Series 2", (("new", 1),)), ("Series 3", (("new", 1),))]


async def test_the_newest_with_a_card_are_found_by_what_they_need(store: Store) -> None:
    count = MAX_DEPENDENTS + 5
    await save(
        store, needing(1, cover=True), *(needing(number, "Depends-on: <cover-1@hs>") for number in range(2, count))
    )
    await save(store, needing(count, "Depends-on: patch-10"), needing(count + 1, "Depends-on: series-1"))
    async with store.transaction() as tx:
        for number in range(2, count + 1):
            await tx.cards.add(ref(number), a_notice(f"card/{number}"), [])

    found = await ask(store, lambda tx: tx.dependencies.dependents(SERVER, [replace(ref(1), rebuilds=2), ref(999)]))
    nothing = await ask(store, lambda tx: tx.dependencies.dependents(SERVER, [ref(count)]))

    assert [each.id for each in found] == list(range(count, count - MAX_DEPENDENTS, -1))
    assert nothing == []


async def test_a_patch_without_a_series_needs_things_too(store: Store) -> None:
    await save(store, needing(1))
    lone = replace(a_patch(77, series=None), needs=dependencies_in("Depends-on: series-1"))

    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, CURSOR, patches=(lone,)))

    about = ref(77, SubmissionKind.PATCH)
    found = await ask(store, lambda tx: tx.dependencies.of(SERVER, HOST, {about: ()}))
    assert shown(found[about]) == [("Series 1", (("new", 1),))]
