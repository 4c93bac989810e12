"""How Paystack says things: envelopes, transactions, transfers, webhooks and their signature."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

from sandbox.rails.book import Charge, Transfer

CURRENCIES = frozenset({"NGN", "GHS", "ZAR", "KES", "USD"})
TRANSACTION_REFERENCE = re.compile(r"[A-Za-z0-9.=-]{1,100}")
TRANSFER_REFERENCE = re.compile(r"[a-z0-9_-]{16,50}")

# A page nobody has paid on is "abandoned" from the start.
_CHARGES = {"open": "abandoned", "paid": "success", "declined": "failed", "reversed": "reversed"}
_TRANSFERS = {"open": "pending", "otp": "otp", "paid": "success"}


def signature(key: str, body: bytes) -> Mapping[str, str]:
    """HMAC-SHA512 of the body as it travels, with the secret API key, in hex."""
    made = hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
    return {"x-paystack-signature": made}


def instant(at: datetime) -> str:
    """`2016-09-30T21:10:19.000Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def transaction(charge: Charge, *, domain: str) -> dict[str, object]:
    """A transaction, as it is verified and as it is announced."""
    is_paid = charge.status in ("paid", "reversed")
    return {
        "id": charge.id,
        "domain": domain,
        "status": _CHARGES[charge.status],
        "reference": charge.reference,
        "amount": charge.paid_amount or charge.amount,
        "message": None,
        "gateway_response": charge.why or "The transaction was not completed",
        "paid_at": instant(charge.made_at) if is_paid else None,
        "created_at": instant(charge.made_at),
        "channel": "card",
        "currency": charge.paid_currency or charge.currency,
        "ip_address": "41.242.49.37",
        # 0 where there is none, as their own sample has it; it may be "", text or an object.
        "metadata": (0, "", "none", {"referrer": "sandbox"})[charge.id % 4],
        "fees": charge.fee if is_paid else None,
        "customer": {"id": 68_324, "email": charge.email, "phone": None},
        "authorization": {"authorization_code": "AUTH_f5rnfq9p", "last4": "4081"},
        "plan": {},
    }


def transfer(made: Transfer, *, domain: str) -> dict[str, object]:
    """A transfer, as it is made, verified and announced."""
    return {
        "amount": made.amount,
        "currency": made.currency,
        "domain": domain,
        "failures": None,
        "id": made.id,
        "reason": made.to.get("reason", ""),
        "reference": made.reference,
        "source": "balance",
        "status": _TRANSFERS.get(made.status, made.status),
        "transfer_code": made.code,
        "transferred_at": None,
        "createdAt": instant(made.made_at),
        "recipient": {"recipient_code": made.to.get("recipient", "")},
        "fee_charged": made.fee,
        "gateway_response": made.why or None,
    }


class Dialect:
    """What Paystack announces: of charges the successful ones alone."""

    domain = "test"

    def charge_event(self, charge: Charge) -> dict[str, object] | None:
        if charge.status != "paid":
            return None
        return {"event": "charge.success", "data": transaction(charge, domain=self.domain)}

    def transfer_event(self, made: Transfer) -> dict[str, object]:
        event = {"paid": "success", "failed": "failed", "reversed": "reversed"}[made.status]
        return {"event": f"transfer.{event}", "data": transfer(made, domain=self.domain)}

    def refund_event(self, charge: Charge) -> dict[str, object]:
        return {
            "event": "refund.processed",
            "data": {
                "status": "processed",
                "transaction_reference": charge.reference,
                "refund_reference": str(charge.id),
                "amount": str(charge.paid_amount),  # text here, and a number everywhere else
                "currency": charge.paid_currency,
                "processor": "mpgs_zen",
                "domain": self.domain,
            },
        }
