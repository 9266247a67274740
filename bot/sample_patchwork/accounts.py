"""Accounts of the sample Patchwork: their API tokens, and what each may change.

As Django REST framework and Patchwork 2.1 to 3.3 do it: a wrong token is answered with 403 (never 401), even where
nobody needs one.
"""

import secrets
from dataclasses import dataclass, field

from bot.sample_patchwork.records import PatchRecord
from bot.sample_patchwork.tables import Snapshot

_TOKEN_BYTES = 20


@dataclass
class Accounts:
    """The tokens of accounts by token, the inactive accounts, and the accounts of senders of mails by person.

    The id of a profile is *profiles_ahead* more than that of its user; both count up by themselves on a real server.
    """

    tokens: dict[str, int] = field(default_factory=dict)
    inactive: set[int] = field(default_factory=set)
    owners: dict[int, int] = field(default_factory=dict)
    profiles_ahead: int = 0

    def new_token(self, user: int) -> str:
        """Return a new token of 40 hex digits."""
        token = secrets.token_hex(_TOKEN_BYTES)
        self.tokens[token] = user
        return token

    def revoke(self, user: int) -> None:
        """Make all tokens of a user invalid."""
        self.tokens = {token: owner for token, owner in self.tokens.items() if owner != user}

    def identify(self, authorization: str | None) -> int | str | None:
        """Return the user of an Authorization header, the text of a refusal, or None for anonymous requests.

        Other schemes than Token are ignored.
        """
        words = (authorization or "").split()
        if not words or words[0].lower() != "token":
            return None
        if len(words) == 1:
            return "Invalid token header. No credentials provided."
        if len(words) > 2:
            return "Invalid token header. Token string should not contain spaces."
        user = self.tokens.get(words[1])
        if user is None:
            return "Invalid token."
        return "User inactive or deleted." if user in self.inactive else user

    def may_write(self, user: int | None, patch: PatchRecord, rows: Snapshot) -> bool:
        """Return whether *user* may change a patch: its submitter, its delegate, and the project's maintainers."""
        if user is None:
            return False
        own = user in (self.owners.get(patch.submitter), patch.delegate)
        return own or user in rows.projects[patch.project].maintainers
