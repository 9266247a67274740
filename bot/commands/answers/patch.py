"""Composes the answers about a patch or series: its facts, diff, checks and comments. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from bot.notices import fact_lines as facts
from bot.notices.card import (
    CardContent,
    ServerLinks,
    card_head,
    patch_head,
    patch_list,
    patch_name,
    patch_title,
    series_title,
    unlinked_mail,
)
from bot.notices.markup import (
    MAX_BODY_BYTES,
    Allowed,
    Block,
    Bullets,
    Code,
    Document,
    Inline,
    Line,
    Lines,
    Link,
    Piece,
    Text,
    Title,
    lines,
    longest,
    words,
)
from bot.notices.needs import NO_NEEDS, Needs
from bot.patchwork.model import WORST_FIRST, Check, CheckState, Comment, FileChange, Patch, Series, latest
from bot.submission import Submission
from bot.text import cut

_LONGEST_LINE = 300
_NO_CHECKS = "No checks yet."
_SHORTEST_HEAD = 20  # characters of a date


def said(*sentences: str) -> Document:
    """Return a document of plain sentences, one per line."""
    return (Lines(tuple(words(sentence) for sentence in sentences)),)


def patch_shown(patch: Patch, series: Series | None, site: ServerLinks, needs: Needs = NO_NEEDS) -> Document:
    """Return the answer about one patch: its state, where it comes from, its files, and how to apply it."""
    is_pull = bool(patch.pull_url)
    more = [
        unlinked_mail(Submission(series, (patch,)), site),
        facts.apply_command(patch.msgid, is_pull=is_pull),
        () if is_pull else facts.git_pw_command("patch", patch.id),
    ]
    return (patch_head(patch, series, site, needs), files_listed(patch.files or ()), lines(more))


def series_shown(series: Series, patches: Sequence[Patch], site: ServerLinks, needs: Needs = NO_NEEDS) -> Document:
    """Return the answer about a series: its card, with all patches."""
    submission = Submission(series, tuple(patches))
    git_pw = () if submission.pull else facts.git_pw_command("series", series.id)
    apply = facts.apply_command(submission.msgid, is_pull=submission.pull is not None)
    listed = () if submission.lone else (Bullets(tuple(patch_list(submission, site).all())),)
    return (card_head(CardContent(submission, needs=needs), site), *listed, lines([apply, git_pw]))


def files_listed(files: Sequence[FileChange]) -> Bullets:
    """Return a list of files with the number of lines added and removed."""
    return Bullets(tuple(words(Code(_file(file)), f" +{file.added} −{file.removed}") for file in files))


def _file(file: FileChange) -> str:
    return f"{file.old_path} → {file.path}" if file.old_path else file.path


def diff_shown(patch: Patch, diff: str, site: ServerLinks) -> Document:
    """Return the beginning of a patch's diff in whole lines, and how much is left out, with a link to the rest."""
    shown = _first_lines(diff)
    total = diff.count("\n") + (not diff.endswith("\n"))

    def first(count: int) -> Document:
        rest = total - count
        more = words(f"… {rest:,} more {'line' if rest == 1 else 'lines'}: ", Link("the patch", site.patch(patch)))
        head = (patch_title(patch, site), lines([words(facts.size(patch.files or ()))]))
        return (*head, Block("\n".join(shown[:count])), lines([more] if rest else []))

    return longest(first, len(shown), site.allowed)


def _first_lines(diff: str) -> list[str]:
    """Return as many lines of a diff as could ever fit, long ones cut, since a diff can have megabytes."""
    found: list[str] = []
    start, room = 0, MAX_BODY_BYTES
    while start < len(diff) and room > 0:
        end = diff.find("\n", start)
        end = len(diff) if end == -1 else end
        found.append(cut(diff[start:end].removesuffix("\r"), _LONGEST_LINE))
        start, room = end + 1, room - len(found[-1]) - 1
    return found


def diffstat_shown(series: Series, patches: Sequence[Patch], site: ServerLinks) -> Document:
    """Return the files that a series touches, the most changed first."""
    files = summed(file for patch in patches for file in patch.files or ())
    count = f"{len(patches)} {'patch' if len(patches) == 1 else 'patches'}"
    told = words(facts.joined([count, facts.size(files) or "no files"]))
    return (series_title(series, site), lines([told]), files_listed(files))


def summed(files: Iterable[FileChange]) -> list[FileChange]:
    """Return one entry per file with the lines of all patches added up, the most changed first."""
    found: dict[str, FileChange] = {}
    for file in files:
        known = found.get(file.path, FileChange(file.path))
        old = known.old_path or file.old_path
        found[file.path] = FileChange(file.path, old, known.added + file.added, known.removed + file.removed)
    return sorted(found.values(), key=lambda file: (-file.added - file.removed, file.path))


@dataclass(frozen=True, slots=True)
class CheckedPatch:
    """A patch of a series with its checks; they are None if only the patch's worst check state was requested."""

    patch: Patch
    checks: tuple[Check, ...] | None = None


def checks_shown(patch: Patch, checks: Sequence[Check], site: ServerLinks) -> Document:
    """Return the latest checks of a patch, the worst first."""
    last = latest(checks)
    told = words(_counted(check.state for check in last) or _NO_CHECKS)
    return (patch_title(patch, site), lines([told]), Bullets(tuple(_check(check, site.allowed) for check in last)))


def series_checks_shown(series: Series, checked: Sequence[CheckedPatch], site: ServerLinks) -> Document:
    """Return the check state of each patch of a series, the worst first; patches without checks are only counted."""
    found = [(each, each.patch.check) for each in checked if each.patch.check is not None]
    if not found:
        return (series_title(series, site), lines([words("No checks yet.")]))
    unchecked = len(checked) - len(found)
    counted = _counted(state for _, state in found)
    told = facts.joined([counted, f"{unchecked} without checks" if unchecked else ""])
    items = [_patch(each, state, site) for each, state in sorted(found, key=lambda pair: WORST_FIRST.index(pair[1]))]
    return (series_title(series, site), lines([words(f"Patches: {told}")]), Bullets(tuple(items)))


def _counted(states: Iterable[CheckState]) -> str:
    counts = Counter(states)
    return facts.joined(f"{facts.check_word(state)} {counts[state]}" for state in WORST_FIRST if counts[state])


def _check(check: Check, allowed: Allowed) -> Line:
    context = facts.named(check.context, "check")
    linked = check.url is not None and allowed.link(check.url)
    pieces: list[str | Inline] = [f"{facts.check_word(check.state)} "]
    pieces += [Link(context, check.url) if linked and check.url else Text(context)]
    pieces += [f" — {cut(check.description, 200)}"] if check.description else []
    pieces += [f" ({cut(check.user, 60)})"] if check.user else []
    pieces += [f" {cut(check.url, 200)}"] if check.url and not linked else []
    return words(*pieces)


def _patch(each: CheckedPatch, worst: CheckState, site: ServerLinks) -> Line:
    bad = [check.context for check in latest(each.checks or ()) if check.state is worst]
    contexts = f": {cut(', '.join(dict.fromkeys(bad)), 200)}" if bad else ""
    return words(
        Link(patch_name(each.patch), site.patch(each.patch), spelled=False),
        f" · {facts.check_word(worst)}{contexts}",
    )


@dataclass(frozen=True, slots=True)
class PatchComment:
    """A comment on a series; *patch* is None for the cover letter, and if the answer is about a single mail."""

    comment: Comment
    patch: Patch | None = None


def comments_shown(title: Title, replies: Sequence[PatchComment], site: ServerLinks, remark: str = "") -> Document:
    """Return the newest comments that fit, the newest last, below their total number and the *remark*."""
    count = f"{len(replies):,} {'comment' if len(replies) == 1 else 'comments'}" if replies else "No comments yet."

    def last(shown: int) -> Document:
        earlier = len(replies) - shown
        told = f"{count}, {earlier:,} earlier not shown" if earlier else count
        newest = replies[earlier:]
        return (title, lines([words(told), words(remark) if remark else ()]), *(_reply(each, site) for each in newest))

    return longest(last, _most(replies), site.allowed)


def _most(replies: Sequence[PatchComment]) -> int:
    """Return how many of the newest comments could fit."""
    sizes = accumulate(len(reply.comment.text) + _SHORTEST_HEAD for reply in reversed(replies))
    return len(list(takewhile(MAX_BODY_BYTES.__ge__, sizes)))


def _reply(reply: PatchComment, site: ServerLinks) -> Piece:
    comment = reply.comment
    who = facts.joined([facts.submitter_name(comment.submitter), facts.moment(comment.date)])
    text = comment.text.split("\n") if comment.text else ["(only quoted text)"]
    return Lines((_head(who, reply.patch, site), *(words(line) for line in text)))


def _head(who: str, patch: Patch | None, site: ServerLinks) -> Line:
    if patch is None:
        return words(who)
    return words(f"{who} · on ", Link(patch_name(patch), site.patch(patch), spelled=False))
