"""Phrases about patches, shared by cards and answers."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from bot.ids import Msgid
from bot.notices.markup import Allowed, Code, Line, Link, cut, safe, words
from bot.patchwork.model import (
    CheckState,
    FileChange,
    Patch,
    Person,
    Trailer,
    TrailerKind,
    paths_of,
    worst,
)
from bot.patchwork.references import archive_link
from bot.patchwork.states import States

MAX_DIRECTORIES = 3
PULL_REQUEST = "📦 pull request"
_LONGEST_MSGID = 190  # a longer one would be cut, and be useless
_CHECK_SIGNS = {CheckState.FAIL: "❌", CheckState.WARNING: "⚠", CheckState.PENDING: "⏳", CheckState.SUCCESS: "✅"}


def joined(parts: Iterable[str]) -> str:
    """Return the non-empty parts, joined by dots."""
    return " · ".join(part for part in parts if part)


def counted(number: int, what: str) -> str:
    """Return *number* with its noun: "1 patch", "3 patches"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}{'es' if what.endswith('ch') else 's'}"


def named(name: str, otherwise: str) -> str:
    """Return *name*, or *otherwise* if the name has no visible characters."""
    return name if safe(name).strip() else otherwise


def submitter_name(person: Person) -> str:
    """Return the submitter's name, or the address if no name is known."""
    return cut(named(person.name, named(person.email, "an unknown submitter")), 100)


def state_name(slug: str, states: States) -> str:
    """Return a state in the server's spelling."""
    return cut(states.name(slug), 40)


def folded_states(patches: Iterable[Patch], states: States) -> list[str]:
    """Return the number of patches in each state, the most frequent first: ["New 5", "Accepted 2"]."""
    return counted_states(Counter(patch.state for patch in patches if patch.state), states)


def counted_states(counts: Mapping[str, int], states: States) -> list[str]:
    """Return the *counts* of patches by slug as texts, the most frequent first: ["New 5", "Accepted 2"]."""
    named: Counter[str] = Counter()
    for slug, count in counts.items():
        named[state_name(slug, states)] += count
    return [f"{name} {count}" for name, count in sorted(named.items(), key=lambda item: (-item[1], item[0]))]


def trailer_counts(patches: Sequence[Patch], of_all: Iterable[Trailer] = ()) -> str:
    """Return the trailers as "A1 R2 T0", each person once per kind; "" if there are none.

    *of_all* are those that apply to all patches together.
    """
    return counted_trailers({*of_all, *(trailer for patch in patches for trailer in patch.trailers)})


def counted_trailers(trailers: AbstractSet[Trailer]) -> str:
    """Return *trailers* as "A1 R2 T0"; "" if there are none."""
    if not trailers:
        return ""
    counts = Counter(trailer.kind for trailer in trailers)
    return " ".join(f"{kind.value}{counts[kind]}" for kind in TrailerKind)


def worst_check(patches: Iterable[Patch]) -> str:
    """Return the worst check of all patches; "" if none has any."""
    found = worst(patch.check for patch in patches if patch.check is not None)
    return "" if found is None else check_word(found)


def standing(patches: Sequence[Patch], states: Sequence[str], of_all: Iterable[Trailer] = ()) -> Line:
    """Return a line with *states*, trailers, checks and delegates; *of_all* are the trailers of the whole series."""
    check = worst_check(patches)
    delegates = sorted({patch.delegate for patch in patches if patch.delegate})
    return words(
        joined(
            [
                *states,
                trailer_counts(patches, of_all),
                f"checks {check}" if check else "",
                f"delegate: {cut(', '.join(delegates), 100)}" if delegates else "",
            ]
        )
    )


def size(files: Sequence[FileChange]) -> str:
    """Return the added and removed lines and the number of files: "+9 −1 in 3 files"; "" without files."""
    if not files:
        return ""
    count = len({file.path for file in files})
    lines = f"+{sum(file.added for file in files)} −{sum(file.removed for file in files)}"
    return f"{lines} in {count} {'file' if count == 1 else 'files'}"


def directories(files: Sequence[FileChange]) -> str:
    """Return the directories with the most files, with the number of files in each if there are several."""
    touched = dict.fromkeys((_directory(path), file.path) for file in files for path in paths_of((file,)))
    counts = Counter(directory for directory, _ in touched)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_DIRECTORIES]
    if len(counts) == 1:
        return cut(most[0][0], 80)
    rest = len(counts) - len(most)
    listed = ", ".join(f"{cut(name, 80)} ({count})" if name.endswith("/") else cut(name, 80) for name, count in most)
    return f"{listed} and {rest} more" if rest else listed


def archive(template: str, told: str | None, msgid: Msgid | None, allowed: Allowed) -> Line:
    """Return a line with the mail's archive: the operator's URL as a link, the server's own as text unless allowed."""
    if template and msgid:
        return words(Link("archive", archive_link(template, msgid)))
    if not told:
        return ()
    return words(Link("archive", told)) if allowed.link(told) else words(f"archive: {cut(told, 200)}")


def apply_command(msgid: Msgid | None, *, is_pull: bool = False) -> Line:
    """Return the command that applies the mail in a git tree, quoted for a shell; empty if it cannot be quoted."""
    if not msgid or len(msgid) > _LONGEST_MSGID or safe(msgid).replace("\u2060", "") != msgid:
        return ()
    return words(Code(f"b4 {'pr' if is_pull else 'am'} {_for_a_shell(msgid)}"))


def git_pw_command(kind: str, number: int) -> Line:
    """Return the git-pw command that applies a *kind*, which is "patch" or "series"."""
    return words(Code(f"git-pw {kind} apply {number}"))


def moment(time: datetime | str) -> str:
    """Return a time to the minute; a text is a mail's date as in Patchwork, naive UTC."""
    if isinstance(time, str):
        return f"{time[:10]} {time[11:16]} UTC" if len(time) >= 16 else time[:10]
    return f"{time:%Y-%m-%d %H:%M} UTC"


def check_word(state: CheckState) -> str:
    """Return a check's state with its symbol."""
    return f"{_CHECK_SIGNS[state]} {state.value}"


def pull_source(patch: Patch) -> Line:
    """Return a line with the source of a pull request; empty if *patch* is none."""
    return words(f"pull from {cut(patch.pull_url, 200)}") if patch.pull_url else ()


def _for_a_shell(msgid: Msgid) -> str:
    """Return *msgid* quoted for a shell; an empty quote breaks "@room", because a word joiner would change the id."""
    return "''".join(shlex.quote(part) for part in re.split("(?<=@)(?=room)", msgid, flags=re.IGNORECASE))


def _directory(path: str) -> str:
    """Return the directory of *path*, or the path itself at the top level."""
    return path.rpartition("/")[0] + "/" if "/" in path else path
