"""Defines mails as the sample Patchwork receives them, and parses their subjects."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime

from bot.sample_patchwork.records import Headers

_BRACKETS = re.compile(r"\s*\[([^\[\]]*)\]\s*")
_REPLY = re.compile(r"\s*(re|fwd?)\s*:\s*", re.IGNORECASE)
_NUMBER = re.compile(r".*?([0-9]{1,9})(?:/| of )([0-9]{1,9})\Z")
_MERCURIAL = re.compile(r"PATCH (\d+ of \d+)(.*)\Z", re.DOTALL)
_VERSION = re.compile(r"v(\d{1,9})\Z", re.IGNORECASE)
_NAME_LENGTH = 255

SAMPLE_SUBMITTER = "Ada Sample <ada@example.org>"


@dataclass(frozen=True, slots=True)
class Subject:
    """The parts of a subject; *number* and *total* are None if it has no "n/m"."""

    prefixes: tuple[str, ...]
    title: str
    reply: bool
    version: int
    number: int | None
    total: int | None

    @property
    def name(self) -> str:
        """The name that Patchwork gives to the patch: the joined prefixes and the title, at most 255 characters."""
        text = f"[{','.join(self.prefixes)}] {self.title}" if self.prefixes else self.title
        return text[:_NAME_LENGTH]


def read_subject(text: str) -> Subject:
    """Split a subject into its parts; "PATCH" does not count as a prefix."""
    reply = False
    rest = " ".join(text.split())
    while match := _REPLY.match(rest):
        reply, rest = True, rest[match.end() :]
    tokens: list[str] = []
    while match := _BRACKETS.match(rest):
        tokens += _tokens(match[1])
        rest = rest[match.end() :]
    prefixes = tuple(token for token in tokens if token.upper() != "PATCH")
    numbers = [match for token in prefixes if (match := _NUMBER.match(token))]
    versions = [int(match[1]) for token in prefixes if (match := _VERSION.match(token))]
    return Subject(
        prefixes=prefixes,
        title=rest,
        reply=reply,
        version=versions[0] if versions else 1,
        number=int(numbers[0][1]) if numbers else None,
        total=int(numbers[0][2]) if numbers else None,
    )


def _tokens(bracket: str) -> list[str]:
    """Return the prefixes in a bracket; in "PATCH 1 of 3", the number is kept whole."""
    number = _MERCURIAL.match(bracket)
    rest = number[2] if number else bracket
    return [*([number[1]] if number else ()), *(token for token in re.split(r"[\s,]+", rest) if token)]


def split_mailbox(mailbox: str) -> tuple[str, str]:
    """Split "Name <address>" into name and address; the name may contain any character, or be missing."""
    name, _, address = mailbox.rpartition("<")
    return name.strip().strip('"'), address.strip().removesuffix(">")


def _encoded(mailbox: str) -> str:
    """Return a mailbox encoded for a header."""
    if mailbox.isascii():
        return mailbox
    name, address = split_mailbox(mailbox)
    return f"{Header(name, 'utf-8').encode()} <{address}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to the list; *date* is naive UTC, *subject* complete, as in "[PATCH v2 1/3] …"."""

    subject: str
    msgid: str
    date: datetime
    submitter: str = SAMPLE_SUBMITTER
    content: str = ""
    diff: str | None = None
    pull_url: str | None = None
    references: tuple[str, ...] = ()  # the last one is the mail it replies to
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    more_headers: Headers = ()

    @property
    def headers(self) -> Headers:
        """The headers, in order."""
        pairs = [
            ("From", _encoded(self.submitter)),
            ("To", ", ".join(map(_encoded, self.to))),
            ("Cc", ", ".join(map(_encoded, self.cc))),
            ("Subject", self.subject),
            ("Date", format_datetime(self.date.replace(tzinfo=UTC))),
            ("Message-Id", f"<{self.msgid}>"),
            ("X-Mailer", "git-send-email 2.52.0"),
            ("In-Reply-To", f"<{self.references[-1]}>" if self.references else ""),
            ("References", " ".join(f"<{msgid}>" for msgid in self.references)),
            ("MIME-Version", "1.0"),
            ("Content-Type", 'text/plain; charset="utf-8"'),
            ("Content-Transfer-Encoding", "8bit"),
        ]
        return (*((name, value) for name, value in pairs if value), *self.more_headers)


@dataclass(frozen=True, slots=True)
class NewPatch:
    """A patch to send: its subject without brackets, and its diff."""

    subject: str
    diff: str
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSeries:
    """A series to send; a single patch without *cover* is not numbered.

    *prefixes* are added to "PATCH" ("RFC", "for-10.1"); *in_reply_to* is the message-id of the thread to reply to.
    """

    name: str
    patches: Sequence[NewPatch]
    version: int = 1
    cover: bool = True
    cover_letter: str = ""
    submitter: str = SAMPLE_SUBMITTER
    prefixes: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    in_reply_to: str | None = None

    def mails(self, thread: str, date: datetime) -> tuple[Mail, ...]:
        """Return its mails in order, the cover first; each message-id begins with *thread*, and *date* is naive UTC."""
        subjects = [patch.subject for patch in self.patches]
        bodies: list[tuple[str, str | None]] = [(patch.content, patch.diff) for patch in self.patches]
        if self.cover:
            subjects.insert(0, self.name)
            bodies.insert(0, (self.cover_letter or f"This series is about: {self.name}.\n", None))
        root = self._msgid(thread, 0 if self.cover else 1)
        mails: list[Mail] = []
        for index, (subject, (content, diff)) in enumerate(zip(subjects, bodies, strict=True)):
            number = index if self.cover else index + 1
            parents = [self.in_reply_to] if self.in_reply_to else []
            parents += [root] if index else []
            mails.append(
                Mail(
                    subject=f"[{self._brackets(number)}] {subject}",
                    msgid=self._msgid(thread, number),
                    date=date + timedelta(seconds=index),
                    submitter=self.submitter,
                    content=content,
                    diff=diff,
                    references=tuple(parents),
                    to=self.to,
                    cc=self.cc,
                )
            )
        return tuple(mails)

    def replying_to(self, msgid: str) -> "NewSeries":
        """Return a copy of the series that replies to another thread."""
        return replace(self, in_reply_to=msgid)

    def _brackets(self, number: int) -> str:
        tokens = [*self.prefixes] if "PULL" in self.prefixes else [*self.prefixes, "PATCH"]
        if self.version > 1:
            tokens.append(f"v{self.version}")
        if self.cover or len(self.patches) > 1:
            width = len(str(len(self.patches)))
            tokens.append(f"{number:0{width}}/{len(self.patches)}")
        return " ".join(tokens)

    def _msgid(self, thread: str, number: int) -> str:
        return f"{thread}-{number}-{split_mailbox(self.submitter)[1]}"
