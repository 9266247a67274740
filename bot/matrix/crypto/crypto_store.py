"""Storage of a device's cryptographic state: entries in a SQLite file that only the bot may read.

An old copy of the file is harmful, because keys that were used up would be used again. The store is therefore not part
of the database, and must not be in any backup. Its transactions are short, and are on disk before anything encrypted in
them is sent.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from bot.errors import BotError
from bot.matrix.device import restrict
from bot.text import encodable

FOLDER = "crypto"
_FILES = ("store.db", "store.db-wal", "store.db-shm", "store.db-journal", "pickle.key")
_KEY_BYTES = 32
_USE_SECONDS = 3_600
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""
_OWNED = "CREATE INDEX IF NOT EXISTS entry_owned ON entry (kind, owner, at) WHERE owner <> ''"
_AGED = "CREATE INDEX IF NOT EXISTS entry_aged ON entry (kind, at) WHERE owner <> ''"
_OWNER = "owner >= ? AND owner < ? AND owner <> ''"
_AFTER = "\x7f"  # sorts after every owner with the same prefix, because owners are printable ASCII


class CryptoStoreDamaged(BotError):
    """A crypto store that cannot be read, so that its contents are lost."""


class CryptoStore:
    """Entries by kind and key; for one thread at a time.

    An entry may have an owner, which is a name made by `name_of`. The entries of one owner, or of all owners with the
    same prefix, can be selected, counted and limited.
    """

    def __init__(self, connection: sqlite3.Connection, pickle_key: bytes) -> None:
        self.pickle_key = pickle_key
        self._connection = connection
        self._at = 0

    @classmethod
    def open(cls, data_dir: Path) -> Self:
        """Open the crypto store in *data_dir*, and create it if there is none.

        Raises:
            CryptoStoreDamaged: it cannot be read.
            StoreError: others can read its key.
            OSError: it cannot be written.
        """
        folder = data_dir / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        path = folder / "store.db"
        is_new = not path.exists()
        key = _pickle_key(folder / "pickle.key", make=is_new)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)  # which SQLite also gives to its side files
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _SCHEMA):
                connection.execute(statement)
            if "owner" not in {column[1] for column in connection.execute("PRAGMA table_info(entry)")}:
                connection.execute("ALTER TABLE entry ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
            for statement in (_OWNED, _AGED):
                connection.execute(statement)
            result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            result = str(error)
        if result != "ok":
            connection.close()
            raise CryptoStoreDamaged(f"the crypto store cannot be read: {result}")
        return cls(connection, key)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self, at: int) -> Iterator[None]:
        """Commit all writes within, or none of them; *at* is in seconds since the epoch."""
        self._at = at
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def get(self, kind: str, key: str) -> str | None:
        """Return the value of an entry; None if there is none."""
        cursor = self._connection.execute("SELECT value FROM entry WHERE kind = ? AND key = ?", (kind, encodable(key)))
        row = cursor.fetchone()
        return row[0] if row else None

    def all(self, kind: str) -> dict[str, str]:
        """Return all values of a kind, by key."""
        cursor = self._connection.execute("SELECT key, value FROM entry WHERE kind = ? ORDER BY at, key", (kind,))
        return dict(cursor.fetchall())

    def keys(self, kind: str) -> set[str]:
        """Return the keys of all entries of a kind."""
        return {row[0] for row in self._connection.execute("SELECT key FROM entry WHERE kind = ?", (kind,))}

    def put(self, kind: str, key: str, value: str, owner: str = "", at: int | None = None) -> None:
        """Write an entry, replacing an older one; *at* (default: now) is the age by which it is cleaned up."""
        values = (kind, encodable(key), encodable(value), self._at if at is None else at, owner)
        self._connection.execute(
            "INSERT INTO entry (kind, key, value, at, owner) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, key)"
            " DO UPDATE SET value = excluded.value, at = excluded.at, owner = excluded.owner",
            values,
        )

    def use(self, kind: str, key: str) -> None:
        """Mark an entry as used now, to the hour."""
        values = (self._at, kind, encodable(key), self._at - _USE_SECONDS)
        self._connection.execute("UPDATE entry SET at = ? WHERE kind = ? AND key = ? AND at < ?", values)

    def drop(self, kind: str, key: str) -> None:
        """Delete an entry."""
        self._connection.execute("DELETE FROM entry WHERE kind = ? AND key = ?", (kind, encodable(key)))

    def drop_older(self, kind: str, than: int) -> None:
        """Delete the entries last written before *than*, in seconds since the epoch."""
        self._connection.execute("DELETE FROM entry WHERE kind = ? AND at < ?", (kind, than))

    # Entries with owners

    def owned(self, kind: str, owner: str) -> dict[str, str]:
        """Return all entries of *owner*, by key, oldest first."""
        statement = "SELECT key, value FROM entry WHERE kind = ? AND owner = ? AND owner <> '' ORDER BY at, key"
        return dict(self._connection.execute(statement, (kind, owner)).fetchall())

    def counts(self, kind: str) -> dict[str, int]:
        """Return the number of entries of each owner."""
        statement = "SELECT owner, COUNT(*) FROM entry WHERE kind = ? AND owner <> '' GROUP BY owner"
        return dict(self._connection.execute(statement, (kind,)).fetchall())

    def until(self, kind: str, at: int) -> dict[str, str]:
        """Return the owned entries written at *at* or before, by key, oldest first."""
        statement = "SELECT key, value FROM entry WHERE kind = ? AND owner <> '' AND at <= ? ORDER BY at, key"
        return dict(self._connection.execute(statement, (kind, at)).fetchall())

    def keep_newest(self, kind: str, limit: int, owners: str | None = None) -> list[str]:
        """Delete all but the *limit* recently used entries, and return the keys of the deleted ones.

        Only entries of owners with the prefix *owners* count; None for those of all owners.
        """
        where = "kind = ? AND owner <> ''" if owners is None else f"kind = ? AND {_OWNER}"
        values = (kind,) if owners is None else (kind, owners, owners + _AFTER)
        statement = f"SELECT key FROM entry WHERE {where} ORDER BY at DESC LIMIT -1 OFFSET ?"  # noqa: S608  # constants
        gone = [row[0] for row in self._connection.execute(statement, (*values, limit))]
        for key in gone:
            self.drop(kind, key)
        return gone

    def drop_owned(self, kind: str, owners: str) -> None:
        """Delete all entries of owners with the prefix *owners*."""
        statement = f"DELETE FROM entry WHERE kind = ? AND {_OWNER}"  # noqa: S608  # constants
        self._connection.execute(statement, (kind, owners, owners + _AFTER))


def destroy(data_dir: Path) -> None:
    """Delete the crypto store."""
    for name in _FILES:
        (data_dir / FOLDER / name).unlink(missing_ok=True)


def exists(data_dir: Path) -> bool:
    """Return whether there is a crypto store, readable or not."""
    return (data_dir / FOLDER / "store.db").exists()


def name_of(*parts: str) -> str:
    """Return one unambiguous ASCII name for several parts."""
    return json.dumps(parts)


def begins(*parts: str) -> str:
    """Return the common prefix of all names that `name_of` makes of these *parts* and more."""
    return json.dumps(parts)[:-1] + ", "


def loaded(text: str | None) -> dict[str, object]:
    """Return an entry that is a JSON object; empty if there is none."""
    content = json.loads(text) if text else {}
    return content if isinstance(content, dict) else {}


def _pickle_key(path: Path, *, make: bool) -> bytes:
    """Return the key that encrypts the store's secrets."""
    if make:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
    try:
        restrict(path)
        key = path.read_bytes()
    except FileNotFoundError as error:
        raise CryptoStoreDamaged("the crypto store's key is missing") from error
    if len(key) != _KEY_BYTES:
        raise CryptoStoreDamaged("the crypto store's key is damaged")
    return key
