"""
Paystack's own words (reference: paystack.com/docs/api). Amounts are whole minor units.

A top-level `status: true` says that the call worked, and nothing of the money: that is in `data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from workers.rails import ChargeState, Topic, TransferState

CHARGE_STATES: Final[Mapping[str, ChargeState]] = {
    "success": ChargeState.PAID,
    "failed": ChargeState.DECLINED,
    "reversed": ChargeState.REVERSED,
    # "Abandoned" is what Paystack calls a page that nobody has paid on yet.
    **dict.fromkeys(("abandoned", "ongoing", "pending", "processing", "queued"), ChargeState.OPEN),
}
TRANSFER_STATES: Final[Mapping[str, TransferState]] = {
    "success": TransferState.PAID,
    "reversed": TransferState.REVERSED,
    **dict.fromkeys(("failed", "abandoned", "blocked", "rejected"), TransferState.FAILED),
    **dict.fromkeys(("otp", "pending", "processing", "queued", "received"), TransferState.OPEN),
}
TOPICS: Final[Mapping[str, Topic]] = {
    "charge.success": Topic.CHARGE,
    "charge.failed": Topic.CHARGE,
    "transfer.success": Topic.TRANSFER,
    "transfer.failed": Topic.TRANSFER,
    "transfer.reversed": Topic.TRANSFER,
    "refund.pending": Topic.REFUND,
    "refund.processing": Topic.REFUND,
    "refund.processed": Topic.REFUND,
    "refund.failed": Topic.REFUND,
    "charge.dispute.create": Topic.REFUND,
    "charge.dispute.remind": Topic.REFUND,
    "charge.dispute.resolve": Topic.REFUND,
}

NEEDS_CODE: Final = "otp"
"""A transfer that waits for a code which only the dashboard takes: a setting to be turned off."""

Id = Annotated[
    str,
    BeforeValidator(lambda given: str(given) if type(given) is int else given),
    Field(min_length=1, max_length=64, pattern=r"^[!-~]+$"),
]
# Wherever we read an amount it is a number; a refund's is text, and both are whole.
Minor = Annotated[
    int,
    BeforeValidator(
        lambda given: int(given) if isinstance(given, str) and given.isdecimal() else given
    ),
    Field(ge=0, le=10**15),
]
Word = Annotated[str, Field(max_length=200)]


class _Wire(BaseModel):
    """Fields we do not read may hold anything: `metadata` is 0, "", text or an object."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Initialised(_Wire):
    authorization_url: str = Field(pattern=r"^https?://[!-~]+$", max_length=500)
    reference: Id


class Verified(_Wire):
    id: Id
    status: Word
    reference: Id
    amount: Minor
    currency: Word
    fees: Minor | None = None
    gateway_response: Word | None = None


class Recipient(_Wire):
    recipient_code: Id


class Moved(_Wire):
    """A transfer, as it is made and as it is verified."""

    status: Word
    reference: Id
    amount: Minor
    currency: Word
    transfer_code: Id
    fee_charged: Minor | None = None
    # Where it was verified the reason of a failure, or nothing, or an object.
    gateway_response: Any = None
    failures: Any = None


class About(_Wire):
    """What a webhook's data names; which of them depends on the event."""

    reference: Id | None = None
    transaction_reference: Id | None = None
    transaction: Any = None


class Webhook(_Wire):
    event: str = Field(min_length=1, max_length=100)
    data: About

    @property
    def reference(self) -> str:
        """Of a refund or a dispute it is the charge that is named elsewhere."""
        disputed = self.data.transaction
        named = disputed.get("reference") if isinstance(disputed, dict) else None
        if isinstance(named, str):
            return named[:100]
        return self.data.transaction_reference or self.data.reference or ""
