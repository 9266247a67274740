"""The card: the message with all that a room needs to know of a series at first sight.

The first line is a sign for the state and the subject as it was mailed. Below it are the state in words, with checks
and reviews; who sent how much, and where; from the second version on, what changed since the former one; and what it
needs. The patches and the command that applies them are folded. A compact card is the first two lines. A card that a
later version supersedes shrinks to two lines, too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.notices import fact_lines as facts
from bot.notices.check_summary import Detail, summary
from bot.notices.fact_lines import SUPERSEDED, PatchList, is_replaced, sign, state_words, state_words_before
from bot.notices.markup import (
    Allowed,
    Bullets,
    Code,
    Details,
    Document,
    Head,
    Inline,
    Line,
    Lines,
    Link,
    Piece,
    Strong,
    Title,
    lines,
    words,
)
from bot.notices.needs import NO_NEEDS, NeedLinks, Needs, needs_line
from bot.notices.version_lines import FormerVersion, NextVersion, since_former, version_link
from bot.patchwork.model import Patch, Series, patch_subject, series_subject
from bot.patchwork.references import patch_url, series_url
from bot.patchwork.states import DEFAULT_CLASSES, NO_STATES, StateClasses, States
from bot.query.check_lanes import NO_LANES, CheckLanes
from bot.query.options import CardForm
from bot.submission import Submission
from bot.text import columns, cut, cut_to_columns

MAX_NAME = 255  # where Patchwork itself cuts a name
MAX_TITLE = 88  # columns of a first line, which is bold, that Element does not wrap in 700 pixels
MAX_COLUMNS = 98  # of the other lines
MAX_ROWS = 8  # of the list of patches, so that a card has at most 14 lines in clients that do not fold
_MAX_SUBMITTER = 40


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
class CardContent:
    """What a card shows of a *submission*.

    *matched* are the paths that a subscription asked for, in the order of the patches, *form* what it looks like.
    *former* and *superseded_by* are the versions before and after the series, where they are known, and *needs* what
    its mails say that it depends on.
    """

    submission: Submission
    matched: tuple[str, ...] = ()
    former: FormerVersion | None = None
    superseded_by: NextVersion | None = None
    form: CardForm = CardForm.CARD
    needs: Needs = NO_NEEDS


def card_document(shown: CardContent, site: ServerLinks) -> Document:
    """Return the document for *shown*, in its form."""
    return compact(shown, site) if shown.form is CardForm.COMPACT else card(shown, site)


def compact(shown: CardContent, site: ServerLinks) -> Document:
    """Return a compact card: the title, and the state in words."""
    if _is_over(shown):
        return (_superseded(shown, site),)
    return (replace(_head(shown, site, [_status(shown.submission, site)]), is_short=True),)


def card(shown: CardContent, site: ServerLinks) -> Document:
    """Return the full card for *shown*."""
    if _is_over(shown):
        return (_superseded(shown, site),)
    return (card_head(shown, site), *_folded(shown.submission, site))


def card_head(shown: CardContent, site: ServerLinks) -> Head:
    """Return the lines of a card above the fold."""
    submission = shown.submission
    needs = what_is_needed(shown.needs, site)
    return _head(shown, site, [_status(submission, site), _origin(shown, site), _former(shown, site), needs])


def what_is_needed(needs: Needs, site: ServerLinks) -> Line:
    """Return the line on what a submission needs; empty if it needs nothing."""
    return needs_line(needs, NeedLinks(site.url, site.by_msgid, site.states), MAX_COLUMNS)


def patch_head(patch: Patch, series: Series | None, site: ServerLinks, needs: Needs = NO_NEEDS) -> Head:
    """Return the lines on one patch: its state, who sent how much and when, and the *series* unless that says no more.

    The title is that of the patch, whether it is alone in its series or not.
    """
    alone = Submission(None, (patch,))
    size = facts.size(patch.files) if patch.files and len(patch.files) > 1 else ""
    kind = facts.PULL_REQUEST if patch.pull_url else ""
    who = facts.joined([cut_to_columns(facts.submitter_name(patch.submitter), _MAX_SUBMITTER), kind, patch.date[:10]])
    told = [
        _status(alone, site),
        words(facts.joined([who, size]), *_mail(alone, site)),
        _in_series(patch, series, site),
        facts.pull_source(patch),
        what_is_needed(needs, site),
    ]
    title = patch_title(patch, site)
    return Head(sign(alone, site.classes), title.text, title.url, (), tuple(line for line in told if line))


def _in_series(patch: Patch, series: Series | None, site: ServerLinks) -> Line:
    if series is None or facts.named(series.name, "") == patch_name(patch):
        return ()
    title = series_title(series, site)
    return words("in ", Link(title.text, title.url))


# The title


def series_title(series: Series, site: ServerLinks) -> Title:
    """Return the subject of a series as a linked title."""
    return Title(cut(facts.named(series_subject(series), f"series {series.id}"), MAX_NAME), site.series(series))


def patch_title(patch: Patch, site: ServerLinks) -> Title:
    """Return the subject of a patch as a linked title."""
    return Title(patch_name(patch), site.patch(patch))


def patch_name(patch: Patch, series: Series | None = None) -> str:
    """Return the subject of a patch; *series* is the one that it is the only patch of."""
    return cut(facts.named(patch_subject(patch, series), f"patch {patch.id}"), MAX_NAME)


def submission_title(submission: Submission, site: ServerLinks) -> Title:
    """Return the subject of a submission as a linked title: that of its pull request, if it is one."""
    series = submission.series
    if series is None or submission.lone is not None:
        patch = submission.patches[0]
        return Title(patch_name(patch, series), site.patch(patch))
    title = series_title(series, site)
    return Title(patch_name(submission.pull), title.url) if submission.pull else title


def _head(shown: CardContent, site: ServerLinks, below: Iterable[Line]) -> Head:
    title, remark = submission_title(shown.submission, site), _arrived(shown.submission)
    name = _in_a_line(title, shown.submission)
    told = tuple(line for line in below if line)
    return Head(sign(shown.submission, site.classes), name, title.url, words(remark) if remark else (), told)


def _in_a_line(title: Title, submission: Submission) -> str:
    """Return the text of a title, cut so that it takes one line with the sign and the remark."""
    return cut_to_columns(title.text, MAX_TITLE - 3 - columns(_arrived(submission)))


def _arrived(submission: Submission) -> str:
    """Return how many patches of an incomplete series have arrived."""
    if submission.arrived >= submission.total or (submission.pull and submission.arrived < 1):
        return ""
    return f" · {submission.arrived} of {submission.total}"


# The state


def _status(submission: Submission, site: ServerLinks) -> Line:
    """Return the state, checks, reviews and delegates; the fewer checks are named, the more there is to say."""
    state = state_words(submission.patches, site.states)
    told: list[str] = []
    for detail in Detail:
        told = [
            facts.archived(submission.patches),
            summary(submission, site.lanes, detail),
            _reviews(submission, site),
            facts.delegates(submission.patches, are_named=detail.with_patches),
        ]
        if columns(facts.joined(["".join(each.text for each in state), *told])) <= MAX_COLUMNS:
            break
    return _after_state(state, told)


def _after_state(state: Line, told: Sequence[str]) -> Line:
    """Return the *state*, and as many of the phrases after it as fit, the most important of which come first."""
    room = MAX_COLUMNS - columns("".join(each.text for each in state))
    said = ""
    for phrase in filter(None, told):
        more = f"{' · ' if state or said else ''}{phrase}"
        if said and columns(said + more) > room:
            break
        said += more
    return words(*state, cut_to_columns(said, max(room, 20))) if said else state


def _reviews(submission: Submission, site: ServerLinks) -> str:
    if told := facts.reviews(submission):
        return f"👍 {told}"
    is_review_due = submission.pull is None and site.classes.is_open(submission.patches)
    return "no reviews yet" if is_review_due else ""


# Where it comes from


def _origin(shown: CardContent, site: ServerLinks) -> Line:
    """Return the line on submitter, size, directories and mail, with as many directories as fit."""
    submission = shown.submission
    line: Line = ()
    for room in _ROOMS:
        line = words(_who(submission), *_where(shown, room), *_mail(submission, site))
        if columns("".join(each.text for each in line)) <= MAX_COLUMNS:
            break
    return line


def _who(submission: Submission) -> str:
    person = submission.series.submitter if submission.series else submission.patches[0].submitter
    return facts.joined([cut_to_columns(facts.submitter_name(person), _MAX_SUBMITTER), _how_many(submission)])


def _how_many(submission: Submission) -> str:
    if submission.pull and (submission.lone or submission.arrived < 1):
        return "pull request"
    return facts.joined(["pull request" if submission.pull else "", facts.counted(submission.total, "patch")])


@dataclass(frozen=True, slots=True)
class _Room:
    """How much a line has room for: so many directories, of so many letters, and perhaps a matched path."""

    directories: int
    letters: int = 50
    with_match: bool = True


_ROOMS = (
    _Room(3),
    _Room(2),
    _Room(1),
    _Room(1, with_match=False),
    _Room(1, 20, with_match=False),
    _Room(0, with_match=False),
)


def _where(shown: CardContent, room: _Room) -> list[str | Inline]:
    """Return the size, and the most touched directories; a matched path only if it is in none of them."""
    files = shown.submission.files
    if not files:
        return []
    everywhere = facts.directories(files)
    named = everywhere[: room.directories]
    pieces: list[str | Inline] = [" · ", Code(facts.changed_lines(files))]
    if not named:
        return pieces
    pieces.append(" in ")
    for number, directory in enumerate(named):
        pieces += [", "] if number else []
        pieces.append(Code(_shortened(directory, room.letters)))
    rest = len(everywhere) - len(named)
    pieces += [f" and {rest} more"] if rest else []
    hidden = [path for path in shown.matched if not any(_is_below(path, directory) for directory in named)]
    if room.with_match and hidden and len(hidden) == len(shown.matched):
        pieces += [" · matched ", Code(_shortened(hidden[0], room.letters))]
    return pieces


def _shortened(path: str, letters: int) -> str:
    """Return the end of a long *path*, which tells more than its beginning."""
    return path if len(path) <= letters else f"…{path[-letters + 1 :]}"


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(directory) if directory.endswith("/") else path == directory


def _mail(submission: Submission, site: ServerLinks) -> list[str | Inline]:
    url = _archive_url(submission, site)
    return [" · ", Link("mail", url)] if url and site.allowed.link(url) else []


def _archive_url(submission: Submission, site: ServerLinks) -> str:
    told = submission.series.archive_url if submission.series else None
    told = told or next((patch.archive_url for patch in submission.in_order if patch.archive_url), None)
    return facts.archive_url(site.archive, told, submission.msgid)


def _former(shown: CardContent, site: ServerLinks) -> Line:
    series = shown.submission.series
    if series is None or shown.former is None:
        return ()
    return since_former(series, shown.former, site.series(shown.former.series))


# A card that is over


def _is_over(shown: CardContent) -> bool:
    return shown.superseded_by is not None or is_replaced(shown.submission.patches)


def _superseded(shown: CardContent, site: ServerLinks) -> Head:
    """Return the two lines of a card whose series has a later version."""
    submission = shown.submission
    title, successor = submission_title(submission, site), shown.superseded_by
    remark: Line = ()
    if successor is not None:
        remark = words(" → ", version_link(successor.series, successor.card, site.series(successor.series)))
    name = cut_to_columns(title.text, MAX_TITLE - 12)
    person = submission.series.submitter if submission.series else submission.patches[0].submitter
    said = [facts.reviews(submission), cut_to_columns(facts.submitter_name(person), _MAX_SUBMITTER)]
    was = _after_state(_was(shown, site), said)
    return Head(SUPERSEDED, name, title.url, remark, (was,), is_over=True, is_short=True)


def _was(shown: CardContent, site: ServerLinks) -> Line:
    """Return the state before: "was **Under Review**"."""
    before = state_words_before(shown.submission.patches, site.states)
    if before:
        return words("was ", *before)
    return (Strong(facts.state_name("superseded", site.states)),)


# The fold


def _folded(submission: Submission, site: ServerLinks) -> tuple[Details, ...]:
    """Return the folded part: what needs something among the patches, and the command that applies them."""
    pull, title = submission.pull, submission_title(submission, site)
    apply = lines([facts.apply_command(submission.msgid, is_pull=pull is not None)])
    full = words(title.text) if _in_a_line(title, submission) != title.text else ()
    more = lines([full, facts.pull_source(pull) if pull else (), unlinked_mail(submission, site)])
    content: list[Piece] = [more, apply]
    if submission.lone is None and submission.patches:
        rows = patch_list(submission, site).neediest(MAX_ROWS - len(more.lines) - (1 if full else 0))
        content.insert(1 if full else 0, Bullets(tuple(rows)))
    content = [piece for piece in content if piece != Lines(())]
    in_plain = (apply,) if apply.lines else ()
    return (Details(_summary(submission, can_apply=bool(apply.lines)), tuple(content), in_plain),) if content else ()


def _summary(submission: Submission, *, can_apply: bool) -> str:
    apply = "how to pull it" if submission.pull else "how to apply it" if submission.lone else "how to apply them"
    if submission.lone is not None or (submission.pull and submission.arrived < 1):
        return apply[:1].upper() + apply[1:] if can_apply else "More"
    is_whole = submission.arrived >= submission.total or submission.pull is not None
    listed = (
        facts.counted(submission.total, "patch") if is_whole else f"{submission.arrived} of {submission.total} patches"
    )
    return f"{listed}, and {apply}" if can_apply else listed


def unlinked_mail(submission: Submission, site: ServerLinks) -> Line:
    """Return the address of the mail as text, if it may not be linked."""
    url = _archive_url(submission, site)
    return words(f"mail: {cut(url, 200)}") if url and not site.allowed.link(url) else ()


def patch_list(submission: Submission, site: ServerLinks) -> PatchList:
    """Return the list of the patches of a submission."""
    return PatchList(submission, site.patch, site.states, site.classes)
