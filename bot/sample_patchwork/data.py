"""Defines the sample server's history before the bot starts, and the events while it watches."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeAlias

from bot.sample_patchwork.mail import NewSeries
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.sample_patchwork.series import (
    BOARDS,
    BRUNO,
    CHIYO,
    DOCS,
    EMIL,
    MOVE_TESTS,
    MULTIFD_RFC,
    NBD,
    PCI_LEAK,
    PULL,
    PULL_NAME,
    PULL_URL,
    switchover,
)

PROJECT = "qemu-devel"

Step: TypeAlias = Callable[[SamplePatchwork], object]


def history() -> Iterator[Step]:
    """Yield the steps that fill the project with patches that a bot starting now considers old."""
    yield lambda server: server.add_project(PROJECT, "QEMU Development")
    yield lambda server: server.post_series(PROJECT, DOCS, age=timedelta(days=9))
    yield lambda server: server.post_series(PROJECT, switchover(1), age=timedelta(days=6))
    yield lambda server: server.post_series(PROJECT, PCI_LEAK, age=timedelta(days=2))
    yield _review_the_first_version


def arrivals() -> Iterator[Step]:
    """Yield the steps while the bot watches, in order: series of all kinds, then changes to them."""
    for series in (NBD, switchover(2), MULTIFD_RFC, BOARDS):
        yield _posting(series)
    yield post_the_pull_request
    yield _posting(MOVE_TESTS)
    yield _supersede_the_first_version
    yield _check_the_second_version
    yield _review_the_second_version
    yield lambda server: server.set_state(_patch(server, NBD.name), "accepted", "emil")
    yield _accept_the_second_version


def _posting(series: NewSeries) -> Step:
    return lambda server: server.post_series(PROJECT, series)


def _review_the_first_version(server: SamplePatchwork) -> None:
    last = _switchover(server, 1)[-1]
    server.add_comment(last, "Printing it helps nobody who uses QMP. Can you keep it?\n", submitter=BRUNO)
    server.set_state(last, "changes-requested", "bruno")
    server.set_state(_patch(server, PCI_LEAK.name), "accepted", "emil")


def post_the_pull_request(server: SamplePatchwork) -> None:
    """Post a pull request, and its patches in reply to it."""
    patch = server.post_pull_request(PROJECT, PULL_NAME, PULL_URL, patches=len(PULL.patches), submitter=EMIL)
    server.post_series(PROJECT, PULL.replying_to(server.rows.patches[patch].msgid))


def _supersede_the_first_version(server: SamplePatchwork) -> None:
    for patch in _switchover(server, 1):
        server.set_state(patch, "superseded", "bruno")


def _check_the_second_version(server: SamplePatchwork) -> None:
    first, second, third = _switchover(server, 2)
    server.add_check(first, NewCheck("success", "checkpatch", "no problem found"))
    server.add_check(second, NewCheck("success", "checkpatch", "no problem found"))
    server.add_check(third, NewCheck("warning", "checkpatch", "line over 80 characters"))


def _review_the_second_version(server: SamplePatchwork) -> None:
    first, _, third = _switchover(server, 2)
    server.add_comment(first, f"Thanks, this is what I meant.\n\nAcked-by: {CHIYO}\n", submitter=CHIYO)
    server.add_comment(third, f"Reviewed-by: {BRUNO}\nTested-by: {BRUNO}\n", submitter=BRUNO)
    for patch in _switchover(server, 2):
        server.set_delegate(patch, "bruno", "bruno")
        server.set_state(patch, "under-review", "bruno")


def _accept_the_second_version(server: SamplePatchwork) -> None:
    for patch in _switchover(server, 2):
        server.set_state(patch, "accepted", "bruno")


def _switchover(server: SamplePatchwork, version: int) -> list[int]:
    wanted = switchover(version)
    for series in server.rows.series.values():
        if (series.name, series.version) == (wanted.name, version):
            return [patch.id for patch in server.rows.patches_of(series.id)]
    raise LookupError(wanted.name)


def _patch(server: SamplePatchwork, name: str) -> int:
    return next(patch.id for patch in server.rows.patches.values() if patch.name == name)
