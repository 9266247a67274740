"""Answers `state`, `delegate`, `archive` and `unarchive`, which change patches with the token of whoever typed them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.clock import Clock
from bot.commands.act_plan import ARCHIVED, ActTargets, find_targets, planned
from bot.commands.act_runner import ActAccess, ActRunner
from bot.commands.act_words import (
    ME,
    NOBODY,
    ActWords,
    known_state,
    refs_and_state,
    refs_and_user,
    refs_only,
    unknown_state,
)
from bot.commands.answers.acts import FinishedAct, acts_shown, is_undone
from bot.commands.context import typed
from bot.commands.person_access import PersonAccess, PersonAccesses
from bot.commands.request import Answer, AnswerSubject, CommandRequest
from bot.commands.resolve_ref import RefResolver
from bot.commands.servers import LookupServer
from bot.errors import TransportError, UserError
from bot.ids import ServerName, UserId
from bot.patchwork.states import States
from bot.store.act_book import Act, ActField, ActKey, ActPatch, ActStep, ActValue
from bot.store.store import Store

OFF, ALL = "off", "all"
SWITCHED_OFF = "Changing patches from here is switched off (acting.rooms in the bot's configuration)."
_NOT_ENCRYPTED = (
    "Patches are changed only by messages that are encrypted: elsewhere, whoever runs a homeserver could speak in "
    "your name.\nType it in an encrypted room, or in an encrypted direct chat with me."
)
_ValueOf = Callable[[CommandRequest, PersonAccess, ActTargets], Awaitable[ActValue]]


@dataclass(frozen=True, slots=True)
class ActContext:
    """The dependencies of the commands; *rooms* is the setting, *poll_soon* asks for an early poll of a server."""

    store: Store
    clock: Clock
    places: Sequence[LookupServer]
    accesses: PersonAccesses
    rooms: str
    poll_soon: Callable[[ServerName], None] = lambda _: None


class ActCommands:
    """The commands that change patches."""

    def __init__(self, context: ActContext) -> None:
        self._context = context
        self._store = context.store
        self._places = {place.name: place for place in context.places}
        self._accesses = context.accesses
        self._resolver = RefResolver(context.places, context.store)
        self._runner = ActRunner(context.store, context.clock)

    async def state(self, request: CommandRequest) -> Answer:
        """Set the state of patches."""
        words = refs_and_state(request.call.arguments["refs"])

        async def value(_: CommandRequest, access: PersonAccess, targets: ActTargets) -> ActValue:
            return ActValue(ActField.STATE, await _state(access.place, targets, words.value))

        return await self._act(request, words, value)

    async def delegate(self, request: CommandRequest) -> Answer:
        """Delegate patches to somebody, or to nobody."""
        words = refs_and_user(request.call.arguments["refs"])

        async def value(_: CommandRequest, access: PersonAccess, targets: ActTargets) -> ActValue:
            return await self._delegate(request.message.sender, access, targets, words.value)

        return await self._act(request, words, value)

    async def archive(self, request: CommandRequest) -> Answer:
        """Archive patches."""
        return await self._archived(request, ARCHIVED)

    async def unarchive(self, request: CommandRequest) -> Answer:
        """Take patches out of the archive."""
        return await self._archived(request, "")

    async def _archived(self, request: CommandRequest, shown: str) -> Answer:
        async def value(*_: object) -> ActValue:
            return ActValue(ActField.ARCHIVED, shown)

        return await self._act(request, refs_only(request.call.arguments.get("refs", "")), value)

    # The act

    async def _act(self, request: CommandRequest, words: ActWords, value_of: _ValueOf) -> Answer:
        """Change the patches that *words* name, or go on with what an earlier process began.

        Raises:
            UserError: nothing was changed.
        """
        began = self._context.clock.monotonic()
        async with self._store.reading() as tx:
            acts = await tx.acts.of_command(request.message.room, request.message.event)
        is_resumed = bool(acts)
        if not acts:
            self._see_that_it_may(request)
            acts = await self._begin(request, words, value_of)
        finished = [await self._finish(request, act, began, resumed=is_resumed) for act in acts]
        for server in {each.act.key.server for each in finished if not is_undone([each])}:
            self._context.poll_soon(server)
        document = acts_shown(finished, lambda *parts: typed(request, *parts))
        return Answer(document, about=_subject(finished), is_refusal=is_undone(finished))

    def _see_that_it_may(self, request: CommandRequest) -> None:
        if self._context.rooms == OFF:
            raise UserError(SWITCHED_OFF)
        if self._context.rooms != ALL and not request.message.encrypted:
            raise UserError(_NOT_ENCRYPTED)

    async def _begin(self, request: CommandRequest, words: ActWords, value_of: _ValueOf) -> list[Act]:
        """Find the patches and check the values on all servers, then write down what is to be done."""
        found = await find_targets(self._resolver, request, words.refs)
        plans: list[tuple[ActKey, ActValue, list[ActPatch]]] = []
        for targets in found:
            access = await self._access(request, targets.place)
            value = await value_of(request, access, targets)
            key = ActKey(request.message.room, request.message.event, targets.place.name)
            plans.append((key, value, planned(targets, value)))
        if all(patch.step.is_final for *_, patches in plans for patch in patches):
            return [
                Act(0, key, request.message.sender, value, self._context.clock.now(), tuple(patches))
                for key, value, patches in plans
            ]
        async with self._store.transaction() as tx:
            return [await tx.acts.add(key, request.message.sender, value, patches) for key, value, patches in plans]

    async def _finish(self, request: CommandRequest, act: Act, began: float, *, resumed: bool) -> FinishedAct:
        place = self._places.get(act.key.server)
        access = await self._accesses.of(request.message.sender, place) if place else None
        if place is None:
            return FinishedAct(
                _given_up(act, f"{act.key.server} is not watched any more"), States(), "", qualified=True
            )
        if any(not patch.step.is_final for patch in act.patches):
            personal = access.personal if access and self._context.rooms != OFF else None
            act = await self._runner.run(act, ActAccess(place, personal, began), resumed=resumed)
        account = access.account.name if access and access.account else ""
        return FinishedAct(act, place.api.states, account or request.message.sender, qualified=len(self._places) > 1)

    async def _access(self, request: CommandRequest, place: LookupServer) -> PersonAccess:
        access = await self._accesses.of(request.message.sender, place)
        if access is None:
            raise UserError(
                f"I have no token of yours for {place.name}, with which to change patches in your name.\n"
                f"Make one on your profile page, {place.api.url}/user/\n"
                f"Then type in an encrypted direct chat with me: token {place.name} TOKEN"
            )
        return access

    async def _delegate(self, person: UserId, access: PersonAccess, targets: ActTargets, spelled: str) -> ActValue:
        if spelled.lower() in NOBODY:
            return ActValue(ActField.DELEGATE, "")
        if spelled.lower() == ME:
            if access.account is None:
                raise UserError(
                    f"I do not know which account of {access.place.name} is yours. Type its name once instead of “me”; "
                    "I remember it. Nothing was changed."
                )
            return ActValue(ActField.DELEGATE, access.account.name, access.account.id)
        account = await self._accesses.user(access, spelled, {patch.project for patch in targets.patches})
        if access.account is None:
            await self._accesses.learn(person, access, account)
        return ActValue(ActField.DELEGATE, account.name, account.id)


async def _state(place: LookupServer, targets: ActTargets, spelled: str) -> str:
    """Return the slug of the state that was typed.

    Raises:
        UserError: the server is known not to have it.
    """
    api = place.api
    if (slug := known_state(spelled, api.states)) is not None:
        return slug
    try:
        names = await api.state_names(targets.patches[0].project)  # there may be new ones
    except TransportError:
        names = {}
    states = States({**names, **{slug: name or names.get(slug) for slug, name in api.states.names.items()}})
    if (slug := known_state(spelled, states)) is not None:
        return slug
    if not states.is_complete:
        return spelled  # the server will tell what it has
    raise UserError(unknown_state(spelled, place.name, states))


def _given_up(act: Act, reason: str) -> Act:
    patches = tuple(
        patch
        if patch.step.is_final
        else ActPatch(patch.id, patch.project, patch.series, patch.name, patch.old, ActStep.FAILED, reason)
        for patch in act.patches
    )
    return Act(act.id, act.key, act.person, act.value, act.began_at, patches)


def _subject(finished: Sequence[FinishedAct]) -> AnswerSubject | None:
    """Return what the answer is about, if that is a single series or patch."""
    patches = [(each.act.key.server, patch) for each in finished for patch in each.act.patches]
    server, first = patches[0]
    if any((other, patch.series) != (server, first.series) for other, patch in patches):
        return None
    if len(patches) > 1 and first.series is None:
        return None
    return AnswerSubject(server, first.project, first.series, first.id if len(patches) == 1 else None)
