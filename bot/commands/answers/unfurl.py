"""Composes the line about a submission to which somebody pasted a link. Pure."""

from bot.ids import PatchId
from bot.notices import fact_lines as facts
from bot.notices.card import MAX_TITLE, ServerLinks, submission_title
from bot.notices.check_summary import Detail, summary
from bot.notices.markup import Line, Link, words
from bot.submission import Submission
from bot.text import cut_to_columns

_MAX_SUBMITTER = 40  # columns


def unfurl_line(shown: Submission, site: ServerLinks, version: int | None, newest: int | None) -> Line:
    """Return the title, submitter, state, reviews, checks, date and version of what is *shown*, in one line.

    *version* is that of its series, *newest* the highest one that is known; None for a patch without a series.
    """
    title = submission_title(shown, site)
    link = Link(cut_to_columns(title.text, MAX_TITLE), title.url, spelled=False)
    person, date = _sent(shown)
    state = facts.state_words(shown.patches, site.states)
    rest = facts.joined(
        [
            f"👍 {told}" if (told := facts.reviews(shown)) else "",
            summary(shown, site.lanes, Detail.WITHOUT_PATCHES),
            date[:10],
            _version(version, newest),
        ]
    )
    before = f" · {cut_to_columns(person, _MAX_SUBMITTER)} · "
    return words(f"{facts.sign(shown, site.classes)} ", link, before, *state, f" · {rest}" if state else rest)


def only(submission: Submission, patch: PatchId) -> Submission:
    """Return one patch of a series as a submission of its own; the whole if it is no part of it, or all of it."""
    found = next((each for each in submission.patches if each.id == patch), None)
    if found is None or submission.lone is not None:
        return submission
    return Submission(None, (found,), submission.checks, submission.unapplied)


def _sent(shown: Submission) -> tuple[str, str]:
    """Return who sent it, and the date."""
    whole = shown.series or shown.patches[0]
    return facts.submitter_name(whole.submitter), whole.date


def _version(version: int | None, newest: int | None) -> str:
    """Return the version if there is, or was, another one."""
    if version is None or newest is None or (version == newest == 1):
        return ""
    return f"v{version}, newest is v{newest}" if newest > version else f"v{version}"
