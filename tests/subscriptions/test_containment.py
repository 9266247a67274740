"""Whether all that one query matches is certain to match another one."""

import pytest

from bot.query.containment import covers
from bot.query.parser import parse


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("path:hw/", "path:hw/"),
        ("path:hw/", "path:hw/net/"),
        ("path:hw", "path:hw/net/e1000.c"),
        ("path:hw/,migration/", "path:migration/"),
        ("path:hw/", "path:hw/net/ from:ada"),
        ("path:hw/ OR from:ada", "from:ada"),
        ("path:hw/ OR from:ada", "path:hw/net/ OR from:ada"),
        ("path:hw/ -prefix:RFC", "path:hw/ -prefix:RFC,RESEND"),
        ("path:hw/ -path:hw/arm/", "path:hw/net/ -path:hw/"),
        ("from:@example.org", "from:ada@example.org"),
        ("version:>=2", "version:3"),
        ("version:>=2", "version:>2"),
        ("patches:<10", "patches:<=9"),
        ("stale:7d", "stale:14d"),
        ("project:QEMU-devel", "project:qemu-devel path:hw/"),
        ("(path:hw/ OR path:docs/) from:ada", "path:hw/ from:ada"),
    ],
)
def test_a_query_that_is_contained(wide: str, narrow: str) -> None:
    assert covers(parse(wide), parse(narrow))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("path:hw/net/", "path:hw/"),
        ("path:hw/", "path:hwmon/"),
        ("path:hw/*", "path:hw/a.c"),  # it is, but patterns are not compared
        ("path:hw/", "path:hw/*.c"),  # the same
        ("path:hw/ from:ada", "path:hw/"),
        ("path:hw/ -prefix:RFC", "path:hw/"),
        ("path:hw/ -prefix:RFC,RESEND", "path:hw/ -prefix:RFC"),
        ("path:hw/", "path:hw/ OR from:ada"),
        ("from:ada@example.org", "from:@example.org"),
        ("from:@example.org", "to:ada@example.org"),
        ("version:>=2", "version:1"),
        ("version:3", "version:>=3"),
        ("stale:14d", "stale:7d"),
        ("state:new->accepted", "state:accepted"),
        ("subject:fix", "subject:/fix/"),
    ],
)
def test_a_query_that_may_match_something_else(wide: str, narrow: str) -> None:
    assert not covers(parse(wide), parse(narrow))
