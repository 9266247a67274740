"""The card: all that a room wants to see of a series at first sight.

The first line says what it is; then who and how many; how much and where; what was asked for; how it stands. What is
long stands folded. A compact one says the same of it in two lines, but not where, and nothing folded.
"""

from dataclasses import dataclass, replace

from bot.ids import Msgid, ProjectName
from bot.notices import fact_lines as facts
from bot.notices.markup import (
    Allowed,
    Bullets,
    Code,
    Details,
    Document,
    Inline,
    Line,
    Link,
    Piece,
    Title,
    cut,
    lines,
    words,
)
from bot.notices.other_versions import FormerVersion, NextVersion, follows, superseded_by, superseded_remark
from bot.patchwork.model import FileChange, Patch, Series, prefixes_of
from bot.patchwork.refs import patch_url, series_url
from bot.patchwork.states import NO_STATES, States
from bot.query.options import CardForm

MAX_MATCHED = 6
MAX_NAME = 255  # where Patchwork itself cuts a name


@dataclass(frozen=True, slots=True)
class ServerLinks:
    """How links to a server are written; *archive* is the operator's own template, "" for none.

    *others* are the addresses of further servers that are linked beside it, *states* is how the server spells those.
    """

    url: str
    by_msgid: bool = True
    archive: str = ""
    others: tuple[str, ...] = ()
    states: States = NO_STATES

    @property
    def allowed(self) -> Allowed:
        """Where a card's links may lead."""
        archive = self.archive.partition("{msgid}")[0]
        servers = tuple(f"{url}/" for url in (self.url, *self.others))
        return Allowed((*servers, archive) if archive else servers)

    def patch(self, patch: Patch) -> str:
        """The page of a patch."""
        return patch_url(self.url, patch, by_msgid=self.by_msgid)

    def series(self, series: Series) -> str:
        """The page of a series."""
        return series_url(self.url, series.project, series.id)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card shows: a series with the patches read of it, or one patch that has none.

    *matched* are the paths that a subscription asked for, in the order of the patches, *form* what it looks like.
    *former* and *superseded_by* are the versions before and after the series, where they are known.
    """

    patches: tuple[Patch, ...]
    series: Series | None = None
    matched: tuple[str, ...] = ()
    former: FormerVersion | None = None
    superseded_by: NextVersion | None = None
    form: CardForm = CardForm.CARD

    @property
    def project(self) -> ProjectName:
        """Where it was sent."""
        return self.series.project if self.series else self.patches[0].project

    @property
    def lone(self) -> Patch | None:
        """The patch, where there is but one and more are not expected."""
        return self.patches[0] if len(self.patches) == 1 and self.total == 1 else None

    @property
    def pull(self) -> Patch | None:
        """The pull request, alone or with the patches that it is about; None where there is none."""
        return next((patch for patch in self.in_order if patch.pull_url), None)

    @property
    def total(self) -> int:
        """How many patches were sent, as far as the series or the subjects say."""
        if self.series is None:
            return 1
        told = max(self.series.total, len(self.patches) - self._covers)
        if self.series.received_all:
            return told
        return max([told, *(patch.number[1] for patch in self.patches if patch.number)])

    @property
    def arrived(self) -> int:
        """How many of them the server has."""
        if self.series is None:
            return 1
        if self.series.received_all and not self._covers:
            return self.total
        received = max(self.series.received_total, len(self.series.patches), len(self.patches))
        return min(received - self._covers, self.total) if self._covers else received

    @property
    def _covers(self) -> int:
        """1 where a pull request is numbered as a cover letter, "0/3", and so is none of the patches; else 0."""
        pull = self.pull
        return 1 if pull is not None and pull.number is not None and pull.number[0] == 0 else 0

    @property
    def in_order(self) -> tuple[Patch, ...]:
        """The patches by their numbers."""
        return tuple(sorted(self.patches, key=lambda patch: (patch.number or (0, 0), patch.id)))

    @property
    def files(self) -> tuple[FileChange, ...]:
        """What all the patches touch."""
        return tuple(file for patch in self.patches for file in patch.files or ())

    @property
    def msgid(self) -> Msgid | None:
        """The mail that stands for all: the pull request, the cover letter, or else the first patch."""
        if self.pull is not None:
            return self.pull.msgid
        if self.series is not None and self.series.cover is not None:
            return self.series.cover
        return next((patch.msgid for patch in self.in_order), None)


def drawn(shown: Shown, site: ServerLinks) -> Document:
    """What is *shown*, in its form."""
    return compact(shown, site) if shown.form is CardForm.COMPACT else card(shown, site)


def compact(shown: Shown, site: ServerLinks) -> Document:
    """The same in two lines: what it is; who, how many, and how it stands."""
    title = _title(shown, site)
    first = words(Link(title.text, title.url), f" · {title.remark}" if title.remark else "")
    return (lines([first, words(*_who(shown), *_then(_standing(shown, site)))]),)


def card(shown: Shown, site: ServerLinks) -> Document:
    """The card of what is *shown*."""
    said = [
        _successor(shown, site),
        _who(shown),
        _former(shown, site),
        _where(shown),
        _pull(shown),
        _matched(shown),
        _standing(shown, site),
        _archive(shown, site),
    ]
    return (_title(shown, site), lines(said), *_folded(shown, site))


def _title(shown: Shown, site: ServerLinks) -> Title:
    superseded = superseded_remark(shown.superseded_by) if shown.superseded_by else ""
    if shown.series is None or shown.lone is not None:
        return replace(patch_title(shown.patches[0], site), remark=superseded)
    arrived = f"{shown.arrived} of {shown.total}" if shown.arrived < shown.total else ""
    if shown.pull and shown.arrived < 1:
        arrived = ""
    title = series_title(shown.series, site)
    return replace(
        title,
        text=patch_name(shown.pull) if shown.pull else title.text,
        remark=facts.joined([arrived, superseded]),
    )


def series_title(series: Series, site: ServerLinks) -> Title:
    """What a series is called, linked."""
    return Title(cut(facts.named(series.name, f"series {series.id}"), MAX_NAME), site.series(series))


def patch_title(patch: Patch, site: ServerLinks) -> Title:
    """What a patch is called, linked."""
    return Title(patch_name(patch), site.patch(patch))


def patch_name(patch: Patch) -> str:
    """What a patch is called."""
    return cut(facts.named(patch.name, f"patch {patch.id}"), MAX_NAME)


def _who(shown: Shown) -> Line:
    submitter = shown.series.submitter if shown.series else shown.patches[0].submitter
    return words(facts.joined([facts.submitter_name(submitter), _how_many(shown), _version(shown)]))


def _then(line: Line) -> Line:
    return words(" · ", *line) if line != words("") else ()


def _how_many(shown: Shown) -> str:
    if shown.pull and (shown.lone or shown.arrived < 1):
        return facts.PULL_REQUEST
    return facts.joined([facts.PULL_REQUEST if shown.pull else "", facts.counted(shown.total, "patch")])


def _version(shown: Shown) -> str:
    """The version, where neither the first line says it nor the one that tells of the version before."""
    if shown.series is None or shown.series.version < 2 or shown.former is not None:
        return ""
    version = f"v{shown.series.version}"
    name = shown.lone.name if shown.lone else shown.series.name
    return "" if version in prefixes_of(name) else version


def _former(shown: Shown, site: ServerLinks) -> Line:
    if shown.series is None or shown.former is None:
        return ()
    return follows(shown.series, shown.former, site.series(shown.former.series))


def _successor(shown: Shown, site: ServerLinks) -> Line:
    if shown.series is None or shown.superseded_by is None:
        return ()
    return superseded_by(shown.series, shown.superseded_by, site.series(shown.superseded_by.series))


def _where(shown: Shown) -> Line:
    size = facts.size(shown.files)
    return words(f"{size}: {facts.directories(shown.files)}") if size else ()


def _matched(shown: Shown) -> Line:
    if not shown.matched:
        return ()
    pieces: list[str | Inline] = ["matched: "]
    for path in shown.matched[:MAX_MATCHED]:
        pieces += [", "] if len(pieces) > 1 else []
        pieces.append(Code(cut(path, 200)))
    rest = len(shown.matched) - MAX_MATCHED
    return words(*pieces, f" and {rest} more" if rest > 0 else "")


def _standing(shown: Shown, site: ServerLinks) -> Line:
    of_all, lone = shown.series.trailers if shown.series else (), shown.lone
    if lone is not None:
        return facts.standing(shown.patches, [facts.state_name(lone.state, site.states)] if lone.state else [], of_all)
    return facts.standing(shown.patches, facts.folded_states(shown.patches, site.states), of_all)


def _pull(shown: Shown) -> Line:
    return facts.pull_source(shown.pull) if shown.pull else ()


def _archive(shown: Shown, site: ServerLinks) -> Line:
    told = shown.series.archive_url if shown.series else None
    told = told or next((patch.archive_url for patch in shown.in_order if patch.archive_url), None)
    return facts.archive(site.archive, told, shown.msgid, site.allowed)


def _folded(shown: Shown, site: ServerLinks) -> tuple[Details, ...]:
    """The patches, which a lone one would only repeat, and the line to apply them."""
    apply = lines([facts.apply_command(shown.msgid, is_pull=shown.pull is not None)])
    content: list[Piece] = [apply] if apply.lines else []
    if shown.lone is None and shown.patches:
        content.insert(0, Bullets(tuple(_item(patch, site) for patch in shown.in_order)))
    if not content:
        return ()
    complete = shown.arrived == shown.total or shown.pull is not None
    summary = "Apply" if shown.lone is not None else "Patches" if complete else "Patches so far"
    return (Details(summary, tuple(content)),)


def _item(patch: Patch, site: ServerLinks) -> Line:
    """A patch of several, with what is not as it was when it came."""
    link = Link(patch_name(patch), site.patch(patch), spelled=False)
    state = facts.state_name(patch.state, site.states) if patch.state and patch.state != "new" else ""
    remark = facts.joined([state, facts.worst_check([patch])])
    return words(link, f" · {remark}" if remark else "")
