"""The card: the message with all that a room needs to know of a series at first sight.

The first line is the title, followed by submitter and number of patches, size and directories, matched paths, and the
current state. Long parts are folded. A compact card has the same information in two lines, without directories and
folded parts.
"""

from dataclasses import dataclass, replace

from bot.ids import EventId, RoomId
from bot.notices import fact_lines as facts
from bot.notices.event_link import EventLink
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
from bot.patchwork.model import Patch, Series, prefixes_of
from bot.patchwork.references import patch_url, series_url
from bot.patchwork.state_classes import DEFAULT_CLASSES, StateClasses
from bot.patchwork.states import NO_STATES, States
from bot.patchwork.versions import Comparison, days_between, is_partial_reroll, version_of
from bot.query.check_lanes import NO_LANES, CheckLanes
from bot.query.options import CardForm
from bot.submission import Submission

MAX_MATCHED = 6
MAX_NAME = 255  # where Patchwork itself cuts a name


@dataclass(frozen=True, slots=True)
class CardPlace:
    """The event of a card, and its room."""

    room: RoomId
    event: EventId


@dataclass(frozen=True, slots=True)
class FormerVersion:
    """The former version and the changes since; *card* is its card in the same room, if it has one."""

    series: Series
    compared: Comparison
    card: CardPlace | None = None


@dataclass(frozen=True, slots=True)
class NextVersion:
    """The next version; *card* is its card in the same room, if it has one."""

    series: Series
    card: CardPlace | None = None


def follows(series: Series, former: FormerVersion, page: str) -> Line:
    """Return the line about the former version: "v6, 6 days after v5: 3 patches changed, 1 new"; *page* is its URL."""
    link = _link(former.series, former.card, page)
    if is_partial_reroll(series):
        places = [f"{ref.number[0]}/{ref.number[1]}" for ref in series.patches if ref.number]
        return words("partial reroll of ", link, f": {cut(', '.join(places), 200)}")
    days = days_between(former.series, series)
    passed = "" if days is None else ", less than a day" if days == 0 else f", {_days(days)}"
    changes = _changes(former.compared)
    return words(f"{version_of(series)}{passed} after ", link, f": {changes}" if changes else "")


def superseded_by(series: Series, successor: NextVersion, page: str) -> Line:
    """Return the line about the version after *series*; *page* is its URL."""
    days = days_between(series, successor.series)
    passed = f", {_days(days)} later" if days else ""
    return words("Superseded by ", _link(successor.series, successor.card, page), passed)


def superseded_remark(successor: NextVersion) -> str:
    """Return the remark about the next version for a title."""
    return f"superseded by {version_of(successor.series)}"


def _link(series: Series, card: CardPlace | None, page: str) -> Inline:
    name = str(version_of(series))
    return EventLink(name, card.room, card.event) if card else Link(name, page)


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _changes(found: Comparison) -> str:
    """Return the changes between two versions in numbers, with a noun in the first."""
    counts = ((found.changed, "changed"), (found.new, "new"), (found.gone, "gone"), (found.unclear, "not compared"))
    said = [(count, word) for count, word in counts if count]
    if not said:
        return _so_far("no patch changed", found) if found.unchanged else ""
    (count, word), *rest = said
    noun = "patch" if count == 1 else "patches"
    first = f"{count} {word} {noun}" if word == "new" else f"{count} {noun} {word}"
    return _so_far(", ".join([first, *(f"{count} {word}" for count, word in rest)]), found)


def _so_far(said: str, found: Comparison) -> str:
    return said if found.whole else f"{said} so far"


@dataclass(frozen=True, slots=True)
class ServerLinks:
    """The form of links to a server; *archive* is the operator's URL template, "" for none.

    *others* are the addresses of further servers that may be linked, *states* are the server's spellings of states,
    *classes* what they mean, *lanes* those of its checks.
    """

    url: str
    by_msgid: bool = True
    archive: str = ""
    others: tuple[str, ...] = ()
    states: States = NO_STATES
    classes: StateClasses = DEFAULT_CLASSES
    lanes: CheckLanes = NO_LANES

    @property
    def allowed(self) -> Allowed:
        """The prefixes of a card's links."""
        archive = self.archive.partition("{msgid}")[0]
        servers = tuple(f"{url}/" for url in (self.url, *self.others))
        return Allowed((*servers, archive) if archive else servers)

    def patch(self, patch: Patch) -> str:
        """Return the URL of a patch's page."""
        return patch_url(self.url, patch, by_msgid=self.by_msgid)

    def series(self, series: Series) -> str:
        """Return the URL of a series' page."""
        return series_url(self.url, series.project, series.id)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card shows of a *submission*.

    *matched* are the paths that a subscription asked for, in the order of the patches, *form* what it looks like.
    *former* and *superseded_by* are the versions before and after the series, where they are known.
    """

    submission: Submission
    matched: tuple[str, ...] = ()
    former: FormerVersion | None = None
    superseded_by: NextVersion | None = None
    form: CardForm = CardForm.CARD


def drawn(shown: Shown, site: ServerLinks) -> Document:
    """Return the document for *shown*, in its form."""
    return compact(shown, site) if shown.form is CardForm.COMPACT else card(shown, site)


def compact(shown: Shown, site: ServerLinks) -> Document:
    """Return a compact card: one line with the title, one with submitter, number of patches and state."""
    title = _title(shown, site)
    first = words(Link(title.text, title.url), f" · {title.remark}" if title.remark else "")
    return (lines([first, words(*_who(shown), *_then(_standing(shown.submission, site)))]),)


def card(shown: Shown, site: ServerLinks) -> Document:
    """Return the full card for *shown*."""
    submission = shown.submission
    said = [
        _successor(shown, site),
        _who(shown),
        _former(shown, site),
        _where(submission),
        _pull(submission),
        _matched(shown),
        _standing(submission, site),
        _archive(submission, site),
    ]
    return (_title(shown, site), lines(said), *_folded(submission, site))


def _title(shown: Shown, site: ServerLinks) -> Title:
    submission = shown.submission
    superseded = superseded_remark(shown.superseded_by) if shown.superseded_by else ""
    if submission.series is None or submission.lone is not None:
        return replace(patch_title(submission.patches[0], site), remark=superseded)
    arrived = f"{submission.arrived} of {submission.total}" if submission.arrived < submission.total else ""
    if submission.pull and submission.arrived < 1:
        arrived = ""
    title = series_title(submission.series, site)
    return replace(
        title,
        text=patch_name(submission.pull) if submission.pull else title.text,
        remark=facts.joined([arrived, superseded]),
    )


def series_title(series: Series, site: ServerLinks) -> Title:
    """Return the name of a series as a linked title."""
    return Title(cut(facts.named(series.name, f"series {series.id}"), MAX_NAME), site.series(series))


def patch_title(patch: Patch, site: ServerLinks) -> Title:
    """Return the name of a patch as a linked title."""
    return Title(patch_name(patch), site.patch(patch))


def patch_name(patch: Patch) -> str:
    """Return the name of a patch."""
    return cut(facts.named(patch.name, f"patch {patch.id}"), MAX_NAME)


def _who(shown: Shown) -> Line:
    submission = shown.submission
    submitter = submission.series.submitter if submission.series else submission.patches[0].submitter
    return words(facts.joined([facts.submitter_name(submitter), _how_many(submission), _version(shown)]))


def _then(line: Line) -> Line:
    return words(" · ", *line) if line != words("") else ()


def _how_many(submission: Submission) -> str:
    if submission.pull and (submission.lone or submission.arrived < 1):
        return facts.PULL_REQUEST
    return facts.joined([facts.PULL_REQUEST if submission.pull else "", facts.counted(submission.total, "patch")])


def _version(shown: Shown) -> str:
    """Return the version, unless the title or the line about the former version already has it; "" then."""
    submission = shown.submission
    if submission.series is None or submission.series.version < 2 or shown.former is not None:
        return ""
    version = f"v{submission.series.version}"
    name = submission.lone.name if submission.lone else submission.series.name
    return "" if version in prefixes_of(name) else version


def _former(shown: Shown, site: ServerLinks) -> Line:
    submission = shown.submission
    if submission.series is None or shown.former is None:
        return ()
    return follows(submission.series, shown.former, site.series(shown.former.series))


def _successor(shown: Shown, site: ServerLinks) -> Line:
    submission = shown.submission
    if submission.series is None or shown.superseded_by is None:
        return ()
    return superseded_by(submission.series, shown.superseded_by, site.series(shown.superseded_by.series))


def _where(submission: Submission) -> Line:
    size = facts.size(submission.files)
    return words(f"{size}: {facts.directories(submission.files)}") if size else ()


def _matched(shown: Shown) -> Line:
    if not shown.matched:
        return ()
    pieces: list[str | Inline] = ["matched: "]
    for path in shown.matched[:MAX_MATCHED]:
        pieces += [", "] if len(pieces) > 1 else []
        pieces.append(Code(cut(path, 200)))
    rest = len(shown.matched) - MAX_MATCHED
    return words(*pieces, f" and {rest} more" if rest > 0 else "")


def _standing(submission: Submission, site: ServerLinks) -> Line:
    of_all, lone = submission.series.trailers if submission.series else (), submission.lone
    if lone is not None:
        return facts.standing(
            submission.patches, [facts.state_name(lone.state, site.states)] if lone.state else [], of_all
        )
    return facts.standing(submission.patches, facts.folded_states(submission.patches, site.states), of_all)


def _pull(submission: Submission) -> Line:
    return facts.pull_source(submission.pull) if submission.pull else ()


def _archive(submission: Submission, site: ServerLinks) -> Line:
    told = submission.series.archive_url if submission.series else None
    told = told or next((patch.archive_url for patch in submission.in_order if patch.archive_url), None)
    return facts.archive(site.archive, told, submission.msgid, site.allowed)


def _folded(submission: Submission, site: ServerLinks) -> tuple[Details, ...]:
    """Return the folded parts: the list of patches, unless there is just one, and the command that applies them."""
    apply = lines([facts.apply_command(submission.msgid, is_pull=submission.pull is not None)])
    content: list[Piece] = [apply] if apply.lines else []
    if submission.lone is None and submission.patches:
        content.insert(0, Bullets(tuple(_item(patch, site) for patch in submission.in_order)))
    if not content:
        return ()
    complete = submission.arrived == submission.total or submission.pull is not None
    summary = "Apply" if submission.lone is not None else "Patches" if complete else "Patches so far"
    return (Details(summary, tuple(content)),)


def _item(patch: Patch, site: ServerLinks) -> Line:
    """Return the line of one of several patches, with its state and checks if they are not the initial ones."""
    link = Link(patch_name(patch), site.patch(patch), spelled=False)
    state = facts.state_name(patch.state, site.states) if patch.state and patch.state != "new" else ""
    remark = facts.joined([state, facts.worst_check([patch])])
    return words(link, f" · {remark}" if remark else "")
