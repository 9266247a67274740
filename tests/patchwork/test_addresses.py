"""Addresses and trailers, entry by entry; alike on every Python, for no parser of the standard library is asked."""

import inspect
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import Msgid
from bot.patchwork.mails import addresses, mailboxes, person, trailers_of
from bot.patchwork.model import TrailerKind, number_of
from bot.patchwork.references import msgid_of


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("alice@x.org <alice@x.org>, Bob B <bob@y.org>, list@z.org", ["alice@x.org", "bob@y.org", "list@z.org"]),
        ("Doe, John <j@x.org>, k@y.org", ["j@x.org", "k@y.org"]),
        ('"Doe, John" <j@x.org>', ["j@x.org"]),
        ('"Unclosed <a@x.org>, b@y.org', ["a@x.org", "b@y.org"]),
        ("Unclosed <a@x.org, b@y.org", ["b@y.org"]),
        ("a@x.org b@y.org, c@z.org", ["c@z.org"]),
        ("<a@x.org> <b@y.org>, c@z.org", ["c@z.org"]),
        ("a@x.org (was: b@y.org), c@z.org", ["a@x.org", "c@z.org"]),
        ("a@b@c.org, d@e.org", ["d@e.org"]),
        ("undisclosed-recipients:;, a@x.org", ["a@x.org"]),
        ("Team: a@x.org, b@y.org;, c@z.org", ["a@x.org", "b@y.org", "c@z.org"]),
        ("a@x.org; b@y.org", ["a@x.org", "b@y.org"]),
        ('"a@evil.org" <b@y.org>', ["b@y.org"]),
        ("<mailto:a@x.org>, mailto:b@y.org", ["a@x.org", "b@y.org"]),
        ("a at x.org, b@y.org", ["b@y.org"]),
        ("A <a@x.org>,\u200bb@y.org,\u00a0c@z.org\ufeff", ["a@x.org", "b@y.org", "c@z.org"]),
        ("A <\u200ba@x.org >, b\u200b@y.org, c@z.org", ["a@x.org", "c@z.org"]),
        ("A <a@x.org<mailto:a@x.org>>, c@z.org", ["a@x.org", "c@z.org"]),
        ("stable@x.org # v5.10+, <b@y.org> [v6], c@z.org", ["b@y.org", "c@z.org"]),
        ("@x.org, a@, @, b@y.org", ["b@y.org"]),
        ('"john smith"@x.org', ['"john smith"@x.org']),
        ("A@X.org,\r\n B@y.org", ["a@x.org", "b@y.org"]),
        ("a@[127.0.0.1]", ["a@[127.0.0.1]"]),
        ("a@x.org\x00, b\x1b@y.org, c@z.org", ["c@z.org"]),
        (",,;,", []),
        ("", []),
    ],
)
def test_an_odd_entry_costs_itself_only_and_no_address_is_invented(header: str, expected: list[str]) -> None:
    assert list(addresses([header])) == expected


@given(st.text(alphabet='ab@.<>"(),;:\\ \t', max_size=60))
def test_every_address_found_stands_in_the_header(header: str) -> None:
    for found in mailboxes(header):
        assert found.email in header
        assert found.email.count("@") >= 1


@pytest.mark.parametrize("sign", ['"', '"\\', "(", "<", "<(", ":", ";", ",", '\\"', "(((", "a@"])
def test_a_header_full_of_signs_is_read_in_linear_time(sign: str) -> None:
    def steps(size: int) -> float:
        before = time.process_time()
        list(mailboxes((sign * size)[:size]))
        return time.process_time() - before

    steps(1_000)
    assert steps(64_000) < 2.0, "quadratic time would take minutes"


def test_a_name_with_a_comma_stays_whole_where_one_person_is_named() -> None:
    assert person("Doe, John <J@x.org>") == person('"Doe, John" <J@x.org>')
    assert person("Doe, John <J@x.org>").name == "Doe, John"


def test_who_is_named_without_an_address_keeps_the_name() -> None:
    assert (person("John Doe").name, person("John Doe").email) == ("John Doe", "")


def test_one_person_counts_once_however_a_trailer_is_written() -> None:
    text = (
        "x\n\nReviewed-by: A <a@x.org>\nReviewed-by: A <a@x.org> # s390\nReviewed-by: A <A@x.org> [arm64, x86]\n"
        "Reviewed-by: A <a@x.org>.\nAcked-by: c@x.org <c@x.org>\nAcked-by: C <c@x.org>\nAcked-by: c@x.org,\n"
    )

    found = [(each.kind, each.person) for each in trailers_of(text)]

    assert sorted(found, key=str) == [(TrailerKind.ACKED, "c@x.org"), (TrailerKind.REVIEWED, "a@x.org")]


@pytest.mark.parametrize(
    "other",
    [
        "A <a@x.org",
        "A a@x.org",
        "A (a@x.org)",
        "A <\u200ba@x.org>",
        "A <<a@x.org>>",
        "A <mailto:a@x.org>",
        "A <a@x.org<mailto:a@x.org>>",
        "\u00a0A <a@x.org>",
        "=?utf-8?q?=C3=84?= <a@x.org>",
        "A <a@x.org> /* x86 */",
        "...",
    ],
)
def test_one_person_counts_once_whatever_a_mailer_or_typist_made_of_the_line(other: str) -> None:
    found = trailers_of(f"Reviewed-by: A <a@x.org>\nReviewed-by: {other}\n")

    assert {each.person for each in found} == {"a@x.org"}


@pytest.mark.parametrize("several", ["A <a@x.org> <b@y.org>", "a@x.org b@y.org", "a@b@c.org"])
def test_no_address_is_picked_from_several_in_one_entry(several: str) -> None:
    assert {each.person for each in trailers_of(f"Acked-by: {several}\n")} == {several.lower()}


def test_a_note_behind_a_trailer_names_no_reviewer() -> None:
    found = trailers_of("x\n\nTested-by: A <a@x.org> # Cc: B <b@y.org>\nTested-by: C (was: d@y.org) <c@x.org>\n")

    assert {each.person for each in found} == {"a@x.org", "c@x.org"}


def test_two_people_in_one_trailer_are_two() -> None:
    found = trailers_of("x\n\nReviewed-by: A <a@x.org>, B <b@y.org>\n")

    assert {each.person for each in found} == {"a@x.org", "b@y.org"}


def test_no_parser_of_the_standard_library_reads_addresses() -> None:
    source = inspect.getsource(sys.modules["bot.patchwork.mails"])

    assert [name for name in ("email.utils", "getaddresses", "parseaddr", "policy") if name in source] == []


@pytest.mark.parametrize(
    ("header", "msgid"),
    [
        ("<20260101.abc@example.org> (added by postmaster@example.org)", "20260101.abc@example.org"),
        ("<a@b> <c@d>", "a@b"),
        (" <a@b>\n", "a@b"),
        ("<<a@b>>", "a@b"),
        ("a@b", "a@b"),
        ("<a@b", "a@b"),
        ("a@b>", "a@b"),
        ("a@b (added by postmaster@example.org)", "a@b"),
        ("Message-ID: <a@b>", "a@b"),
        ("<a@b>\u200b", "a@b"),
    ],
)
def test_a_message_id_is_what_stands_between_angle_brackets(header: str, msgid: str) -> None:
    assert msgid_of(header) == Msgid(msgid)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("[1 of 3] x", (1, 3)),
        ("[v2,1 of 3] x", (1, 3)),
        ("[PATCH 2 of 3] x", (2, 3)),
        ("[PATCH1/3] x", (1, 3)),
        ("[v2PATCH12/15] x", (12, 15)),
        ("[RFC,for-9.0,02/11] x", (2, 11)),
        ("[2 of] x", None),
        ("[for-9.0] x", None),
        ("x [1/2]", None),
    ],
)
def test_patch_numbers_are_read_as_patchwork_reads_them(name: str, number: tuple[int, int] | None) -> None:
    assert number_of(name) == number


@pytest.mark.parametrize(
    ("trailer", "person", "shown"),
    [
        ("Ada Beispiel <Ada@Example.org>", "ada@example.org", "Ada Beispiel"),
        ('"Beispiel, Ada" <ada@example.org> # for the docs', "ada@example.org", "Beispiel, Ada"),
        ("=?utf-8?q?J=C3=B6rg?= <j@example.org>", "j@example.org", "Jörg"),
        ("Ada Beispiel <ada@example.org", "ada@example.org", "Ada Beispiel"),
        ("Ada <ada@example.org<mailto:ada@example.org>>", "ada@example.org", "Ada"),
        ("ada.beispiel@example.org (Ada)", "ada.beispiel@example.org", "Ada"),
        ("ada.beispiel@example.org", "ada.beispiel@example.org", "ada.beispiel"),
        ("<ada@example.org>", "ada@example.org", "ada"),
        ("Ada Beispiel", "ada beispiel", "Ada Beispiel"),
    ],
)
def test_a_trailer_is_counted_by_address_and_told_by_name(trailer: str, person: str, shown: str) -> None:
    [found] = trailers_of(f"Reviewed-by: {trailer}\n")

    assert (found.person, found.shown) == (person, shown)
