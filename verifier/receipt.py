"""
Checks one receipt: that its journal is in the log that was signed. Asks nobody; needs no network
but to fetch the receipt, when that is an address. Nothing of ours is in it but this file.

    python receipt.py RECEIPT --key KEY [--seal SEAL]

RECEIPT is the proof: a file, an address that gives it, or - for what is typed in. KEY is the log's
public key, or a file with it. SEAL is the word on the SMS. Ends with 0 when all of it is so.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

BYTES_MAX = 64 * 1024
FETCH_SECONDS_MAX = 15
PROOF = re.compile(
    r"c2sp\.org/tlog-proof@v1\nextra (?P<leaf>[A-Za-z0-9+/=]+)\nindex (?P<index>[0-9]{1,18})\n"
    r"(?P<path>(?:[A-Za-z0-9+/]{43}=\n){0,63})\n(?P<note>(?P<body>(?P<origin>[^\s+]+)\n"
    r"(?P<size>[0-9]{1,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n(?P<more>(?:.+\n)*))\n"
    r"(?P<signatures>(?:— \S+ \S+\n)+))"
)
LEAF = re.compile(
    r"kabambe/1\|(?P<journal>[0-9]+)\|(?P<reason>[a-z-]+)\|(?P<reference>[^|]+)\|(?P<at>[0-9]+)\|"
    r"(?P<mirrors>[0-9]+|-)\|(?P<moved>[^|]+)\|[0-9a-f]{64}"
)
DECIMALS = {"BTC": 8, "USDT": 6}
READABLE = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")


class NotProven(Exception):
    """What is wrong, in words for whoever holds the receipt."""


@dataclass(frozen=True)
class Key:
    """A log's public key, in the form `name+checksum+key`."""

    origin: str
    hint: bytes
    public: Ed25519PublicKey

    @classmethod
    def read(cls, given: str) -> Key:
        try:
            origin, hint, encoded = given.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            checksum = sha256(f"{origin}\n".encode() + raw).digest()[:4]
            if raw[:1] == b"\x01" and checksum.hex() == hint:
                return cls(origin, checksum, Ed25519PublicKey.from_public_bytes(raw[1:]))
        except ValueError:
            pass
        raise NotProven(
            "The key is not one. It looks like name+1a2b3c4d+AY…, and stands at /log/key;"
            " take it from somebody you trust, whole."
        )


def check(proof: str, key: Key, seal: str = "") -> str:
    """
    Check a receipt; return what it proves, in words.

    Raises:
        NotProven: It proves nothing.
    """
    found = PROOF.fullmatch(proof.replace("\r\n", "\n").strip() + "\n")
    if found is None:
        raise NotProven(
            "This is not a receipt's proof, or not all of it. It begins with c2sp.org/tlog-proof@v1"
            " and is fetched whole from /log/proof/<seal>."
        )
    _check_signature(found, key)
    leaf = base64.b64decode(found["leaf"])
    hashed = sha256(b"\0" + leaf).digest()
    index, size = int(found["index"]), int(found["size"])
    path = [base64.b64decode(line) for line in found["path"].split()]
    if _root(hashed, index, size, path) != base64.b64decode(found["root"]):
        raise NotProven("The journal it shows is NOT in the log that was signed. Keep it, and ask.")
    said = base64.b32encode(hashed[:10]).decode().translate(READABLE)
    typed = re.sub(r"[\s-]", "", seal.upper()).translate(str.maketrans("OIL", "011"))
    if typed not in ("", said):
        raise NotProven(f"It is in the log, but it is another journal's: its seal is {said}.")
    return _told(leaf, f"Position {index} of {size} in the log {key.origin}.", said, found["more"])


def _check_signature(found: re.Match[str], key: Key) -> None:
    if found["origin"] != key.origin:
        raise NotProven(f"It is of the log {found['origin']}, the key is of {key.origin}.")
    for line in found["signatures"].splitlines():
        _dash, name, encoded = line.split(" ")
        try:
            signature = base64.b64decode(encoded, validate=True)
            if name == key.origin and signature[:4] == key.hint:
                key.public.verify(signature[4:], found["body"].encode())
                return
        except (ValueError, InvalidSignature):
            break
    raise NotProven("The log's signature does NOT hold: it was not signed with this key.")


def _root(hashed: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that a path leads to (RFC 9162, 2.1.3.2); None: it leads nowhere."""
    number, last = index, size - 1
    if number > last:
        return None
    for other in path:
        if last == 0:
            return None
        if number & 1 or number == last:
            hashed = sha256(b"\1" + other + hashed).digest()
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            hashed = sha256(b"\1" + hashed + other).digest()
        number, last = number >> 1, last >> 1
    return hashed if last == 0 else None


def _told(leaf: bytes, where: str, seal: str, more: str) -> str:
    found = LEAF.fullmatch(leaf.decode(errors="replace"))
    if found is None:
        raise NotProven("It is in the log, but it is no journal that this program can read.")
    mirror = "" if found["mirrors"] == "-" else f", which takes back journal {found['mirrors']}"
    signed = re.search(r"^signed ([0-9]+)$", more, re.MULTILINE)
    lines = [
        "Proven: this journal is in the log that was signed. A book that says otherwise is false.",
        f"Journal {found['journal']}, {found['reason']}{mirror}. Reference {found['reference']}.",
        f"Posted {_instant(found['at'])}.",
        *(f"  {_leg(each)}" for each in found["moved"].split(",")),
        where,
        f"Signed {_instant(signed[1])}." if signed else "",
        f"Seal {seal}: it must be the one on the SMS.",
    ]
    return "\n".join(line for line in lines if line)


def _leg(leg: str) -> str:
    account, currency, minor = leg.split(" ")
    decimals = DECIMALS.get(currency, 2)
    amount = Decimal(int(minor)).scaleb(-decimals)
    return f"account {account}: {amount:+,.{decimals}f} {currency}"


def _instant(microseconds: str) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds))
    return f"{at:%d/%m/%Y %H:%M:%S} UTC"


def _fetched(receipt: str) -> str:
    """The proof itself, from wherever it is."""
    try:
        if receipt == "-":
            raw = sys.stdin.buffer.read(BYTES_MAX)
        elif re.match(r"https?://", receipt):
            with urllib.request.urlopen(receipt, timeout=FETCH_SECONDS_MAX) as answer:  # noqa: S310
                raw = answer.read(BYTES_MAX)
        else:
            with Path(receipt).open("rb") as file:
                raw = file.read(BYTES_MAX)
        return str(raw.decode())
    except (OSError, ValueError) as error:
        raise NotProven(f"The receipt {receipt} cannot be read: {error}.") from None


def main(arguments: list[str]) -> int:
    """Check a receipt, and say so."""
    parser = argparse.ArgumentParser(prog="verify", description="Checks a receipt.")
    parser.add_argument("receipt", help="the proof: a file, an address, or - for what is typed in")
    parser.add_argument("--key", required=True, help="the log's public key, or a file with it")
    parser.add_argument("--seal", default="", help="the seal on the SMS")
    asked = parser.parse_args(arguments)
    try:
        path = Path(asked.key)
        try:
            given = path.read_text(encoding="utf-8") if path.is_file() else asked.key
        except (OSError, ValueError) as error:
            raise NotProven(f"The key {asked.key} cannot be read: {error}.") from None
        print(check(_fetched(asked.receipt), Key.read(given), asked.seal))
    except NotProven as fault:
        print(f"Not proven. {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
