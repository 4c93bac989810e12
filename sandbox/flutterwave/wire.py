"""How Flutterwave says things: envelopes, transactions, transfers, webhooks and their header."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sandbox.rails.book import Charge, Transfer

Signature = Literal["v3-literal", "v4-hmac", "v4-literal"]

CURRENCIES = frozenset({"NGN", "KES", "GHS", "UGX", "TZS", "ZAR", "USD", "EUR", "GBP"})

_CHARGES = {
    "open": "pending",
    "paid": "successful",
    "declined": "failed",
    "reversed": "reversed",
}
_TRANSFERS = {
    "open": "NEW",
    "otp": "PENDING",
    "paid": "SUCCESSFUL",
    "failed": "FAILED",
    "reversed": "REVERSED",
}


def signature(mode: Signature, secret_hash: str, body: bytes) -> Mapping[str, str]:
    """The header that shows a webhook to be theirs; the older ones are the secret itself."""
    if mode == "v3-literal":
        return {"verif-hash": secret_hash}
    if mode == "v4-literal":
        return {"flutterwave-signature": secret_hash}
    made = hmac.new(secret_hash.encode(), body, hashlib.sha256).digest()
    return {"flutterwave-signature": base64.b64encode(made).decode()}


def instant(at: datetime) -> str:
    """`2020-07-06T19:17:04.000Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def major(minor: int) -> int | float:
    """Whole units, with a fraction where there is one."""
    return minor // 100 if minor % 100 == 0 else minor / 100


def transaction(charge: Charge) -> dict[str, object]:
    """A transaction, as it is verified and as it is announced."""
    amount = charge.paid_amount or charge.amount
    return {
        "id": charge.id,
        "tx_ref": charge.reference,
        "flw_ref": f"FLW-MOCK-{charge.access}",
        "device_fingerprint": "N/A",
        "amount": major(amount),
        "currency": charge.paid_currency or charge.currency,
        "charged_amount": major(amount),
        "app_fee": major(charge.fee),
        "merchant_fee": 0,
        "processor_response": charge.why or "pending",
        "auth_model": "PIN",
        "ip": "197.210.64.96",
        "narration": "CARD Transaction ",
        "status": _CHARGES[charge.status],
        "payment_type": "card",
        "created_at": instant(charge.made_at),
        "account_id": 17_321,
        "customer": {
            "id": 215_604_089,
            "name": "Anonymous customer",
            "phone_number": None,
            "email": charge.email,
            "created_at": instant(charge.made_at),
        },
    }


def transfer(made: Transfer) -> dict[str, object]:
    """A transfer, as it is made, listed and announced."""
    return {
        "id": made.id,
        "account_number": made.to["account_number"],
        "bank_code": made.to["account_bank"],
        "full_name": made.to.get("beneficiary_name", "N/A"),
        "created_at": instant(made.made_at),
        "currency": made.currency,
        "debit_currency": made.currency,
        "amount": major(made.amount),
        "fee": major(made.fee),
        "status": _TRANSFERS[made.status],
        "reference": made.reference,
        "meta": None,
        "narration": made.to.get("narration", ""),
        "complete_message": made.why,
        "requires_approval": 0,
        "is_approved": 1,
        "bank_name": "FA-BANK",
    }


class Dialect:
    """What Flutterwave announces: a charge that failed is "completed", too."""

    def charge_event(self, charge: Charge) -> dict[str, object] | None:
        data = transaction(charge)
        return {"event": "charge.completed", "data": data, "event.type": "CARD_TRANSACTION"}

    def transfer_event(self, made: Transfer) -> dict[str, object]:
        return {"event": "transfer.completed", "event.type": "Transfer", "data": transfer(made)}

    def refund_event(self, charge: Charge) -> dict[str, object]:
        return {
            "event": "refund.completed",
            "event.type": "Refund",
            "data": {
                "id": charge.id,
                "AmountRefunded": major(charge.paid_amount),
                "status": "completed",
                "TransactionId": charge.id,
                "TxRef": charge.reference,
                "FlwRef": f"FLW-MOCK-{charge.access}",
            },
        }
