"""Patches and series to show, and what is shown of them."""

import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.notices.card import ServerLinks
from bot.notices.markup import Document, written
from bot.patchwork import response_rows as answers
from bot.patchwork import wire
from bot.patchwork.model import FileChange, Patch, PatchRef, Person, Series

ADA = Person("Ada Sample", "ada@example.org")
PROJECT = ProjectName("qemu-devel")
SITE = ServerLinks("https://patchwork.example.org")
SEED = Path(__file__).parents[1] / "samples" / "patch-2194095.json"
TAGS = {"b", "strong", "i", "em", "u", "del", "a", "code", "pre", "br", "p", "ul", "ol", "li"}
TAGS |= {"blockquote", "details", "summary", "span"}


def a_patch(number: int = 1, name: str = "migration: Fix it", *paths: str, msgid: str = "") -> Patch:
    """A patch of the sample project, with 3 lines added and 1 removed in each of *paths*."""
    return Patch(
        id=PatchId(100 + number),
        project=PROJECT,
        msgid=Msgid(msgid or f"20261123.1-{number}-ada@example.org"),
        name=name,
        submitter=ADA,
        date="2026-11-23T01:42:47",
        state="new",
        files=tuple(FileChange(path, None, 3, 1) for path in paths or ("migration/ram.c",)),
    )


def of_series(*patches: Patch, name: str = "migration: Fix it all", total: int = 0, version: int = 1) -> Series:
    """The series of *patches*, complete unless *total* is more."""
    return Series(
        id=SeriesId(42),
        project=PROJECT,
        name=name,
        version=version,
        submitter=ADA,
        total=total or len(patches),
        received_total=len(patches),
        received_all=not total or total == len(patches),
        patches=tuple(PatchRef(patch.id, patch.msgid, patch.name) for patch in patches),
    )


def numbered(count: int, *, total: int = 0, version: int = 1) -> tuple[Patch, ...]:
    """The first *count* patches of a series."""
    before = f"v{version}," if version > 1 else ""
    return tuple(
        replace(a_patch(n, f"[{before}{n}/{total or count}] migration: Step {n}"), series=SeriesId(42))
        for n in range(1, count + 1)
    )


def the_seed() -> tuple[Patch, Series]:
    """A real patch of a real server, which no tool checked, and its series as far as the patch tells of it."""
    row = answers.read_row(wire.PatchRow, SEED.read_bytes())
    series = row.series_model()
    assert series is not None
    return replace(row.model(), check=None), series


def body_and_html(document: Document, site: ServerLinks = SITE) -> tuple[str, str]:
    """Both forms, the HTML a line per tag that begins one."""
    body, html = written(document, site.allowed)
    return body, re.sub(r'(?<!^)(?=<(?:p|ul|li|details|summary|a href|br)\b)|(?<=">)', "\n", html)


@dataclass(frozen=True, slots=True)
class Page:
    """What a strict reader found in HTML."""

    text: str
    links: tuple[str, ...]


class _Strict(HTMLParser):
    """Refuses what is not balanced, not allowed, or has an attribute too many."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert [name for name, _ in attrs] == (["href"] if tag == "a" else [])
        self.links += [value or "" for _, value in attrs]
        if tag in {"p", "li", "ul", "br", "summary", "pre"}:
            self.words.append(" ")
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def close(self) -> None:
        super().close()
        assert self._open == []


def read_strictly(html: str) -> Page:
    """What stands in *html*; fails where it is not balanced, allowed and plain."""
    reader = _Strict()
    reader.feed(html)
    reader.close()
    return Page("".join(reader.words), tuple(reader.links))
