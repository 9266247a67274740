"""Looks up checks and comments, which are not stored, on the server each time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bot.commands.answers.patch import CheckedPatch, PatchComment, checks_shown, comments_shown, series_checks_shown
from bot.commands.request import Answer
from bot.commands.resolve_ref import RefResolver, Resolved, ResolvedPatch, ResolvedSeries
from bot.errors import Permanent, Temporary, UserError
from bot.ids import PatchId
from bot.notices.card import patch_title, series_title
from bot.patchwork.client import AT_ONCE
from bot.patchwork.model import Check, CheckState, Patch

MOST_CHECKED = 20  # patches per series whose checks are requested
MOST_COMMENTED = 100  # patches per series whose comments are requested
_T = TypeVar("_T")


async def checks_of(resolved: Resolved, finder: RefResolver) -> Answer:
    """Return the answer with the checks of a patch, or of the patches of a series.

    Raises:
        UserError: the server cannot be reached.
    """
    _refuse_copy(resolved, "checks")
    try:
        if isinstance(resolved, ResolvedPatch):
            patch = resolved.page.patch
            document = checks_shown(patch, await resolved.place.api.checks(patch.id), resolved.site)
        else:
            document = series_checks_shown(resolved.series, await _checked(resolved, finder), resolved.site)
    except (Temporary, Permanent) as error:
        raise UserError(f"{resolved.place.outage(error)}, and the bot keeps no checks.") from error
    return Answer(document, resolved.site, resolved.about)


async def comments_of(resolved: Resolved) -> Answer:
    """Return the answer with the comments on a patch, or on all mails of a series.

    Raises:
        UserError: the server cannot be reached.
    """
    _refuse_copy(resolved, "comments")
    place = resolved.place
    try:
        if isinstance(resolved, ResolvedPatch):
            comments = await place.api.patch_comments(resolved.page.patch.id)
            title, remark = patch_title(resolved.page.patch, resolved.site), ""
            replies: Sequence[PatchComment] = [PatchComment(comment) for comment in comments]
        else:
            title, (replies, remark) = series_title(resolved.series, resolved.site), await _replies(resolved)
    except (Temporary, Permanent) as error:
        raise UserError(f"{place.outage(error)}, and the bot keeps no comments.") from error
    return Answer(comments_shown(title, replies, resolved.site, remark), resolved.site, resolved.about)


async def _checked(resolved: ResolvedSeries, finder: RefResolver) -> list[CheckedPatch]:
    """Return the patches of a series; those with bad checks, worst first up to a limit, come with all their checks."""
    patches = await finder.checked(resolved.place, await resolved.place.api.patches_of(resolved.series.id))
    bad = [patch for state in (CheckState.FAIL, CheckState.WARNING) for patch in patches if patch.check is state]
    looked_at = bad[:MOST_CHECKED]
    results = await _in_turn(resolved.place.api.checks, looked_at)
    checks: dict[PatchId, tuple[Check, ...]] = {patch.id: each for patch, each in zip(looked_at, results, strict=True)}
    return [CheckedPatch(patch, checks.get(patch.id)) for patch in patches]


async def _replies(resolved: ResolvedSeries) -> tuple[list[PatchComment], str]:
    """Return all comments by date, and a remark on the patches that were skipped."""
    api, series = resolved.place.api, resolved.series
    patches: Sequence[Patch] = await api.patches_of(series.id)
    looked_at = patches[:MOST_COMMENTED]
    on_cover = await api.cover_comments(series.id)
    results = await _in_turn(api.patch_comments, looked_at)
    replies = [PatchComment(comment) for comment in on_cover]
    replies += [
        PatchComment(comment, patch) for patch, each in zip(looked_at, results, strict=True) for comment in each
    ]
    rest = len(patches) - len(looked_at)
    remark = f"Of {len(patches)} patches, the last {rest} were not looked at." if rest else ""
    return sorted(replies, key=lambda reply: reply.comment.date), remark


async def _in_turn(ask: Callable[[PatchId], Awaitable[_T]], patches: Sequence[Patch]) -> list[_T]:
    """Return the result of *ask* for each of *patches*, a few at a time."""
    resolved: list[_T] = []
    for start in range(0, len(patches), AT_ONCE):
        resolved += await asyncio.gather(*(ask(patch.id) for patch in patches[start : start + AT_ONCE]))
    return resolved


def _refuse_copy(resolved: Resolved, what: str) -> None:
    if resolved.copy is not None:
        raise UserError(f"{resolved.copy.outage}, and the bot keeps no {what}.")
