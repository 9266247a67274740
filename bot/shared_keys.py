"""The secrets that instances of one installation must share, compared by public keys and hashes, which reveal nothing.

With other cross-signing seeds, a new device is not trusted; with another secret of the tags, messages of unknown
outcome in encrypted rooms are not found again, and sent twice; with another key of tokens, nobody's token can be used.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.data_dir import KEY_FILE
from bot.errors import StoreError
from bot.ids import UserId
from bot.matrix import keyring as keyrings
from bot.matrix.signing import public_key

ACCOUNT, IDENTITY, TAGS, TOKENS = "account", "identity", "tags", "tokens"
DEVICE = "device"  # the device with which an instance acts, which is its own
ALL_KEYS = frozenset({ACCOUNT, IDENTITY, TAGS, TOKENS})
_FILES = {
    keyrings.FILE: {IDENTITY: "cross-signing seeds", TAGS: "secret of the tags in encrypted rooms"},
    KEY_FILE: {TOKENS: "key of people's tokens"},
}


def shared_keys(folder: Path, user: UserId) -> dict[str, str]:
    """Return what identifies the secrets in *folder*, as far as they exist; nothing is created.

    Raises:
        StoreError: a file cannot be read.
    """
    keys: dict[str, str] = {ACCOUNT: user}
    if (folder / keyrings.FILE).exists():
        keyring = keyrings.load(folder)
        keys[TAGS] = _hash(TAGS, keyring.secret)
        if keyring.identities:
            keys[IDENTITY] = public_key(keyring.identities[0].master)
    try:
        keys[TOKENS] = _hash(TOKENS, base64.b64decode((folder / KEY_FILE).read_bytes()))
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise StoreError(f"store.data_dir: {folder / KEY_FILE} cannot be used: {error}") from error
    return keys


def differences(active: Mapping[str, str], own: Mapping[str, str], host: str) -> Iterator[str]:
    """Yield a sentence for each key that this instance does not share with the *active* one, on *host*. Pure."""
    if active.get(ACCOUNT, own[ACCOUNT]) != own[ACCOUNT]:
        yield f"the active instance, on {host}, is {active[ACCOUNT]}, and this one {own[ACCOUNT]}"
    remedy = f"copy it from the active instance, on {host}"
    for file, contents in _FILES.items():
        wanted = [name for name in contents if name in active and active[name] != own.get(name)]
        if wanted and not own.keys() & contents.keys():
            yield f"{file} is missing; {remedy}"
            continue
        for name in wanted:
            yield f"{file} {'holds another' if name in own else 'lacks the'} {contents[name]}; {remedy}"


def _hash(purpose: str, secret: bytes) -> str:
    """Return a hash of a random *secret* for one purpose, from which it cannot be found."""
    return hashlib.sha256(f"patchbot {purpose} ".encode() + secret).hexdigest()[:32]
