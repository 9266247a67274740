"""How a card is written, and what it says of itself."""

from collections.abc import Iterable, Sequence

from bot.ids import NoticeKey
from bot.notices.card import ServerLinks, Shown, drawn
from bot.notices.markup import written
from bot.notices.notice import NoticeKind, Tag
from bot.submission import Submission, SubmissionRef
from bot.subscriptions.matching import asked_paths


def matched(why: Iterable[Sequence[object]]) -> tuple[str, ...]:
    """The paths that were asked for, by the reasons that are kept with a card."""
    return asked_paths((str(term), [str(path) for path in found]) for _, term, *found in why)


def tag(key: NoticeKey, about: SubmissionRef, submission: Submission, kind: NoticeKind = NoticeKind.CARD) -> Tag:
    """What a card of *submission*, an edit of it, or what hangs on it says of itself."""
    series = submission.series
    return Tag(
        kind=kind,
        key=key,
        server=about.server,
        project=submission.project,
        series=series.id if series else None,
        patch=None if series else submission.patches[0].id,
        version=series.version if series else None,
    )


class CardComposer:
    """Composes cards, each once for all rooms where it says the same."""

    def __init__(self) -> None:
        self._composed: dict[tuple[object, ...], tuple[str, str]] = {}

    def both(self, about: SubmissionRef, shown: Shown, site: ServerLinks) -> tuple[str, str]:
        """A card in plain text and in HTML."""
        said = (about, shown.form, shown.matched, shown.former, shown.superseded_by)
        if said not in self._composed:
            self._composed[said] = written(drawn(shown, site), site.allowed)
        return self._composed[said]
