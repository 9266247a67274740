"""Defines what happens on the sample server while another bot watches it: a week of a list, and quiet days after it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TypeAlias

from bot.sample_patchwork import data
from bot.sample_patchwork.data import PROJECT, Step
from bot.sample_patchwork.diffs import Hunk, git_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries, read_subject
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.sample_patchwork.series import (
    ADA,
    BOARDS,
    BRUNO,
    CHIYO,
    DANA,
    EMIL,
    LIST,
    MIGRATION_CC,
    MOVE_TESTS,
    MULTIFD_RFC,
    NBD,
    switchover,
)


@dataclass(frozen=True, slots=True)
class SampleEvent:
    """Something that happens on the sample server, with its description for whoever runs it."""

    text: str
    step: Step


_Events: TypeAlias = Iterator[SampleEvent]

# A file, and a function in it
_MIGRATION = (
    ("migration/ram.c", "ram_save_host_page"),
    ("migration/postcopy-ram.c", "postcopy_ram_incoming_init"),
    ("migration/rdma.c", "qemu_rdma_block_for_wrid"),
    ("migration/options.c", "migrate_params_check"),
    ("migration/dirtyrate.c", "calculate_dirtyrate"),
    ("migration/channel.c", "migration_channel_connect"),
    ("migration/colo.c", "colo_process_checkpoint"),
    ("migration/qemu-file.c", "qemu_file_shutdown"),
    ("migration/tls.c", "migration_tls_get_creds"),
    ("migration/vmstate.c", "vmstate_load_state"),
    ("migration/block-dirty-bitmap.c", "dirty_bitmap_load_header"),
    ("migration/page_cache.c", "cache_init"),
)
_ELSEWHERE = (
    ("hw/net/e1000.c", "e1000_send_packet"),
    ("block/qcow2.c", "qcow2_co_truncate"),
    ("ui/vnc.c", "vnc_client_read"),
    ("net/tap.c", "tap_receive_iov"),
    ("hw/scsi/megasas.c", "megasas_init_firmware"),
    ("target/riscv/cpu.c", "riscv_cpu_realize"),
    ("audio/alsaaudio.c", "alsa_init_out"),
    ("hw/usb/hcd-xhci.c", "xhci_ring_fetch"),
    ("linux-user/syscall.c", "do_sendrecvmsg"),
    ("hw/display/virtio-gpu.c", "virtio_gpu_ctrl_response"),
    ("util/iov.c", "iov_send_recv"),
    ("chardev/char-socket.c", "tcp_chr_accept"),
)
# What is done there, the reason, and the line before and after
_FIXES = (
    ("Free the buffer on every path", "An early return leaks it.", "char *buf = NULL;", "g_autofree char *buf = NULL;"),
    (
        "Check the length before the copy",
        "The length comes from the guest.",
        "memcpy(dst, src, len);",
        "memcpy(dst, src, MIN(len, sizeof(dst)));",
    ),
    (
        "Report the cause of a failure",
        "Nobody can tell what went wrong.",
        'error_setg(errp, "failed");',
        'error_setg_errno(errp, -ret, "failed");',
    ),
    ("Initialize the return value", "Compilers warn of it.", "int ret;", "int ret = 0;"),
    ("Use a bool for a flag", "It is never counted.", "int done = 0;", "bool done = false;"),
    ("Do not wait for ever", "A peer that hangs blocks the main loop.", "timeout = -1;", "timeout = 5000;"),
)
_PEOPLE = (ADA, BRUNO, CHIYO, DANA, EMIL)


def small_patch(where: tuple[str, str], fix: int, version: int = 1) -> NewSeries:
    """Return a single patch that changes a line of a function; each file has six of them, *fix* is 0 to 5."""
    number = (_MIGRATION + _ELSEWHERE).index(where)
    (path, function), (what, why, before, after) = where, _FIXES[(number + fix) % len(_FIXES)]
    area = path.removesuffix(".c")
    author = _PEOPLE[(number + fix) % len(_PEOPLE)]
    comment = "+    /* see docs/devel/style.rst */\n" if version > 1 else ""
    lines = f" {{\n{comment}-    {before}\n+    {after}\n\n     trace_{function}();\n"
    title = f"{area}: {what}"
    content = f"{why}\n\nSigned-off-by: {author}\n---\n" + ("v2: add a comment\n" if version > 1 else "")
    diff = git_diff(path, Hunk(100 + 7 * number + 40 * fix, lines, f"static int {function}(void)"))
    return NewSeries(
        name=title,
        version=version,
        cover=False,
        submitter=author,
        to=(LIST,),
        cc=MIGRATION_CC if where in _MIGRATION else (),
        patches=(NewPatch(title, diff, content),),
    )


def _multifd_again() -> NewSeries:
    """Return the second version of the RFC, of which one patch changed."""
    first, second = MULTIFD_RFC.patches
    diff = second.diff.replace("return -ENOTSUP;", "return multifd_send_prepare_common(p) ? 0 : -ENOTSUP;")
    letter = "Any codec may refuse a page now.\n\nv2: prepare the packet even if it is not compressed (Ada)\n"
    return replace(MULTIFD_RFC, version=2, cover_letter=letter, patches=(first, replace(second, diff=diff)))


def week() -> _Events:
    """Yield a week of the list, in order; something new touches migration/ in every third event at least."""
    for day, events in zip(_DAYS, (_monday, _tuesday, _wednesday, _thursday, _friday, _saturday, _sunday), strict=True):
        yield from (replace(event, text=f"{day}: {event.text}") for event in events())


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def quiet_days() -> _Events:
    """Yield what happens after the week: a small patch, its review and its end, then the next, until all were sent."""
    for fix in range(1, len(_FIXES) - 1):
        for where in (where for pair in zip(_MIGRATION, _ELSEWHERE, strict=True) for where in pair):
            series = small_patch(where, fix)
            reviewer = next(person for person in _PEOPLE if person != series.submitter)
            yield _new(series)
            yield _comment(series, f"Reviewed-by: {reviewer}\n", reviewer)
            yield _state(series, "accepted")


_SMALL = [small_patch(where, 0) for where in _MIGRATION]
_OTHER = [small_patch(where, 0) for where in _ELSEWHERE]
_V2, _RFC_2, _FIXED = switchover(2), _multifd_again(), small_patch(_MIGRATION[2], 0, version=2)


def _monday() -> _Events:
    yield _new(NBD)
    yield _new(_V2)
    yield _state(switchover(1), "superseded", *_all(3))
    yield _new(_SMALL[0])
    yield _check(_V2, "success", "checkpatch", 0, 1)
    yield _check(_V2, "warning", "checkpatch", 2)
    yield _new(MULTIFD_RFC)


def _tuesday() -> _Events:
    yield _new(BOARDS)
    yield _comment(_V2, f"Thanks, this is what I meant.\n\nAcked-by: {CHIYO}\n", CHIYO)
    yield _new(_SMALL[1])
    yield _comment(_V2, f"Reviewed-by: {BRUNO}\nTested-by: {BRUNO}\n", BRUNO, 2)
    yield _state(_V2, "under-review", *_all(3))
    yield _new(_SMALL[2])
    yield _comment(MULTIFD_RFC, "Why is the packet not prepared before the codec refuses it?\n", ADA, 1)


def _wednesday() -> _Events:
    yield SampleEvent("a pull request arrives", data.post_the_pull_request)
    yield _new(_SMALL[3])
    yield _new(MOVE_TESTS)
    yield _check(_SMALL[2], "fail", "build_32bit")
    yield _new(_SMALL[4])
    yield _comment(_SMALL[1], f"Reviewed-by: {ADA}\n", ADA)


def _thursday() -> _Events:
    yield _state(NBD, "accepted")
    yield _new(_RFC_2)
    yield _state(MULTIFD_RFC, "superseded", *_all(2))
    yield _new(_OTHER[0])
    yield _new(_SMALL[5])
    yield _state(_V2, "accepted", *_all(3))


def _friday() -> _Events:
    yield _comment(BOARDS, f"Acked-by: {BRUNO}\n", BRUNO)
    yield _new(_FIXED)
    yield _state(_SMALL[2], "superseded")
    yield _check(_FIXED, "success", "build_32bit")
    yield _new(_SMALL[6])
    yield _comment(_SMALL[5], "Is there a test for this?\n", EMIL)


def _saturday() -> _Events:
    yield _state(_SMALL[5], "changes-requested")
    yield _new(_SMALL[7])
    yield _state(_SMALL[1], "accepted")
    yield _new(_OTHER[1])
    yield _new(_SMALL[8])


def _sunday() -> _Events:
    yield _comment(_FIXED, f"Tested-by: {ADA}\n", ADA)
    yield _new(_SMALL[9])
    yield _state(BOARDS, "accepted", *_all(len(BOARDS.patches)))
    yield SampleEvent(f"an import: {_IMPORTED} patches of a day when the mail server was down", _import)


_IMPORTED = 12  # more than a room shows as single cards


def _import(server: SamplePatchwork) -> None:
    for hours, where in enumerate(_MIGRATION[:_IMPORTED]):
        server.post_series(PROJECT, small_patch(where, len(_FIXES) - 1), age=timedelta(hours=20 - hours))


def _new(series: NewSeries) -> SampleEvent:
    version = f"v{series.version} of " if series.version > 1 else ""
    many = "" if len(series.patches) == 1 else f" ({len(series.patches)} patches)"
    return SampleEvent(f"{version}{series.name}{many} arrives", partial(_post, series))


def _post(series: NewSeries, server: SamplePatchwork) -> None:
    server.post_series(PROJECT, series)


def _comment(series: NewSeries, text: str, author: str, patch: int = 0) -> SampleEvent:
    def step(server: SamplePatchwork) -> None:
        server.add_comment(_patches(server, series)[patch], text, submitter=author)

    return SampleEvent(f"{author.partition(' <')[0]} answers {_short(series)}", step)


def _state(series: NewSeries, state: str, *patches: int) -> SampleEvent:
    def step(server: SamplePatchwork) -> None:
        for patch in patches or (0,):
            server.set_state(_patches(server, series)[patch], state, "bruno")

    return SampleEvent(f"{_short(series)} is now {state}", step)


def _check(series: NewSeries, state: str, context: str, *patches: int) -> SampleEvent:
    def step(server: SamplePatchwork) -> None:
        for patch in patches or (0,):
            server.add_check(_patches(server, series)[patch], NewCheck(state, context, _FINDINGS.get(state, "")))

    return SampleEvent(f"check {context} of {_short(series)}: {state}", step)


_FINDINGS = {"warning": "line over 80 characters", "fail": "1 test failed", "success": "no problem found"}


def _short(series: NewSeries) -> str:
    return f"{series.name} (v{series.version})" if series.version > 1 else series.name


def _all(count: int) -> Sequence[int]:
    return range(count)


def _patches(server: SamplePatchwork, series: NewSeries) -> list[int]:
    """Return the ids of the patches of a series that arrived, in order."""
    for row in reversed(server.rows.series.values()):
        if (read_subject(row.name or "").title, row.version) == (series.name, series.version):
            return [patch.id for patch in server.rows.patches_of(row.id)]
    raise LookupError(series.name)
