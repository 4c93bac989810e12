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
from core.deposits.checkouts import (
    CheckoutQuote,
    Page,
    TooManyCheckouts,
    begin_page,
    book_cost,
    by_rail_reference,
    declined,
    due_pages,
    expect_checkout,
    lapse,
    opened,
    paid,
    put_off,
    quote_checkout,
    refused,
)
from core.deposits.hearing import (
    Question,
    answered,
    asking,
    given_back,
    heard,
    is_due,
    is_open,
    questions,
)
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
    named,
    prompted,
    rejected,
    sweep,
    unsure,
)
from core.deposits.rows import MAY_COME, Deposit, DepositOpen, Seen, State, UnknownDeposit
from core.deposits.seeing import by_reference, listed, of_key, of_reference
from core.deposits.settling import (
    Came,
    Settlement,
    decided,
    expire,
    fail,
    failed,
    settle,
)

__all__ = [
    "MAY_COME",
    "Asking",
    "Came",
    "CheckoutQuote",
    "Deposit",
    "DepositOpen",
    "Expected",
    "Page",
    "Prompt",
    "Question",
    "Quote",
    "Seen",
    "Settlement",
    "State",
    "TooManyCheckouts",
    "UnknownDeposit",
    "answered",
    "asked",
    "asking",
    "begin",
    "begin_page",
    "book_cost",
    "by_rail_reference",
    "by_reference",
    "by_token",
    "decided",
    "declined",
    "doubt",
    "doubtful",
    "due",
    "due_pages",
    "expect",
    "expect_checkout",
    "expire",
    "fail",
    "failed",
    "given_back",
    "heard",
    "is_called",
    "is_due",
    "is_open",
    "lapse",
    "listed",
    "named",
    "newest",
    "of_key",
    "of_reference",
    "opened",
    "paid",
    "prompted",
    "put_off",
    "questions",
    "quote",
    "quote_checkout",
    "refused",
    "rejected",
    "settle",
    "sweep",
    "unsure",
]
