"""The border to vodozemac: whatever it makes of somebody else's keys and messages ends as one error."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import BotError


class CryptoRefused(BotError):
    """Keys or a message of somebody else that the cryptography cannot be done with."""


@contextmanager
def refusing() -> Iterator[None]:
    """Turn every error of vodozemac into `CryptoRefused`.

    Its errors are `ValueError`; numbers that do not fit are `OverflowError`. A panic of the library is no `Exception`,
    so that nothing else would catch it: an ed25519 key of 33 bytes causes one in version 0.10.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CryptoRefused(str(error)) from error
    except BaseException as error:
        if not _is_panic(error):
            raise
        raise CryptoRefused(f"the library panicked: {error}") from error


def _is_panic(error: BaseException) -> bool:
    """Whether a panic of Rust code was raised; its class cannot be imported."""
    return type(error).__name__ == "PanicException"
