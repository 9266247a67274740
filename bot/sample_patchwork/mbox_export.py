"""Exports patches of the sample Patchwork as mbox.

As on a real server, bodies are not ">From"-escaped, and a series' mbox does not contain the cover letter.
"""

import re
from email.header import Header
from email.utils import formataddr

from bot.sample_patchwork.records import CoverRecord, PatchRecord, PersonRecord
from bot.sample_patchwork.tables import Snapshot

_OWN_HEADERS = {"content-type", "content-transfer-encoding"}
_TRAILER = re.compile(r"^(?:Tested|Reviewed|Acked|Signed-off|Nacked|Reported)-by:.*$", re.IGNORECASE | re.MULTILINE)
_UNFOLDED = re.compile(r"\n(?![ \t])")
_NOTES = re.compile(r"\n---? ?\n")


def series_mbox(rows: Snapshot, series: int) -> str:
    """Return all patches of a series, by number."""
    patches = sorted(rows.patches_of(series), key=lambda patch: (patch.number, patch.id))
    return "\n".join(mail_mbox(rows, patch) for patch in patches)


def mail_mbox(rows: Snapshot, mail: PatchRecord | CoverRecord) -> str:
    """Return a cover as a mail, or a patch with its text, the trailers from its comments, its notes and its diff."""
    submitter = rows.people[mail.submitter]
    body = _patch_body(rows, mail) if isinstance(mail, PatchRecord) else f"{mail.content.strip()}\n"
    lines = [
        f"From patchwork {mail.date.ctime()}",
        'Content-Type: text/plain; charset="utf-8"',
        "MIME-Version: 1.0",
        f"Content-Transfer-Encoding: {'7bit' if body.isascii() else '8bit'}",
        f"X-Patchwork-Submitter: {_mailbox(submitter)}",
        f"X-Patchwork-Id: {mail.id}",
    ]
    if isinstance(mail, PatchRecord) and mail.delegate is not None:
        lines.append(f"X-Patchwork-Delegate: {rows.users[mail.delegate].username}@example.org")
    for name, value in mail.headers:
        if name.lower() not in _OWN_HEADERS:
            lines.append(f"{name}: {_UNFOLDED.sub(' ', value)}")
    return "\n".join(lines) + "\n\n" + body


def _mailbox(person: PersonRecord) -> str:
    name = person.name or ""
    if name.isascii():
        return formataddr((name, person.email))
    return f"{Header(name, 'utf-8').encode()} <{person.email}>"


def _patch_body(rows: Snapshot, patch: PatchRecord) -> str:
    """Return the text, the trailers from comments, the notes below the "---", and the diff."""
    content = f"{patch.content.strip()}\n"
    notes = _NOTES.search(content)
    text = content if notes is None else content[: notes.start()]
    trailers = [line for comment in rows.comments_of(patch.id) for line in _TRAILER.findall(comment.content)]
    body = "\n".join(part for part in (text.strip(), *trailers) if part) + "\n"
    if notes is not None:
        body += f"---\n{content[notes.end() :].rstrip()}\n"
    return body if patch.diff is None else f"{body}\n{patch.diff}"
