"""
The chart of accounts: every path, its normal side and the bound its balance must keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import ledger
from core.ledger import Account, Mode
from core.money import Currency


class Side(StrEnum):
    """Which way an account normally leans."""

    LIABILITY = "liability"
    """What we owe: reads positive."""
    ASSET = "asset"
    """What we hold: reads negative."""
    EXPENSE = "expense"
    """What we spend: reads negative."""
    INCOME = "income"
    """What we earn: reads positive."""
    CLEARING = "clearing"
    """What passes through: reads either way."""


@dataclass(frozen=True, slots=True)
class Place:
    """One line of the chart. `{…}` in the path is filled in when an account is opened."""

    path: str
    side: Side
    meaning: str
    mode: Mode = Mode.AUTHORISE

    @property
    def balance_min(self) -> int | None:
        """What we owe a person never falls below zero: nobody spends what is not theirs."""
        return 0 if self.side is Side.LIABILITY and self.mode is Mode.AUTHORISE else None

    @property
    def balance_max(self) -> int | None:
        """What we hold never rises above zero: we cannot pay out what is not there."""
        return 0 if self.side is Side.ASSET and self.mode is Mode.AUTHORISE else None

    def open(self, session: Session, *, currency: Currency, owner: int | None = None) -> int:
        """Open this place for a currency (and a subscriber), or find it open; return its id."""
        return ledger.open_account(
            session,
            path=self.named(currency, owner=owner),
            currency=currency,
            balance_min=self.balance_min,
            balance_max=self.balance_max,
            mode=self.mode,
            holder=owner,
        )

    def named(self, currency: Currency, *, owner: int | None = None) -> str:
        """Fill in the path."""
        return self.path.format(owner=owner, currency=currency.lower())


MAIN = Place("user:{owner}:main:{currency}", Side.LIABILITY, "what we owe the person")
HELD = Place("user:{owner}:held:{currency}", Side.LIABILITY, "what we owe the person, set aside")
OWED = Place("user:{owner}:owed:{currency}", Side.ASSET, "what the person owes us after a reversal")
LIQUIDITY = Place(
    "fx:liquidity:{currency}", Side.CLEARING, "what we hold to exchange with", Mode.RECORD
)
SPREAD = Place("fx:spread:{currency}", Side.INCOME, "what we earn on exchange", Mode.RECORD)
TRANSFER_FEES = Place(
    "fees:transfer:{currency}", Side.INCOME, "what we earn on transfers", Mode.RECORD
)
PAYMENT_FEES = Place(
    "fees:payment:{currency}", Side.INCOME, "what merchants pay us for payments", Mode.RECORD
)
EXCISE = Place(
    "tax:excise:{currency}",
    Side.LIABILITY,
    "excise duty in fees, owed to the revenue authority",
    Mode.RECORD,
)
VOUCHERS = Place(
    "vouchers:open:{currency}",
    Side.LIABILITY,
    "what vouchers are worth that nobody has redeemed",
    Mode.RECORD,
)
VOUCHERS_GIVEN = Place(
    "vouchers:given:{currency}", Side.EXPENSE, "what the house's own vouchers cost us", Mode.RECORD
)
MPESA_PAYBILL = Place(
    "mpesa:paybill:{currency}", Side.ASSET, "what people paid to our M-Pesa paybill", Mode.RECORD
)
MPESA_UTILITY = Place(
    "mpesa:utility:{currency}", Side.ASSET, "our float at M-Pesa, which payouts are made from"
)
MPESA_UNDERWAY = Place(
    "mpesa:underway:{currency}", Side.ASSET, "float that was taken for payouts not yet answered for"
)
MPESA_SUSPENSE = Place(
    "suspense:mpesa:{currency}", Side.LIABILITY, "what came in by M-Pesa and is nobody's yet"
)
MPESA_COSTS = Place(
    "costs:mpesa:{currency}",
    Side.EXPENSE,
    "what M-Pesa charges us, less what people paid us for it",
    Mode.RECORD,
)
DEPOSIT_FEES = Place(
    "fees:deposit:{currency}", Side.INCOME, "what we earn on deposits", Mode.RECORD
)
WITHDRAWAL_FEES = Place(
    "fees:withdrawal:{currency}", Side.INCOME, "what we earn on withdrawals", Mode.RECORD
)
BANK = Place(
    "bank:main:{currency}", Side.CLEARING, "our bank account, behind what is at M-Pesa", Mode.RECORD
)
SANDBOX_CASH = Place(
    "sandbox:cash:{currency}", Side.ASSET, "what demo subscribers were given to play with"
)


@dataclass(frozen=True, slots=True)
class RailPlaces:
    """
    Where money is that goes over one rail.

    Args:
        collected: What came in, at the provider.
        float_: What payouts are made from, at the provider.
        underway: What was taken of it for payouts not yet answered for.
        suspense: What came in and is nobody's yet.
        costs: What the provider charges us, less what people paid us for it.
    """

    collected: Place
    float_: Place
    underway: Place
    suspense: Place
    costs: Place


def _of_checkouts(rail: str, title: str) -> RailPlaces:
    """The places of a rail that takes money on a page of its own, and pays out of the same pot."""
    balance = Place(f"{rail}:balance:{{currency}}", Side.ASSET, f"what {title} holds for us")
    return RailPlaces(
        collected=balance,
        float_=balance,
        underway=Place(
            f"{rail}:underway:{{currency}}",
            Side.ASSET,
            f"what was taken of it for {title}'s payouts not yet answered for",
        ),
        suspense=Place(
            f"suspense:{rail}:{{currency}}",
            Side.LIABILITY,
            f"what came in by {title} and is nobody's yet",
        ),
        costs=Place(
            f"costs:{rail}:{{currency}}",
            Side.EXPENSE,
            f"what {title} charges us, less what people paid us for it",
            Mode.RECORD,
        ),
    )


RAILS: Final[Mapping[str, RailPlaces]] = {
    "mpesa": RailPlaces(MPESA_PAYBILL, MPESA_UTILITY, MPESA_UNDERWAY, MPESA_SUSPENSE, MPESA_COSTS),
    "paystack": _of_checkouts("paystack", "Paystack"),
    "flutterwave": _of_checkouts("flutterwave", "Flutterwave"),
}
"""By the provider's name."""

CHART = (
    MAIN,
    HELD,
    OWED,
    LIQUIDITY,
    SPREAD,
    TRANSFER_FEES,
    PAYMENT_FEES,
    EXCISE,
    VOUCHERS,
    VOUCHERS_GIVEN,
    MPESA_PAYBILL,
    MPESA_UTILITY,
    MPESA_UNDERWAY,
    MPESA_SUSPENSE,
    MPESA_COSTS,
    DEPOSIT_FEES,
    WITHDRAWAL_FEES,
    BANK,
    RAILS["paystack"].collected,
    RAILS["paystack"].underway,
    RAILS["paystack"].suspense,
    RAILS["paystack"].costs,
    RAILS["flutterwave"].collected,
    RAILS["flutterwave"].underway,
    RAILS["flutterwave"].suspense,
    RAILS["flutterwave"].costs,
    SANDBOX_CASH,
)


Wanted = tuple[Place, Currency, int | None]


def opened(session: Session, wanted: Iterable[Wanted]) -> dict[Wanted, int]:
    """Find the ids of many places with one look, and open those that are not there."""
    paths = {each: each[0].named(each[1], owner=each[2]) for each in wanted}
    found = session.execute(
        select(Account.path, Account.id).where(Account.path.in_(paths.values()))
    )
    ids = {row.path: row.id for row in found}
    return {
        each: ids[path] if path in ids else each[0].open(session, currency=each[1], owner=each[2])
        for each, path in sorted(paths.items(), key=lambda item: item[1])  # two wait in one order
    }
