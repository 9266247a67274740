"""What happened on the real Patchwork servers before their answers were recorded: mails, and acts of maintainers.

`tests/samples/record_patchwork.py` lets it happen on a real server, `play` on the sample server.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from bot.sample_patchwork.mail import Mail
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork

DEVEL, DOCS = "sample-devel", "sample-docs"
ARCHIVE = "https://lists.example.org/sample-devel/{}/"
ADA = "Ada Beispiel <ada@example.org>"
BRUNO = "Bruno Muster <bruno@example.com>"
EMIL = "Emil Příklad <emil@example.org>"
MAINTAINER, REVIEWER = "maintainer", "bruno"
_BEGIN = datetime(2026, 1, 5, 10)  # noqa: DTZ001 - mail dates are naive UTC


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mail arrives; servers that speak no API as new as *since* would read it otherwise, and do not get it."""

    mail: Mail
    project: str = DEVEL
    since: str = "1.0"


@dataclass(frozen=True, slots=True)
class Edit:
    """An account changes a field of the patch with a message-id: state, delegate, archived, commit_ref or related."""

    msgid: str
    field: str
    value: str | bool | tuple[str, ...] | None
    user: str = MAINTAINER


@dataclass(frozen=True, slots=True)
class Report:
    """A tool speaks of the patch with a message-id."""

    msgid: str
    check: NewCheck


@dataclass(frozen=True, slots=True)
class Address:
    """The first comment on the patch with a message-id is marked as addressed."""

    msgid: str


Step: TypeAlias = Delivery | Edit | Report | Address


def story(newest: str) -> Iterator[Step]:
    """What happens to a server that speaks the API *newest*, in order.

    Each group of mails comes an hour after the one before, so that no two series are taken for one.
    """
    for hour, group in enumerate((_patches, *_SERIES, *_PULL_REQUESTS, _odd_diffs, _replies, _acts)):
        for minute, step in enumerate(group()):
            if not isinstance(step, Delivery):
                yield step
            elif step.since <= newest:
                date = _BEGIN + timedelta(hours=hour, minutes=minute)
                yield replace(step, mail=replace(step.mail, date=date))


def play(server: SamplePatchwork) -> None:
    """Let it happen on the sample server, which has neither projects nor accounts yet."""
    server.add_project(DEVEL, archive_url_format=ARCHIVE, maintainers=(MAINTAINER, REVIEWER))
    server.add_project(DOCS, maintainers=(MAINTAINER,))
    for step in story(max(server.api_versions)):
        match step:
            case Delivery(mail, project):
                server.receive(project, mail)
            case Edit():
                _edit(server, step)
            case Report(msgid, check):
                server.add_check(_patch(server, msgid), check)
            case Address(msgid):
                server.mark_addressed(server.rows.comments_of(_patch(server, msgid))[0].id)


def _edit(server: SamplePatchwork, edit: Edit) -> None:
    patch = _patch(server, edit.msgid)
    match edit.field, edit.value:
        case "state", str(state):
            server.set_state(patch, state, edit.user)
        case "delegate", None | str():
            server.set_delegate(patch, edit.value, edit.user)
        case "archived", bool(archived):
            server.edit_patch(patch, archived=archived)
        case "commit_ref", str(commit_ref):
            server.edit_patch(patch, commit_ref=commit_ref)
        case "related", tuple(others):
            server.relate([*(_patch(server, other) for other in others), patch], edit.user)
        case _:
            raise ValueError(edit)


def _patch(server: SamplePatchwork, msgid: str) -> int:
    return next(patch.id for patch in server.rows.patches.values() if patch.msgid == msgid)


def _mail(msgid: str, subject: str, content: str = "", *, to: str = "", submitter: str = ADA, diff: str = "") -> Mail:
    """A mail whose message-id begins with *msgid*, in reply *to* another."""
    return Mail(
        subject=subject,
        msgid=_id(msgid),
        date=_BEGIN,
        submitter=submitter,
        content=content or "It is better so.\n\nSigned-off-by: Ada Beispiel <ada@example.org>\n",
        diff=diff or None,
        references=(_id(to),) if to else (),
        to=("sample-devel@example.org",),
        cc=(BRUNO,),
    )


def _id(name: str) -> str:
    return f"{name}@example.org"


def _diff(path: str, old: str = "old", new: str = "new") -> str:
    return (
        f"diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n--- a/{path}\n+++ b/{path}\n"
        f"@@ -1,3 +1,3 @@\n first\n-{old}\n+{new}\n last\n"
    )


def _numbered(msgid: str, subject: str, path: str, *, to: str = "", submitter: str = ADA) -> Delivery:
    return Delivery(_mail(msgid, subject, to=to, submitter=submitter, diff=_diff(path)))


def _cover(msgid: str, subject: str, *, to: str = "") -> Delivery:
    return Delivery(_mail(msgid, subject, "What this is about.\n\nAda Beispiel (2):\n  one\n  two\n", to=to))


def _patches() -> Iterator[Step]:
    lone = _mail("lone", "[PATCH] ram: check the size", diff=_diff("migration/ram.c"))
    yield Delivery(lone)
    yield Delivery(lone)  # a second time, which is dropped
    yield Delivery(replace(lone, to=("sample-docs@example.org",)), DOCS)
    yield _numbered("rfc", "[RFC PATCH for-10.1] block: try it", "block/io.c", submitter=BRUNO)
    yield _numbered("with/slash%25and+plus", "[PATCH] net: name it", "net/net.c")


def _cover_first() -> Iterator[Step]:
    yield _cover("a0", "[PATCH 0/3] migration: fix the counters")
    for number in (1, 2, 3):
        yield _numbered(f"a{number}", f"[PATCH {number}/3] part {number}", f"migration/a{number}.c", to="a0")


def _cover_last() -> Iterator[Step]:
    for number in (1, 2):
        yield _numbered(f"b{number}", f"[PATCH v2 {number}/2] ppc: part {number}", f"hw/ppc/b{number}.c", to="b0")
    yield _cover("b0", "[PATCH v2 0/2] ppc: both parts")


def _in_reverse() -> Iterator[Step]:
    for number in (2, 1):
        yield _numbered(f"c{number}", f"[PATCH {number}/2] pci: part {number}", f"hw/pci/c{number}.c", to="c0")
    yield _cover("c0", "[PATCH 0/2] pci: both parts")


def _with_a_hole() -> Iterator[Step]:
    yield _cover("d0", "[PATCH 0/3] block: one is lost")
    for number in (1, 3):
        yield _numbered(f"d{number}", f"[PATCH {number}/3] block: part {number}", f"block/d{number}.c", to="d0")


def _without_cover() -> Iterator[Step]:
    yield _numbered("e1", "[PATCH net-next 1/2] net: one", "net/e1.c", submitter=EMIL)
    yield _numbered("e2", "[PATCH net-next 2/2] net: two", "net/e2.c", to="e1", submitter=EMIL)


def _sent_again() -> Iterator[Step]:
    yield _numbered("a1again", "[PATCH 1/3] part 1, sent again", "migration/a1.c", to="a0")


def _resent() -> Iterator[Step]:
    yield _cover("f0", "[PATCH RESEND v2 0/2] migration: fix the counters")
    for number in (1, 2):
        yield _numbered(f"f{number}", f"[PATCH RESEND v2 {number}/2] part {number}", f"migration/a{number}.c", to="f0")


_SERIES = (_cover_first, _cover_last, _in_reverse, _with_a_hole, _without_cover, _sent_again, _resent)


def _lone_pull_request() -> Iterator[Step]:
    yield Delivery(_pull("pull", "[GIT PULL] block fixes", BRUNO))


def _pull_request_with_patches() -> Iterator[Step]:
    yield Delivery(_pull("pull0", "[PULL 0/2] migration queue", ADA))
    for number in (1, 2):
        yield _numbered(f"pull{number}", f"[PULL {number}/2] migration: part {number}", "migration/p.c", to="pull0")


def _pull_request_whose_patches_stay_away() -> Iterator[Step]:
    yield Delivery(_pull("late0", "[PULL 0/5] a queue", EMIL))


_PULL_REQUESTS = (_lone_pull_request, _pull_request_with_patches, _pull_request_whose_patches_stay_away)


def _pull(msgid: str, subject: str, submitter: str) -> Mail:
    url = "https://git.example.org/tree.git tags/for-you"
    content = (
        "The following changes since commit 1111111111111111111111111111111111111111:\n\n  Begin (2026-01-01)\n\n"
        f"are available in the Git repository at:\n\n  {url}\n\n"
        "for you to fetch changes up to 2222222222222222222222222222222222222222:\n\n  End (2026-01-05)\n"
    )
    return replace(_mail(msgid, subject, content, submitter=submitter), pull_url=url)


def _odd_diffs() -> Iterator[Step]:
    diffs = {
        "quoted": 'diff --git "a/docs/\\303\\274ber.rst" "b/docs/\\303\\274ber.rst"\nindex 1111111..2222222 100644\n'
        '--- "a/docs/\\303\\274ber.rst"\n+++ "b/docs/\\303\\274ber.rst"\n@@ -1 +1 @@\n-schön\n+schöner\n',
        "renamed": "diff --git a/old name.c b/new name.c\nsimilarity index 100%\n"
        "rename from old name.c\nrename to new name.c\n",
        "mode": "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n",
        "binary": "diff --git a/logo.png b/logo.png\nindex 1111111..2222222 100644\nGIT binary patch\n"
        "literal 3\nKcmZQzU|?V|0RsR4\n\nliteral 2\nJcmZQzU|;|M\n\n",
    }
    for name, diff in diffs.items():
        mail = _mail(name, f"[PATCH] odd: {name}", submitter=EMIL, diff=diff)
        yield Delivery(mail, since="1.3" if name == "binary" else "1.0")  # 2.2 sees no patch in it


def _replies() -> Iterator[Step]:
    praise = "Fine.\n\nReviewed-by: Bruno Muster <bruno@example.com>\nTested-by: Bruno Muster <bruno@example.com>\n"
    yield Delivery(_mail("r1", "Re: [PATCH 1/3] part 1", praise, to="a1", submitter=BRUNO))
    yield Delivery(
        _mail("r2", "Re: [PATCH 0/3] migration: fix the counters", "> What\n\nWhy?\n", to="a0", submitter=EMIL)
    )
    yield Delivery(_mail("r3", "Re: [PATCH 1/3] part 1", "Thank you.\n", to="r1"))
    yield Delivery(_mail("r4", "Re: [GIT PULL] block fixes", "Applied, thanks.\n", to="pull"))
    yield Delivery(_mail("r5", "Re: [PATCH] something that never came", "What?\n", to="nowhere"))
    yield Delivery(_mail("r6", "Re: [PATCH] ram: check the size", "Like so?\n", to="lone", diff=_diff("migration/x.c")))


def _acts() -> Iterator[Step]:
    yield Edit(_id("a1"), "state", "under-review")
    yield Edit(_id("a1"), "state", "under-review")  # which changes nothing
    yield Edit(_id("a2"), "state", "accepted", REVIEWER)
    yield Edit(_id("a2"), "commit_ref", "3333333333333333333333333333333333333333")
    yield Edit(_id("a1"), "delegate", REVIEWER)
    yield Edit(_id("a2"), "delegate", MAINTAINER)
    yield Edit(_id("a2"), "delegate", None)
    yield Edit(_id("b1"), "archived", value=True)
    yield Edit(_id("b2"), "archived", value=True)
    yield Edit(_id("b2"), "archived", value=False)
    yield Edit(_id("a1"), "related", (_id("f1"),))
    yield Report(_id("a1"), NewCheck("success", "build", "it builds", "https://ci.example.org/1", MAINTAINER))
    yield Report(_id("a1"), NewCheck("pending", "boot", "", None, MAINTAINER))
    yield Report(_id("a2"), NewCheck("fail", "build", "it does not build", "https://ci.example.org/2", MAINTAINER))
    yield Report(_id("a2"), NewCheck("success", "build", "now it does", "https://ci.example.org/3", MAINTAINER))
    yield Report(_id("a3"), NewCheck("warning", "style", "a long line", "https://ci.example.org/4", MAINTAINER))
    yield Report(_id("a3"), NewCheck("success", "build", "it builds", "https://ci.example.org/5", MAINTAINER))
    yield Report(_id("lone"), NewCheck("success", "build", "it builds", "https://ci.example.org/6", MAINTAINER))
    yield Address(_id("a1"))
