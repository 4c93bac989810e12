"""
Withdrawals: money of ours that somebody takes out over a rail, and what becomes of it.

    order ── plan ──► requested ── begin ──► sending ──► sent | unsure ── complete ──► paid
                          ▲── postpone ──────────┤            └── fail ──► failed
                                                 └── rejected ──► failed

The money is set aside when the ledger executes the order, and stays so, however long it takes,
until the provider has said what became of the payout: it goes on, or comes back, once. A payout
has one identifier for ever, under which alone it may be sent again. What contradicts itself is for
`review`, where staff decide. A callback's word that a payout has failed, where it may be of another
sending or says only that the provider was busy, leaves it `unsure`.
"""

from core.withdrawals.hearing import Question, answered, asking, heard, is_due, is_open, questions
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
    known,
    not_found,
    postpone,
    sent,
    sweep,
    tell_delayed,
    unsure,
)
from core.withdrawals.resolving import Came, Resolution, complete, decided, fail, rejected
from core.withdrawals.returning import returned
from core.withdrawals.rows import Seen, State, UnknownWithdrawal, Withdrawal, newest
from core.withdrawals.seeing import listed, of_reference, today, worth

__all__ = [
    "Asking",
    "Came",
    "Payout",
    "Question",
    "Quote",
    "Resolution",
    "Seen",
    "State",
    "UnknownWithdrawal",
    "Withdrawal",
    "answered",
    "asked",
    "asking",
    "begin",
    "by_conversation",
    "by_token",
    "complete",
    "decided",
    "doubt",
    "doubtful",
    "due",
    "fail",
    "heard",
    "is_about",
    "is_due",
    "is_open",
    "known",
    "listed",
    "newest",
    "not_found",
    "of_reference",
    "order",
    "plan",
    "postpone",
    "questions",
    "quote",
    "refuse",
    "rejected",
    "returned",
    "sent",
    "sweep",
    "tell_delayed",
    "today",
    "unsure",
    "worth",
]
