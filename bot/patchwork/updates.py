"""Updates of known objects, read from a server's events, lists and comments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.ids import PatchId, ProjectName, SeriesId
from bot.patchwork.model import Check, Comment, Patch, PatchRef, Trailer
from bot.patchwork.wire import EventHint


class PatchField(StrEnum):
    """The fields of a patch that may change after its creation."""

    STATE = "state"
    DELEGATE = "delegate"
    ARCHIVED = "archived"
    NAME = "name"
    COMMIT_REF = "commit_ref"
    PULL_URL = "pull_url"


@dataclass(frozen=True, slots=True)
class FieldUpdate:
    """The current *value* of a patch's field: None if it is empty, any text for a flag that is set.

    *actor* is the account that set it, None if unknown.
    """

    patch: PatchId
    field: PatchField
    value: str | None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class CheckUpdate:
    """A new check of a patch."""

    patch: PatchId
    check: Check


PatchUpdate: TypeAlias = FieldUpdate | CheckUpdate


@dataclass(frozen=True, slots=True)
class ChecksRead:
    """The current checks of a patch, read from the server."""

    patch: PatchId
    checks: tuple[Check, ...]


class MailKind(StrEnum):
    """The kinds of mails that can have comments; ids are unique only within a kind."""

    PATCH = "patch"
    COVER = "cover"


@dataclass(frozen=True, slots=True)
class CommentTarget:
    """A patch or a cover letter with comments."""

    kind: MailKind
    id: int


MailComments: TypeAlias = tuple[CommentTarget, tuple[Comment, ...]]


@dataclass(frozen=True, slots=True)
class TrailersRead:
    """The trailers of patches, including those in their comments; *cover* are those in comments on the cover letter.

    *cover* is None if they were not read; *unread* are the patches whose comments could not be read. *comments* are
    those from which trailers were taken.
    """

    patches: tuple[tuple[PatchId, frozenset[Trailer]], ...]
    series: SeriesId | None = None
    cover: frozenset[Trailer] | None = None
    unread: tuple[PatchId, ...] = ()
    comments: tuple[MailComments, ...] = ()


@dataclass(frozen=True, slots=True)
class CommentHint:
    """An event's hint at a comment; *ref* is the patch or the cover letter that it is on."""

    on: CommentTarget
    id: int
    project: ProjectName
    ref: PatchRef


def updates_in(events: Iterable[EventHint]) -> tuple[PatchUpdate, ...]:
    """Return the updates in *events*, in their order.

    The payload is trusted, because an event can be read before the change that it announces. A delegation also yields
    the former delegate, who may be known only by address.
    """
    return tuple(update for event in events for update in _updates(event))


def listed_fields(patches: Sequence[Patch]) -> tuple[FieldUpdate, ...]:
    """Return the fields of *patches* as listed, except for patches whose state the list lacks."""
    return tuple(update for patch in patches if patch.state for update in _fields_of(patch))


def with_check(checks: Iterable[Check], new: Check) -> list[Check]:
    """Return *checks*, the latest of each account and context, with *new* added, unless one of them is later.

    API 1.1 does not name the account: there the latest check of a context may be from any account.
    """
    before = list(checks)
    former = [check for check in before if check.context == new.context and _same_account(check.user, new.user)]
    if any(check.id > new.id for check in former):
        return before
    return [*(check for check in before if check not in former), new]


def comments_in(events: Iterable[EventHint]) -> tuple[CommentHint, ...]:
    """Return the comments that *events* announce, each once."""
    comments = (comment for event in events if (comment := _comment(event)) is not None)
    return tuple({(comment.on.kind, comment.id): comment for comment in comments}.values())


def _same_account(one: str, other: str) -> bool:
    return one == other or not (one and other)


def _updates(event: EventHint) -> tuple[PatchUpdate, ...]:
    match event.category:
        case "patch-state-changed" if event.patch and event.current_state:
            return (FieldUpdate(event.patch.id, PatchField.STATE, event.current_state, event.actor),)
        case "patch-delegated" if event.patch:
            former = (event.previous_delegate,) if event.previous_delegate else ()
            return tuple(
                FieldUpdate(event.patch.id, PatchField.DELEGATE, who, event.actor)
                for who in (*former, event.current_delegate)
            )
        case "check-created" if event.patch and event.check:
            return (CheckUpdate(event.patch.id, event.check),)
        case _:
            return ()


def _comment(event: EventHint) -> CommentHint | None:
    match event.category:
        case "patch-comment-created" if event.patch and event.comment is not None:
            return CommentHint(CommentTarget(MailKind.PATCH, event.patch.id), event.comment, event.project, event.patch)
        case "cover-comment-created" if event.cover and event.comment is not None:
            return CommentHint(CommentTarget(MailKind.COVER, event.cover.id), event.comment, event.project, event.cover)
        case _:
            return None


def _fields_of(patch: Patch) -> list[FieldUpdate]:
    values = {
        PatchField.STATE: patch.state,
        PatchField.DELEGATE: patch.delegate,
        PatchField.ARCHIVED: "yes" if patch.archived else None,
        PatchField.NAME: patch.name,
        PatchField.COMMIT_REF: patch.commit_ref,
        PatchField.PULL_URL: patch.pull_url,
    }
    return [FieldUpdate(patch.id, field, value) for field, value in values.items()]


def raises_comment_events(version: str) -> bool:
    """Return whether a server with this API *version* announces comments by events."""
    return version >= "1.3"
