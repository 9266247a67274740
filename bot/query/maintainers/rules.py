"""The rules of a MAINTAINERS file: which of them match a path, and which the text of a patch.

As in get_maintainer.pl, an X: rule that matches a path excludes it from its own section, whatever F: and N: match; K:
rules have no exclusion. The script searches K: in the patch and, as an option, in whole files; here only the patch is
searched. The search is by line: all lines before the diff, and the added or removed lines of the diff, without the
lines that name files, hunk positions or the fixed commit.
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
_CHANGED = "(?m)^[+-].*"  # the prefix that the script adds to an expression, i.e. to its first branch


class RuleIndex:
    """The rules of all sections; a section is identified by its index."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self.remarks: list[FileRemark] = []
        self.unusable: dict[int, list[Rule]] = {}  # by section
        self._rules = [
            (section_index, rule) for section_index, section in enumerate(sections) for rule in section.rules
        ]
        self._patterns = PatternIndex()
        self._expressions_left = MAX_EXPRESSIONS
        expressions: dict[RuleKind, dict[int, str]] = {RuleKind.PATH: {}, RuleKind.KEYWORD: {}}
        for number, (section_index, rule) in enumerate(self._rules):
            try:
                self._take(number, rule, expressions)
            except ExpressionError as error:
                self.remarks.append(FileRemark(rule.line, f"{rule} cannot be used: {error}"))
                self.unusable.setdefault(section_index, []).append(rule)
        self._paths = _Search(_in_path, expressions[RuleKind.PATH])
        self._before_diff = _Search(_by_line, expressions[RuleKind.KEYWORD])
        self._in_diff = _Search(_in_diff, expressions[RuleKind.KEYWORD])

    def for_path(self, path: str) -> Iterator[tuple[int, Rule]]:
        """Return the sections that cover *path*, each with the first matching rule."""
        numbers = self._patterns.matches(path)
        numbers += self._paths.matches(path)
        matches = [self._rules[number] for number in sorted(numbers)]
        excluded = {section for section, rule in matches if rule.kind is RuleKind.EXCLUDED}
        return _first_rules((section, rule) for section, rule in matches if section not in excluded)

    def for_text(self, text: str) -> Iterator[tuple[int, Rule]]:
        """Return the sections whose K: rules match a patch, each with the first matching rule."""
        searched = text[:MAX_TEXT_CHARACTERS]
        diff = _DIFF_BEGINS.search(searched)
        border = diff.start() if diff else len(searched)
        numbers = {
            *self._before_diff.matches(_searched_text(searched[:border])),
            *self._in_diff.matches(_searched_text(searched[border:])),
        }
        return _first_rules(self._rules[number] for number in sorted(numbers))

    def _take(self, number: int, rule: Rule, expressions: dict[RuleKind, dict[int, str]]) -> None:
        """Add a rule to the index for its kind.

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
    """Expressions with the numbers of their rules, searched all at once."""

    def __init__(self, spelled: Callable[[str], str], expressions: dict[int, str]) -> None:
        self._numbers = list(expressions)
        self._set = ExpressionSet([spelled(expression) for expression in expressions.values()])

    def matches(self, text: str) -> list[int]:
        """Return the numbers of the expressions that match in *text*."""
        return [self._numbers[position] for position in self._set.matches(as_utf_8(text))]


def _checked(pattern: str) -> str:
    """Return the expression of an N: or K: line.

    Raises:
        ExpressionError: RE2 rejects it, or it is empty.
    """
    expression = without_layout(pattern)
    if not expression:
        raise ExpressionError("it is a comment only")
    compile_expression(_in_path(expression))
    compile_expression(_in_diff(expression))
    return expression


def _in_path(expression: str) -> str:
    """Return *expression* in a form for RE2, for a search in a path."""
    if not looks_around(expression):
        return expression
    return "|".join(branch.by_line() for branch in branches_of(expression))


def _by_line(expression: str) -> str:
    """Return *expression* in the form for a search in lines."""
    return _BY_LINE + _in_path(expression)


def _in_diff(expression: str) -> str:
    """Return *expression* in the form for added or removed lines, to which only its first branch is limited."""
    if not looks_around(expression):
        return _CHANGED + expression
    first, *others = branches_of(expression)
    return _BY_LINE + "|".join([first.behind_a_sign(), *(branch.by_line() for branch in others)])


def _first_rules(matches: Iterable[tuple[int, Rule]]) -> Iterator[tuple[int, Rule]]:
    """Return the first rule of each section."""
    seen: set[int] = set()
    for section, rule in matches:
        if section not in seen:
            seen.add(section)
            yield section, rule


def _searched_text(part: str) -> str:
    """Return the text in a part of a patch that is searched for keywords."""
    return _NOT_SEARCHED.sub("", part)
