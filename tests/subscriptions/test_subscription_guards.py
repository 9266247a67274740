"""What is said of names in a query that nobody knows."""

import pytest
from inline_snapshot import snapshot

from bot.query.maintainers.maintainers import read
from bot.query.parser import parse
from bot.subscriptions.lint import KnownTrees, doubts

FILE = read("""
Migration
F: migration/
F: include/migration/*.h

Migration tests
F: tests/qtest/migration-test.c

Virtio
F: hw/virtio/
""")
SEEN = ("migration/ram.c", "hw/usb/core.c", "docs/devel/index.rst")
KNOWN = KnownTrees((FILE,), SEEN)
MUCH = KnownTrees(seen=[f"fs/file{number}.c" for number in range(1_000)])


@pytest.mark.parametrize(
    "query",
    [
        "path:migration/",
        "path:migration/ram.c",
        "path:hw/virtio/virtio-net.c",
        "path:hw/",
        "path:**/anything.c",
        "maint:Migration",
        "maint:virt",
        "from:@redhat.com -path:docs/",
    ],
)
def test_what_is_known_is_not_doubted(query: str) -> None:
    assert doubts(parse(query), KNOWN) == ()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("path:migraton/", "path:migraton/ matches no file that was seen so far; did you mean path:migration?"),
        ("-path:hw/ubs/ s:x", "path:hw/ubs/ matches no file that was seen so far; did you mean path:hw/usb?"),
        ("maint:virtoi", "maint:virtoi is not a section of MAINTAINERS; did you mean maint:Virtio?"),
        (
            "maint:migr",
            "maint:migr is part of several section names: Migration, Migration tests; it matches them all.",
        ),
    ],
)
def test_what_nobody_knows_is_doubted_with_what_may_be_meant(query: str, said: str) -> None:
    assert doubts(parse(query), KNOWN) == (said,)


def test_a_path_like_no_other_is_doubted_only_where_many_are_known() -> None:
    assert doubts(parse("path:zzz/"), KNOWN) == ()
    assert doubts(parse("path:zzz/"), MUCH) == (
        "path:zzz/ matches no file that was seen so far; is it spelled as in the tree?",
    )


def test_where_nothing_is_known_of_a_project_only_sections_are_doubted() -> None:
    assert doubts(parse("path:anything/ maint:virtio"), KnownTrees()) == (
        "maint:virtio matches nothing yet: no MAINTAINERS file of the project is known.",
    )


def test_the_rules_of_a_section_that_cannot_be_used_are_named() -> None:
    file = read("Versal\nF: hw/\nN: a(?!b)c\nN: (?<!uni)versal\nK: (a)\\1\n")

    assert doubts(parse("maint:versal"), KnownTrees((file,))) == snapshot(
        ("the bot cannot use the rules N: a(?!b)c, K: (a)\\1 of Versal; they match nothing.",)
    )


def test_a_section_that_is_like_none_is_not_looked_for_in_other_files() -> None:
    assert doubts(parse("maint:zzz"), KNOWN) == snapshot(
        ("maint:zzz is not a section of MAINTAINERS; only the configured files are read.",)
    )
