"""The keys of the query language; each is described here, once.

A new key is a member of `Key`. It may need a class of its own in `text_keys` or `status_keys`, and a new field in
`facts`, which the store then reads for searches in `patch_scan`.
"""

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, Self

from bot.query.facts import FactName
from bot.query.key_spec import KeySpec
from bot.query.options import OptionKind
from bot.query.status_keys import AgeKey, CheckKey, FlagKey, NumberKey, StateKey, TurnKey
from bot.query.text_keys import (
    AddressKey,
    NameKey,
    PathKey,
    PrefixKey,
    SectionKey,
    SubjectKey,
    SubmitterKey,
    TextKey,
)
from bot.query.values import LONGEST_GUESSED, IsFlag, Turn
from bot.text import DASHES

_FIRST_KEY = re.compile(rf"[{DASHES}]?([^\W\d_][\w-]*)[:：]")


class Key(StrEnum):
    """The keys of terms, in the order in which help lists them."""

    spec: KeySpec

    def __new__(cls, spec: KeySpec) -> Self:
        """Create the member that *spec* describes."""
        key = str.__new__(cls, spec.name)
        key._value_ = spec.name
        key.spec = spec
        return key

    @property
    def example(self) -> str:
        """A term with this key, for help."""
        return self.spec.example

    @property
    def meaning(self) -> str:
        """The meaning of the key, for help."""
        return self.spec.meaning

    @property
    def more(self) -> tuple[str, ...]:
        """What else help says of it."""
        return self.spec.more

    @property
    def words(self) -> tuple[str, ...]:
        """The words by which questions find it."""
        return self.spec.words

    PATH = PathKey(
        name="path",
        short_name="dfn",
        names_elsewhere=("file", "files", "dir"),
        example="path:drivers/net/",
        meaning="the files that a patch touches",
        more=(
            "Paths begin at the top of the tree: `migration/` is that directory, `**/x.c` a file at any depth.",
            "`*` stays within one directory; a comma means or: `path:hw/,migration/`; `-path:docs/` excludes.",
        ),
        words=("directory", "directories", "folder", "folders", "subsystem", "subtree"),
        facts=(FactName.PATHS,),
        rank=1,
    )
    MAINT = SectionKey(
        name="maint",
        names_elsewhere=("maintainer",),
        example="maint:virtio",
        meaning="a section of MAINTAINERS",
        more=(
            "Needs a MAINTAINERS file in the bot's configuration (`maintainers` of the project).",
            "An address means the sections that name it: `maint:jane@example.org`.",
        ),
        words=("maintainers", "section", "sections"),
        facts=(FactName.SECTIONS, FactName.KNOWN_SECTIONS),
        a_name="a section's name",
        rank=2,
        part_rank=6,
        handles_decide=False,
    )
    FROM = SubmitterKey(
        name="from",
        short_name="f",
        names_elsewhere=("author", "submitter"),
        example="from:@redhat.com",
        meaning="who sent it, by address or name",
        more=("A whole address, `@domain`, or a part of the name: `from:ada`.",),
        words=("authors", "submitters", "sender", "sent", "somebody", "person", "people"),
        facts=(FactName.SUBMITTER,),
        narrowed_by=FactName.SUBMITTER,
        a_name="a name",
        rank=3,
        part_rank=7,
        handles_decide=True,
    )
    TO = AddressKey(
        name="to",
        example="to:netdev@vger.kernel.org",
        meaning="who it was sent to",
        more=("A whole address, or `@domain`.",),
        facts=(FactName.TO,),
        narrowed_by=FactName.TO,
        addresses=lambda facts: facts.to,
        rank=4,
    )
    CC = AddressKey(
        name="cc",
        example="cc:qemu-stable@nongnu.org",
        meaning="who else it was sent to",
        more=("A whole address, or `@domain`.",),
        facts=(FactName.CC,),
        narrowed_by=FactName.CC,
        addresses=lambda facts: facts.cc,
        rank=5,
    )
    SUBJECT = SubjectKey(
        name="subject",
        short_name="s",
        names_elsewhere=("title",),
        example='subject:"dirty limit"',
        meaning="words of the subject; /…/ is a regular expression",
        more=("A word without a key means the same. All words must be there, in any order.",),
        words=("word", "words", "regex", "regexp", "regular"),
        facts=(FactName.SUBJECTS,),
        narrowed_by=FactName.SUBJECTS,
        rank=8,
    )
    PREFIX = PrefixKey(
        name="prefix",
        names_elsewhere=("tag", "label"),
        example="prefix:RFC",
        meaning="a word in the brackets before the subject",
        more=("Such as RFC, RESEND, PULL or net-next; `-prefix:RFC`, or just `-RFC`, leaves RFCs out.",),
        words=("rfc", "rfcs", "prefixes", "tags", "resend"),
        facts=(FactName.PREFIXES,),
        narrowed_by=FactName.PREFIXES,
        names=lambda facts: facts.prefixes,
        rank=9,
    )
    VERSION = NumberKey(
        name="version",
        short_name="v",
        example="version:>=2",
        meaning="which version of a series",
        more=("`version:1` is the first; `>=`, `<=`, `>` and `<` may stand before the number.",),
        facts=(FactName.VERSION,),
        narrowed_by=FactName.VERSION,
        number=lambda facts: facts.version,
        spelled=lambda number: f"v{number}",
        is_single=True,
    )
    PATCHES = NumberKey(
        name="patches",
        short_name="n",
        example="patches:>30",
        meaning="how many patches it has",
        more=("`patches:1` is a single patch.",),
        facts=(FactName.TOTAL,),
        narrowed_by=FactName.TOTAL,
        number=lambda facts: facts.total,
        spelled=lambda number: f"{number} {'patch' if number == 1 else 'patches'}",
        is_single=True,
    )
    PROJECT = NameKey(
        name="project",
        names_elsewhere=("list",),
        example="project:qemu-devel",
        meaning="a project of a Patchwork server",
        more=("`set project qemu-devel` spares it in each query.",),
        words=("lists", "mailing", "projects"),
        facts=(FactName.PROJECT,),
        narrowed_by=FactName.PROJECT,
        names=lambda facts: (facts.project,),
        rank=14,
        is_single=True,
    )
    SERVER = NameKey(
        name="server",
        example="server:ozlabs",
        meaning="a Patchwork server, by its name here",
        more=("`status` lists them.",),
        words=("servers",),
        facts=(FactName.SERVER,),
        names=lambda facts: (facts.server,) if facts.server else (),
        rank=15,
        is_single=True,
    )
    STATE = StateKey(
        name="state",
        example="state:accepted or state:new->accepted",
        meaning="its state, or a change of state",
        more=("`state:accepted` posts a series when it gets there, `state:new->accepted` only if it was New before.",),
        words=("states", "merged", "applied"),
        facts=(FactName.STATE, FactName.FORMER_STATE),
        rank=12,
        is_single=True,
    )
    DELEGATE = NameKey(
        name="delegate",
        example="delegate:jane",
        meaning="the maintainer it is delegated to",
        more=("The name of a Patchwork user, as its pages show it.",),
        words=("assigned", "delegated"),
        facts=(FactName.DELEGATE,),
        narrowed_by=FactName.DELEGATE,
        names=lambda facts: (facts.delegate,) if facts.delegate else (),
        nothing=("a patch without a delegate",),
        rank=10,
        is_single=True,
    )
    CHECK = CheckKey(
        name="check",
        example="check:fail or check:fail/build*",
        meaning="the result of its checks",
        more=("pending, success, warning or fail; behind a slash the name of the check, where `*` means anything.",),
        facts=(FactName.CHECK, FactName.CHECKS),
        rank=11,
    )
    IS = FlagKey(
        name="is",
        example="is:pull",
        meaning=f"what it is: {', '.join(IsFlag)}",
        more=("`is:mine` means your addresses, which you name by `me ada@example.org` in a direct chat.",),
        words=("reviewed", "pull", "archived"),
        facts=(FactName.IS_PULL, FactName.IS_COMPLETE, FactName.REVIEWERS, FactName.IS_ARCHIVED),
        rank=13,
    )
    STALE = AgeKey(
        name="stale",
        example="stale:14d",
        meaning="for how long nothing has happened to it",
        more=("Hours, days or weeks; only in `find`, and in subscriptions with `digest:`.",),
        words=("unanswered", "forgotten"),
        facts=(FactName.IDLE,),
    )
    TURN = TurnKey(
        name="turn",
        names_elsewhere=("queue", "whose", "needs"),
        example="turn:review",
        meaning=f"whose turn it is: {', '.join(Turn)}",
        more=(
            "failing: a check fails; author: the submitter has to answer; ready: all reviewed; review: the rest.",
            "Only of what is open; only in `queue`, `find`, and subscriptions with `digest:`.",
        ),
        words=("whose", "turns", "ready", "failing", "waiting", "unreviewed"),
        facts=(FactName.TURN,),
    )
    TEXT = TextKey(
        name="text",
        short_name="k",
        example="text:kmalloc",
        meaning="words of the mail",
        more=("Only for what arrives: past mails are not stored.",),
        facts=(FactName.TEXT,),
    )


_SHORT_NAMES: Final = {key.spec.short_name: key for key in Key if key.spec.short_name is not None}
_NAMES: Final[dict[str, Key | OptionKind]] = {
    **{key.value: key for key in Key},
    **{option.value: option for option in OptionKind},
    **_SHORT_NAMES,
}
_NAMES_ELSEWHERE: Final = {name: key for key in Key for name in key.spec.names_elsewhere}


def key_named(name: str) -> Key | OptionKind | None:
    """Return the key with a *name* in lower case; None if there is none."""
    return _NAMES.get(name)


def is_key(name: str) -> bool:
    """Return whether there is a key with a *name* in lower case."""
    return name in _NAMES


def begins_with_key(text: str) -> bool:
    """Return whether *text* begins with a term that has a key, or with a group."""
    match = _FIRST_KEY.match(text)
    return text.startswith("(") or (match is not None and is_key(match[1].lower()))


def likely_key(name: str) -> str | None:
    """Return the key that is most likely meant by *name*, which is not a key."""
    if name in _NAMES_ELSEWHERE:
        return _NAMES_ELSEWHERE[name]
    near = get_close_matches(name, _NAMES, n=1) if len(name) <= LONGEST_GUESSED else []
    return near[0] if near else None
