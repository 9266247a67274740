"""Reads the words of commands that change patches: which patches, and what they become. Pure."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.errors import UserError
from bot.patchwork.references import read_ref
from bot.patchwork.states import States

NOBODY = frozenset({"nobody", "none", "noone", "-"})
ME = "me"
_FILLERS = frozenset({"to", "as", "and", "&", ",", "=", "->", "→"})
_WRAPPERS = "\"'“”‘’`"
_NEAR = 0.6


@dataclass(frozen=True, slots=True)
class ActWords:
    """The references that were typed, none in a reply to a card, and the new value; "" if the verb needs none."""

    refs: tuple[str, ...]
    value: str = ""


def refs_only(text: str) -> ActWords:
    """Return the references in *text*.

    Raises:
        UserError: a word is not a reference.
    """
    words = [word for word in text.split() if word.lower() not in _FILLERS]
    _see_that_all_are_refs(words)
    return ActWords(tuple(words))


def refs_and_state(text: str) -> ActWords:
    """Return the references in *text*, and the state behind or before them, which may have several words.

    Raises:
        UserError: there is no state.
    """
    words = [word for word in text.split() if word.lower() not in _FILLERS]
    first = next((place for place, word in enumerate(words) if read_ref(word) is None), len(words))
    refs, rest = words[:first], words[first:]
    if not refs and len(rest) > 1 and read_ref(rest[-1]) is not None:  # the state first
        refs = _last_refs(rest)
        rest = rest[: len(rest) - len(refs)]
    if not rest:
        raise UserError("Which state? Type it behind the patches, for example: accepted")
    return ActWords(tuple(refs), " ".join(rest).strip(_WRAPPERS))


def refs_and_user(text: str) -> ActWords:
    """Return the references in *text*, and the user behind them: an account, an address, `me` or `nobody`.

    Raises:
        UserError: a word before the user is not a reference.
    """
    *refs, user = [word for word in text.split() if word.lower() not in _FILLERS] or [""]
    if not user or (read_ref(user) is not None and "@" not in user):
        raise UserError("To whom? Type an account behind the patches, or me, or nobody.")
    _see_that_all_are_refs(refs)
    return ActWords(tuple(refs), user.strip(_WRAPPERS).removeprefix("@") or user)


def known_state(spelled: str, states: States) -> str | None:
    """Return the slug of the state that was meant; None if the server is not known to have it.

    A part of the name is enough if only one state has it: `changes` for Changes Requested.
    """
    if (slug := states.slug(spelled)) is not None:
        return slug
    begun = [slug for slug in states.names if slug.startswith(spelled.lower().replace(" ", "-")) and len(spelled) > 2]
    return begun[0] if len(begun) == 1 else None


def unknown_state(spelled: str, server: str, states: States) -> str:
    """Return the error for a state that a server is not known to have, with the nearest one, and all there are."""
    names = {states.name(slug): slug for slug in states.names}
    guess = nearest(spelled, [*names, *states.names])
    meant = f" Did you mean {states.name(guess) if guess in states.names else guess}?" if guess else ""
    return f"{server} has no state “{spelled[:60]}”.{meant}\nIts states: {', '.join(names)}."


def nearest(spelled: str, known: Iterable[str]) -> str | None:
    """Return the most similar of *known*, in any case; None if none is similar."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(spelled.lower(), by_lower, n=1, cutoff=_NEAR)
    return by_lower[found[0]] if found else None


def _last_refs(words: Sequence[str]) -> list[str]:
    """Return the references at the end of *words*."""
    count = next((place for place, word in enumerate(reversed(words)) if read_ref(word) is None), len(words))
    return list(words[len(words) - count :])


def _see_that_all_are_refs(words: Sequence[str]) -> None:
    for word in words:
        if read_ref(word) is None:
            raise UserError(f"“{word[:100]}” is not a patch id, a message-id or a link.")
