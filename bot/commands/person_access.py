"""A person's access to Patchwork servers, by the tokens that the bot was given."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from bot.commands.act_words import nearest
from bot.commands.servers import LookupServer
from bot.errors import TransportError, UserError
from bot.ids import ServerName, UserId
from bot.patchwork.personal import Account, PersonalApi
from bot.patchwork.tokens import ApiToken
from bot.store.store import Store
from bot.store.token_book import StoredToken
from bot.store.vault import TokenLost

_MOST_CANDIDATES = 20
_LOOK_SECONDS = 20.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PersonAccess:
    """A person's access to one server; *account* is None if it is unknown whose the token is there."""

    place: LookupServer
    personal: PersonalApi
    account: Account | None


class PersonAccesses:
    """The access of people to the servers *places*."""

    def __init__(self, store: Store, places: Sequence[LookupServer]) -> None:
        self._store = store
        self._places = {place.name.lower(): place for place in places}

    def place(self, name: str) -> LookupServer:
        """Return the server with this name, in any case.

        Raises:
            UserError: there is none; the text has the names of all.
        """
        place = self._places.get(name.lower())
        if place is None:
            names = [place.name for place in self._places.values()]
            guess = nearest(name, names)
            meant = f" Did you mean {guess}?" if guess else ""
            raise UserError(f"There is no server “{name[:60]}” here.{meant}\nWatched: {', '.join(names)}.")
        return place

    @property
    def only_place(self) -> LookupServer | None:
        """The only server; None if there are several."""
        places = list(self._places.values())
        return places[0] if len(places) == 1 else None

    async def of(self, person: UserId, place: LookupServer) -> PersonAccess | None:
        """Return the access of a person to a server; None without a token, or if it cannot be decrypted any more."""
        async with self._store.reading() as tx:
            stored = await tx.tokens.get(person, place.name)
        if stored is None:
            return None
        try:
            token = self._store.vault.open(stored.sealed, purpose_of(person, place.name))
        except TokenLost:
            _log.warning("token.unreadable", server=place.name, person=person)
            return None
        return PersonAccess(place, place.api.personal(token), _account(stored))

    async def user(self, access: PersonAccess, spelled: str, projects: Iterable[str]) -> Account:
        """Return the account with a name or address on the server of *access*.

        Raises:
            UserError: there is none, or the server cannot be asked; near names are those of maintainers of *projects*.
        """
        name, place = spelled.strip(), access.place
        try:
            found = await access.personal.accounts(name)
        except TransportError as error:
            raise UserError(
                f"{place.name} cannot be asked for “{name[:60]}” ({error}). Nothing was changed."
            ) from error
        account = _named(found, name)
        if account is None:
            guess = nearest(name, await _maintainers(place, projects))
            meant = f" Did you mean {guess}?" if guess else ""
            raise UserError(f"{place.name} has no account “{name[:60]}”.{meant} Nothing was changed.")
        return account

    async def learn(self, person: UserId, access: PersonAccess, account: Account) -> bool:
        """Note that the token of *access* belongs to *account*, if the server says so, and return whether it does."""
        try:
            is_own = await access.personal.is_own(account.id)
        except TransportError:
            return False
        if is_own:
            async with self._store.transaction() as tx:
                await tx.tokens.set_account(person, access.place.name, account.name, account.id)
        return is_own

    async def owner(self, person: UserId, place: LookupServer, token: ApiToken) -> Account | None:
        """Return whose account a token belongs to; None if that cannot be found out.

        No server tells it, but each confirms a guess. Guesses are the person's addresses and name, and the maintainers.
        """
        personal = place.api.personal(token)
        async with self._store.reading() as tx:
            addresses = await tx.subscriptions.addresses(person)
        guesses = [*addresses, person.removeprefix("@").partition(":")[0], *await _maintainers(place, place.projects)]
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                for guess in list(dict.fromkeys(guesses))[:_MOST_CANDIDATES]:
                    account = _named(await personal.accounts(guess), guess)
                    if account is not None and await personal.is_own(account.id):
                        return account
        except (TransportError, TimeoutError) as error:
            _log.info("token.owner_unknown", server=place.name, person=person, reason=str(error) or "timeout")
        return None


def purpose_of(person: UserId, server: ServerName) -> str:
    """Return what the token of a person for a server is sealed for."""
    return f"token {server} {person}"


def _account(stored: StoredToken) -> Account | None:
    if stored.account is None or stored.account_id is None:
        return None
    return Account(stored.account_id, stored.account)


def _named(found: Sequence[Account], name: str) -> Account | None:
    """Return the account with exactly this name, or else the only one with it in another case, or as its address."""
    exact = [account for account in found if account.name == name]
    alike = [account for account in found if name.lower() in (account.name.lower(), account.email.lower())]
    return exact[0] if exact else alike[0] if len(alike) == 1 else None


async def _maintainers(place: LookupServer, projects: Iterable[str]) -> list[str]:
    names: dict[str, None] = {}
    for project in projects:
        try:
            names |= dict.fromkeys(await place.api.maintainers(project))
        except TransportError:
            continue
    return list(names)
