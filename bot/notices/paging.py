"""Long lists, a message at a time: what does not fit ends with the words that bring the rest. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from bot.errors import UserError
from bot.notices.markup import Allowed, Code, Document, Line, fitting, words

MAX_ITEMS: Final = 30  # of one message
_NO_LINKS: Final = Allowed(())


def page(
    items: Sequence[Line],
    start: int,
    document: Callable[[Sequence[Line], tuple[Line, ...]], Document],
    command: Callable[[int], str],
) -> Document:
    """The *document* of as many *items* as fit, from the *start*-th (1 is the first), and of the line on the rest.

    *command* is what to type to go on from an item; the line is missing where nothing is left.

    Raises:
        UserError: there are not so many items.
    """
    if start > max(len(items), 1):
        raise UserError(f"There are only {len(items)}; to see them from the first on, type: {command(1)}")

    def of_first(count: int) -> Document:
        following = start + count
        rest = len(items) - following + 1
        more = (words(f"… and {rest} more: ", Code(command(following))),) if rest else ()
        return document(items[start - 1 : following - 1], more)

    left = len(items) - start + 1
    return of_first(max(fitting(of_first, min(left, MAX_ITEMS), _NO_LINKS), min(left, 1)))
