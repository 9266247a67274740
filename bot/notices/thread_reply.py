"""Composes the replies in the thread of a card: grouped changes since the last reply, and comments.

Only net changes are posted: a change that was undone meanwhile is left out, and successive changes become one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.ids import PatchId
from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks
from bot.notices.changes import BETWEEN_PERSONS, Change, ChangeKind
from bot.notices.markup import Document, Inline, Line, Lines, Link, Piece, cut, lines, longest, words
from bot.patchwork.model import Patch, Trailer, TrailerKind
from bot.patchwork.states import States
from bot.submission import Submission

MAX_LINES = 15  # of changes
_MAX_COMMENTS = 20
_MAX_WORDS = 3  # lines of a comment
_MAX_LISTED = 3  # patches that are named beside their number
_MAX_CONTEXTS = 5
_TRAILERS = {TrailerKind.ACKED: "Acked-by", TrailerKind.REVIEWED: "Reviewed-by", TrailerKind.TESTED: "Tested-by"}
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


def told(thread: Thread, site: ServerLinks) -> Document:
    """Return the reply; empty if nothing changed."""
    changes = _changes(thread, site.states)
    comments = _comments(thread)

    def first(shown: int) -> Document:
        rest = len(comments) - shown
        more = [words(f"… and {rest} more {'comment' if rest == 1 else 'comments'}")] if rest else []
        pieces: list[Piece] = [lines(changes)] if changes else []
        pieces += [_comment(each, thread, site) for each in comments[:shown]]
        return (*pieces, *([lines(more)] if more else []))

    return longest(first, min(len(comments), _MAX_COMMENTS), site.allowed)


# Changes


def _changes(thread: Thread, states: States) -> list[Line]:
    """Return a line for each change, with its patches."""
    remaining = list(_remaining(thread))
    found: dict[str, list[Change]] = {}
    for change in remaining:
        if change.kind is not ChangeKind.CHECK and (said := _said(change, states)):
            found.setdefault(said, []).append(change)
    told_of = [_counted(said, _with_others(alike, thread), thread) for said, alike in found.items()]
    told_of += _checks([change for change in remaining if change.kind is ChangeKind.CHECK], thread)
    rest = len(told_of) - MAX_LINES
    more = [f"… and {rest} more changes"] if rest > 1 else []
    return [words(each) for each in (*told_of[: MAX_LINES if more else None], *more)]


def _remaining(thread: Thread) -> Iterator[Change]:
    """Yield the net changes, from the first value to the current one."""
    first: dict[tuple[ChangeKind, PatchId | None, str], Change] = {}
    for change in thread.changes:
        key = change.kind, change.patch, change.context
        first[key] = replace(first.get(key, change), after=change.after)
    names = {each.person: each.shown for each in thread.trailers}
    by_comments = {each.person for change in thread.changes if change.comment for each in change.comment.trailers}
    patches = thread.patches
    for change in first.values():
        if change.kind is ChangeKind.COMMENT or (change.patch is not None and change.patch not in patches):
            continue
        if change.kind is ChangeKind.TRAILERS:
            persons = set(change.after.split(BETWEEN_PERSONS)) - set(change.before.split(BETWEEN_PERSONS)) - by_comments
            shown = {names.get(person, Trailer(TrailerKind.REVIEWED, person).shown) for person in persons if person}
            now = replace(change, before="", after=", ".join(sorted(shown)))
        else:
            now = change if change.patch is None else replace(change, after=_now(change, patches[change.patch], thread))
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


def _said(change: Change, states: States) -> str:
    """Return a change in a few words; "" if the former value was merely unknown."""
    before, after = change.before, change.after
    match change.kind:
        case ChangeKind.STATE:
            named = (facts.state_name(slug, states) for slug in (before, after))
            return " → ".join(named) if before and after else ""
        case ChangeKind.DELEGATE if not after:
            return f"no longer delegated to {cut(before, 60)}"
        case ChangeKind.DELEGATE:
            return f"delegated {f'from {cut(before, 60)} ' if before else ''}to {cut(after, 60)}"
        case ChangeKind.ARCHIVED:
            return "archived" if after == "yes" else "no longer archived"
        case ChangeKind.TRAILERS:
            return f"reviewed by {cut(after, 150)}"
        case _:
            return ""


def _with_others(alike: Sequence[Change], thread: Thread) -> list[PatchId | None]:
    """Return the patches that changed *alike*, including recently changed ones for which the room did not ask."""
    of, sample = [change.patch for change in alike], alike[0]
    if None in of:
        return of
    may_be = thread.recent - {change.patch for change in thread.changes}
    others = {patch.id for patch in thread.submission.patches if patch.id in may_be and _stands(patch, sample, thread)}
    return [patch.id for patch in thread.submission.in_order if patch.id in others.union(of)]


def _stands(patch: Patch, change: Change, thread: Thread) -> bool:
    """Return whether *patch* has the value that *change* gave another one."""
    match change.kind:
        case ChangeKind.STATE | ChangeKind.DELEGATE | ChangeKind.ARCHIVED:
            return (
                change.after not in {"", "no"} and _now(replace(change, patch=patch.id), patch, thread) == change.after
            )
        case ChangeKind.CHECK:
            return dict(thread.submission.checks.get(patch.id, ())).get(change.context) == change.after
        case _:
            return False


def _counted(said: str, of: Sequence[PatchId | None], thread: Thread) -> str:
    """Return a change with the number of its patches, and a list of them if they are few."""
    if None in of or thread.submission.lone is not None:
        return said[:1].upper() + said[1:]
    total = thread.submission.total
    if 1 < total <= len(of):
        return f"all {total} patches: {said}"
    listed = f" ({_listed(of, thread)})" if len(of) < total and len(of) <= _MAX_LISTED else ""
    return f"{len(of)} of {total} {'patch' if total == 1 else 'patches'}: {said}{listed}"


def _checks(changes: Sequence[Change], thread: Thread) -> list[str]:
    """Return a line for all checks that changed alike on the same patches."""
    found: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        arrow = f"{change.before} → {change.after}" if change.before else change.after
        found.setdefault((change.context, arrow), []).append(change)
    contexts: dict[tuple[str, tuple[PatchId | None, ...]], list[str]] = {}
    for (context, arrow), alike in found.items():
        contexts.setdefault((arrow, tuple(_with_others(alike, thread))), []).append(context)
    return [f"{_named(names)}: {arrow}{_on(of, thread)}" for (arrow, of), names in contexts.items()]


def _named(contexts: Sequence[str]) -> str:
    shown = [cut(facts.named(context, ""), 60) for context in contexts[:_MAX_CONTEXTS]]
    more = f" and {len(contexts) - _MAX_CONTEXTS} more" if len(contexts) > _MAX_CONTEXTS else ""
    return f"{'check' if len(contexts) == 1 else 'checks'} {', '.join(shown)}{more}".rstrip()


def _on(of: Sequence[PatchId | None], thread: Thread) -> str:
    if thread.submission.lone is not None:
        return ""
    if 1 < thread.submission.total <= len(of):
        return f" on all {thread.submission.total} patches"
    listed = f" ({_listed(of, thread)})" if len(of) < thread.submission.total else ""
    return f" on {len(of)} {'patch' if len(of) == 1 else 'patches'}{listed}"


def _listed(of: Sequence[PatchId | None], thread: Thread) -> str:
    patches = thread.patches
    numbers = [_number(patches[patch]) for patch in of if patch is not None]
    more = f" and {len(numbers) - 2 * _MAX_LISTED} more" if len(numbers) > 2 * _MAX_LISTED else ""
    return ", ".join(numbers[: 2 * _MAX_LISTED]) + more


def _number(patch: Patch) -> str:
    return f"{patch.number[0]}/{patch.number[1]}" if patch.number else f"patch {patch.id}"


# Comments


def _comments(thread: Thread) -> Sequence[Change]:
    """Return each comment once; those on cover letters and on patches have separate ids."""
    return tuple({(each.patch, each.comment.id): each for each in thread.changes if each.comment is not None}.values())


def _comment(change: Change, thread: Thread, site: ServerLinks) -> Piece:
    """Return the lines about a comment: its author and target, the trailers in it, and its beginning."""
    comment = change.comment
    if comment is None:
        return Lines(())
    given = ", ".join(_TRAILERS[kind] for kind in TrailerKind if any(each.kind is kind for each in comment.trailers))
    who = words(facts.submitter_name(comment.submitter), *_of_what(change.patch, thread, site))
    own = [line for line in comment.text.split("\n") if not (given and _GIVEN.match(line)) and line.strip()]
    shown = own[:_MAX_WORDS] + (["…"] if len(own) > _MAX_WORDS else [])
    said = [words(line) for line in shown] or ([] if given else [words("(only quoted text)")])
    return Lines((words(*who, f" · {given}") if given else who, *said))


def _of_what(number: PatchId | None, thread: Thread, site: ServerLinks) -> list[str | Inline]:
    if number is None:
        return [" on the cover letter"]
    patch = thread.patches.get(number)
    if patch is None or thread.submission.lone is not None:
        return []
    return [" on ", Link(_number(patch), site.patch(patch), spelled=False)]
