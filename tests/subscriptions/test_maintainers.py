"""What is asked of a MAINTAINERS file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.query.maintainers.maintainers import Maintainers, changed, read

FILE = """\
Live migration
M: Ada Sample <ada@example.org>
R: Bo <Bo@example.org>
F: migration/
F: include/migration/
K: vmstate_

Migration tests
M: bo@example.org
F: tests/migration/

THE REST
M: cy@example.org
F: *
F: */
"""


@pytest.fixture
def known() -> Maintainers:
    return read(FILE)


def test_sections_are_covered_in_file_order_each_once_with_the_first_reason(known: Maintainers) -> None:
    paths = ["README", "tests/migration/a.py", "migration/a.c", "migration/b.c"]

    found = known.covering(paths, "+vmstate_x")

    assert [(each.section.name, str(each.rule), each.path) for each in found] == [
        ("Live migration", "F: migration/", "migration/a.c"),
        ("Migration tests", "F: tests/migration/", "tests/migration/a.py"),
        ("THE REST", "F: *", "README"),
    ]


def test_a_keyword_is_a_reason_without_a_path(known: Maintainers) -> None:
    found = known.covering(["net/a.c"], "Subject: use vmstate_x\n")

    assert [(each.section.name, str(each.rule), each.path) for each in found] == [
        ("Live migration", "K: vmstate_", ""),
        ("THE REST", "F: */", "net/a.c"),
    ]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("the rest", ["THE REST"]),
        ("  Live   MIGRATION ", ["Live migration"]),
        ("live", ["Live migration"]),
        ("migration", ["Live migration", "Migration tests"]),
        ("ADA@example.org", ["Live migration"]),
        ("bo@example.org", ["Live migration", "Migration tests"]),
        ("nobody@example.org", []),
        ("net", []),
        (" ", []),
    ],
)
def test_a_section_is_found_by_name_part_of_it_or_address(known: Maintainers, value: str, names: list[str]) -> None:
    assert [section.name for section in known.find(value)] == names


def test_a_whole_name_wins_over_names_it_is_a_part_of() -> None:
    assert [section.name for section in read("ARM\nF: a\n\nARM64\nF: b\n").find("arm")] == ["ARM"]


def test_a_mistyped_name_has_near_ones(known: Maintainers) -> None:
    assert known.nearest("live migraton")[0] == "Live migration"
    assert known.nearest("zzz") == ()


@given(st.text())
def test_any_value_can_be_looked_for(value: str) -> None:
    found = read(FILE)

    assert set(found.find(value)) <= set(found.sections)
    assert set(found.nearest(value)) <= set(found.names)


def test_equal_files_are_equal(known: Maintainers) -> None:
    assert read(FILE.encode()) == known


def test_a_change_of_a_section_names_its_rules_and_people(known: Maintainers) -> None:
    after = read(FILE.replace("F: migration/", "F: migration/*").replace("R: Bo <Bo@", "M: Di <di@"))

    change = changed(known, after, "live migration")

    assert change
    assert (change.name, change.is_gone) == ("Live migration", False)
    assert (change.rules_added, change.rules_removed) == (("F: migration/*",), ("F: migration/",))
    assert (change.people_added, change.people_removed) == (("di@example.org",), ("bo@example.org",))


def test_a_section_that_is_gone_is_told(known: Maintainers) -> None:
    change = changed(known, read("THE REST\nF: *\n"), "Migration tests")

    assert change
    assert change.is_gone
    assert change.rules_removed == ("F: tests/migration/",)


def test_rules_in_another_order_and_other_sections_are_no_change(known: Maintainers) -> None:
    after = read("\n\nTHE REST\nF: */\nF: *\nM: cy@example.org\n")

    assert not changed(known, after, "THE REST")
    assert not changed(known, after, "nowhere")
