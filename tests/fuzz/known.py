"""Findings that have an issue and no cure yet: the short run passes over them, `make fuzz` shows them.

Whoever mends one takes its line out here.
"""

import re
from collections.abc import Mapping
from typing import Final

from run import Finding

KNOWN: Final[Mapping[str, str]] = {
    "a value that is too deep, or a number that is too long, fails a whole sync": r"answer is not JSON",
    "it fails what a sync has asked for": r"^(messages|state|join|device|one-time key)/.*(nested|over all digits)",
    "it fails a list of a Patchwork server": r"not a list: (maximum recursion|Exceeds the limit)",
    "an id with a lone surrogate ends the session": r"lone surrogate at .*UnicodeEncodeError at bot/store/",
    "a device whose ratchet key is refused": r"^ratchet key/.*OlmEncryptionException",
}


def is_known(finding: Finding) -> bool:
    """Whether one of them explains *finding*."""
    return any(re.search(pattern, str(finding)) for pattern in KNOWN.values())
