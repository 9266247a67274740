"""Finds the patches that a command is to change, as their server shows them now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.commands.request import CommandRequest
from bot.commands.resolve_ref import RefResolver, Resolved, ResolvedPatch
from bot.commands.servers import LookupServer
from bot.errors import TransportError, UserError
from bot.ids import PatchId
from bot.patchwork.model import Patch
from bot.patchwork.states import same_state
from bot.store.act_book import ActField, ActPatch, ActStep, ActValue

MOST_PATCHES = 200  # in one command
ARCHIVED = "archived"
_NOTHING = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class ActTargets:
    """The patches of one server that a command means."""

    place: LookupServer
    patches: tuple[Patch, ...]


async def find_targets(resolver: RefResolver, request: CommandRequest, refs: Sequence[str]) -> list[ActTargets]:
    """Return the patches that *refs* mean, by server; without any, those of the card that is replied to.

    Raises:
        UserError: one of them cannot be found, or its server cannot be asked; or they are too many.
    """
    found: dict[str, dict[PatchId, Patch]] = {}
    places: dict[str, LookupServer] = {}
    asked: Sequence[str | None] = refs or [None]
    for ref in asked:
        resolved = await resolver.find(_asking_for(request, ref))
        places[resolved.place.name] = resolved.place
        patches = found.setdefault(resolved.place.name, {})
        patches |= {patch.id: patch for patch in await _patches_of(resolved)}
        if (total := sum(map(len, found.values()))) > MOST_PATCHES:
            raise UserError(f"That would change {total} patches; {MOST_PATCHES} at once are the most. {_NOTHING}")
    return [ActTargets(places[name], tuple(patches.values())) for name, patches in found.items()]


def planned(targets: ActTargets, value: ActValue) -> list[ActPatch]:
    """Return the patches with their present values; those that have the new one already are not to be changed."""
    return [_planned(patch, value) for patch in targets.patches]


def shown(patch: Patch, field: ActField) -> str:
    """Return the value of a patch's field in the form of `ActValue.shown`."""
    match field:
        case ActField.STATE:
            return patch.state or ""
        case ActField.DELEGATE:
            return patch.delegate or ""
        case ActField.ARCHIVED:
            return ARCHIVED if patch.archived else ""


def is_same(field: ActField, one: str, other: str) -> bool:
    """Return whether two values of a field are the same, however they are spelled."""
    return same_state(one, other) if field is ActField.STATE else one == other


def fields_to_send(value: ActValue) -> Mapping[str, str | int | bool | None]:
    """Return the fields of the API that give a patch this value."""
    match value.field:
        case ActField.STATE:
            return {"state": value.shown}
        case ActField.DELEGATE:
            return {"delegate": value.id}
        case ActField.ARCHIVED:
            return {"archived": bool(value.shown)}


def _asking_for(request: CommandRequest, ref: str | None) -> CommandRequest:
    arguments = {} if ref is None else {"ref": ref}
    return replace(request, call=replace(request.call, arguments=arguments))


async def _patches_of(resolved: Resolved) -> Sequence[Patch]:
    if resolved.copy is not None:
        raise UserError(f"{resolved.copy.outage}. {_NOTHING}")
    if isinstance(resolved, ResolvedPatch):
        return [resolved.page.patch]
    try:
        patches = await resolved.place.api.patches_of(resolved.series.id)
    except TransportError as error:
        raise UserError(f"{resolved.place.outage(error)}. {_NOTHING}") from error
    if not patches:
        raise UserError(f"Series {resolved.series.id} has no patches on {resolved.place.name}.")
    return patches


def _planned(patch: Patch, value: ActValue) -> ActPatch:
    old = shown(patch, value.field)
    step = ActStep.UNCHANGED if is_same(value.field, old, value.shown) else ActStep.PLANNED
    return ActPatch(patch.id, patch.project, patch.series, patch.name, old, step)
