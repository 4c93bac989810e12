"""
Deposits: money that we ask a payer for by a prompt on their phone, and what becomes of it.

    expected ── begin ──► prompting ──► prompted | unsure ── settle ──► settled
        │                     └── rejected ──► failed ◄── fail ──┤
        └── expire ──► expired ◄────────── expire ───────────────┘

Amount and owner are the row's: what a provider tells is compared with it and never taken from it.
What contradicts itself goes to `review`, where staff decide. A payment that was credited by another
way already is `duplicate`. `expired` is what a person is told; a late success still settles.
"""

from core.deposits.asking import Expected, Quote, expect, newest, quote
from core.deposits.prompting import (
    Asking,
    Prompt,
    asked,
    begin,
    by_token,
    doubt,
    doubtful,
    due,
    is_called,
    prompted,
    rejected,
    sweep,
    unsure,
)
from core.deposits.rows import MAY_COME, Deposit, DepositOpen, Seen, State, UnknownDeposit
from core.deposits.settling import Came, Settlement, by_reference, expire, fail, settle

__all__ = [
    "MAY_COME",
    "Asking",
    "Came",
    "Deposit",
    "DepositOpen",
    "Expected",
    "Prompt",
    "Quote",
    "Seen",
    "Settlement",
    "State",
    "UnknownDeposit",
    "asked",
    "begin",
    "by_reference",
    "by_token",
    "doubt",
    "doubtful",
    "due",
    "expect",
    "expire",
    "fail",
    "is_called",
    "newest",
    "prompted",
    "quote",
    "rejected",
    "settle",
    "sweep",
    "unsure",
]
