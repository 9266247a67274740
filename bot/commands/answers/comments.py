"""What people reply to patches: who, when, and how it begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from bot.notices import fact_lines as facts
from bot.notices.card import Site, patch_name
from bot.notices.markup import MAX_BODY_BYTES, Document, Line, Lines, Link, Piece, Title, lines, longest, words
from bot.patchwork.model import Comment, Patch

_LEAST_HEAD = 20  # characters of a date


@dataclass(frozen=True, slots=True)
class Reply:
    """A comment on a patch of a series; *patch* is None for the cover letter, and where only one mail is told of."""

    comment: Comment
    patch: Patch | None = None


def comments_shown(title: Title, replies: Sequence[Reply], site: Site, remark: str = "") -> Document:
    """The newest comments that fit, the newest last; before them, how many there are.

    *remark* is what else there is to say of them.
    """
    count = f"{len(replies):,} {'comment' if len(replies) == 1 else 'comments'}" if replies else "No comments yet."

    def last(shown: int) -> Document:
        earlier = len(replies) - shown
        told = f"{count}, {earlier:,} earlier not shown" if earlier else count
        newest = replies[earlier:]
        return (title, lines([words(told), words(remark) if remark else ()]), *(_reply(each, site) for each in newest))

    return longest(last, _most(replies), site.allowed)


def _most(replies: Sequence[Reply]) -> int:
    """How many of the newest may fit at all."""
    sizes = accumulate(len(reply.comment.text) + _LEAST_HEAD for reply in reversed(replies))
    return len(list(takewhile(MAX_BODY_BYTES.__ge__, sizes)))


def _reply(reply: Reply, site: Site) -> Piece:
    comment = reply.comment
    who = facts.joined([facts.submitter_name(comment.submitter), facts.moment(comment.date)])
    text = comment.text.split("\n") if comment.text else ["(nothing but a quotation)"]
    return Lines((_head(who, reply.patch, site), *(words(line) for line in text)))


def _head(who: str, patch: Patch | None, site: Site) -> Line:
    if patch is None:
        return words(who)
    return words(f"{who} · on ", Link(patch_name(patch), site.patch(patch), spelled=False))
