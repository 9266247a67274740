"""A short soak, and that its judge can be trusted."""

from dataclasses import replace
from pathlib import Path

import pytest

from soak import Plan, a_soak
from story import Work
from support.homeserver import Homeserver
from verdict import Shown, Wanted, judge

KILLS = 10
MIGRATION = Wanted("cards and changes", ("migration",), hears=True)
FIRST = Work(1, "migration", 1, 1, (1, 2), {1: "accepted"}, {"ci-1": "fail"}, ["Remark 2."], 1, superseded_by=2)
SECOND = Work(1, "migration", 2, 2, (3,))
OTHER = Work(2, "docs", 1, 3, (4,))
FLOODS = Wanted("floods", ("import",), accepted=True, flood=10)
LISTED = Work(3, "import", 1, 5, (6,))
ACCEPTED = Work(4, "import", 1, 6, (7,), {7: "accepted"})
LIST = Shown("$6", "reply", None, "$5", "1 to 2 of 2", (5, 6))
CARD = Shown("$7", "card", 6, None, "import: Fix number 4\nAccepted")
TIMELINE = (
    Shown("$1", "card", 1, None, "♻️ [0/2] migration: Fix number 1 → v2\nwas Accepted 1 of 2, New 1 · 1 of 2 reviewed"),
    Shown("$2", "reply", 1, "$1", "✅ Accepted, 1 of 2 patches (was New: 1/2)\n❌ ci-1: failed on 1/2"),
    Shown("$3", "reply", 1, "$1", "💬 Viewer 2 on 1/2: Reviewed-by\n> Remark 2."),
    Shown("$4", "card", 2, None, "🆕 [v2] migration: Fix number 1\nNew"),
)


def faults(*timeline: Shown) -> list[str]:
    return judge(MIGRATION, (FIRST, SECOND, OTHER), timeline).faults


def test_a_room_that_shows_all_of_it_once_has_no_fault() -> None:
    assert faults(*TIMELINE) == []


@pytest.mark.parametrize("missing", TIMELINE)
def test_whatever_is_lost_is_a_fault(missing: Shown) -> None:
    assert any(fault.startswith("lost: ") for fault in faults(*(shown for shown in TIMELINE if shown != missing)))


@pytest.mark.parametrize("again", TIMELINE)
def test_whatever_comes_twice_is_a_fault(again: Shown) -> None:
    assert any(fault.startswith("twice: ") for fault in faults(*TIMELINE, replace(again, event="$5")))


def test_a_state_of_all_patches_is_as_many_changes() -> None:
    both = replace(FIRST, states={1: "accepted", 2: "accepted"})
    card, reply, *more = TIMELINE
    shown = replace(card, text=card.text.replace("Accepted 1 of 2, New 1", "Accepted"))
    told = replace(reply, text=reply.text.replace("1 of 2 patches (was New: 1/2)", "all 2 patches (was New)"))

    assert judge(MIGRATION, (both, SECOND, OTHER), (shown, told, *more)).faults == []


def test_what_nobody_asked_for_is_a_fault() -> None:
    assert faults(*TIMELINE, Shown("$5", "card", 3, None, "docs: Fix number 2\nNew")) == [
        "unasked: card: docs: Fix number 2 v1 (series 3)"
    ]


def test_cards_in_another_order_than_they_arrived_are_a_fault() -> None:
    assert faults(TIMELINE[3], *TIMELINE[:3]) == ["disordered: series 1 after 2"]


def test_a_card_that_does_not_say_how_it_is_is_a_fault() -> None:
    assert faults(replace(TIMELINE[0], text=TIMELINE[0].text.replace("Accepted 1", "Rejected 1")), *TIMELINE[1:])


def test_a_series_in_a_list_and_its_card_after_it_was_accepted_are_no_fault() -> None:
    assert judge(FLOODS, (LISTED, ACCEPTED), (LIST,)).faults == []
    assert judge(FLOODS, (LISTED, ACCEPTED), (LIST, CARD)).faults == []


def test_a_series_in_two_lists_or_in_none_is_a_fault() -> None:
    twice = judge(FLOODS, (LISTED, ACCEPTED), (LIST, replace(LIST, event="$8", listed=(5,))))
    lost = judge(FLOODS, (LISTED, ACCEPTED), (replace(LIST, listed=(6,)),))

    assert twice.faults == ["twice: card: import: Fix number 3 v1 (series 5)"]
    assert lost.faults == ["lost: card: import: Fix number 3 v1 (series 5)"]


@pytest.mark.timeout(900)
async def test_ten_kills_lose_nothing_and_say_nothing_twice(homeserver: Homeserver, tmp_path: Path) -> None:
    async with a_soak(Plan(KILLS), homeserver, tmp_path / "bot", None) as soak:
        done = await soak.run()

    assert done.faults == []
    assert done.kills == KILLS
    assert {name: verdict.cards > 0 for name, verdict in done.rooms.items()} == dict.fromkeys(done.rooms, True)
