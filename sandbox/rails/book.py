"""A rail's own book: who was to pay, who was paid out, and what it holds for us."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

ChargeStatus = Literal["open", "paid", "declined", "reversed"]
TransferStatus = Literal["open", "otp", "paid", "failed", "reversed"]

_FEE_BASIS_POINTS = 150
_TRANSFER_FEE = 1_000


@dataclass(frozen=True)
class Charge:
    """A page on which somebody pays, or has paid. Amounts are minor units."""

    id: int
    reference: str
    amount: int
    currency: str
    email: str
    return_url: str
    access: str
    made_at: datetime
    status: ChargeStatus = "open"
    paid_amount: int = 0
    paid_currency: str = ""
    why: str = ""

    @property
    def fee(self) -> int:
        """What the rail keeps."""
        return self.paid_amount * _FEE_BASIS_POINTS // 10_000


@dataclass(frozen=True)
class Transfer:
    """A payout."""

    id: int
    code: str
    reference: str
    amount: int
    currency: str
    to: Mapping[str, str]
    made_at: datetime
    status: TransferStatus = "open"
    why: str = ""
    fee: int = _TRANSFER_FEE


@dataclass
class Book:
    """Safe to share between threads. A balance that is not told is endless."""

    charges: dict[str, Charge] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._ids = itertools.count(302_961)

    def empty(self) -> None:
        """Begin anew."""
        with self._lock:
            self.charges.clear()
            self.transfers.clear()
            self.balances.clear()

    def open_charge(
        self, *, reference: str, amount: int, currency: str, email: str, return_url: str
    ) -> Charge | None:
        """Note who is to pay; None when the reference was used before."""
        with self._lock:
            if reference in self.charges:
                return None
            charge = Charge(
                next(self._ids),
                reference,
                amount,
                currency,
                email,
                return_url,
                secrets.token_hex(8),
                datetime.now(UTC),
            )
            self.charges[reference] = charge
            return charge

    def charge_of(self, access: str) -> Charge | None:
        """Find a charge by the word in its page's address."""
        with self._lock:
            return next((each for each in self.charges.values() if each.access == access), None)

    def pay(
        self, reference: str, *, amount: int | None, currency: str | None, is_good: bool
    ) -> Charge | None:
        """Let somebody pay, or fail to; None when there is nothing to be paid any more."""
        with self._lock:
            charge = self.charges.get(reference)
            if charge is None or charge.status in ("paid", "reversed"):
                return None
            if is_good:
                charge = replace(
                    charge,
                    status="paid",
                    paid_amount=amount or charge.amount,
                    paid_currency=currency or charge.currency,
                    why="Approved by Financial Institution",
                )
                self._move(charge.paid_currency, charge.paid_amount - charge.fee)
            else:
                charge = replace(charge, status="declined", why="Insufficient Funds")
            self.charges[reference] = charge
            return charge

    def give_back(self, reference: str) -> Charge | None:
        """Refund a charge that was paid."""
        with self._lock:
            charge = self.charges.get(reference)
            if charge is None or charge.status != "paid":
                return None
            self._move(charge.paid_currency, -charge.paid_amount)
            self.charges[reference] = charge = replace(charge, status="reversed")
            return charge

    def open_transfer(
        self, *, reference: str, amount: int, currency: str, to: Mapping[str, str]
    ) -> Transfer | Literal["used", "poor"]:
        """Take an order to pay out, and the money for it."""
        with self._lock:
            if reference in self.transfers:
                return "used"
            left = self.balances.get(currency)
            if left is not None and left < amount + _TRANSFER_FEE:
                return "poor"
            number = next(self._ids)
            transfer = Transfer(
                number,
                f"TRF_{secrets.token_hex(8)}",
                reference,
                amount,
                currency,
                dict(to),
                datetime.now(UTC),
            )
            self._move(currency, -(amount + transfer.fee))
            self.transfers[reference] = transfer
            return transfer

    def end_transfer(self, reference: str, status: TransferStatus, why: str) -> Transfer | None:
        """Let a payout arrive, fail, or come back; None when it can do no such thing."""
        with self._lock:
            transfer = self.transfers.get(reference)
            before = transfer.status if transfer else None
            if transfer is None or before in (status, "failed", "reversed"):
                return None
            if before == "paid" and status != "reversed":
                return None
            if status in ("failed", "reversed"):
                self._move(transfer.currency, transfer.amount + transfer.fee)
            self.transfers[reference] = transfer = replace(transfer, status=status, why=why)
            return transfer

    def shown(self) -> dict[str, list[dict[str, object]]]:
        """Everything, for whoever compares."""
        with self._lock:
            return {
                "charges": [
                    {
                        "reference": each.reference,
                        "status": each.status,
                        "amount": each.paid_amount or each.amount,
                        "currency": each.paid_currency or each.currency,
                        "fee": each.fee,
                        "access": each.access,
                    }
                    for each in self.charges.values()
                ],
                "transfers": [
                    {
                        "reference": each.reference,
                        "status": each.status,
                        "amount": each.amount,
                        "currency": each.currency,
                        "fee": each.fee,
                        "to": dict(each.to),
                    }
                    for each in self.transfers.values()
                ],
            }

    def _move(self, currency: str, amount: int) -> None:
        if currency in self.balances:
            self.balances[currency] += amount
