"""
What the log says in public, as text: signed checkpoints, and the proof of one journal.

The forms are C2SP's: signed-note, tlog-checkpoint and tlog-proof (https://c2sp.org). A checkpoint
has one line more than it must: `signed`, and when, in microseconds since 1970.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES: Final = 32
ORIGIN: Final = re.compile(r"[^\s+]{1,100}")
_ED25519: Final = b"\x01"
_SEAL_BYTES: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Crockford's base 32, as references are: no I, L, O or U.
_READABLE: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)
_BACK: Final = {wide: narrow for narrow, wide in _READABLE.items()}
_SEAL: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{16}")
_CHECKPOINT: Final = re.compile(
    r"(?P<origin>[^\s+]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"signed (?P<at>[1-9][0-9]{0,18})\n\n(?P<signatures>(— [^\s+]+ [A-Za-z0-9+/=]+\n)+)"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree at a size, as it was signed. Whether the signature holds is not known from here."""

    size: int
    root: bytes
    signed_at: datetime
    note: str

    @classmethod
    def read(cls, note: str) -> Self:
        """
        Read a signed note.

        Raises:
            ValueError: It is no checkpoint of ours.
        """
        found = _CHECKPOINT.fullmatch(note)
        if found is None:
            raise ValueError("this is no checkpoint")
        at = _EPOCH + timedelta(microseconds=int(found["at"]))
        return cls(int(found["size"]), base64.b64decode(found["root"]), at, note)


class Signer:
    """
    Signs checkpoints, under the name of one log.

    Args:
        origin: The log's name.
        seed: The key: 32 bytes of chance, in base 64.

    Raises:
        ValueError: The seed is something else.
    """

    def __init__(self, origin: str, seed: str) -> None:
        self._origin = origin
        self._key = Ed25519PrivateKey.from_private_bytes(seed_bytes(seed))
        self._public = _ED25519 + self._key.public_key().public_bytes_raw()
        named = origin.encode() + b"\n" + self._public
        self._hint = hashlib.sha256(named).digest()[:4]

    @property
    def verifier(self) -> str:
        """The public key as C2SP writes it: `<origin>+<hint>+<key>`."""
        return f"{self._origin}+{self._hint.hex()}+{base64.b64encode(self._public).decode()}"

    def sign(self, *, size: int, root: bytes, at: datetime) -> str:
        """Say in a signed note what the tree is at a size."""
        lines = self._origin, size, base64.b64encode(root).decode(), f"signed {microseconds(at)}"
        body = "".join(f"{line}\n" for line in lines)
        signature = base64.b64encode(self._hint + self._key.sign(body.encode())).decode()
        return f"{body}\n— {self._origin} {signature}\n"


def seed_bytes(seed: str) -> bytes:
    """
    Read a key: 32 bytes in base 64.

    Raises:
        ValueError: It is something else. The words hold nothing of it.
    """
    try:
        found = base64.b64decode(seed, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != SEED_BYTES:
        raise ValueError("the key must be 32 random bytes in base 64: openssl rand -base64 32")
    return found


def microseconds(at: datetime) -> int:
    """An instant as whole microseconds since 1970: what PostgreSQL keeps, without a float."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def seal(leaf: bytes) -> str:
    """The seal on a receipt: 80 bits of the leaf's hash, to be read out or typed."""
    return base64.b32encode(leaf[:_SEAL_BYTES]).decode().translate(_READABLE)


def seal_range(typed: str) -> tuple[bytes, bytes] | None:
    """The lowest and the highest hash that a typed seal may stand for; None: it is no seal."""
    word = re.sub(r"[\s-]", "", typed.upper()).translate(str.maketrans("OIL", "011"))
    if not _SEAL.fullmatch(word):
        return None
    prefix = base64.b32decode(word.translate(_BACK))
    rest = SEED_BYTES - _SEAL_BYTES
    return prefix + bytes(rest), prefix + b"\xff" * rest


def proof(*, data: bytes, index: int, hashes: Sequence[bytes], checkpoint: str) -> str:
    """The text that shows a leaf to be in the log to whoever has the public key."""
    lines = [
        "c2sp.org/tlog-proof@v1",
        f"extra {base64.b64encode(data).decode()}",
        f"index {index}",
        *(base64.b64encode(each).decode() for each in hashes),
    ]
    return "\n".join(lines) + f"\n\n{checkpoint}"
