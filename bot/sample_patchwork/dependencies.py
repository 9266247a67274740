"""What a series of the sample Patchwork depends on, and what depends on it, as Patchwork's main branch finds it.

A "Depends-on:" line names a message-id in angle brackets, or an address, whose host does not count. It must be of the
same project, and have arrived before.
"""

import re
from collections.abc import Iterator
from itertools import chain
from urllib.parse import unquote

from bot.sample_patchwork.records import CoverRecord, PatchRecord, SeriesRecord
from bot.sample_patchwork.tables import Snapshot

_MSGID = re.compile(r"^Depends-on: <([^>]+)>\s*$", re.MULTILINE | re.IGNORECASE)
_URL = re.compile(r"^Depends-on: https?://[^/\s]+(\S*)\s*$", re.MULTILINE | re.IGNORECASE)
_SERIES = re.compile(r"[?&]series=(\d+)|/series/(\d+)/")
_MAIL = re.compile(r"/(?:patch|cover)/([^/]+)/")


def dependencies_of(rows: Snapshot, series: SeriesRecord) -> list[int]:
    """Return the ids of the series that a series depends on."""
    named = dict.fromkeys(_named(rows, series))
    known = (rows.series[number] for number in named if number in rows.series)
    return [each.id for each in known if each.project == series.project and each.id < series.id]


def dependents_of(rows: Snapshot, series: SeriesRecord) -> list[int]:
    """Return the ids of the series that depend on a series."""
    others = (each for each in rows.series.values() if each.id > series.id and each.project == series.project)
    return [each.id for each in others if series.id in dependencies_of(rows, each)]


def _named(rows: Snapshot, series: SeriesRecord) -> Iterator[int]:
    cover = rows.cover_of(series.id)
    texts = [*([cover.content] if cover else []), *(patch.content for patch in rows.patches_of(series.id))]
    for text in texts:
        for match in _URL.finditer(text):
            if found := _SERIES.search(match[1]):
                yield int(found[1] or found[2])
            elif (mail := _MAIL.search(match[1])) and (number := _with_msgid(rows, unquote(mail[1]))):
                yield number
        for match in _MSGID.finditer(text):
            if number := _with_msgid(rows, match[1]):
                yield number


def _with_msgid(rows: Snapshot, msgid: str) -> int | None:
    mails: Iterator[CoverRecord | PatchRecord] = chain(rows.covers.values(), rows.patches.values())
    return next((mail.series for mail in mails if mail.msgid == msgid), None)
