"""Composes the answers to commands that change patches on Patchwork. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.commands.answers.subscriptions import to_type
from bot.notices.fact_lines import counted
from bot.notices.markup import Bullets, Document, Line, Lines, Piece, words
from bot.patchwork.states import States
from bot.store.act_book import Act, ActField, ActPatch, ActStep
from bot.text import cut

_MOST_NAMED = 5  # patches for each reason
_MOST_REASONS = 8
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class FinishedAct:
    """An act that is settled, with its server's *states*; *account* is who did it, "" if that is unknown.

    *qualified* is true if ids need the server's name before them, because there are other servers.
    """

    act: Act
    states: States
    account: str
    qualified: bool


def acts_shown(finished: Sequence[FinishedAct], typed: Callable[..., str]) -> Document:
    """Return the answer: who changed how many patches from what to what, what was not changed and why, and the undo.

    *typed* returns a command with its arguments as it must be typed.
    """
    return tuple(piece for each in finished for piece in _act(each, typed))


def is_undone(finished: Sequence[FinishedAct]) -> bool:
    """Return whether nothing at all was changed."""
    return all(patch.step is not ActStep.DONE for each in finished for patch in each.act.patches)


def _act(told: FinishedAct, typed: Callable[..., str]) -> list[Piece]:
    done = [patch for patch in told.act.patches if patch.step is ActStep.DONE]
    already = [patch for patch in told.act.patches if patch.step is ActStep.UNCHANGED and not patch.reason]
    left = [patch for patch in told.act.patches if patch.step is not ActStep.DONE and patch.reason]
    where = f"on {told.act.key.server}, as {told.account}" if told.account else f"on {told.act.key.server}"
    lines = [_changed(told, old, some, where) for old, some in _by_old(done).items()]
    if already:
        lines.append(words(f"{_subject(already)}: {_value(told, told.act.value.shown)} already; nothing to change."))
    pieces: list[Piece] = [Lines(tuple(lines))] if lines else []
    if left:
        pieces += [Lines((words(f"Not changed {where}: {counted(len(left), 'patch')}."),)), _reasons(told, left)]
    for undo in _undo(told, done, typed):
        found = to_type("Undo:", undo)
        pieces += found if isinstance(found, tuple) else (found,)
    return pieces


def _changed(told: FinishedAct, old: str, some: Sequence[ActPatch], where: str) -> Line:
    change = f"{_value(told, old)} → {_value(told, told.act.value.shown)}"
    label = "delegate " if told.act.value.field is ActField.DELEGATE else ""
    return words(f"{_subject(some)}: {label}{change}, {where}.")


def _subject(some: Sequence[ActPatch]) -> str:
    """Return the number of patches, with the name of the first one."""
    first = f"“{cut(some[0].name, _LONGEST_NAME)}”"
    if len(some) == 1:
        return first
    return f"{len(some)} patches ({first} and {len(some) - 1} more)"


def _by_old(done: Sequence[ActPatch]) -> dict[str, list[ActPatch]]:
    found: dict[str, list[ActPatch]] = {}
    for patch in done:
        found.setdefault(patch.old, []).append(patch)
    return found


def _value(told: FinishedAct, value: str) -> str:
    match told.act.value.field:
        case ActField.STATE:
            return told.states.name(value) if value else "no state"
        case ActField.DELEGATE:
            return cut(value, _LONGEST_NAME) or "nobody"
        case ActField.ARCHIVED:
            return "archived" if value else "not archived"


def _reasons(told: FinishedAct, left: Sequence[ActPatch]) -> Bullets:
    """Return a line for each reason, with the patches that it is about."""
    found: dict[str, list[ActPatch]] = {}
    for patch in left:
        found.setdefault(patch.reason, []).append(patch)
    items = [_reason(told, reason, some) for reason, some in list(found.items())[:_MOST_REASONS]]
    more = [words(f"and {len(found) - _MOST_REASONS} more reasons")] if len(found) > _MOST_REASONS else []
    return Bullets((*items, *more))


def _reason(told: FinishedAct, reason: str, some: Sequence[ActPatch]) -> Line:
    named = [f"{_id(told, patch)} “{cut(patch.name, _LONGEST_NAME)}”" for patch in some[:_MOST_NAMED]]
    rest = some[_MOST_NAMED:]
    more = f", and {len(rest)} more ({', '.join(_id(told, patch) for patch in rest)})" if rest else ""
    return words(f"{', '.join(named)}{more}: {cut(reason, 500)}")


def _undo(told: FinishedAct, done: Sequence[ActPatch], typed: Callable[..., str]) -> list[str]:
    """Return the commands that undo what was done, one for each old value."""
    commands = []
    for old, some in _by_old(done).items():
        ids = [_id(told, patch) for patch in some]
        match told.act.value.field:
            case ActField.STATE if old:
                commands.append(typed("state", *ids, old))
            case ActField.STATE:  # the server did not tell the old one
                pass
            case ActField.DELEGATE:
                commands.append(typed("delegate", *ids, old or "nobody"))
            case ActField.ARCHIVED:
                commands.append(typed("archive" if old else "unarchive", *ids))
    return commands


def _id(told: FinishedAct, patch: ActPatch) -> str:
    return f"{told.act.key.server}:{patch.id}" if told.qualified else str(patch.id)
