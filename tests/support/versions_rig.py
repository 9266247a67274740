"""Versions of series, as Patchwork tells of them."""

from collections.abc import Iterable, Sequence

from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.patchwork.model import Patch, PatchRef, Person, Series
from bot.patchwork.versions import Newcomer, PredecessorCandidate

ADA = Person("Ada Sample", "ada@example.org")
NAME = "migration: Fix it all"


def a_version(
    number: int,
    version: int,
    name: str = NAME,
    *,
    subjects: Sequence[str] = ("[1/2] One", "[2/2] Two"),
    date: str = "2026-11-01T12:00:00",
    submitter: Person = ADA,
    project: str = "qemu-devel",
    total: int = 0,
    cover: bool = True,
) -> Series:
    """Series *number*, complete unless *total* says more."""
    return Series(
        id=SeriesId(number),
        project=ProjectName(project),
        name=name,
        version=version,
        submitter=submitter,
        date=date,
        total=total or len(subjects),
        received_total=len(subjects),
        received_all=total in {0, len(subjects)},
        cover=Msgid(f"{number}-0@hs") if cover else None,
        patches=tuple(
            PatchRef(PatchId(number * 100 + n), Msgid(f"{number}-{n}@hs"), subject)
            for n, subject in enumerate(subjects, start=1)
        ),
    )


def many(count: int) -> tuple[str, ...]:
    """The subjects of *count* patches."""
    return tuple(f"[{n}/{count}] Step {n}" for n in range(1, count + 1))


def new(series: Series, *hashes: str, parent: str | None = None) -> Newcomer:
    return Newcomer(series, frozenset(hashes), None if parent is None else Msgid(parent))


def old(series: Series, *hashes: str, former: int | None = None) -> PredecessorCandidate:
    return PredecessorCandidate(series, None if former is None else SeriesId(former), frozenset(hashes))


def patches(series: Series, hashes: Iterable[str | None]) -> tuple[Patch, ...]:
    """The patches of *series* as they were read."""
    return tuple(
        Patch(ref.id, series.project, ref.msgid, ref.name, series.submitter, series=series.id, hash=digest)
        for ref, digest in zip(series.patches, hashes, strict=True)
    )
