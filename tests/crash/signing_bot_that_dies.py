"""`patchbot` that dies when it stores a sign-in; run as a process of its own: MOMENT, which time, and the arguments."""

import os
import signal
import sys
from pathlib import Path

from bot.cli.main import main
from bot.matrix.oauth_tokens import FILE, SignInFile, SignIns


def die() -> None:
    """End now, without a last word."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_around_saving(moment: str, time: int) -> None:
    """Die at the *time*-th time before a sign-in is stored, when it is written but has no name yet, or after it."""
    save, replace = SignInFile.save, Path.replace
    saves = 0

    def dying_save(self: SignInFile, sign_ins: SignIns) -> None:
        nonlocal saves
        saves += 1
        if saves == time and moment == "unsaved":
            die()
        save(self, sign_ins)
        if saves == time and moment == "saved":
            die()

    def dying_replace(self: Path, target: Path) -> Path:
        if saves == time and moment == "written" and target.name == FILE:
            die()
        return replace(self, target)

    SignInFile.save = dying_save  # type: ignore[method-assign] # the process exists to be broken
    Path.replace = dying_replace  # type: ignore[method-assign, assignment] # the same


if __name__ == "__main__":
    die_around_saving(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
