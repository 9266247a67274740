r"""Parses the text of a query, or rejects it with the position of the mistake.

query  = group                                     may contain options (on: as: digest:)
group  = part { [ "OR" ] part }                    juxtaposition (and) binds more tightly than OR
part   = [ "-" ] ( term | "(" group ")" )          an exclude applies to its whole group, on both sides of OR
term   = key ":" values | values                   without a key: words of the subject
"""

import re
from dataclasses import replace
from typing import NoReturn, assert_never

from bot.query.keys import Key, begins_with_key, is_key, key_named, likely_key
from bot.query.options import (
    NO_OPTIONS,
    AsForm,
    CardForm,
    OnKind,
    OptionKind,
    SubscriptionOptions,
    bare_digest,
    read_digest,
    read_form,
    read_on,
)
from bot.query.query import Node, Not, Query, Term, all_of, any_of, depth_of
from bot.query.scanner import Scanner, Token
from bot.query.terms import as_prefix, as_typed_by_hand, check_blanks, read_term
from bot.query.values import IsFlag, ValueMistake
from bot.text import DASHES, visible

MAX_QUERY_CHARACTERS = 2000
MAX_TERMS = 64
MAX_DEPTH = 20  # nested parentheses, as typed and in the canonical text

_LONGEST_EXAMPLE = 60
_PLAIN_TERM = re.compile(r"""[^"'()]+|\([^"'()]+\)""")
_TOO_DEEP = f"Parentheses more than {MAX_DEPTH} deep; at most {MAX_DEPTH}."


def parse(text: str) -> Query:
    """Return the query in *text*.

    Raises:
        QueryError: it cannot be parsed; has the position in *text*, and what to type instead.
    """
    return _Parser(text).query()


def parse_subscription(text: str, *, has_addresses: bool) -> Query:
    """Return the query in *text* for a subscription; *has_addresses* is true if its owner has addresses for `is:mine`.

    Raises:
        QueryError: it cannot be parsed, or would never match anything.
    """
    parser = _Parser(text)
    query = parser.query()
    parser.check_subscription(query, has_addresses=has_addresses)
    return query


class _Group:
    """The parts of one group that were parsed so far."""

    def __init__(self) -> None:
        self.excludes: list[Node] = []
        self._alternatives: list[list[Node]] = [[]]  # positive parts, split at the ORs
        self._parts: list[Node] = []  # all parts in the order of the text

    def add(self, part: Node) -> None:
        (self.excludes if isinstance(part, Not) else self._alternatives[-1]).append(part)
        self._parts.append(part)

    def add_alternative(self) -> None:
        self._alternatives.append([])

    @property
    def ends_with_key(self) -> bool:
        """Return whether the last part is more than a word without a key."""
        last = self._parts[-1] if self._parts else None
        return last is not None and not (isinstance(last, Term) and last.key is Key.SUBJECT)

    @property
    def wants_something(self) -> bool:
        """Return whether there is a positive part since the last OR."""
        return bool(self._alternatives[-1])

    @property
    def node(self) -> Node:
        if len(self._alternatives) == 1:
            return all_of(self._parts)
        return all_of([any_of(map(all_of, self._alternatives)), *self.excludes])


class _Parser:
    """Parses one query from left to right; each method continues where the last one stopped."""

    def __init__(self, typed: str) -> None:
        text = as_typed_by_hand(visible(typed))  # nobody could see why what they copied matches nothing
        self._text = text
        self._scanner = Scanner(text)
        self._terms: list[tuple[Term, int, int]] = []  # with start and end
        self._options = NO_OPTIONS
        self._option_places: dict[OptionKind, tuple[int, int]] = {}  # start and end

    def query(self) -> Query:
        if len(self._text) > MAX_QUERY_CHARACTERS:
            self._refuse_length(len(self._text))
        group = self._group(0)
        if self._scanner.is_at(")"):
            position = self._scanner.position
            hint = "One that belongs to a name goes in quotes with it."
            self._refuse(position, position + 1, "This parenthesis closes nothing.", hint)
        if not group.wants_something:
            self._refuse_without_terms(group.excludes)

        query = Query(group.node, self._options)
        if depth_of(query.tree) > MAX_DEPTH:
            self._refuse(0, len(self._text), _TOO_DEEP)
        if len(str(query)) > MAX_QUERY_CHARACTERS:
            self._refuse_length(len(str(query)))
        return query

    def check_subscription(self, query: Query, *, has_addresses: bool) -> None:
        """Reject the parsed *query* if it would never post anything."""
        for term, start, end in self._terms:
            if term.key is Key.STALE and query.options.digest is None:
                reason = "Nothing arrives when something becomes stale: add a digest, or look with find;"
                self._refuse(start, end, reason, f"e.g. {self._text[start:end]} {OptionKind.DIGEST.example}")
            if term.key is Key.TURN and query.options.digest is None:
                reason = "Nothing arrives when it becomes somebody's turn: add a digest, or look with queue or find;"
                self._refuse(start, end, reason, f"e.g. {self._text[start:end]} {OptionKind.DIGEST.example}")
            if IsFlag.MINE in term.values and not has_addresses:
                reason = "is:mine needs addresses of yours, which you name with “me” in a direct chat."
                self._refuse(start, end, reason, "Here, name the submitter: from:jane@example.org")

        self._check_queue(query)

    def _check_queue(self, query: Query) -> None:
        """Reject a *query* whose options contradict the list that a queue is."""
        if not query.is_queue:
            return
        if query.options.digest is None:
            reason = f"{OptionKind.AS}:{AsForm.QUEUE} needs the times at which the queue is posted,"
            self._refuse(*self._option_places[OptionKind.AS], reason, f"e.g. {OptionKind.DIGEST.example}")
        if query.options.on:
            reason = "A queue lists what is open, and no news; on: has no meaning in it."
            self._refuse(*self._option_places[OptionKind.ON], reason, "Leave it out, or make two subscriptions.")

    def _group(self, depth: int) -> _Group:
        """Parse a group up to its closing parenthesis, or to the end of the text."""
        group = _Group()
        last_or = None
        while self._scanner.skip_space() and not self._scanner.is_at(")"):
            word = self._scanner.word_ahead()
            position = self._scanner.position
            if word == "OR":
                if not group.wants_something:
                    self._refuse_or(position)
                self._scanner.take(word)
                group.add_alternative()
                last_or = position
                continue
            if (refusal := self._connective(word, group)) is not None:
                self._refuse(position, position + len(word), *refusal)
            part = self._part(depth)
            if part is not None:
                group.add(part)
        if last_or is not None and not group.wants_something:
            self._refuse_or(last_or)
        return group

    def _connective(self, word: str, group: _Group) -> tuple[str, str] | None:
        """Return why the next *word* is likely a connective and not a word of the subject, and what to type instead."""
        rest = self._text[self._scanner.position + len(word) :].strip()
        hint = f'In quotes it is a word of the subject: "{word}"'
        match word.lower():
            case "or" if group.wants_something and rest:
                return "Did you mean OR? It is written in capital letters.", hint
            case _ if word.isupper():
                return None  # `read_term` reports the right form
            case "and" if rest and group.wants_something and (group.ends_with_key or begins_with_key(rest)):
                return "Terms side by side must all match: leave “and” out.", hint
            case "not" if begins_with_key(rest) or (rest and group.ends_with_key):
                return "To exclude something, put a minus sign before it,", f"e.g. -{_first_part(rest)}"
            case "except" | "without" if group.ends_with_key and begins_with_key(rest):
                return "To exclude something, put a minus sign before it,", f"e.g. -{_first_part(rest)}"
            case _:
                return None

    def _part(self, depth: int) -> Node | None:
        """Parse a term or group, and return it; None for an option, which is stored separately."""
        minus = self._scanner.position
        excluded = self._scanner.take_minus()
        if excluded and (self._scanner.is_at_space() or self._scanner.is_at_minus()):
            self._refuse(minus, minus + 1, "A minus sign excludes the term right after it,", "e.g. -path:docs/")
        if self._scanner.is_at("("):
            inner = self._parenthesised(depth + 1)
            return Not(inner) if excluded else inner
        start = self._scanner.position
        name = self._scanner.key(is_key)
        key = self._key(name) if name is not None else None
        if isinstance(key, OptionKind):
            self._read_option(key, start, depth, excluded=excluded)
            return None
        if len(self._terms) == MAX_TERMS:
            self._refuse(start, len(self._text), f"More than {MAX_TERMS} terms; at most {MAX_TERMS}.")
        if key is not None:
            self._scanner.skip_space_before_value()
        term = read_term(self._scanner, key, start)
        if excluded and key is None:
            term = as_prefix(term)
        self._terms.append((term, start, self._scanner.position))
        return Not(term) if excluded else term

    def _parenthesised(self, depth: int) -> Node:
        start = self._scanner.position
        if depth > MAX_DEPTH:
            self._refuse(start, start + 1, _TOO_DEEP)
        self._scanner.take("(")
        group = self._group(depth)
        if not self._scanner.take(")"):
            hint = "One that belongs to a name goes in quotes with it."
            self._refuse(start, start + 1, "This parenthesis is not closed.", hint)
        if not group.wants_something:
            reason = "These parentheses only exclude." if group.excludes else "There is nothing in these parentheses."
            hint = "Say what is wanted in them, e.g. (path:hw/ -path:hw/arm/), or leave them out."
            self._refuse(start, self._scanner.position, reason, hint)
        return group.node

    def _key(self, name: Token) -> Key | OptionKind:
        key = key_named(name.text)
        if key is None:
            likely = likely_key(name.text)
            quoted = f'To look for it in the subject, put it in quotes: "{name.text}:"'
            hint = f"Did you mean {likely}:?" if likely else quoted
            self._refuse(name.start, name.end, f"{name.text}: is not a key.", hint)
        return key

    def _read_option(self, option: OptionKind, start: int, depth: int, *, excluded: bool) -> None:
        self._scanner.skip_space_before_value()
        tokens = self._bare_digest() if option is OptionKind.DIGEST else []
        tokens = tokens or self._scanner.values(may_be_regex=False)
        end = self._scanner.position
        if excluded:
            reason = f"{option}: excludes nothing; it says how you want to hear."
            self._refuse(start - 1, end, reason, "Leave out the -.")
        if depth:
            self._refuse(start, end, f"{option}: is for the whole query.", "Put it outside the parentheses.")
        if option in self._option_places:
            self._refuse(start, end, f"{option}: stands twice.", f"Once is enough, e.g. {option.example}")
        check_blanks(self._scanner, option, tokens, start)
        if option is not OptionKind.ON and len(tokens) > 1:
            self._refuse(tokens[0].start, end, f"{option}: takes one value,", f"e.g. {option.example}")
        self._option_places[option] = start, end
        self._options = self._with_option(option, tokens)

    def _bare_digest(self) -> list[Token]:
        """Take the days and the time that come next without quotes, as one value; none if there are none."""
        start = self._scanner.position
        taken = bare_digest(self._text[start:])
        if not taken or not self._scanner.take_text(taken):
            return []
        return [Token(taken, start, self._scanner.position)]

    def _with_option(self, option: OptionKind, tokens: list[Token]) -> SubscriptionOptions:
        """Return the options so far, together with *option*."""
        kinds: list[OnKind] = []
        for token in tokens:
            try:
                match option:
                    case OptionKind.ON:
                        kinds.append(read_on(token.text))
                    case OptionKind.AS:
                        return self._with_form(read_form(token.text))
                    case OptionKind.DIGEST:
                        return replace(self._options, digest=read_digest(token.text))
                    case _:
                        assert_never(option)
            except ValueMistake as mistake:
                self._refuse(token.start, token.end, mistake.reason, mistake.hint)
        return replace(self._options, on=tuple(on for on in OnKind if on in kinds))

    def _with_form(self, form: AsForm) -> SubscriptionOptions:
        if form is AsForm.QUEUE:
            return replace(self._options, as_queue=True)
        return replace(self._options, form=CardForm(form))

    def _refuse(self, start: int, end: int, reason: str, hint: str | None = None) -> NoReturn:
        self._scanner.refuse(start, end, reason, hint)

    def _refuse_or(self, position: int) -> NoReturn:
        reason = "OR needs something wanted on both sides,"
        self._refuse(position, position + 2, reason, "e.g. path:hw/ OR path:migration/ -from:@redhat.com")

    def _refuse_without_terms(self, excludes: list[Node]) -> NoReturn:
        if not excludes:
            self._refuse(0, len(self._text), "An empty query; say what you want to hear of,", "e.g. path:drivers/net/")
        reason = "This matches nearly everything: add what you want to hear of,"
        exclusions = " ".join(map(str, dict.fromkeys(excludes)))
        self._refuse(0, len(self._text), reason, f"e.g. project:qemu-devel {exclusions}")

    def _refuse_length(self, length: int) -> NoReturn:
        reason = f"A query of {length:,} characters; at most {MAX_QUERY_CHARACTERS:,}."
        self._refuse(min(MAX_QUERY_CHARACTERS, len(self._text)), len(self._text), reason)


def _first_part(text: str) -> str:
    """Return the term with which *text* begins, without a minus sign; an example if that is not one short word."""
    first = text.lstrip(DASHES).split()[0]
    return first if len(first) <= _LONGEST_EXAMPLE and _PLAIN_TERM.fullmatch(first) else "path:docs/"
