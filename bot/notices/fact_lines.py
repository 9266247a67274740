"""What cards and answers say of patches, each fact in its words."""

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
from bot.patchwork.refs import archive_link
from bot.patchwork.states import States

MAX_DIRECTORIES = 3
PULL_REQUEST = "📦 pull request"
_LONGEST_MSGID = 190  # a longer one would be cut, and lead nowhere
_CHECK_SIGNS = {CheckState.FAIL: "❌", CheckState.WARNING: "⚠", CheckState.PENDING: "⏳", CheckState.SUCCESS: "✅"}


def joined(parts: Iterable[str]) -> str:
    """The parts that say something, in a row."""
    return " · ".join(part for part in parts if part)


def counted(number: int, what: str) -> str:
    """*number* of something: "1 patch", "3 patches"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}{'es' if what.endswith('ch') else 's'}"


def named(name: str, otherwise: str) -> str:
    """*name*, or *otherwise* where nothing of it can be seen."""
    return name if safe(name).strip() else otherwise


def submitter_name(person: Person) -> str:
    """Who sent it; the address where no name is known."""
    return cut(named(person.name, named(person.email, "an unknown submitter")), 100)


def state_name(slug: str, states: States) -> str:
    """A state as people write it, by the spelling of the server's *states*."""
    return cut(states.name(slug), 40)


def folded_states(patches: Iterable[Patch], states: States) -> list[str]:
    """How many patches are in which state, the most first: ["New 5", "Accepted 2"]."""
    return counted_states(Counter(patch.state for patch in patches if patch.state), states)


def counted_states(counts: Mapping[str, int], states: States) -> list[str]:
    """The same of counts by slug."""
    named: Counter[str] = Counter()
    for slug, count in counts.items():
        named[state_name(slug, states)] += count
    return [f"{name} {count}" for name, count in sorted(named.items(), key=lambda item: (-item[1], item[0]))]


def trailer_counts(patches: Sequence[Patch], of_all: Iterable[Trailer] = ()) -> str:
    """Acked-by, Reviewed-by and Tested-by as "A1 R2 T0", a person once per kind; "" when there is none.

    *of_all* are those that were said of all the patches together.
    """
    return counted_trailers({*of_all, *(trailer for patch in patches for trailer in patch.trailers)})


def counted_trailers(trailers: AbstractSet[Trailer]) -> str:
    """The same of *trailers*."""
    if not trailers:
        return ""
    counts = Counter(trailer.kind for trailer in trailers)
    return " ".join(f"{kind.value}{counts[kind]}" for kind in TrailerKind)


def worst_check(patches: Iterable[Patch]) -> str:
    """The worst check of all patches; those without checks say nothing."""
    found = worst(patch.check for patch in patches if patch.check is not None)
    return "" if found is None else check_word(found)


def standing(patches: Sequence[Patch], states: Sequence[str], of_all: Iterable[Trailer] = ()) -> Line:
    """The *states*, and what there is of trailers, checks and delegates; *of_all* are the series' own trailers."""
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
    """The lines added and removed, and in how many files: "+9 −1 in 3 files"; "" without files."""
    if not files:
        return ""
    count = len({file.path for file in files})
    lines = f"+{sum(file.added for file in files)} −{sum(file.removed for file in files)}"
    return f"{lines} in {count} {'file' if count == 1 else 'files'}"


def directories(files: Sequence[FileChange]) -> str:
    """The directories most touched, with the number of files in each where there are several; a file at the top."""
    touched = dict.fromkeys((_directory(path), file.path) for file in files for path in paths_of((file,)))
    counts = Counter(directory for directory, _ in touched)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_DIRECTORIES]
    if len(counts) == 1:
        return cut(most[0][0], 80)
    rest = len(counts) - len(most)
    listed = ", ".join(f"{cut(name, 80)} ({count})" if name.endswith("/") else cut(name, 80) for name, count in most)
    return f"{listed} and {rest} more" if rest else listed


def archive(template: str, told: str | None, msgid: Msgid | None, allowed: Allowed) -> Line:
    """Where the list's archive has it: the operator's address as a link, the server's own word for it as text."""
    if template and msgid:
        return words(Link("archive", archive_link(template, msgid)))
    if not told:
        return ()
    return words(Link("archive", told)) if allowed.link(told) else words(f"archive: {cut(told, 200)}")


def apply_command(msgid: Msgid | None, *, is_pull: bool = False) -> Line:
    """What to type to have it in a git tree, fit for a shell whatever stands in the message-id."""
    if not msgid or len(msgid) > _LONGEST_MSGID or safe(msgid).replace("\u2060", "") != msgid:
        return ()
    return words(Code(f"b4 {'pr' if is_pull else 'am'} {_for_a_shell(msgid)}"))


def git_pw_command(kind: str, number: int) -> Line:
    """The same for whoever uses git-pw; *kind* is "patch" or "series"."""
    return words(Code(f"git-pw {kind} apply {number}"))


def moment(time: datetime | str) -> str:
    """When something was, to the minute; a text is a mail's date as Patchwork has it, naive UTC."""
    if isinstance(time, str):
        return f"{time[:10]} {time[11:16]} UTC" if len(time) >= 16 else time[:10]
    return f"{time:%Y-%m-%d %H:%M} UTC"


def check_word(state: CheckState) -> str:
    """A check's state with its sign."""
    return f"{_CHECK_SIGNS[state]} {state.value}"


def pull_source(patch: Patch) -> Line:
    """Where a pull request is to be pulled from."""
    return words(f"pull from {cut(patch.pull_url, 200)}") if patch.pull_url else ()


def _for_a_shell(msgid: Msgid) -> str:
    """*msgid* quoted where a shell needs it; an empty quote breaks "@room", which a word joiner would spoil."""
    return "''".join(shlex.quote(part) for part in re.split("(?<=@)(?=room)", msgid, flags=re.IGNORECASE))


def _directory(path: str) -> str:
    """The directory of *path*, the path itself at the top."""
    return path.rpartition("/")[0] + "/" if "/" in path else path
