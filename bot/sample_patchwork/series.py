"""Defines the series on the sample server, in the style of qemu-devel, by fictional people."""

from bot.sample_patchwork.diffs import Hunk, git_diff, new_file_diff, rename_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries

LIST = "qemu-devel@example.org"
ADA = "Ada Sample <ada@example.org>"
BRUNO = "Bruno Muster <bruno@example.com>"
CHIYO = "Chiyo Rei <chiyo@example.org>"
DANA = "Dana Voorbeeld <dana@example.com>"
EMIL = "Emil Příklad <emil@example.org>"
MIGRATION_CC = (BRUNO, CHIYO)


def _text(body: str, author: str, *trailers: str) -> str:
    return "\n".join([body.strip(), "", *trailers, f"Signed-off-by: {author}"]) + "\n---\n"


_QAPI = git_diff(
    "qapi/migration.json",
    Hunk(
        214,
        """\
 # @blocked-reasons: A list of reasons an outgoing migration is blocked.
 #     (since 6.0)
 #
+# @switchover-error: Why the last attempt to switch over failed.
+#     (since 10.2)
+#
 # Since: 0.14
 ##
 { 'struct': 'MigrationInfo',
""",
    ),
    Hunk(
        243,
        """\
            '*dirty-limit-throttle-time-per-round': 'uint64',
-           '*dirty-limit-ring-full-time': 'uint64'} }
+           '*dirty-limit-ring-full-time': 'uint64',
+           '*switchover-error': 'str'} }

""",
        "{ 'struct': 'MigrationInfo',",
    ),
)
_REPORT = git_diff(
    "migration/migration.c",
    Hunk(
        1043,
        """\
         info->has_status = true;
         break;
     }
+    if (s->switchover_error) {
+        info->switchover_error = g_strdup(error_get_pretty(s->switchover_error));
+    }
     info->status = state;
 }

""",
        "static void fill_source_migration_info(MigrationInfo *info)",
    ),
)


def _savevm(call: str) -> str:
    return git_diff(
        "migration/savevm.c",
        Hunk(
            1502,
            f"""\
     ret = qemu_savevm_state_complete_precopy_iterable(f, in_postcopy);
     if (ret) {{
+        {call}
         return ret;
     }}

""",
            "int qemu_savevm_state_complete_precopy(QEMUFile *f, bool iterable_only)",
        ),
    )


def switchover(version: int) -> NewSeries:
    """Return three patches for migration/; version 2 stores the error that version 1 only prints."""
    call = 'error_report("switchover failed: %d", ret);'
    if version > 1:
        call = 'migrate_set_switchover_error(ret, "saving the device state failed");'
    return NewSeries(
        name="migration: Tell why a switchover failed",
        version=version,
        submitter=ADA,
        to=(LIST,),
        cc=MIGRATION_CC,
        cover_letter=(
            "A failed switchover leaves the guest running on the source, and nothing says why.\n"
            "Keep the error and show it in query-migrate.\n"
            + ("\nv2: keep the error instead of printing it (Bruno)\n" if version > 1 else "")
            + "\nAda Sample (3):\n  qapi: Add switchover-error to MigrationInfo\n"
        ),
        patches=(
            NewPatch(
                "qapi: Add switchover-error to MigrationInfo",
                _QAPI,
                _text("There is no place yet for the reason of a failure.", ADA),
            ),
            NewPatch(
                "migration: Show the error of the switchover",
                _REPORT,
                _text("Fill the new member from the state of the source.", ADA),
            ),
            NewPatch(
                "migration: Keep the error of the switchover",
                _savevm(call),
                _text("The return value alone does not tell the device.", ADA, f"Suggested-by: {BRUNO}"),
            ),
        ),
    )


PCI_LEAK = NewSeries(
    name="hw/pci: Fix a leak in pcie_sriov_pf_exit",
    cover=False,
    submitter=DANA,
    to=(LIST,),
    cc=(EMIL,),
    patches=(
        NewPatch(
            "hw/pci: Fix a leak in pcie_sriov_pf_exit",
            git_diff(
                "hw/pci/pcie_sriov.c",
                Hunk(
                    88,
                    """\
         PCIDevice *vf = dev->exp.sriov_pf.vf[i];
         object_unparent(OBJECT(vf));
         object_unref(OBJECT(vf));
     }
     g_free(dev->exp.sriov_pf.vf);
+    dev->exp.sriov_pf.vf = NULL;
+    g_free(g_steal_pointer(&dev->exp.sriov_pf.vfname));
 }

""",
                    "void pcie_sriov_pf_exit(PCIDevice *dev)",
                ),
            ),
            _text("The name of the VF type is never freed.", DANA, "Cc: stable@example.org"),
        ),
    ),
)

DOCS = NewSeries(
    name="docs: Tidy the build chapter",
    submitter=CHIYO,
    to=(LIST,),
    patches=(
        NewPatch(
            "docs/devel: Name the supported build hosts",
            git_diff(
                "docs/devel/build-environment.rst",
                Hunk(
                    7,
                    """\
 QEMU uses a lot of dependencies on the host system.
-They can be installed with your package manager.
+They can be installed with the package manager of every supported build
+host; see :ref:`Supported-build-platforms`.

""",
                ),
            ),
            _text("Link the list instead of repeating it.", CHIYO),
        ),
        NewPatch(
            "docs/devel: Add a page on migration tests",
            new_file_diff(
                "docs/devel/testing/migration.rst",
                "Migration tests\n===============\n\nRun them with ``make check-qtest``.\n",
            ),
            _text("The page is short, but it can be found.", CHIYO),
        ),
    ),
)

NBD = NewSeries(
    name="block/nbd: Drop an unused parameter",
    cover=False,
    submitter=EMIL,
    to=(LIST,),
    cc=(DANA, "qemu-block@example.org"),
    patches=(
        NewPatch(
            "block/nbd: Drop an unused parameter",
            git_diff(
                "block/nbd.c",
                Hunk(
                    311,
                    """\

-static bool nbd_client_connecting(BDRVNBDState *s, bool blocking)
+static bool nbd_client_connecting(BDRVNBDState *s)
 {
     return s->state == NBD_CLIENT_CONNECTING_WAIT;
 }
""",
                ),
                Hunk(
                    402,
                    """\
     qemu_mutex_lock(&s->requests_lock);
-    if (!nbd_client_connecting(s, true)) {
+    if (!nbd_client_connecting(s)) {
         return -EIO;
     }
""",
                    "static int coroutine_fn nbd_co_establish(BlockDriverState *bs)",
                ),
            ),
            _text("Nobody passes anything but true.", EMIL, f"Reviewed-by: {DANA}"),
        ),
    ),
)

MULTIFD_RFC = NewSeries(
    name="migration/multifd: Compress with an example codec",
    prefixes=("RFC",),
    submitter=BRUNO,
    to=(LIST,),
    cc=(ADA, CHIYO),
    patches=(
        NewPatch(
            "migration/multifd: Let a codec refuse a page",
            git_diff(
                "migration/multifd.c",
                Hunk(
                    655,
                    """\
         if (use_packets) {
             ret = multifd_send_state->ops->send_prepare(p, &local_err);
+            if (ret == -ENOTSUP) {
+                ret = multifd_ram_fill_packet(p);
+            }
             if (ret != 0) {
                 qemu_mutex_unlock(&p->mutex);
                 break;
""",
                    "static void *multifd_send_thread(void *opaque)",
                ),
            ),
            _text("Pages that do not shrink are better sent as they are.", BRUNO),
        ),
        NewPatch(
            "migration/multifd: Add the example codec",
            new_file_diff(
                "migration/multifd-example.c",
                "/*\n * An example codec for multifd\n *\n * SPDX-License-Identifier: GPL-2.0-or-later\n */\n"
                '\n#include "qemu/osdep.h"\n#include "multifd.h"\n'
                "\nstatic int example_send_prepare(MultiFDSendParams *p, Error **errp)\n"
                "{\n    return -ENOTSUP;\n}\n",
            )
            + git_diff(
                "migration/meson.build",
                Hunk(
                    24,
                    """\
   'multifd.c',
+  'multifd-example.c',
   'multifd-nocomp.c',
   'multifd-zlib.c',
""",
                ),
            ),
            _text("Is a file of its own wanted for this?", BRUNO),
        ),
    ),
)

PULL_NAME = "Sample block patches"
PULL_URL = "https://git.example.org/emil/qemu.git tags/pull-block-sample"
PULL = NewSeries(
    name=PULL_NAME,
    prefixes=("PULL",),
    cover=False,
    submitter=EMIL,
    to=(LIST,),
    patches=(
        NBD.patches[0],
        NewPatch(
            "block: Check the length of a snapshot's name",
            git_diff(
                "block/snapshot.c",
                Hunk(
                    221,
                    """\
         error_setg(errp, "Device is writable");
         return -EROFS;
     }
+    if (strlen(sn_info->name) >= sizeof(sn_info->name)) {
+        return -ENAMETOOLONG;
+    }
     return drv->bdrv_snapshot_create(bs, sn_info);
 }

""",
                    "int bdrv_snapshot_create(BlockDriverState *bs,",
                ),
            ),
            _text("The name comes from the monitor.", EMIL),
        ),
    ),
)

_BOARDS = (
    "aspeed bananapi collie cubieboard digic_boards exynos4_boards"
    " highbank integratorcp kzm musicpal netduino2 realview"
)


def _board(name: str) -> NewPatch:
    return NewPatch(
        f"hw/arm/{name}: Use a three-phase reset",
        git_diff(
            f"hw/arm/{name}.c",
            Hunk(
                61,
                f"""\
     DeviceClass *dc = DEVICE_CLASS(klass);
+    ResettableClass *rc = RESETTABLE_CLASS(klass);

-    device_class_set_legacy_reset(dc, {name}_reset);
+    rc->phases.hold = {name}_reset_hold;
     dc->user_creatable = false;
 }}
""",
                f"static void {name}_class_init(ObjectClass *klass, const void *data)",
            ),
        ),
        _text("The legacy reset is going away.", DANA, f"Acked-by: {EMIL}"),
    )


BOARDS = NewSeries(
    name="hw/arm: Use three-phase reset in all boards",
    submitter=DANA,
    to=(LIST, "qemu-arm@example.org"),
    cc=(EMIL,),
    patches=tuple(_board(name) for name in _BOARDS.split()),
)

MOVE_TESTS = NewSeries(
    name="tests/qtest: Move the migration helpers",
    cover=False,
    submitter=CHIYO,
    prefixes=("for-10.2",),
    to=(LIST,),
    cc=MIGRATION_CC,
    patches=(
        NewPatch(
            "tests/qtest: Move the migration helpers",
            rename_diff("tests/qtest/migration-helpers.c", "tests/qtest/migration/helpers.c")
            + git_diff(
                "tests/qtest/meson.build",
                Hunk(
                    361,
                    """\
 migration_files = [files(
-  'migration-helpers.c',
+  'migration/helpers.c',
   'migration/framework.c',
   'migration/migration-qmp.c',
""",
                ),
            ),
            _text("They belong beside the tests that use them.", CHIYO),
        ),
    ),
)
