"""
Withdrawals: money of ours that somebody takes out over a rail, and what becomes of it.

    order ── plan ──► requested ── begin ──► sending ──► sent | unsure ── complete ──► paid
                          ▲── postpone ──────────┤            └── fail ──► failed
                                                 └── rejected ──► failed

The money is set aside when the ledger executes the order, and stays so, however long it takes,
until the provider has said what became of the payout: it goes on, or comes back, once. A payout
has one identifier for ever, under which alone it may be sent again. What contradicts itself is for
`review`, where staff decide.
"""

from core.withdrawals.ordering import Quote, order, plan, quote, refuse
from core.withdrawals.paying import (
    Asking,
    Payout,
    asked,
    begin,
    by_conversation,
    by_token,
    doubt,
    doubtful,
    due,
    is_about,
    not_found,
    postpone,
    sent,
    sweep,
    tell_delayed,
    unsure,
)
from core.withdrawals.resolving import Came, Resolution, complete, fail, rejected
from core.withdrawals.rows import Seen, State, UnknownWithdrawal, Withdrawal, newest

__all__ = [
    "Asking",
    "Came",
    "Payout",
    "Quote",
    "Resolution",
    "Seen",
    "State",
    "UnknownWithdrawal",
    "Withdrawal",
    "asked",
    "begin",
    "by_conversation",
    "by_token",
    "complete",
    "doubt",
    "doubtful",
    "due",
    "fail",
    "is_about",
    "newest",
    "not_found",
    "order",
    "plan",
    "postpone",
    "quote",
    "refuse",
    "rejected",
    "sent",
    "sweep",
    "tell_delayed",
    "unsure",
]
