"""
A voucher for R9: a hundred who typed its code, each with an order of their own.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.orm import Session

from chaos.cluster import Book, now
from core import db, ledger, voucher_batches, vouchers
from core.audit import Actor
from core.codes import Veil
from core.db import Databases
from core.errors import DomainError
from core.money import kes
from core.orders import State
from core.voucher_batches import Press
from core.vouchers import Found, VoucherUsed

_VALUE: Final = kes(50_00)
_DAY: Final = timedelta(days=1)
_THOUGHT_SECONDS: Final = 0.1
_CODE_HASH: Final = text("SELECT code_hash FROM vouchers WHERE batch_id = :batch AND number = 1")
_NEXT: Final = text("""
    SELECT id FROM orders WHERE state = 'placed' AND CAST(args ->> 'batch' AS integer) = :batch
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
""")


def prepare(databases: Databases, book: Book, *, orders: int) -> int:
    """Issue three vouchers, and let the first be ordered so often; the batch."""
    press = Press(Ed25519PrivateKey.generate(), Veil("chaos"))
    at = now()
    with databases.begin() as session:
        batch = voucher_batches.issue(
            session,
            issuer=None,
            count=3,  # so that a second redemption would find money
            value=_VALUE,
            expires_at=at + _DAY,
            key=f"chaos:{secrets.token_hex(8)}",
            press=press,
            actor=Actor("staff:chaos", "office", "chaos"),
            now=at,
        )
        code_hash = session.scalar(_CODE_HASH, {"batch": batch})
        assert code_hash is not None
    found = Found(batch, 1, _VALUE, at + _DAY, bytes(code_hash))
    with book.opened(role=db.WEB) as doors, doors.begin() as session:
        for number in range(orders):
            vouchers.order(
                session,
                subscriber=book.people[number % len(book.people)].id,
                found=found,
                key=f"chaos:{secrets.token_hex(8)}",
                now=at,
            )
    return batch


def redeem(session: Session, batch: int) -> None:
    """Execute one of the orders, as a ledger worker does."""
    order = session.scalar(_NEXT, {"batch": batch})
    assert order is not None
    [plan] = vouchers.plan(session, ids=[order], now=now())
    postings = ledger.post(session, drafts=plan.drafts, now=now()) if plan.drafts else []
    if plan.settle(postings).outcome.state is not State.DONE:
        raise VoucherUsed


@contextmanager
def lawless() -> Iterator[None]:
    """Redeem by a look at the voucher and a thought: neither its row nor its state says no."""
    objection = vouchers._objection  # noqa: SLF001 - what is broken is inside
    redeemed = text(vouchers._REDEEMED.text.replace("AND state = 'open'", ""))  # noqa: SLF001
    assert redeemed.text != vouchers._REDEEMED.text  # noqa: SLF001

    def thoughtful(*given: object, **named: object) -> DomainError | None:
        found: DomainError | None = objection(*given, **named)  # type: ignore[arg-type]
        time.sleep(_THOUGHT_SECONDS)
        return found

    with (
        mock.patch.object(vouchers, "_LOCKED", vouchers._CLAIMED),  # noqa: SLF001
        mock.patch.object(vouchers, "_REDEEMED", redeemed),
        mock.patch.object(vouchers, "_objection", thoughtful),
    ):
        yield
