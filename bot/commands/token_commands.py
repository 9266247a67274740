"""Answers `token` and `token forget`, by which people give the bot their API tokens, and take them back.

A token is taken only from an encrypted message in a direct chat with nobody else in it. Anywhere else others may have
read it, so the advice is to make a new one. The message is redacted in any case, where the bot may do that. What a
message had in it was taken out before it was stored (`bot.patchwork.tokens`); here it is unsealed, and nowhere else.
"""

from bot.commands.act_commands import OFF, SWITCHED_OFF
from bot.commands.answers.patch import said
from bot.commands.answers.subscriptions import done
from bot.commands.context import typed
from bot.commands.person_access import PersonAccesses, purpose_of
from bot.commands.request import Answer, CommandRequest
from bot.commands.rights import ChatPrivacy
from bot.commands.servers import LookupServer
from bot.errors import TransportError, UserError
from bot.notices.fact_lines import moment
from bot.notices.markup import Bullets, Lines, words
from bot.patchwork.personal import Account, TokenRefused
from bot.patchwork.tokens import MASK, ApiToken
from bot.store.store import Store
from bot.store.token_book import StoredToken
from bot.store.vault import TokenLost

_PUNCTUATION = ".,;:!?()[]<>`*_'\"“”"
_DELETED = "I deleted your message with it."
_TO_DELETE = "Please delete your message with it: I may not do that here."


class TokenCommands:
    """The commands on a person's API tokens; *rooms* is the setting of where patches may be changed."""

    def __init__(self, store: Store, accesses: PersonAccesses, privacy: ChatPrivacy, rooms: str) -> None:
        self._store = store
        self._accesses = accesses
        self._privacy = privacy
        self._rooms = rooms

    async def token(self, request: CommandRequest) -> Answer:
        """List the sender's tokens, or take one."""
        if request.message.sealed is not None:
            return await self._given(request)
        if request.call.arguments.get("token"):
            raise UserError(f"That has no token. {self._usage(request)}")
        return await self._listed(request)

    async def forget(self, request: CommandRequest) -> Answer:
        """Delete the sender's token for a server."""
        name = request.call.arguments["server"].strip(_PUNCTUATION)
        async with self._store.transaction() as tx:
            stored = {token.server.lower(): token for token in await tx.tokens.of(request.message.sender)}
            if name.lower() in stored:
                server = stored[name.lower()].server
                await tx.tokens.forget(request.message.sender, server)
                return Answer(said(f"Your token for {server} is forgotten. To make it invalid, make a new one there."))
        place = self._accesses.place(name)
        raise UserError(f"I have no token of yours for {place.name}.")

    async def _listed(self, request: CommandRequest) -> Answer:
        async with self._store.reading() as tx:
            stored = await tx.tokens.of(request.message.sender)
        if not stored:
            raise UserError(f"I have no token of yours. {self._usage(request)}")
        items = tuple(
            words(f"{each.server}{f', as {each.account}' if each.account else ''}, since {moment(each.given_at)}")
            for each in stored
        )
        return Answer((Lines((words("You gave me tokens for:"),)), Bullets(items)))

    # A token that was given

    async def _given(self, request: CommandRequest) -> Answer:
        """Take a token, or say why not; its message is redacted first."""
        message = request.message
        problem = await self._exposed(request)
        is_redacted = await self._privacy.redact(message.room, message.event)
        about_message = _DELETED if is_redacted else _TO_DELETE
        if problem:
            advice = "Make a new token on your profile page there, which makes this one invalid."
            raise UserError(f"{problem}\n{advice}\nI did not keep it. {about_message}")
        try:
            sentences, undo = await self._taken(request, self._place(request))
        except UserError as error:
            raise UserError(f"{error}\nI did not keep the token. {about_message}") from None
        return Answer(done([*sentences, about_message], undo))

    async def _exposed(self, request: CommandRequest) -> str:
        """Return why others may have read the message; "" if it was private."""
        where = "Tokens are taken only in an encrypted direct chat with me, where nobody else is{}."
        if not request.direct:
            return where.format("; others may have read this one")
        if not request.message.encrypted:
            return where.format(", and this chat is not encrypted")
        try:
            companions = await self._privacy.companions(request.message.room)
        except TransportError:
            return where.format(", and I cannot find out who is in this one")
        return "" if companions == {request.message.sender} else where.format("; somebody else is in this chat")

    def _place(self, request: CommandRequest) -> LookupServer:
        """Return the server that a token was given for.

        Raises:
            UserError: none was named, and there are several.
        """
        typed_words = request.call.arguments.get("token", "").replace(MASK, " ").split()
        names = [word.strip(_PUNCTUATION) for word in typed_words]
        names = [name for name in names if name and name.lower() not in {"token", "for", "is"}]
        if names:
            return self._accesses.place(names[0])
        if (only := self._accesses.only_place) is not None:
            return only
        raise UserError(f"For which server? {self._usage(request)}")

    async def _taken(self, request: CommandRequest, place: LookupServer) -> tuple[list[str], str]:
        """Check a token against its server and store it; return the sentences of the answer, and the undo.

        Raises:
            UserError: it was not stored.
        """
        if self._rooms == OFF:
            raise UserError(SWITCHED_OFF)
        if not place.api.is_private:
            raise UserError(f"{place.name} is not read over https, so I send no token there.")
        token = self._unsealed(request)
        await _see_that_it_is_valid(place, token)
        account = await self._accesses.owner(request.message.sender, place, token)
        await self._keep(request, place, token, account)
        whose = f", as {account.name}" if account else ""
        sentences = [
            f"{place.name} accepts your token{whose}. I keep it encrypted, and use it for what you type alone."
        ]
        if account is None:
            sentences.append("Which account it belongs to I could not find out; “delegate … me” needs that.")
        return sentences, typed(request, "token", "forget", place.name)

    def _unsealed(self, request: CommandRequest) -> ApiToken:
        message = request.message
        try:
            token = self._store.vault.open(message.sealed or "", message.purpose)
        except TokenLost:
            raise UserError("I could not read it. Please type the command again.") from None
        if not token.is_sound:
            raise UserError("That is not a token: it has only letters and digits.")
        return token

    async def _keep(
        self, request: CommandRequest, place: LookupServer, token: ApiToken, account: Account | None
    ) -> None:
        message = request.message
        sealed = self._store.vault.seal(token, purpose_of(message.sender, place.name))
        async with self._store.transaction() as tx:
            stored = StoredToken(message.sender, place.name, sealed, message.room, tx.now)
            if account is not None:
                stored = StoredToken(message.sender, place.name, sealed, message.room, tx.now, account.name, account.id)
            await tx.tokens.put(stored)

    def _usage(self, request: CommandRequest) -> str:
        place = self._accesses.only_place
        server = place.name if place else "SERVER"
        usage = typed(request, "token", server, "TOKEN")
        if not request.direct:
            return f"To give me one, type in an encrypted direct chat with me: token {server} TOKEN"
        return f"To give me one, make it on your profile page on the server, and type here: {usage}"


async def _see_that_it_is_valid(place: LookupServer, token: ApiToken) -> None:
    """Ask the server whether it accepts a token.

    Raises:
        UserError: it does not, or cannot be asked.
    """
    try:
        if not place.api.version:
            await place.api.discover()
        await place.api.personal(token).check()
    except TokenRefused as error:
        raise UserError(f"{place.name} does not accept that token ({error}).") from None
    except TransportError as error:
        raise UserError(f"{place.outage(error)}, so I could not check the token.") from None
