"""
What Safaricom's codes mean, as data: they change, and nobody announces it.

Codes are of the outcome of a payment, which is another space than the gateway's (see `client`).
A code that is not listed here means nothing: it is asked about, and staff are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

PAID: Final = "0"

# Prompts (reference daraja.md §1.4). The words are ours, for logs and staff; people are told by the
# core's events.
FAILED_PROMPTS: Final[Mapping[str, str]] = {
    "1": "their balance is too low",
    "2": "the amount is below the least",
    "3": "the amount is above the most",
    "4": "it would pass their day's limit",
    "8": "it would pass what our paybill may hold",
    "17": "the same amount was paid two minutes ago",
    "26": "M-Pesa is too busy",
    "1001": "they have another transaction open",
    "1019": "the prompt has expired",
    "1025": "the prompt could not be sent",
    "1032": "they cancelled it",
    "1037": "their phone did not answer",
    "2001": "the PIN was wrong",
    "2002": "the store's number is not the agent's",
    "2028": "our shortcode may not ask for this",
    "8006": "their PIN is locked",
    "SFC_IC0003": "our shortcode or the kind of payment is wrong",
}
# Of these, what only staff can mend.
ALARMING_PROMPTS: Final = frozenset({"8", "1025", "2002", "2028", "SFC_IC0003"})

# "The transaction is still under processing", and a push error that turned out paid at times.
PENDING_PROMPTS: Final = frozenset({"4999", "9999"})


# Payouts (§1.6). What is wrong with the payee, or with the amount for them: it comes back.
FAILED_PAYOUTS: Final[Mapping[str, str]] = {
    "2": "the amount is below the least",
    "3": "the amount is above the most",
    "4": "it would pass their day's limit",
    "8": "it would pass what they may hold",
    "2006": "their account does not allow it",
    "2040": "they are not registered with M-Pesa",
    "SFC_IC0003": "they have no M-Pesa",
}
# What is wrong with us: no other is sent. With an end, payouts go on by themselves after so long;
# without one, staff say so. Trying a wrong password again locks it.
BROKEN_PAYOUTS: Final[Mapping[str, tuple[str, timedelta | None]]] = {
    "1": ("our float is too low", timedelta(minutes=15)),
    "11": ("our account is in an invalid state", None),
    "15": ("M-Pesa has seen our identifier before", timedelta(minutes=5)),
    "17": ("M-Pesa failed within", timedelta(minutes=5)),
    "18": ("our initiator's password is wrong", None),
    "20": ("our initiator is not known", None),
    "21": ("our initiator may not pay out", None),
    "22": ("our initiator is not active", None),
    "26": ("M-Pesa is too busy", timedelta(minutes=5)),
    "2001": ("our initiator's name or password is wrong", None),
    "2028": ("our shortcode may not pay out", None),
    "8006": ("our initiator's password is locked", None),
}

# Of these, what does not say that nothing was paid: a duplicate is of what M-Pesa has, and whoever
# is busy, or fails within, may have paid before.
DOUBTFUL_PAYOUTS: Final = frozenset({"15", "17", "26"})

# A question that is refused for our initiator: a payout would be refused for the same.
BROKEN_QUESTIONS: Final[Mapping[str, str]] = {
    code: BROKEN_PAYOUTS[code][0] for code in ("18", "20", "22", "2001", "8006")
}

# What a question about a payment that M-Pesa never saw is answered.
NOT_FOUND: Final = frozenset({"SFC_IC0003"})

# Whoever asks in the name of such an initiator tries a wrong password again, and locks it sooner.
BROKEN_INITIATOR: Final = frozenset({"18", "20", "21", "22", "2001", "8006"})

REVERSED: Final = frozenset({"0", "R000001"})
# A reversal that certainly was not carried out, so that another may be asked for.
NOT_REVERSED: Final = frozenset({"1", "11", "21", "2001", "2006", "2028", "8006", "R000002"})


class Fate(StrEnum):
    """What `TransactionStatus` says of a payment. The code beside it is only the question's own."""

    COMPLETED = "completed"
    FAILED = "failed"
    PENDING = "pending"


_FATES: Final[Mapping[str, Fate]] = {
    "completed": Fate.COMPLETED,
    "cancelled": Fate.FAILED,
    "declined": Fate.FAILED,
    "expired": Fate.FAILED,
    "initiated": Fate.PENDING,
    "authorized": Fate.PENDING,
    "pendingauthorized": Fate.PENDING,
}


def fate(status: object) -> Fate | None:
    """Read a `TransactionStatus`; None for one we do not know."""
    if not isinstance(status, str):
        return None
    return _FATES.get(status.replace(" ", "").casefold())
