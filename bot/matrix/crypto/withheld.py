"""Keys that are withheld (Matrix specification, "Reporting that decryption keys are withheld").

What others withhold from us need not be waited for. Whom we cannot give a key to is told so once, in the clear, until
there is a conversation with the device again.
"""

from bot.ids import RoomId, UserId
from bot.matrix.crypto.crypto_store import Vault, name_of
from bot.matrix.crypto.devices import MEGOLM, Device
from bot.matrix.model import Content

WITHHELD = "m.room_key.withheld"
NO_OLM = "m.no_olm"
MAX_OF_USER, MAX_IN_ALL = 200, 5_000
_MAX_CODE = 64
_FROM_US, _TOLD = "withheld", "no_olm"


class Withheld:
    """The keys that others withhold from us, and the devices that we told that they get none."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def learn(self, sender: UserId, told: Content) -> tuple[RoomId, str] | None:
        """Keep that *sender* withholds the key of a session; its room and session id, None where it names none."""
        match told:
            case {"algorithm": str(algorithm), "room_id": str(room), "session_id": str(session), "code": str(code)}:
                pass
            case _:
                return None
        if algorithm != MEGOLM or code == NO_OLM:
            return None
        owner = name_of(sender)
        self._vault.put(_FROM_US, name_of(room, session, sender), code[:_MAX_CODE], owner)
        self._vault.keep_newest(_FROM_US, MAX_OF_USER, owner)
        self._vault.keep_newest(_FROM_US, MAX_IN_ALL)
        return RoomId(room), session

    def code(self, room: RoomId, session: str, sender: UserId) -> str | None:
        """Why *sender* withholds the key of a session, as a word of the specification; None where they do not."""
        return self._vault.get(_FROM_US, name_of(room, session, sender))

    def is_told(self, device: Device) -> bool:
        """Whether *device* was told that it gets no keys."""
        return self._vault.get(_TOLD, device.name) is not None

    def told(self, device: Device) -> None:
        """It was told."""
        self._vault.put(_TOLD, device.name, "1", name_of(device.user))

    def met(self, device: Device) -> None:
        """There is a conversation with *device*: should that break, it is told anew."""
        self._vault.drop(_TOLD, device.name)

    def tidy(self, before: int) -> None:
        """Forget what was learnt or told *before*, in seconds since the epoch."""
        for kind in (_FROM_US, _TOLD):
            self._vault.drop_older(kind, before)


def no_olm(sender_key: str) -> Content:
    """What a device is told that keys cannot be encrypted for."""
    return {"algorithm": MEGOLM, "sender_key": sender_key, "code": NO_OLM}
