"""The screens about M-Pesa with the largest values they can hold, and what they can refuse."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

from core import (
    cooling,
    deposits,
    ledger,
    limits,
    money,
    msisdn,
    pins,
    rails,
    transfers,
    withdrawals,
)
from core.favourites import Payee
from core.limits import Bounds
from core.money import kes
from core.movements import Movement, Stage, Way
from menus import mpesa_words
from menus.screen import InvalidChoice
from menus.screens import deposit, last, mpesa, settle, till, withdraw

AT = datetime(2026, 12, 31, 20, 59, tzinfo=UTC)
NAME = "W" * 20
MUCH = kes(250_000_00)
TILL = "9999995"
REFERENCE = "DQ7X2M4KWZ"
BOUNDS = Bounds(kes(10_00), MUCH)
ASKED = deposits.Quote(MUCH, kes(9_999_99), kes(999_00))
ASKED_AT_TILL = deposits.Quote(MUCH, kes(9_999_99), kes(999_00), "till")
TAKEN = withdrawals.Quote(MUCH, kes(9_999_99), kes(999_00))
CODES = {"", *mpesa_words.WHY_NOT_PAID, *mpesa_words.WHY_NOT_PAID_OUT}
MOVEMENTS = [
    Movement(way, MUCH, stage, code, NAME, REFERENCE, "WWWWWWWWWW", AT)
    for way, stage, code in product(Way, Stage, sorted(CODES))
    if stage is Stage.FAILED or not code
]

EXAMPLES = [
    mpesa.Mpesa(is_merchant=True),
    deposit.Amount(BOUNDS),
    deposit.Confirm(ASKED),
    deposit.Prompted(MUCH, REFERENCE),
    withdraw.Paused(),
    withdraw.Paused("settlement"),
    withdraw.Amount(BOUNDS),
    withdraw.Confirm(TAKEN),
    withdraw.Outcome(1, 1, TAKEN),
    till.Till((Payee(NAME, TILL, TILL),) * 4),
    till.Amount(1, NAME, TILL),
    till.Confirm(1, NAME, TILL, ASKED_AT_TILL),
    till.Prompted(MUCH, REFERENCE, NAME),
    settle.Settle(is_daily=False),
    settle.Settle(is_daily=True),
    settle.Daily(is_daily=False),
    settle.Daily(is_daily=True),
    last.Last(None),
    *(last.Last(movement) for movement in MOVEMENTS),
]

_SPENT = [
    ledger.InsufficientFunds,
    limits.AccountSuspended,
    limits.NotScreened,
    limits.AmountTooLarge,
    limits.AmountTooSmall,
    limits.DailyLimitReached,
    limits.MonthlyLimitReached,
    limits.TooManyTransfers,
    cooling.AmountCooling,
    cooling.DayCooling,
]
RAISED = {
    deposit.Amount: [
        money.InvalidAmount,
        rails.NotWholeShillings,
        msisdn.InvalidMsisdn,
        deposits.DepositOpen,
        limits.AccountSuspended,
        limits.AmountTooLarge,
        limits.AmountTooSmall,
        limits.CeilingReached,
    ],
    deposit.Confirm: [InvalidChoice, deposits.DepositOpen],
    withdraw.Amount: [money.InvalidAmount, rails.NotWholeShillings, *_SPENT],
    withdraw.Confirm: [pins.InvalidPin, pins.WrongPin, msisdn.InvalidMsisdn],
    withdraw.Paused: [InvalidChoice, *_SPENT],
    till.Till: [transfers.UnknownTill, transfers.SameAccount],
    till.Amount: [
        money.InvalidAmount,
        rails.NotWholeShillings,
        msisdn.InvalidMsisdn,
        deposits.DepositOpen,
        transfers.UnknownTill,
        limits.RecipientSuspended,
        limits.AmountTooLarge,
        limits.AmountTooSmall,
        limits.CeilingReached,
    ],
    till.Confirm: [InvalidChoice, deposits.DepositOpen],
    settle.Settle: [InvalidChoice, *_SPENT],
    settle.Daily: [pins.InvalidPin, pins.WrongPin],
}
