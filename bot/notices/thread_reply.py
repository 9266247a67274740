"""Composes the replies in the thread of a card: grouped changes since the last reply, and comments.

Only net changes are told: a change that was undone meanwhile is left out, and successive changes become one. A state or
a check is told as the whole series has it now, like on the card, and not just for the patches that changed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.ids import PatchId
from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks
from bot.notices.changes import BETWEEN_PERSONS, Change, ChangeKind
from bot.notices.check_replies import checks_told
from bot.notices.check_summary import number
from bot.notices.fact_lines import state_sign
from bot.notices.markup import Document, Inline, Line, Lines, Link, Piece, Strong, Text, lines, longest, words
from bot.patchwork.model import Patch, Trailer, TrailerKind
from bot.submission import Submission
from bot.text import cut

MAX_LINES = 15  # of changes
_MAX_COMMENTS = 20
_MAX_WORDS = 3  # lines of a comment
_MAX_LISTED = 3  # patches that are named by their numbers
_COMMENT_SIGN, _REVIEW_SIGN, _DELEGATE_SIGN, _ARCHIVE_SIGN = "💬", "👍", "👤", "🗄️"
_TRAILERS = {TrailerKind.REVIEWED: "Reviewed-by", TrailerKind.ACKED: "Acked-by", TrailerKind.TESTED: "Tested-by"}
_GIVEN = re.compile(r"\s*(?:acked|reviewed|tested)-by:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Thread:
    """What a card is about as it stands now, and what *changes* are to be told of it, the oldest first.

    *recent* are the patches that changed at about that time, though the room may not have asked to hear of them.
    """

    submission: Submission
    changes: tuple[Change, ...]
    recent: frozenset[PatchId] = frozenset()

    @property
    def patches(self) -> Mapping[PatchId, Patch]:
        """All patches, by id."""
        return {patch.id: patch for patch in self.submission.patches}

    @property
    def trailers(self) -> frozenset[Trailer]:
        """All trailers of the patches, and of the series as a whole."""
        of_all = self.submission.series.trailers if self.submission.series else frozenset()
        return of_all.union(*(patch.trailers for patch in self.submission.patches))


def reply_document(thread: Thread, site: ServerLinks) -> Document:
    """Return the reply; empty if nothing changed."""
    changes = _changes(thread, site)
    comments = _comments(thread)

    def first(shown: int) -> Document:
        rest = len(comments) - shown
        more = [words(f"… and {rest} more {'comment' if rest == 1 else 'comments'}")] if rest else []
        pieces: list[Piece] = [lines(changes)] if changes else []
        for each in comments[:shown]:
            pieces += _comment(each, thread, site)
        return (*pieces, *([lines(more)] if more else []))

    return longest(first, min(len(comments), _MAX_COMMENTS), site.allowed)


# Changes


def _changes(thread: Thread, site: ServerLinks) -> list[Line]:
    """Return a line for each state, or for what else changed, and for each check."""
    remaining = list(_remaining(thread))
    by_kind = {kind: [change for change in remaining if change.kind is kind] for kind in ChangeKind}
    told_of = [
        *_on_one_line(
            [
                *_states(by_kind[ChangeKind.STATE], thread, site),
                *_delegates(by_kind[ChangeKind.DELEGATE], thread),
                *_archived(by_kind[ChangeKind.ARCHIVED], thread),
            ]
        ),
        *_reviews(by_kind[ChangeKind.TRAILERS], thread),
        *(words(each) for each in checks_told(by_kind[ChangeKind.CHECK], thread.submission)),
    ]
    rest = len(told_of) - MAX_LINES
    more = [words(f"… and {rest} more changes")] if rest > 1 else []
    return [*told_of[: MAX_LINES if more else None], *more]


@dataclass(frozen=True, slots=True)
class _Phrase:
    """What happened to some patches, None for all of them: a *sign* and a *line*.

    Of what happened to the same patches the first sign is enough. *actors* are the accounts that made the changes, none
    if those of some are unknown.
    """

    sign: str
    line: Line
    of: frozenset[PatchId] | None
    actors: tuple[str, ...] = ()


def _on_one_line(phrases: Sequence[_Phrase]) -> list[Line]:
    """Return the phrases, those on the same patches on one line."""
    by_patches: dict[frozenset[PatchId] | None, list[_Phrase]] = {}
    for phrase in phrases:
        by_patches.setdefault(phrase.of, []).append(phrase)
    told_of: list[Line] = []
    for some in by_patches.values():
        line = (Text(f"{some[0].sign} "), *some[0].line)
        for other in some[1:]:
            line = (*line, Text(" · "), *other.line)
        told_of.append((*line, *_by(some)))
    return told_of


def _by(phrases: Sequence[_Phrase]) -> Line:
    """Return who made the changes of a line: " · by alice"; empty unless it is known of all of them."""
    if not all(phrase.actors for phrase in phrases):
        return ()
    actors = list(dict.fromkeys(cut(actor, 60) for phrase in phrases for actor in phrase.actors))
    more = f" and {len(actors) - _MAX_LISTED} more" if len(actors) > _MAX_LISTED else ""
    return (Text(f" · by {', '.join(actors[:_MAX_LISTED])}{more}"),)


def _actors(changes: Sequence[Change]) -> tuple[str, ...]:
    actors = [change.actor for change in changes]
    return tuple(dict.fromkeys(actor for actor in actors if actor)) if all(actors) else ()


def _remaining(thread: Thread) -> Iterator[Change]:
    """Yield the net changes, from the first value to the current one."""
    first: dict[tuple[ChangeKind, PatchId | None, str], Change] = {}
    for change in thread.changes:
        key = change.kind, change.patch, change.context
        first[key] = replace(first.get(key, change), after=change.after, actor=change.actor)
    patches = thread.patches
    for change in first.values():
        if change.kind is ChangeKind.COMMENT or (change.patch is not None and change.patch not in patches):
            continue
        known = change.patch is not None and change.kind is not ChangeKind.TRAILERS
        now = change
        if known and change.patch and (after := _now(change, patches[change.patch], thread)) != change.after:
            now = replace(change, after=after, actor=None)
        if now.before != now.after:
            yield now


def _now(change: Change, patch: Patch, thread: Thread) -> str:
    """Return the current value of what changed."""
    match change.kind:
        case ChangeKind.STATE:
            return patch.state or ""
        case ChangeKind.DELEGATE:
            return patch.delegate or ""
        case ChangeKind.ARCHIVED:
            return "yes" if patch.archived else "no"
        case ChangeKind.CHECK:
            return dict(thread.submission.checks.get(patch.id, ())).get(change.context, "") or change.after
        case _:
            return change.after


def _states(changes: Sequence[Change], thread: Thread, site: ServerLinks) -> Iterator[_Phrase]:
    """Yield each state that patches came into: "Accepted, all 3 patches (was New)".

    The patches are all that are in it now, whether or not they changed lately.
    """
    by_state: dict[str, list[Change]] = {}
    for change in changes:
        if change.before and change.after:
            by_state.setdefault(change.after, []).append(change)
    for state, alike in by_state.items():
        of = _with_others(alike, thread)
        now = {patch.id for patch in thread.submission.patches if patch.state == state} | set(of)
        before = Counter(change.before for change in alike)
        was = ", ".join(facts.state_name(slug, site.states) for slug, _ in before.most_common(_MAX_LISTED))
        where, numbers = _how_many(len(now), thread), _numbers(of, thread, of_those=len(now))
        named = Strong(facts.state_name(state, site.states))
        note = f" (was {was}: {numbers})" if numbers else f" (was {was})"
        yield _Phrase(state_sign(state, site.classes), words(named, where, note), _key(of, thread), _actors(alike))


def _delegates(changes: Sequence[Change], thread: Thread) -> Iterator[_Phrase]:
    for (before, after), alike in _alike(changes).items():
        said = f"delegate {cut(after, 60)}" if after else f"no longer delegated to {cut(before, 60)}"
        said += f" (was {cut(before, 60)})" if after and before else ""
        of = _with_others(alike, thread)
        yield _Phrase(_DELEGATE_SIGN, words(said, _on(of, thread)), _key(of, thread), _actors(alike))


def _archived(changes: Sequence[Change], thread: Thread) -> Iterator[_Phrase]:
    for (_, after), alike in _alike(changes).items():
        of = _with_others(alike, thread)
        said = "archived" if after == "yes" else "no longer archived"
        yield _Phrase(_ARCHIVE_SIGN, words(said, _on(of, thread)), _key(of, thread))


def _alike(changes: Iterable[Change]) -> dict[tuple[str, str], list[Change]]:
    found: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        found.setdefault((change.before, change.after), []).append(change)
    return found


def _reviews(changes: Sequence[Change], thread: Thread) -> list[Line]:
    """Return a line on who reviewed which patches, each person once; those whose comments are told are not among them.

    Who reviewed the whole series is not told of its patches again.
    """
    by_comments = {each.person for change in thread.changes if change.comment for each in change.comment.trailers}
    names = {each.person: each.shown for each in thread.trailers}
    of: dict[str, list[PatchId | None]] = {}
    for change in changes:
        new = set(change.after.split(BETWEEN_PERSONS)) - set(change.before.split(BETWEEN_PERSONS)) - by_comments - {""}
        for person in new:
            of.setdefault(person, []).append(change.patch)
    by_patches: dict[tuple[PatchId | None, ...], list[str]] = {}
    for person, patches in sorted(of.items()):
        name = names.get(person, Trailer(TrailerKind.REVIEWED, person).shown)
        by_patches.setdefault((None,) if None in patches else tuple(patches), []).append(name)
    told_of = []
    for patches_, people in by_patches.items():
        where = _on([patch for patch in patches_ if patch is not None], thread) if None not in patches_ else ""
        told_of.append(words(f"{_REVIEW_SIGN} reviewed by {cut(', '.join(sorted(people)), 150)}{where}"))
    return told_of


def _with_others(alike: Sequence[Change], thread: Thread) -> list[PatchId]:
    """Return the patches that changed *alike*, including recently changed ones for which the room did not ask."""
    of, sample = {change.patch for change in alike if change.patch is not None}, alike[0]
    may_be = thread.recent - {change.patch for change in thread.changes}
    others = {patch.id for patch in thread.submission.patches if patch.id in may_be and _stands(patch, sample, thread)}
    return [patch.id for patch in thread.submission.in_order if patch.id in others | of]


def _stands(patch: Patch, change: Change, thread: Thread) -> bool:
    """Return whether *patch* has the value that *change* gave another one."""
    return change.after not in {"", "no"} and _now(replace(change, patch=patch.id), patch, thread) == change.after


def _key(of: Sequence[PatchId], thread: Thread) -> frozenset[PatchId] | None:
    return None if len(of) >= thread.submission.total else frozenset(of)


def _how_many(count: int, thread: Thread) -> str:
    """Return how many patches something is about now: ", all 3 patches"."""
    total = thread.submission.total
    if thread.submission.lone is not None:
        return ""
    return f", all {total} patches" if count >= total > 1 else f", {count} of {facts.counted(total, 'patch')}"


def _on(of: Sequence[PatchId], thread: Thread) -> str:
    """Return which patches changed, unless it is all of them: " on 1/3, 3/3"."""
    if thread.submission.lone is not None or len(of) >= thread.submission.total:
        return ""
    numbers = _numbers(of, thread, of_those=thread.submission.total)
    return f" on {numbers or f'{len(of)} of {thread.submission.total} patches'}"


def _numbers(of: Sequence[PatchId], thread: Thread, *, of_those: int) -> str:
    """Return the numbers of the patches that changed, if they are few; "" if all *of_those* that it is about did."""
    total = thread.submission.total
    if thread.submission.lone is not None or len(of) > _MAX_LISTED or (len(of) >= of_those and len(of) >= total):
        return ""
    return ", ".join(number(thread.patches[patch]) for patch in of)


# Comments


def _comments(thread: Thread) -> list[list[Change]]:
    """Return each comment once, together with the others of its author that give the same trailers and say nothing.

    Ids of comments on cover letters and on patches are separate.
    """
    once = {(each.patch, each.comment.id): each for each in thread.changes if each.comment is not None}
    found: dict[object, list[Change]] = {}
    for key, change in once.items():
        comment = change.comment
        is_mute = comment is not None and bool(comment.trailers) and not _own_words(change)
        kinds = frozenset(each.kind for each in comment.trailers) if comment else frozenset()
        found.setdefault((comment.submitter, kinds) if comment and is_mute else key, []).append(change)
    return list(found.values())


def _comment(changes: Sequence[Change], thread: Thread, site: ServerLinks) -> list[Piece]:
    """Return who commented on what, the trailers given, and the beginning of what was said."""
    comment = changes[0].comment
    if comment is None:
        return []
    given = ", ".join(word for kind, word in _TRAILERS.items() if any(each.kind is kind for each in comment.trailers))
    who = facts.submitter_name(comment.submitter)
    where = _of_what([change.patch for change in changes], thread, site)
    head = words(f"{_COMMENT_SIGN} {who}", *where, f": {given}" if given else "")
    own = _own_words(changes[0])
    shown = own[:_MAX_WORDS] + (["…"] if len(own) > _MAX_WORDS else [])
    if shown:
        return [Lines((head,)), Lines(tuple(words(line) for line in shown), is_quoted=True)]
    return [Lines((head if given else (*head, Text(": (only quoted text)")),))]


def _own_words(change: Change) -> list[str]:
    """Return the lines of a comment, without blank ones and the trailers that are told anyway."""
    comment = change.comment
    if comment is None:
        return []
    return [line for line in comment.text.split("\n") if line.strip() and not (comment.trailers and _GIVEN.match(line))]


def _of_what(numbers: Sequence[PatchId | None], thread: Thread, site: ServerLinks) -> list[str | Inline]:
    """Return which mails comments are on: " on 3/3"; their numbers are links."""
    if thread.submission.lone is not None:
        return []
    patches = [thread.patches[each] for each in numbers if each is not None and each in thread.patches]
    if None not in numbers and len(patches) >= thread.submission.total > 1:
        return [f" on all {thread.submission.total} patches"]
    links: list[Inline] = [Text("the cover letter")] if None in numbers else []
    links += [Link(number(patch), site.patch(patch), spelled=False) for patch in patches[: 2 * _MAX_LISTED]]
    pieces: list[str | Inline] = [" on "] if links else []
    for place, link in enumerate(links):
        pieces += [", "] if place else []
        pieces.append(link)
    rest = len(patches) - 2 * _MAX_LISTED
    return [*pieces, f" and {rest} more"] if rest > 0 else pieces
