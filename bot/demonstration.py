"""Implements `patchbot demo`: the bot between a sample Patchwork and a room in the terminal, or the sample alone."""

import asyncio
import itertools
import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TextIO

from bot.app import assembled, known_rooms
from bot.clock import Clock, SystemClock, VirtualClock
from bot.demo import play
from bot.demo.room import FileRoom
from bot.errors import UserError
from bot.sample_patchwork.data import PROJECT, arrivals, history
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import serve
from bot.sample_patchwork.week import quiet_days, week

SECONDS_BETWEEN = 15.0  # in the week: what touches migration/ comes within a minute
QUIET_SECONDS_BETWEEN = 600.0
BASELINE_SECONDS = 2.0  # a poll may take several requests; what arrives between them would be old to the bot


async def happen(sample: SamplePatchwork, say: Callable[[str], object]) -> None:
    """Play the week once somebody polls for the second time, because the first poll sets the baseline; then go on."""
    await _watched(sample)
    await asyncio.sleep(BASELINE_SECONDS)
    for event in week():
        event.step(sample)
        say(event.text)
        await asyncio.sleep(SECONDS_BETWEEN)
    say(f"The week is over; from now on, something happens every {QUIET_SECONDS_BETWEEN / 60:g} minutes.")
    for event in quiet_days():
        await asyncio.sleep(QUIET_SECONDS_BETWEEN)
        event.step(sample)
        say(event.text)
    await asyncio.Event().wait()  # it still serves


async def _watched(sample: SamplePatchwork) -> None:
    """Return at the second request for events."""
    watched, looks = asyncio.Event(), itertools.count(1)

    def note(path: str) -> None:
        if "/events/" in path and next(looks) == 2:
            watched.set()

    sample.fault = note
    await watched.wait()


async def run_demo(recorded: Sequence[Path], typed: play.LineSource | None, out: TextIO) -> None:
    """Run the demo, as plain text on *out* without delays, or live in the terminal if *typed* is None.

    The *recorded* patches arrive first.

    Raises:
        UserError: a recorded patch cannot be read.
    """
    answers = [play.recorded_patch(path) for path in recorded]
    posted: list[play.Step] = [partial(_arrive, *pair) for pair in zip(answers, recorded, strict=True)]
    happens = [*posted, *arrivals()]
    passing = VirtualClock(datetime.now(UTC) - play.minutes_of(happens))
    clock: Clock = passing if typed else SystemClock()
    sample = SamplePatchwork(clock)
    for server, steps in ((SamplePatchwork(clock), [*history(), *posted]), (sample, [*history()])):
        for step in steps:  # the first run is a rehearsal, which reports invalid patches before anything is shown
            step(server)
    projects = list(dict.fromkeys([PROJECT, *map(play.project_of, answers)]))
    with tempfile.TemporaryDirectory(prefix="patchbot-demo-") as name:
        folder = Path(name)
        room = FileRoom(folder / "room.jsonl", clock)
        async with serve(sample) as url:
            settings = play.settings(url, folder, projects)
            rooms = known_rooms(settings, {play.ROOM})
            async with assembled(settings, room, clock, rooms) as bot:
                stage = play.Stage(sample, room, happens)
                await (play.play_plain(bot, stage, passing, typed, out) if typed else play.play_live(bot, stage))


async def run_sample(port: int, say: Callable[[str], object]) -> None:
    """Serve a sample Patchwork on *port* of this machine until cancelled; *say* receives a line for each arrival.

    Raises:
        UserError: the port cannot be used.
    """
    sample = SamplePatchwork(SystemClock())
    for step in history():
        step(sample)
    try:
        async with serve(sample, port=port) as url:
            say(play.invitation(url))
            await happen(sample, say)
    except OSError as error:
        raise UserError(f"--serve: cannot listen on port {port}: {os.strerror(error.errno or 0)}") from error


def _arrive(answer: dict[str, object], path: Path, sample: SamplePatchwork) -> None:
    try:
        sample.add_recorded(answer)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
