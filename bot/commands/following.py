"""Answers `follow`, `unfollow` and `follows`, and the reaction 👀 to a card, which means the same as `follow`.

Theory of operation. A reaction waits in the inbox like a command, and counts against the same limits. It is answered in
the person's direct chat, never where it was made, except that somebody without a direct chat who follows something for
the first time is told how to start one. A reaction that is taken back before it was answered is gone from the inbox;
whichever is written second, the answer or the withdrawal, finds what the first one wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands.answer_notices import subject_tag
from bot.commands.answers import following as answers
from bot.commands.answers.following import NewsPlace
from bot.commands.answers.subscriptions import page
from bot.commands.context import ChangeResult, CommandContext, changed, typed
from bot.commands.request import Answer, CommandRequest
from bot.commands.submission_refs import MeantSubmission, SubmissionFinder, newest_version
from bot.errors import UserError
from bot.ids import NoticeKey, RoomId
from bot.notices.card import ServerLinks
from bot.notices.markup import Document, Line, written
from bot.notices.notice import Lane, Message, Notice, answer_key
from bot.patchwork.references import read_ref
from bot.query.keys import begins_with_key
from bot.store.follow_book import Follow
from bot.store.store import Transaction
from bot.submission import SubmissionRef

MOST_FOLLOWS = 500  # per person
_SILENT = Answer((), is_silent=True)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A follow with the newest version of what is followed."""

    follow: Follow
    newest: MeantSubmission


class FollowCommands:
    """The commands on what people follow."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._store = context.store
        self._finder = SubmissionFinder(context)

    async def follow(self, request: CommandRequest) -> Answer:
        """Let the sender follow a submission: by its reference, in reply to a card, or by a reaction to it."""
        if request.message.reaction:
            return await self._react(request)
        _refuse_query(request)
        meant = await self._finder.find(request)
        person = request.message.sender

        async def change(tx: Transaction) -> ChangeResult:
            if request.direct:
                await tx.follows.set_chat(person, request.message.room)
            if await tx.follows.of_lineage(person, meant.about):
                raise UserError("You follow that already; nothing was changed.")
            await self._see_that_it_may(tx, request)
            await tx.follows.add(person, meant.about)
            place = await self._place(tx, request)
            return ChangeResult(answers.following(meant.link, place, typed(request, "unfollow", meant.ref)))

        return await changed(self._context, request, change, meant.site, meant.subject)

    async def unfollow(self, request: CommandRequest) -> Answer:
        """End a follow of the sender."""
        about = await self._own(request)
        meant = None if about is not None else await self._finder.find(request)
        about = about or (meant.about if meant else None)
        assert about is not None  # noqa: S101  # `find` raises instead
        async with self._store.reading() as tx:
            meant = meant or await self._finder.load(tx, await newest_version(tx, about))
        name, person = meant.link if meant else self._finder.ref(about), request.message.sender

        async def change(tx: Transaction) -> ChangeResult:
            follows = await tx.follows.of_lineage(person, about)
            if not follows:
                raise UserError(f"You do not follow that. What you follow: {typed(request, 'follows')}")
            for each in follows:
                await tx.follows.end(each.id)
            undo = typed(request, "follow", self._finder.ref(follows[0].about))
            return ChangeResult(answers.not_following(name, undo))

        if meant is None:
            return await changed(self._context, request, change)
        return await changed(self._context, request, change, meant.site, meant.subject)

    async def follows(self, request: CommandRequest) -> Answer:
        """List what the sender follows."""
        async with self._store.reading() as tx:
            follows = await tx.follows.of(request.message.sender)
            listed = [listed for each in follows if (listed := await self._listed(tx, each)) is not None]
            place = await self._place(tx, request)
        if not listed:
            return Answer(answers.follows_nothing(typed(request, "follow", "2194095")))
        items = [answers.follow_line(each.newest.ref, each.newest.submission, each.newest.site) for each in listed]
        undo = typed(request, "unfollow", listed[0].newest.ref)
        start = int(request.call.arguments.get("from", 1))
        sites = [each.newest.site for each in listed]
        allowed = ServerLinks(sites[0].url, others=tuple({site.url for site in sites}))

        def document(shown: Sequence[Line], more: tuple[Line, ...]) -> Document:
            return answers.follows(len(listed), shown, more, place, undo)

        return Answer(page(items, start, document, lambda next_: typed(request, "follows", next_)), allowed)

    # By reaction

    async def _react(self, request: CommandRequest) -> Answer:
        """Let somebody follow the card that they reacted to; whatever there is to be said is said in their chat."""
        message = request.message
        async with self._store.transaction() as tx:
            if not await tx.inbox.answered(message):
                return _SILENT  # it was taken back meanwhile
            if request.direct:
                await tx.follows.set_chat(message.sender, message.room)
            about = await self._finder.of_event(tx, message.room, message.replies_to) if message.replies_to else None
            meant = await self._finder.load(tx, about) if about is not None else None
            if meant is None:
                return _SILENT
            known = await tx.follows.of_lineage(message.sender, meant.about)
            chat = await tx.follows.chat_of(message.sender)
            try:
                if not known:
                    await self._see_that_it_may(tx, request)
            except UserError as error:
                document = answers.not_following_because(meant.link, str(error))
            else:
                id_ = known[0].id if known else await tx.follows.add(message.sender, meant.about)
                await tx.follows.add_reaction(id_, message.room, message.event)
                document = answers.following(meant.link, NewsPlace.HERE, f"unfollow {meant.ref}", by_reaction=True)
            if chat is not None and not known:
                await tx.outbox.add([_told(request, chat, document, meant)])
            elif chat is None and len(await tx.follows.of(message.sender)) == 1:  # the first, so it was never told
                is_card = await tx.cards.why(message.room, message.replies_to or message.event) is not None
                await tx.outbox.add([_hint(request, meant, in_thread=is_card)])
        return _SILENT

    # Helpers

    async def _see_that_it_may(self, tx: Transaction, request: CommandRequest) -> None:
        """Check that the sender may follow one more submission.

        Raises:
            UserError: they follow too many.
        """
        if len(await tx.follows.of(request.message.sender)) >= MOST_FOLLOWS:
            raise UserError(f"You follow {MOST_FOLLOWS} submissions, which is the limit. See: follows")

    async def _place(self, tx: Transaction, request: CommandRequest) -> NewsPlace:
        """Return where the news comes."""
        chat = await tx.follows.chat_of(request.message.sender)
        if chat is None:
            return NewsPlace.NOWHERE
        return NewsPlace.HERE if chat == request.message.room else NewsPlace.CHAT

    async def _own(self, request: CommandRequest) -> SubmissionRef | None:
        """Return which of the sender's follows has the id that was typed; None if none has."""
        ref = read_ref(request.call.arguments.get("ref", ""))
        if ref is None or ref.number is None or ref.may_be_row:
            return None
        async with self._store.reading() as tx:
            follows = await tx.follows.of(request.message.sender)
            newest = {await newest_version(tx, each.about): each.about for each in follows}
        named = {**newest, **{each.about: each.about for each in follows}}
        found = [
            about for known, about in named.items() if known.id == ref.number and ref.server in {None, known.server}
        ]
        return found[0] if len(set(found)) == 1 else None

    async def _listed(self, tx: Transaction, follow: Follow) -> _Listed | None:
        meant = await self._finder.load(tx, await newest_version(tx, follow.about))
        meant = meant or await self._finder.load(tx, follow.about)
        return None if meant is None else _Listed(follow, meant)


def _refuse_query(request: CommandRequest) -> None:
    """Refuse a query, which only a subscription has.

    Raises:
        UserError: a query was typed.
    """
    text = request.call.arguments.get("ref", "")
    if read_ref(text) is None and begins_with_key(text):
        raise UserError(
            "follow is about one patch or series. To post each new series that matches, "
            f"type: {typed(request, 'sub', text[:100])}"
        )


def _told(request: CommandRequest, chat: RoomId, document: Document, meant: MeantSubmission) -> Notice:
    """Return the answer to a reaction, in the direct chat."""
    message = request.message
    tag = subject_tag(answer_key(message.room, message.event), meant.subject)
    return Notice(chat, Lane.ANSWER, Message(*written(document, meant.site.allowed), tag), asked_by=message.sender)


def _hint(request: CommandRequest, meant: MeantSubmission, *, in_thread: bool) -> Notice:
    """Return how to get the news without a direct chat, once for each message that people react to.

    If that is a card, it is said *in_thread*; in the thread of any other message nothing can be.
    """
    message = request.message
    key = NoticeKey(f"follow/{message.replies_to}/{message.room}")
    body, html = written(answers.no_chat(), meant.site.allowed)
    said = Message(
        body,
        html,
        subject_tag(key, meant.subject),
        thread=message.replies_to if in_thread else None,
        replies_to=message.replies_to,
    )
    return Notice(message.room, Lane.ANSWER, said, asked_by=message.sender)
