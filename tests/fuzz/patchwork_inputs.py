"""What a Patchwork server can answer about one series, field by field, and what its mails can look like."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from bot.clock import VirtualClock
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import NewCheck, PostedSeries, SamplePatchwork
from bot.sample_patchwork.request import Response
from inputs import Name
from mails import BODIES, mutated_mail
from mutations import Mutation, encoded, kinds_for, mutated, paths, shape
from patchwork_mutations import MutatingTransport
from support.rig import PROJECT
from world import PLAIN, Check, World

RECORDED: Final = json.loads((Path(__file__).parents[1] / "samples" / "patch-2194095.json").read_bytes())
_OWN: Final = (
    "id",
    "url",
    "web_url",
    "mbox",
    "msgid",
    "project",
    "series",
    "date",
    "comments",
    "checks",
    "list_archive_url",
)
_NET_SECONDS: Final = 1_800.0
_COMMANDS: Final = {
    "patch": "show {patch}",
    "recorded patch": "diff {patch}",
    "series": "series {series}",
    "checks": "checks {patch}",
    "comments": "comments {patch}",
    "mail": "diff {series}",
    "diff": "diff {patch}",
}
_EVENTS: Final = (
    "cover-created",
    "patch-created",
    "patch-completed",
    "series-created",
    "series-completed",
    "check-created",
    "patch-state-changed",
    "patch-comment-created",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the wrong object is in the answers about a series: at *path*; in lists, only the entry that *is_it*."""

    path: str
    is_it: Callable[[Any], bool] | None = None


def patchwork_mutations() -> Iterator[Name]:
    """Every mutation of every answer about a series, and of its mails."""
    for family, template in _templates().items():
        for path in paths(template):
            field = shape(template, path)
            for kind in kinds_for(template, path):
                yield Name(family, 0, field, Mutation(path, kind))
    for kind in BODIES:
        yield Name("mail", 0, f"mail:{kind}", Mutation(("mail",), kind))
        yield Name("diff", 0, f"diff:{kind}", Mutation(("diff",), kind))


@cache
def _templates() -> dict[str, Any]:
    """An answer of each kind."""
    transport = MutatingTransport.empty(VirtualClock())
    posted = _posted(transport.patchwork, "Template", patches=2)
    _change(transport.patchwork, posted)
    return {family: _found(transport.patchwork, place) for family, place in _places(posted).items()}


def _found(patchwork: SamplePatchwork, place: Place) -> Any:
    answer = json.loads(patchwork.answer("GET", place.path).body)
    return answer if place.is_it is None else next(each for each in answer if place.is_it(each))


def _places(posted: PostedSeries) -> dict[str, Place]:
    patch, series, cover, api = posted.patches[0], posted.series, posted.cover, "/api/1.3"
    about = {"patch": patch, "series": series, "cover": cover}
    events = {name: Place(f"{api}/events/", _event(name, about)) for name in _EVENTS}
    return {
        **events,
        "series": Place(f"{api}/series/{series}/"),
        "patch": Place(f"{api}/patches/{patch}/"),
        "recorded patch": Place(f"{api}/patches/{patch}/"),
        "listed patch": Place(f"{api}/patches/", lambda each: each["id"] == patch),
        "listed series": Place(f"{api}/series/", lambda each: each["id"] == series),
        "checks": Place(f"{api}/patches/{patch}/checks/", lambda _: True),
        "comments": Place(f"{api}/patches/{patch}/comments/", lambda _: True),
    }


def _event(category: str, about: Mapping[str, int | None]) -> Callable[[Any], bool]:
    """Whether an event is of that category and about one of these, by kind."""

    def is_it(event: Any) -> bool:
        payload, kind = event["payload"], category.partition("-")[0].replace("check", "patch")
        return bool(event["category"] == category and payload[kind]["id"] == about[kind])

    return is_it


def _posted(patchwork: SamplePatchwork, name: str, patches: int, diff: str = "") -> PostedSeries:
    parts = tuple(NewPatch(f"{name}, part {n}", diff or sample_diff("migration/ram.c"), _TEXT) for n in range(patches))
    return patchwork.post_series(PROJECT, NewSeries(name=name, patches=parts, cover=patches > 1, cover_letter=_TEXT))


def _change(patchwork: SamplePatchwork, posted: PostedSeries) -> None:
    """All that can happen to a series."""
    patch = posted.patches[0]
    patchwork.add_check(patch, NewCheck("fail", "ci", "it broke"))
    patchwork.add_comment(patch, "Looks good.\n\nReviewed-by: Rey Viewer <rey@example.com>\n")
    patchwork.set_state(patch, "under-review", "maintainer")


_TEXT: Final = "Why it is done.\n\nSigned-off-by: Ada Sample <ada@example.org>\nCc: Bo <bo@example.org>\n---\nnotes\n"


@dataclass
class PatchworkInput:
    """A series arrives, and one field of what the server answers about it is wrong for as long as anybody asks."""

    name: Name
    number: int

    async def happen(self, world: World, check: Check) -> None:
        """Let it arrive, and let somebody ask for it."""
        patchwork, family = world.transport.patchwork, self.name.family
        lone = family in {"patch", "recorded patch", "diff"}
        diff = mutated_mail(sample_diff("migration/ram.c"), self.name.mutation.kind) if family == "diff" else ""
        posted = _posted(patchwork, f"Wrong {self.number}.", patches=1 if lone else 2, diff=diff)
        _change(patchwork, posted)
        world.transport.change = self._change_of(posted)
        if family.startswith("listed"):
            world.clock.advance(_NET_SECONDS)
        command = _COMMANDS.get(family, "series {series}").format(patch=posted.patches[0], series=posted.series)
        world.push(joined={PLAIN: [world.ask(check, command)]})

    def _change_of(self, posted: PostedSeries) -> Callable[[str, Response], Response]:
        family, mutation = self.name.family, self.name.mutation
        if family == "diff":
            return lambda _, answer: answer
        if family == "mail":
            paths_of_mails = {f"/series/{posted.series}/mbox/", *(f"/patch/{each}/mbox/" for each in posted.patches)}
            kind = mutation.kind
            return lambda path, answer: (
                replace(answer, body=mutated_mail(answer.body.decode(), kind).encode("utf-8", "surrogateescape"))
                if path in paths_of_mails
                else answer
            )
        place = _places(posted)[family]

        def change(path: str, answer: Response) -> Response:
            if path.partition("/api/")[2].partition("/")[2] != place.path.partition("/api/")[2].partition("/")[2]:
                return answer
            return replace(answer, body=_wrong(json.loads(answer.body), place, family, mutation))

        return change

    def heal(self, world: World) -> None:
        """The server answers as it should."""
        world.transport.change = None


def _wrong(answer: Any, place: Place, family: str, mutation: Mutation) -> bytes:
    if place.is_it is None:
        told = (
            {**RECORDED, **{name: answer[name] for name in _OWN if name in answer}}
            if family == "recorded patch"
            else answer
        )
        return encoded(mutated(told, mutation))
    is_it = place.is_it
    return encoded([mutated(each, mutation) if is_it(each) else each for each in answer])
