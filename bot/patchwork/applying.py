"""Detection of checks that failed only because their tool could not apply the patch to its tree. Pure."""

import re

from bot.patchwork.model import Check, CheckState

_MAX = 1_000  # characters of a description
_CONTEXT = re.compile(r"(?:.*[/_. :-])?apply(?:[_. -]?(?:patch|patches|patchset|series))?", re.IGNORECASE | re.DOTALL)
_SAYS_SO = re.compile(
    r"\b(?:(?:does|do|did|could|can|would)(?: not|n't)|cannot|failed to|fails to|failure to|unable to)"
    r" (?:be )?(?:cleanly )?appl(?:y|ied)\b"
    r"|\bapply(?:ing)?(?: (?:the )?(?:patch|patches|patchset|series))? (?:failed|failure|fails|error|errors|issues)\b"
    r"|\b(?:patch failed at|not applied|merge conflicts?)\b",
    re.IGNORECASE,
)


def could_not_apply(check: Check) -> bool:
    """Return whether a *check* says that the patch did not apply, which is no finding about the patch itself."""
    if check.state not in {CheckState.FAIL, CheckState.WARNING}:
        return False
    description = " ".join(check.description[:_MAX].replace("’", "'").split())
    return _CONTEXT.fullmatch(check.context) is not None or _SAYS_SO.search(description) is not None
