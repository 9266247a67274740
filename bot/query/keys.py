"""The names of keys: short ones, those of other tools, and what is likely meant by what is none."""

import re
from difflib import get_close_matches
from enum import StrEnum

from bot.query.options import DIGEST_EXAMPLE, OptionKind

_FIRST_KEY = re.compile(r"[-–—−]?([^\W\d_][\w-]*)[:：]")
_LONGEST_GUESSED = 20  # characters; looking for near names takes long for long ones


class Key(StrEnum):
    """What a term looks at."""

    PATH = "path"
    MAINT = "maint"
    FROM = "from"
    TO = "to"
    CC = "cc"
    SUBJECT = "subject"
    PREFIX = "prefix"
    VERSION = "version"
    PATCHES = "patches"
    PROJECT = "project"
    SERVER = "server"
    STATE = "state"
    DELEGATE = "delegate"
    CHECK = "check"
    IS = "is"
    STALE = "stale"
    TEXT = "text"


_SHORT = {
    "dfn": Key.PATH,
    "f": Key.FROM,
    "s": Key.SUBJECT,
    "v": Key.VERSION,
    "n": Key.PATCHES,
    "k": Key.TEXT,
}
_NAMES: dict[str, Key | OptionKind] = {
    **{key.value: key for key in Key},
    **{wish.value: wish for wish in OptionKind},
    **_SHORT,
}
_OF_OTHERS = {
    "tag": Key.PREFIX,
    "label": Key.PREFIX,
    "author": Key.FROM,
    "submitter": Key.FROM,
    "file": Key.PATH,
    "files": Key.PATH,
    "dir": Key.PATH,
    "list": Key.PROJECT,
    "title": Key.SUBJECT,
    "maintainer": Key.MAINT,
}
_EXAMPLES: dict[Key | OptionKind, str] = {
    Key.PATH: "path:drivers/net/",
    Key.MAINT: "maint:virtio",
    Key.FROM: "from:@redhat.com",
    Key.TO: "to:netdev@vger.kernel.org",
    Key.CC: "cc:qemu-stable@nongnu.org",
    Key.SUBJECT: 'subject:"dirty limit"',
    Key.PREFIX: "prefix:RFC",
    Key.VERSION: "version:>=2",
    Key.PATCHES: "patches:>30",
    Key.PROJECT: "project:qemu-devel",
    Key.SERVER: "server:ozlabs",
    Key.STATE: "state:accepted or state:new->accepted",
    Key.DELEGATE: "delegate:jane",
    Key.CHECK: "check:fail or check:fail/build*",
    Key.IS: "is:pull",
    Key.STALE: "stale:14d",
    Key.TEXT: "text:kmalloc",
    OptionKind.ON: "on:new,state",
    OptionKind.AS: "as:compact",
    OptionKind.DIGEST: DIGEST_EXAMPLE,
}


def key_named(name: str) -> Key | OptionKind | None:
    """The key of that name, in lower case; None where it is none of ours."""
    return _NAMES.get(name)


def is_key(name: str) -> bool:
    """Whether there is a key of that name, in lower case."""
    return name in _NAMES


def begins_with_key(text: str) -> bool:
    """Whether *text* begins with a term that has a key, or with a group."""
    found = _FIRST_KEY.match(text)
    return text.startswith("(") or (found is not None and is_key(found[1].lower()))


def example_of(key: Key | OptionKind) -> str:
    """How *key* is used."""
    return _EXAMPLES[key]


def meant_by(name: str) -> str | None:
    """The key that somebody may have meant by *name*, which is none."""
    if name in _OF_OTHERS:
        return _OF_OTHERS[name]
    near = get_close_matches(name, _NAMES, n=1) if len(name) <= _LONGEST_GUESSED else []
    return near[0] if near else None
