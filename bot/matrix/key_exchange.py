"""Requests for devices and their keys, and delivery of keys to devices.

A refused request is divided until the user or device at fault is known, which is then left out for a while. If the
homeserver refuses even an empty request, no user is at fault, and the message that needs the keys waits.
"""

import secrets
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ParamSpec, Protocol, TypeVar

from bot.errors import Permanent, Temporary
from bot.ids import DeviceId, UserId
from bot.matrix import requests
from bot.matrix.crypto.device_lists import Marks
from bot.matrix.crypto.devices import DeviceKeys, is_user
from bot.matrix.crypto.key_sharing import AT_ONCE, ToDeviceMessages
from bot.matrix.crypto.machine import CryptoMachine
from bot.matrix.identity import Ask
from bot.matrix.model import Content
from bot.matrix.requests import MatrixRequest

USERS_AT_ONCE = 250  # in one request
USERS_A_STEP = 500  # in one step of the machine, so that other steps do not wait long
DEVICES_A_STEP = 200
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Step(Protocol):
    """A function that runs a step of the crypto machine while no other step runs."""

    async def __call__(self, step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run *step* and return its result."""


class KeyExchange:
    """Requests for other users' keys, one after the other."""

    def __init__(self, ask: Ask, step: Step) -> None:
        self._ask = ask
        self._step = step

    async def fetch_devices(self, machine: CryptoMachine, users: Collection[UserId]) -> None:
        """Fetch the devices of *users*, and start an Olm session with each that allows one.

        Raises:
            Temporary: the homeserver cannot be reached now.
        """
        sound = tuple(user for user in users if is_user(user))
        marks: dict[UserId, int] = {}
        for portion in _portions(sound, USERS_A_STEP):
            marks |= await self._step(machine.to_query, portion)
        for portion in _portions(tuple(marks), USERS_AT_ONCE):
            await self._query(machine, portion, marks)
        devices: list[DeviceKeys] = []
        for portion in _portions(sound, USERS_A_STEP):
            devices += await self._step(machine.to_claim, portion)
        await self.claim(machine, devices)

    async def _query(self, machine: CryptoMachine, users: Sequence[UserId], marks: Marks) -> None:
        async def learn(requested: Sequence[UserId], answer: Content) -> None:
            for portion in _by_devices(requested, answer):
                await self._step(machine.learn_devices, answer, {user: marks[user] for user in portion})

        for user, error in await self._divided(users, requests.query_keys, learn):
            await self._step(machine.put_off, [user], str(error))

    async def claim(self, machine: CryptoMachine, devices: Sequence[DeviceKeys]) -> None:
        """Start Olm sessions with *devices*. Raises `Temporary`."""

        async def begin(portion: Sequence[DeviceKeys], answer: Content) -> None:
            await self._step(machine.begin, answer, portion)

        for portion in _portions(devices, AT_ONCE):
            for device, error in await self._divided(portion, _claim_of, begin):
                await self._step(machine.put_off, [device], str(error))

    async def deliver(self, machine: CryptoMachine, messages: ToDeviceMessages) -> ToDeviceMessages:
        """Send *messages*, and return the part that the homeserver accepted. Raises `Temporary`."""
        delivered: list[DeviceKeys] = []

        async def note(devices: Sequence[DeviceKeys], _: Content) -> None:
            delivered.extend(devices)

        def request_of(devices: Sequence[DeviceKeys]) -> MatrixRequest:
            return requests.send_to_devices(messages.type, secrets.token_hex(16), messages.for_devices(devices))

        if messages.devices:
            for device, error in await self._divided(messages.devices, request_of, note):
                await self._step(machine.put_off, [device], str(error))
        return replace(messages, devices=tuple(delivered))

    async def _divided(
        self,
        whole: Sequence[_T],
        request_of: Callable[[Sequence[_T]], MatrixRequest],
        take: Callable[[Sequence[_T], Content], Awaitable[None]],
    ) -> list[tuple[_T, Permanent]]:
        """Request *whole*, in parts if it is refused, and pass each response to *take*; return the refused items.

        Raises:
            Temporary: the homeserver cannot be reached now, or refuses every request.
        """
        parts, refused = [whole], list[tuple[_T, Permanent]]()
        is_willing = False
        while parts:
            part = parts.pop()
            try:
                answer = await self._ask(request_of(part))
            except Permanent as error:
                is_willing = is_willing or await self._would_take(request_of(()))
                if len(part) == 1:
                    refused.append((part[0], error))
                else:
                    parts += [part[len(part) // 2 :], part[: len(part) // 2]]
            else:
                await take(part, answer)
        return refused

    async def _would_take(self, request: MatrixRequest) -> bool:
        """Return whether the homeserver accepts an empty request. Raises `Temporary` if it does not."""
        try:
            await self._ask(request)
        except Permanent as error:
            raise Temporary(f"the homeserver refuses to exchange keys: {error}") from error
        return True


def _claim_of(devices: Sequence[DeviceKeys]) -> MatrixRequest:
    names: dict[UserId, list[DeviceId]] = {}
    for device in devices:
        names.setdefault(device.user, []).append(device.id)
    return requests.claim_keys(names)


def _portions(whole: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (whole[start : start + size] for start in range(0, len(whole), size))


def _by_devices(users: Sequence[UserId], answer: Content) -> Iterator[Sequence[UserId]]:
    """Return *users* in groups that have a few hundred devices each in *answer*."""
    listed = answer.get("device_keys")
    portion: list[UserId] = []
    devices = 0
    for user in users:
        devices_listed = listed.get(user) if isinstance(listed, Mapping) else None
        portion.append(user)
        devices += 1 + (len(devices_listed) if isinstance(devices_listed, Mapping) else 0)
        if devices >= DEVICES_A_STEP:
            yield portion
            portion, devices = [], 0
    if portion:
        yield portion
