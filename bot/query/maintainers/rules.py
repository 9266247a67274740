"""Which rules of a MAINTAINERS file take a path, and which the text of a patch.

As in get_maintainer.pl, an X: that takes a path keeps its own section from that path, whatever its F: and N: say; K:
knows no exclusion. The script searches K: in the patch and, when asked, in whole files; here there is the patch only.
It goes by lines: those before the diff as they are, of the diff only what is added or removed, and in neither the
names of files, the places of hunks or the commit that is fixed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from bot.query.index.regexes import ExpressionError, ExpressionSet, as_utf_8, compile_expression
from bot.query.maintainers.file import FileRemark, Rule, RuleKind, Section
from bot.query.maintainers.lookaround import branches_of, looks_around
from bot.query.maintainers.pattern_index import PatternIndex, runs_of, without_layout

MAX_TEXT_CHARACTERS = 2**20
MAX_EXPRESSIONS = 2_000  # Linux has some 400

_DIFF_BEGINS = re.compile(r"^(?:\+\+\+|---)[^\S\n]+\S", re.MULTILINE)
_NOT_SEARCHED = re.compile(
    r"^(?:(?:\+\+\+|---)[^\S\n]+\S|@@ -\d|diff --git a/|rename (?:from|to) | mode change |"
    r"Fixes:[^\S\n]+[0-9a-fA-F]{6}).*",
    re.MULTILINE,
)
_BY_LINE = "(?m)"
_CHANGED = "(?m)^[+-].*"  # as the script puts before an expression; of one with branches, before the first


class RuleIndex:
    """The rules of all sections; a section is known by its place among them."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self.remarks: list[FileRemark] = []
        self.unusable: dict[int, list[Rule]] = {}  # by section
        self._rules = [(place, rule) for place, section in enumerate(sections) for rule in section.rules]
        self._patterns = PatternIndex()
        self._expressions_left = MAX_EXPRESSIONS
        expressions: dict[RuleKind, dict[int, str]] = {RuleKind.PATH: {}, RuleKind.KEYWORD: {}}
        for number, (place, rule) in enumerate(self._rules):
            try:
                self._take(number, rule, expressions)
            except ExpressionError as error:
                self.remarks.append(FileRemark(rule.line, f"{rule} cannot be used: {error}"))
                self.unusable.setdefault(place, []).append(rule)
        self._paths = _Search(_in_path, expressions[RuleKind.PATH])
        self._before_diff = _Search(_by_line, expressions[RuleKind.KEYWORD])
        self._in_diff = _Search(_in_diff, expressions[RuleKind.KEYWORD])

    def for_path(self, path: str) -> Iterator[tuple[int, Rule]]:
        """The sections that *path* is in, each with the first rule that says so."""
        numbers = self._patterns.matches(path)
        numbers += self._paths.matches(path)
        found = [self._rules[number] for number in sorted(numbers)]
        excluded = {place for place, rule in found if rule.kind is RuleKind.EXCLUDED}
        return _firsts((place, rule) for place, rule in found if place not in excluded)

    def for_text(self, text: str) -> Iterator[tuple[int, Rule]]:
        """The sections with a keyword in a patch, each with the first rule that says so."""
        kept = text[:MAX_TEXT_CHARACTERS]
        diff = _DIFF_BEGINS.search(kept)
        border = diff.start() if diff else len(kept)
        numbers = {
            *self._before_diff.matches(_searched(kept[:border])),
            *self._in_diff.matches(_searched(kept[border:])),
        }
        return _firsts(self._rules[number] for number in sorted(numbers))

    def _take(self, number: int, rule: Rule, expressions: dict[RuleKind, dict[int, str]]) -> None:
        """Keep a rule where it is looked for.

        Raises:
            ExpressionError: it cannot be used.
        """
        match rule.kind:
            case RuleKind.FILES | RuleKind.EXCLUDED:
                if runs_of(rule.pattern) is None:
                    self._count_expression()
                self._patterns.add(rule.pattern, number)
            case RuleKind.PATH | RuleKind.KEYWORD:
                self._count_expression()
                expressions[rule.kind][number] = _checked(rule.pattern)

    def _count_expression(self) -> None:
        if not self._expressions_left:
            raise ExpressionError(f"there are {MAX_EXPRESSIONS:,} regular expressions before it")
        self._expressions_left -= 1


class _Search:
    """Expressions, each with the number of its rule, to be asked all at once."""

    def __init__(self, spelled: Callable[[str], str], expressions: dict[int, str]) -> None:
        self._numbers = list(expressions)
        self._set = ExpressionSet([spelled(expression) for expression in expressions.values()])

    def matches(self, text: str) -> list[int]:
        """The numbers of those that are found in *text*."""
        return [self._numbers[position] for position in self._set.matches(as_utf_8(text))]


def _checked(pattern: str) -> str:
    """The expression of an N: or K: line.

    Raises:
        ExpressionError: RE2 refuses it, or nothing is left of it.
    """
    expression = without_layout(pattern)
    if not expression:
        raise ExpressionError("it is a comment only")
    compile_expression(_in_path(expression))
    compile_expression(_in_diff(expression))
    return expression


def _in_path(expression: str) -> str:
    """An *expression* as RE2 can have it."""
    if not looks_around(expression):
        return expression
    return "|".join(branch.by_line() for branch in branches_of(expression))


def _by_line(expression: str) -> str:
    """An *expression* as it is searched for in lines."""
    return _BY_LINE + _in_path(expression)


def _in_diff(expression: str) -> str:
    """An *expression* as it is searched for in what a diff adds or removes; of several branches, the first."""
    if not looks_around(expression):
        return _CHANGED + expression
    first, *others = branches_of(expression)
    return _BY_LINE + "|".join([first.behind_a_sign(), *(branch.by_line() for branch in others)])


def _firsts(found: Iterable[tuple[int, Rule]]) -> Iterator[tuple[int, Rule]]:
    """The first rule of each section."""
    seen: set[int] = set()
    for place, rule in found:
        if place not in seen:
            seen.add(place)
            yield place, rule


def _searched(part: str) -> str:
    """What of a patch's part is searched for keywords."""
    return _NOT_SEARCHED.sub("", part)
