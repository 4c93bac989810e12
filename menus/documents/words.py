"""
What the lines of a statement are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from core import msisdn
from core.ledger import Reason
from core.money import Money
from core.statements import NAIROBI, Line, Statement
from core.subscribers import Language
from menus.text import Text, _

_OTHERWISE: Final = (_("Out"), _("In"))
# What an entry is, when money went out and when it came in.
MOVEMENTS: Final[Mapping[str, tuple[Text, Text]]] = {
    Reason.TRANSFER: (_("Sent to"), _("Received from")),
    Reason.PAYMENT: (_("Paid to"), _("Paid by")),
    Reason.PAYMENT_REFUND: (_("Given back to"), _("Given back by")),
    Reason.HOLD: (_("Set aside"), _("Set aside")),
    Reason.CAPTURE: (_("Set aside, paid to"), _("Set aside, from")),
    Reason.RELEASE: (_("Set aside, given back"), _("Set aside, given back")),
    Reason.EXCHANGE: (_("Exchanged"), _("Exchanged")),
    Reason.VOUCHERS: (_("Vouchers bought"), _("Vouchers bought")),
    Reason.REDEMPTION: (_("Voucher"), _("Voucher")),
    Reason.REFUND: (_("Vouchers given back"), _("Vouchers given back")),
    Reason.REVERSAL: (_("Reversed, to"), _("Reversed, from")),
    Reason.REPAYMENT: (_("Debt paid"), _("Debt paid")),
    Reason.DEPOSIT: (Text("M-Pesa"), _("Received by M-Pesa")),
    Reason.RESOLUTION: (Text("M-Pesa"), _("Received by M-Pesa")),
    Reason.WITHDRAWAL: (_("Withdrawn to M-Pesa"), _("Set aside for M-Pesa")),
    Reason.PAYOUT: (_("Paid out to M-Pesa"), Text("M-Pesa")),
    Reason.SUSPENSE: _OTHERWISE,  # of these no person has an entry
    Reason.SENDING: _OTHERWISE,
    Reason.FLOAT: _OTHERWISE,
    Reason.COST: _OTHERWISE,
    Reason.RETURN: (_("Withdrawal given back"), _("Withdrawal given back")),
    Reason.BOUNCE: (_("M-Pesa, given back"), _("M-Pesa, given back")),
    Reason.OPENING: (_("Opening gift"), _("Opening gift")),
}
PLACES: Final[Mapping[str, Text]] = {
    "main": _("Main account"),
    "held": _("Set aside"),
    "owed": _("Owed to us"),
}

TITLE: Final = _("Statement")
HOLDER: Final = _("Account holder")
NUMBER: Final = _("Wallet number")
PHONE: Final = _("Phone")
ACCOUNT: Final = _("Account")
PERIOD: Final = _("Period")
ISSUED: Final = _("Issued")
OPENING: Final = _("Opening balance")
PAID_IN: Final = _("Paid in")
PAID_OUT: Final = _("Paid out")
FEES: Final = _("Fees")
CLOSING: Final = _("Closing balance")
NO_LINES: Final = _("No movements in this period.")
TIMES: Final = _("Times are Nairobi's. Fees include excise duty.")
PAGE: Final = _("Page {number} of {count}")
TIME: Final = _("Time")
REFERENCE: Final = _("Reference")
DETAILS: Final = _("Details")
FEE: Final = _("Fee")
BALANCE: Final = _("Balance")


def movement(line: Line, language: Language) -> str:
    """What a line is."""
    out, in_ = MOVEMENTS.get(line.reason, _OTHERWISE)
    return (in_ if line.amount.minor > 0 else out).render(language)


def other(line: Line) -> str:
    """Who is on the other side, if anybody: `Otieno 0733***002`."""
    return f"{line.name} {msisdn.masked(line.msisdn)}" if line.name else ""


def decimal(money: Money) -> str:
    """An amount for programs: `-1250.00`."""
    return f"{Decimal(money.minor).scaleb(-money.currency.exponent):f}"


def day(instant: datetime) -> str:
    """`21/11/2026`, in Nairobi."""
    return instant.astimezone(NAIROBI).strftime("%d/%m/%Y")


def minute(instant: datetime) -> str:
    """`21/11/2026 09:30`, in Nairobi."""
    return instant.astimezone(NAIROBI).strftime("%d/%m/%Y %H:%M")


def period(statement: Statement) -> str:
    """`01/11/2026 - 30/11/2026`: the last day is the last that is within."""
    last = statement.period.end - timedelta(microseconds=1)
    return f"{day(statement.period.begin)} - {day(last)}"


def account(statement: Statement, language: Language) -> str:
    """`Main account, KES`."""
    return f"{PLACES[statement.place].render(language)}, {statement.currency.value}"


def summary(statement: Statement) -> list[tuple[Text, Money]]:
    """The figures that add up: the last is the sum of the others."""
    return [
        (OPENING, statement.opening),
        (PAID_IN, statement.paid_in),
        (PAID_OUT, statement.paid_out),
        (FEES, -statement.fees),
        (CLOSING, statement.closing),
    ]
