"""The card: all that a room wants to see of a series at first sight.

The first line says what it is; then who, how much and where; then what was asked for; then how it stands. What is
long stands folded.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.ids import Msgid
from bot.notices.markup import (
    Allowed,
    Bullets,
    Code,
    Details,
    Document,
    Inline,
    Line,
    Lines,
    Link,
    Title,
    cut,
    lines,
    words,
)
from bot.patchwork.model import (
    CheckState,
    FileChange,
    Patch,
    Person,
    Series,
    Trailer,
    TrailerKind,
    paths_of,
)
from bot.patchwork.refs import archive_link, patch_url, series_url

MAX_MATCHED = 6
_BADNESS = (CheckState.FAIL, CheckState.WARNING, CheckState.PENDING, CheckState.SUCCESS)
_CHECK_SIGNS = {CheckState.FAIL: "❌", CheckState.WARNING: "⚠", CheckState.PENDING: "⏳", CheckState.SUCCESS: "✅"}


@dataclass(frozen=True, slots=True)
class Site:
    """How links to a server are written; *archive* is the operator's own template, "" for none."""

    url: str
    by_msgid: bool = True
    archive: str = ""

    @property
    def allowed(self) -> Allowed:
        """Where a card's links may lead."""
        archive = self.archive.partition("{msgid}")[0]
        return Allowed((self.url, archive) if archive else (self.url,))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card shows: a series with the patches read of it, or one patch that has none.

    *matched* are the paths that a subscription asked for, in the order of the patches.
    """

    patches: tuple[Patch, ...]
    series: Series | None = None
    matched: tuple[str, ...] = ()


def card(shown: Shown, site: Site) -> Document:
    """The card of what is *shown*."""
    facts = [_who(shown), _where(shown), _matched(shown), _standing(shown), _links(shown, site)]
    return (_title(shown, site), lines(facts), _folded(shown, site))


def _title(shown: Shown, site: Site) -> Title:
    lone = shown.patches[0] if len(shown.patches) == 1 else None
    if shown.series is None or (shown.series.total == 1 and lone is not None):
        patch = shown.patches[0]
        return Title(patch.name, patch_url(site.url, patch, by_msgid=site.by_msgid))
    series = shown.series
    remark = "" if series.received_all else f"{series.received_total} of {series.total}"
    return Title(series.name, series_url(site.url, series.project, series.id), remark)


def _who(shown: Shown) -> Line:
    version = f"v{shown.series.version}" if shown.series and shown.series.version > 1 else ""
    return words(_joined([_name(_submitter(shown)), version, _how_many(shown), _size(shown)]))


def _submitter(shown: Shown) -> Person:
    return shown.series.submitter if shown.series else shown.patches[0].submitter


def _name(person: Person) -> str:
    return person.name or person.email or "an unknown submitter"


def _how_many(shown: Shown) -> str:
    if shown.series is None:
        return "pull request" if shown.patches[0].pull_url else "1 patch"
    count = len(shown.series.patches)
    if count < shown.series.total:
        return f"{count} of {shown.series.total} patches"
    return "1 patch" if count == 1 else f"{count} patches"


def _size(shown: Shown) -> str:
    files = _files(shown.patches)
    if not files:
        return ""
    return f"+{sum(file.added for file in files)} −{sum(file.removed for file in files)}"


def _where(shown: Shown) -> Line:
    """The three directories most touched, with the number of files in each."""
    paths = dict.fromkeys(path for file in _files(shown.patches) for path in paths_of((file,)))
    counts = Counter(path.rpartition("/")[0] + "/" if "/" in path else path for path in paths)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]
    rest = len(counts) - len(most)
    named = [f"{cut(name, 60)} ({count})" for name, count in most]
    return words(", ".join(named) + (f" and {rest} more" if rest else "")) if named else ()


def _matched(shown: Shown) -> Line:
    if not shown.matched:
        return ()
    pieces: list[str | Inline] = ["matched: "]
    for path in shown.matched[:MAX_MATCHED]:
        pieces += [", "] if len(pieces) > 1 else []
        pieces.append(Code(path))
    rest = len(shown.matched) - MAX_MATCHED
    return words(*pieces, f" and {rest} more" if rest > 0 else "")


def _standing(shown: Shown) -> Line:
    """The states folded, the trailers, the checks and the delegate."""
    delegates = sorted({patch.delegate for patch in shown.patches if patch.delegate})
    delegate = f"delegate: {cut(', '.join(delegates), 100)}" if delegates else ""
    return words(
        _joined([*folded_states(shown.patches), trailer_counts(shown.patches), _checks(shown.patches), delegate])
    )


def folded_states(patches: Iterable[Patch]) -> list[str]:
    """How many patches are in which state, the most first: ["New 5", "Accepted 2"]."""
    counts = Counter(state_name(patch.state) for patch in patches if patch.state)
    return [f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def state_name(slug: str) -> str:
    """A state as people write it: "under-review" is "Under Review"."""
    return cut(" ".join(word[:1].upper() + word[1:] for word in slug.split("-")), 40)


def trailer_counts(patches: Sequence[Patch]) -> str:
    """Acked-by, Reviewed-by and Tested-by as "A1 R2 T0", a person once per kind; "" when there is none."""
    found: set[Trailer] = {trailer for patch in patches for trailer in patch.trailers}
    if not found:
        return ""
    counts = Counter(trailer.kind for trailer in found)
    return " ".join(f"{kind.value}{counts[kind]}" for kind in TrailerKind)


def _checks(patches: Iterable[Patch]) -> str:
    """The worst check of all patches; Patchwork's "pending" is also its word for none, which shows nothing."""
    found = {patch.check for patch in patches if patch.check is not None and patch.check is not CheckState.PENDING}
    worst = next((state for state in _BADNESS if state in found), None)
    return "" if worst is None else f"checks {_CHECK_SIGNS[worst]} {worst.value}"


def _links(shown: Shown, site: Site) -> Line:
    """The archive: the operator's as a link, the server's own word for it as text."""
    if site.archive:
        return words(Link("archive", archive_link(site.archive, _msgid(shown))))
    told = shown.series.archive_url if shown.series else shown.patches[0].archive_url
    return words(f"archive: {cut(told, 300)}") if told else ()


def _folded(shown: Shown, site: Site) -> Details:
    """The patches, and the line to apply them."""
    listed = sorted(shown.patches, key=lambda patch: (patch.number or (0, 0), patch.id))
    items = [_item(patch, site) for patch in listed]
    apply = Lines((words(Code(f"b4 am {_msgid(shown)}")),))
    summary = "1 patch" if len(shown.patches) == 1 else f"{len(shown.patches)} patches"
    return Details(summary, (Bullets(tuple(items)), apply))


def _item(patch: Patch, site: Site) -> Line:
    link = Link(patch.name, patch_url(site.url, patch, by_msgid=site.by_msgid), spelled=False)
    return words(link, f" · {state_name(patch.state)}" if patch.state and patch.state != "new" else "")


def _msgid(shown: Shown) -> Msgid:
    if shown.series is not None and shown.series.cover is not None:
        return shown.series.cover
    return min(shown.patches, key=lambda patch: (patch.number or (0, 0), patch.id)).msgid


def _files(patches: Iterable[Patch]) -> list[FileChange]:
    return [file for patch in patches for file in patch.files or ()]


def _joined(parts: Iterable[str]) -> str:
    return " · ".join(part for part in parts if part)
