"""Requests to a Patchwork server in a person's name, with the person's own API token.

What Patchwork answers (measured on 2.1.6, 2.2.6, 3.1.3 and main): a wrong token is 403 "Invalid token." (never 401),
the missing right to change a patch 403 "You do not have permission to perform this action.", an invalid value 400 with
the reasons by field. A delegate is written as the id of a user; the ids in a project's list of maintainers are those of
profiles and may be another user's, so users are looked up in their own list, which needs a token. No version tells
whose a token is; but only the owner sees the settings of an account (since API 1.2), and is offered to PUT it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from bot.errors import Permanent
from bot.ids import PatchId
from bot.json_reader import read_json
from bot.patchwork.client import PatchworkClient, PersonalRequest
from bot.patchwork.model import Patch
from bot.patchwork.response_rows import Garbled, Params, read_row, read_rows
from bot.patchwork.responses import PatchworkResponse, judge
from bot.patchwork.tokens import ApiToken
from bot.patchwork.wire import Id, Line, PatchRow
from bot.text import one_line

_MAX_REASON = 500
_JSON = "application/json"
_REFUSALS = frozenset({400, 401, 403, 404, 405, 409, 415})
_OF_TOKENS = ("token", "credentials", "inactive", "deleted", "not authenticated")


class Refused(Permanent):
    """The server's own refusal of a request; *status* is that of HTTP, *reason* the server's text."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP {status}: {reason}")
        self.status = status
        self.reason = reason


class TokenRefused(Refused):
    """The server's refusal of the token itself."""


class UserRow(BaseModel):
    """An account of a Patchwork server."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    id: Id
    username: Line
    email: Line = ""


class _UserDetail(UserRow):
    settings: object = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account on a Patchwork server; *email* is "" if it is not told."""

    id: int
    name: str
    email: str = ""


class PersonalApi:
    """The API of one server as a person uses it; *client* is that of commands."""

    def __init__(self, client: PatchworkClient, token: ApiToken) -> None:
        self._client = client
        self._token = token

    async def check(self) -> None:
        """Check that the server accepts the token.

        Raises:
            TokenRefused: it does not.
            Temporary: it cannot be asked now.
            Permanent: it cannot be asked safely.
        """
        try:
            read_rows(UserRow, await self._answer("GET", "users/", [("per_page", "1")]))
        except Refused as error:
            raise TokenRefused(error.status, error.reason) from None

    async def accounts(self, words: str) -> tuple[Account, ...]:
        """Return the accounts whose name or address contains *words*. Raises as `change` does."""
        rows = read_rows(UserRow, await self._answer("GET", "users/", [("q", words), ("per_page", "100")])).rows
        return tuple(Account(row.id, row.username, row.email) for row in rows)

    async def is_own(self, account: int) -> bool:
        """Return whether the token belongs to an account. Raises as `change` does."""
        path = f"users/{account}/"
        if self._client.version >= "1.2":
            row = read_row(_UserDetail, await self._answer("GET", path))
            return row.id == account and row.settings is not None
        told = read_json(await self._answer("OPTIONS", path))
        actions = told.get("actions") if isinstance(told, dict) else None
        return isinstance(actions, dict) and "PUT" in actions

    async def change(self, patch: PatchId, fields: Mapping[str, str | int | bool | None]) -> Patch:
        """Change a patch, and return it as the server shows it then, without its diff.

        Raises:
            TokenRefused: the server does not accept the token.
            Refused: it does not do what was asked; nothing was changed.
            Temporary: it is unknown whether it did.
            Permanent: it cannot be asked safely; nothing was changed.
        """
        body = json.dumps(dict(fields)).encode()
        row = read_row(PatchRow, await self._answer("PATCH", f"patches/{patch}/", body=body))
        if row.id != patch:
            raise Garbled(f"answered about patch {row.id} where {patch} was changed")
        return row.model()

    async def _answer(self, method: str, path: str, params: Params = (), body: bytes | None = None) -> bytes:
        """Return the body of a successful response."""
        answer = await self._client.send(PersonalRequest(method, path, self._token, params, body))
        if (reason := _own_reason(answer)) is not None:
            is_of_token = answer.status in {401, 403} and any(word in reason.lower() for word in _OF_TOKENS)
            raise (TokenRefused if is_of_token else Refused)(answer.status, reason)
        judge(answer, _JSON)
        return answer.body


def _own_reason(answer: PatchworkResponse) -> str | None:
    """Return the server's own reason for a refusal in one line; None if it did not refuse by itself."""
    if answer.status not in _REFUSALS or answer.content_type != _JSON:
        return None
    try:
        told = read_json(answer.body)
    except ValueError:
        return None
    texts = list(_texts(told))
    return one_line(" ".join(texts), _MAX_REASON) if texts else None


def _texts(told: object) -> list[str]:
    """Return the texts in an error of Django REST framework: a "detail", or lists of reasons by field."""
    if isinstance(told, str):
        return [told]
    if isinstance(told, list):
        return [text for each in told for text in _texts(each)]
    return [text for each in told.values() for text in _texts(each)] if isinstance(told, dict) else []
