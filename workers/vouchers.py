"""
`python -m workers.vouchers {keys,issue,cancel,check}`: vouchers, for staff and for shops.

`check` needs the public key alone: no database, no network and no settings.
"""

from __future__ import annotations

import argparse
import csv
import getpass
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core import codes, db, msisdn, slips, subscribers, voucher_batches
from core.audit import Actor
from core.codes import Veil
from core.errors import DomainError
from core.money import Currency, Money
from core.settings import load
from core.subscribers import Language
from core.voucher_batches import Press, Printed
from menus.clock import NAIROBI, date_and_time
from menus.faces import face

REFUSED: Final = 1
MISUSED: Final = 2
COLUMNS: Final = ("serial", "code", "currency", "value", "until", "slip")


class Unfit(Exception):
    """A file that will not do; the words say what to do."""


def main(argv: Sequence[str]) -> int:
    """Carry out one command; the answer is the exit status."""
    asked = _parser().parse_args(argv)
    try:
        status: int = asked.does(asked)
    except Unfit as unfit:
        print(unfit, file=sys.stderr)
        return MISUSED
    except OperationalError:
        print("PostgreSQL does not answer: start it, and do the same again.", file=sys.stderr)
        return REFUSED
    except DomainError as error:
        print(face(error).words.render(Language.ENGLISH), file=sys.stderr)
        return REFUSED
    return status


def keys(asked: argparse.Namespace) -> int:
    """Make a key to issue with, and its public half for whoever checks."""
    folder: Path = asked.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, words, mode in (
        ("vouchers-key.pem", private, 0o600),
        ("vouchers-public.pem", public, 0o644),
    ):
        path = folder / name
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            raise Unfit(f"{path} is there already, and is never overwritten.") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(words)
        print(path)
    return 0


def issue(asked: argparse.Namespace) -> int:
    """Issue a batch, or find it issued, and write its file."""
    if asked.out.exists():
        raise Unfit(f"{asked.out} is there already: move it away, or name another with --out.")
    settings = load()
    press = Press(_private_key(asked.key), Veil(settings.voucher_key.get_secret_value()))
    databases = db.connect(settings.database_url.get_secret_value(), role=db.WORKER)
    actor, now = _actor(asked, f"vouchers:{asked.batch}"), datetime.now(UTC)
    value = Money.parse(asked.value, Currency[asked.currency])
    number = msisdn.parse(asked.issuer) if asked.issuer else None
    ends = datetime.combine(asked.until + timedelta(days=1), time(), NAIROBI)

    def issued(session: Session) -> int:
        issuer = subscribers.recipient(session, msisdn=number) if number else None
        return voucher_batches.issue(
            session,
            issuer=issuer,
            count=asked.count,
            value=value,
            expires_at=ends,
            key=asked.batch,
            press=press,
            actor=actor,
            now=now,
        )

    batch = db.transact(databases, issued)
    printing = partial(voucher_batches.print_all, batch=batch, press=press, actor=actor, now=now)
    written = write(asked.out, db.transact(databases, printing))
    print(f"Batch {batch}: {written} vouchers of {value} in {asked.out}")
    return 0


def write(path: Path, printed: Iterable[Printed]) -> int:
    """
    Write what goes to the printer, readable by nobody else; return how many vouchers there are.

    The file has its name only when it is whole. Killed before, the same command writes it anew.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    count = 0
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", newline="", encoding="ascii") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for each in printed:
            slip = each.slip
            until = slip.until.isoformat()
            value = slip.value
            code = codes.grouped(each.code)
            rows.writerow(
                (slip.serial, code, value.currency.value, value.figures, until, each.signed)
            )
            count += 1
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return count


def cancel(asked: argparse.Namespace) -> int:
    """End a batch before its time."""
    databases = db.connect(load().database_url.get_secret_value(), role=db.WORKER)
    actor, now = _actor(asked, f"vouchers:{asked.batch}"), datetime.now(UTC)
    ending = partial(
        voucher_batches.cancel, batch=asked.batch, actor=actor, note=asked.note, now=now
    )
    db.transact(databases, ending)
    print(f"Batch {asked.batch} is cancelled. Within a minute its issuer has the rest back.")
    return 0


def check(asked: argparse.Namespace) -> int:
    """Check a slip, and the code if it is asked for, without asking anybody."""
    found = slips.read(asked.slip.strip(), keys=[_public_key(path) for path in asked.key])
    slip = found.slip
    print(f"Signed by us: voucher {slip.serial} of {slip.value}.")
    if slip.until <= datetime.now(UTC):
        print(f"It expired: {date_and_time(slip.until)}.", file=sys.stderr)
        return REFUSED
    print(f"Valid until {date_and_time(slip.until)}.")
    if asked.code:
        typed = getpass.getpass("Code: ") if sys.stdin.isatty() else sys.stdin.readline()
        if not found.seals(codes.parse(typed)):
            print("The code is not this voucher's: do not take it.", file=sys.stderr)
            return REFUSED
        print("The code is this voucher's.")
    print("Whether it was redeemed already only we can say: redeem it as soon as you can.")
    return 0


def _actor(asked: argparse.Namespace, request: str) -> Actor:
    return Actor(f"staff:{asked.by}", "console", request)


def _private_key(path: Path) -> Ed25519PrivateKey:
    """
    Read the key vouchers are issued with.

    Raises:
        Unfit: It is none, or others may read it.
    """
    words = _words_of(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Unfit(f"Others may read {path}, who could redeem every voucher: chmod 600 {path}")
    try:
        key = load_pem_private_key(words, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Unfit(f"{path} is no key that `vouchers keys` has made.")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    """
    Read the key vouchers are checked with.

    Raises:
        Unfit: It is none.
    """
    try:
        key = load_pem_public_key(_words_of(path))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise Unfit(f"{path} is no public key that `vouchers keys` has made.")
    return key


def _words_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unfit(f"{path} cannot be read: {error.strerror}.") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vouchers", description="Vouchers: see docs/runbook.md.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    made = commands.add_parser("keys", help="make a key to issue with, and its public half")
    made.add_argument("folder", type=Path, metavar="FOLDER")
    made.set_defaults(does=keys)

    issued = commands.add_parser("issue", help="issue a batch and write its file; safe to repeat")
    issued.add_argument("--batch", required=True, help="its name: the same name is the same batch")
    issued.add_argument("--count", required=True, type=int)
    issued.add_argument("--value", required=True, help="of each, such as 500 or 2.50")
    issued.add_argument(
        "--currency", choices=[*map(str, Currency)], default="KES", help="KES if not given"
    )
    issued.add_argument("--until", required=True, type=date.fromisoformat, help="the last day")
    issued.add_argument("--issuer", metavar="NUMBER", help="who pays; else the house")
    issued.add_argument("--key", required=True, type=Path, metavar="FILE", help="to sign with")
    issued.add_argument(
        "--by", required=True, metavar="NAME", help="who you are, for the audit log"
    )
    issued.add_argument("--out", required=True, type=Path, metavar="FILE", help="the CSV to write")
    issued.set_defaults(does=issue)

    ended = commands.add_parser("cancel", help="end a batch before its time")
    ended.add_argument("batch", type=int, metavar="BATCH", help="its number")
    ended.add_argument("--by", required=True, metavar="NAME", help="who you are, for the audit log")
    ended.add_argument("--note", required=True, help="why")
    ended.set_defaults(does=cancel)

    checked = commands.add_parser("check", help="check a slip, offline")
    checked.add_argument("slip", metavar="SLIP")
    checked.add_argument(
        "--key", required=True, action="append", type=Path, metavar="FILE", help="a public key"
    )
    checked.add_argument("--code", action="store_true", help="ask for the code, and check it too")
    checked.set_defaults(does=check)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
