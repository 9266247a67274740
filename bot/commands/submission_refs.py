"""Resolves references to whole submissions, as far as the bot stores them: for what it does with them later."""

from dataclasses import dataclass, replace

from bot.commands.context import CommandContext, typed
from bot.commands.request import AnswerSubject, CommandRequest
from bot.commands.resolve_ref import RefResolver, Resolved, ResolvedPatch
from bot.errors import UserError
from bot.ids import EventId, PatchId, ProjectName, RoomId, ServerName
from bot.notices.card import ServerLinks, submission_title
from bot.notices.markup import Link
from bot.patchwork.references import Ref, RefKind
from bot.store.store import Transaction
from bot.submission import Submission, SubmissionKind, SubmissionRef


@dataclass(frozen=True, slots=True)
class MeantSubmission:
    """A stored submission that somebody means, with the links of its server; *ref* is how it may be typed."""

    about: SubmissionRef
    submission: Submission
    site: ServerLinks
    ref: str

    @property
    def link(self) -> Link:
        """Its title, as a link without the address in plain text."""
        title = submission_title(self.submission, self.site)
        return Link(title.text, title.url, spelled=False)

    @property
    def subject(self) -> AnswerSubject:
        """It as the subject of an answer."""
        series, server = self.submission.series, self.about.server
        if series is None:
            return AnswerSubject(server, self.submission.project, patch=self.submission.patches[0].id)
        return AnswerSubject(server, self.submission.project, series.id, version=series.version)


class SubmissionFinder:
    """Finds the submissions that commands mean; a number is the id of a series, or else of a patch."""

    def __init__(self, context: CommandContext) -> None:
        self._places = {place.name: place for place in context.places}
        self._store = context.store
        self._resolver = RefResolver(context.places, context.store)

    async def find(self, request: CommandRequest) -> MeantSubmission:
        """Return the submission that a command names, or that it replies to.

        Raises:
            UserError: it names none, or one that the bot does not store; the text gives the reason.
        """
        if "ref" not in request.call.arguments:
            about = await self._in_reply(request)
            missing = f"{about.kind.capitalize()} {about.id} of {about.server} is no longer stored."
        else:
            resolved = await self._resolver.find(request, RefKind.SERIES)
            about = _about(resolved)
            missing = _not_stored(resolved)
        async with self._store.reading() as tx:
            found = await self.load(tx, about)
        if found is None:
            raise UserError(missing)
        return found

    async def find_stored(self, ref: Ref) -> tuple[SubmissionRef, PatchId | None] | None:
        """Return the stored submission that a link leads to, with the patch if it leads to one; None if there is none.

        No server is asked.
        """
        resolved = await self._resolver.find_stored(ref)
        if resolved is None or not resolved.place.has(resolved.about.project):
            return None
        return _about(resolved), resolved.page.patch.id if isinstance(resolved, ResolvedPatch) else None

    async def load(self, tx: Transaction, about: SubmissionRef) -> MeantSubmission | None:
        """Return a stored submission; None if it is unknown, or of a server that is not watched any more."""
        place, submission = self._places.get(about.server), await tx.watch.load_submission(about)
        if place is None or submission is None:
            return None
        return MeantSubmission(about, submission, place.site(submission.project), self.ref(about))

    def ref(self, about: SubmissionRef) -> str:
        """Return how a submission may be typed."""
        return f"{about.server}:{about.id}" if len(self._places) > 1 else str(about.id)

    async def of_event(self, tx: Transaction, room: RoomId, event: EventId) -> SubmissionRef | None:
        """Return the submission that a card or an answer is about; None for other events."""
        about = await tx.cards.about_event(room, event)
        if about is None or about.kind is SubmissionKind.SERIES:
            return about
        found = await tx.watch.refs_of(about.server, [about.id])
        return next((replace(ref, rebuilds=0) for ref in found.values()), about)

    async def _in_reply(self, request: CommandRequest) -> SubmissionRef:
        message = request.message
        async with self._store.reading() as tx:
            for event in filter(None, (message.replies_to, message.thread)):
                if (about := await self.of_event(tx, message.room, event)) is not None:
                    return about
        raise UserError(_which_one(request))


def _about(resolved: Resolved) -> SubmissionRef:
    server = ServerName(resolved.place.name)
    if not isinstance(resolved, ResolvedPatch):
        return SubmissionRef(server, SubmissionKind.SERIES, resolved.series.id)
    patch = resolved.page.patch
    if patch.series is not None:
        return SubmissionRef(server, SubmissionKind.SERIES, patch.series)
    return SubmissionRef(server, SubmissionKind.PATCH, patch.id)


def _not_stored(resolved: Resolved) -> str:
    """Return why the bot does not store what a server has."""
    if isinstance(resolved, ResolvedPatch):
        name, project = resolved.page.patch.name, resolved.page.patch.project
    else:
        name, project = resolved.series.name, resolved.series.project
    if not resolved.place.has(ProjectName(project)):
        return f"{name} was sent to {project}, which I do not watch: I would not see what happens to it."
    return f"{name} came before I began to watch {project}, or just now: I would not see what happens to it."


def _which_one(request: CommandRequest) -> str:
    """Return the question for a command that names nothing and replies to nothing."""
    example = typed(request, request.call.command.verb, request.call.command.example)
    return f"Which one? Name it, or type this in reply to a card.\nExample: {example}"


async def newest_version(tx: Transaction, about: SubmissionRef) -> SubmissionRef:
    """Return the newest version of a submission."""
    if about.kind is SubmissionKind.PATCH:
        return about
    return replace(about, id=await tx.versions.newest(about.server, about.id))
