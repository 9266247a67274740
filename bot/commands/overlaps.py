"""Answers `also REF`: other open submissions that touch the same files, from the store."""

from collections.abc import Callable, Sequence

from bot.commands.answers.overlaps import overlap_line, overlaps_shown
from bot.commands.answers.subscriptions import MAX_ITEMS, page
from bot.commands.context import typed
from bot.commands.request import Answer, CommandRequest
from bot.commands.resolve_ref import RefResolver, Resolved, ResolvedPatch, ResolvedSeries
from bot.errors import UserError
from bot.ids import ProjectName
from bot.notices.card import ServerLinks, patch_title, series_title
from bot.notices.markup import Document, Line
from bot.patchwork.model import Patch, paths_of
from bot.store.overlap_book import Overlap
from bot.store.store import Store
from bot.submission import Submission, SubmissionKind, SubmissionRef


async def overlaps_of(resolved: Resolved, finder: RefResolver, store: Store, request: CommandRequest) -> Answer:
    """Return the answer with the open submissions that touch the files of a patch or series.

    Raises:
        UserError: its files are not known, or the list ends before the line that was asked for.
    """
    place, site = resolved.place, resolved.site
    patches = await _patches_of(resolved, finder, store)
    paths = {path for patch in patches for path in paths_of(patch.files or ())}
    if not paths:
        raise UserError("It touches no files that the bot knows.")
    own = await _own(resolved, finder)
    async with store.reading() as tx:
        found = await tx.overlaps.open_touching(place.name, patches[0].project, paths, place.api.classes.closed)
        others = [each for each in found if each.ref not in own]
        start = int(request.call.arguments.get("from", 1))
        shown = others[start - 1 : start - 1 + MAX_ITEMS]
        known = await tx.watch.load_submissions(each.ref for each in shown)
    items = [_line(each, known, place.site) if each in shown else () for each in others]
    title = (
        patch_title(patches[0], site) if isinstance(resolved, ResolvedPatch) else series_title(resolved.series, site)
    )

    def document(listed: Sequence[Line], more: tuple[Line, ...]) -> Document:
        return overlaps_shown(title, len(paths), len(others), listed, more)

    ref = request.call.arguments.get("ref", "")
    answer = page(items, start, document, lambda at: typed(request, "also", ref, f"from {at}"))
    return Answer(answer, site, resolved.about)


async def _patches_of(resolved: Resolved, finder: RefResolver, store: Store) -> Sequence[Patch]:
    """Return the patches with their files, from the store where it has them."""
    if isinstance(resolved, ResolvedPatch):
        return [resolved.page.patch]
    async with store.reading() as tx:
        stored = await tx.watch.patches_of(resolved.place.name, resolved.series.id)
    if len(stored) >= len(resolved.series.patches) and stored:
        return stored
    return (await finder.patches_of(resolved))[0]


async def _own(resolved: Resolved, finder: RefResolver) -> set[SubmissionRef]:
    """Return the submission itself, with the other versions of its series."""
    name = resolved.place.name
    if isinstance(resolved, ResolvedPatch):
        patch = resolved.page.patch
        if patch.series is None or resolved.page.series is None:
            return {SubmissionRef(name, SubmissionKind.PATCH, patch.id)}
        resolved = ResolvedSeries(resolved.place, resolved.page.series)
    versions = await finder.stored_versions(resolved)
    return {SubmissionRef(name, SubmissionKind.SERIES, series.id) for series in versions}


def _line(overlap: Overlap, known: dict[SubmissionRef, Submission], site: Callable[[ProjectName], ServerLinks]) -> Line:
    submission = known.get(overlap.ref)
    if submission is None or not submission.patches:
        return ()
    return overlap_line(submission, overlap.paths, site(submission.project))
