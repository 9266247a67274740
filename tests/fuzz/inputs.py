"""What an input is, to whoever runs it."""

from dataclasses import dataclass
from typing import Protocol

from mutations import Mutation
from world import Check, World


@dataclass(frozen=True, slots=True)
class Name:
    """Which input it is: what *family*, of which recording, and what was made wrong in it.

    *field* is the same for the same field of all recordings.
    """

    family: str
    recording: int
    field: str
    mutation: Mutation

    def __str__(self) -> str:
        """Enough to make it again: the arguments of `run.py`."""
        return f"{self.family}/{self.recording}: {self.mutation}"


class Input(Protocol):
    """One input, mutated."""

    @property
    def name(self) -> Name:
        """Which it is."""

    async def happen(self, world: World, check: Check, /) -> None:
        """Let the bot meet it; *check* gets what is wanted in the same breath."""

    def heal(self, world: World) -> None:
        """Take it back."""


async def outcome(world: World, given: Input) -> list[str]:
    """What went wrong with an input and with the ordinary things right behind it."""
    check = Check()
    await given.happen(world, check)
    world.follow_up(check, sealed=given.name.family in ENCRYPTED)
    failures = await world.failures(check)
    given.heal(world)
    return failures


# Families after which an encrypted command must be read, and its answer be readable.
ENCRYPTED = frozenset(
    {"device", "one-time key", "to-device", "room key", "encrypted event", "sealed event", "ratchet key"}
)
