"""Answers `me` and `me forget`, which manage a person's mail addresses, the meaning of `is:mine`."""

from bot.commands.answers import subscriptions as answers
from bot.commands.context import ChangeResult, CommandContext, changed, hearing, typed
from bot.commands.request import Answer, CommandRequest
from bot.commands.subscribing import NO_CARD, subscribe
from bot.errors import UserError
from bot.notices.markup import Bullets, Code, Line, Lines, words
from bot.query.parser import parse
from bot.store.store import Transaction

MINE = str(parse("is:mine on:state,check,comment"))
_MOST = 10  # addresses per person
_LONGEST = 254  # characters of an address (RFC 5321)
_ODD = frozenset(' ,;"()<>\\')


class AddressCommands:
    """The commands on a person's mail addresses."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def me(self, request: CommandRequest) -> Answer:
        """List the person's addresses, or add one."""
        _only_direct(request)
        if "address" not in request.call.arguments:
            return await self._listed(request)
        address, person = _address(request), request.message.sender

        async def change(tx: Transaction) -> ChangeResult:
            known = await tx.subscriptions.addresses(person)
            if address in known:
                raise UserError(f"{address} is one of your addresses already; nothing was changed.")
            if len(known) >= _MOST:
                raise UserError(f"You have {_MOST} addresses, which is the limit; nothing was changed.")
            await tx.subscriptions.add_address(person, address)
            await tx.nudges.look_soon(person)
            sentences: list[str | Line] = [f"{address} is now one of your addresses: is:mine matches patches from it."]
            own = await tx.subscriptions.of_owner(request.message.room, person)
            if all(each.query != MINE for each in own):
                new = await subscribe(tx, request, self._context, parse(MINE))
                sentences += [words(f"Subscribed, as {new.id}: ", Code(MINE)), f"Note: {NO_CARD}"]
            document = answers.done(sentences, typed(request, "me", "forget", address))
            return ChangeResult(
                document, await hearing(tx, await tx.subscriptions.of_owner(request.message.room, person))
            )

        return await changed(self._context, request, change)

    async def forget(self, request: CommandRequest) -> Answer:
        """Remove one of the person's addresses."""
        _only_direct(request)
        address, person = _address(request), request.message.sender

        async def change(tx: Transaction) -> ChangeResult:
            if address not in await tx.subscriptions.addresses(person):
                raise UserError(f"{address} is not one of your addresses; nothing was changed.")
            await tx.subscriptions.forget_address(person, address)
            own = await tx.subscriptions.of_owner(request.message.room, person)
            sentences: list[str | Line] = [f"{address} is no longer one of your addresses."]
            if not await tx.subscriptions.addresses(person):
                sentences.append("You have no addresses left, so is:mine matches nothing.")
            return ChangeResult(answers.done(sentences, typed(request, "me", address)), await hearing(tx, own))

        return await changed(self._context, request, change)

    async def _listed(self, request: CommandRequest) -> Answer:
        async with self._context.store.transaction() as tx:
            addresses = await tx.subscriptions.addresses(request.message.sender)
        if not addresses:
            example = typed(request, "me", "jane@example.org")
            return Answer(answers.nothing_yet("You have no addresses. To add one, type for example:", example))
        return Answer(
            (Lines((words("is:mine matches patches from:"),)), Bullets(tuple(words(each) for each in addresses)))
        )


def _only_direct(request: CommandRequest) -> None:
    if not request.direct:
        raise UserError("Your addresses are between you and me: type that in a direct chat.")


def _address(request: CommandRequest) -> str:
    address = request.call.arguments["address"].strip().strip("<>").lower()
    name, _, host = address.partition("@")
    if not name or not host or "@" in host or not address.isprintable() or len(address) > _LONGEST or _ODD & {*address}:
        raise UserError(f"“{address[:100]}” is not a mail address.")
    return address
