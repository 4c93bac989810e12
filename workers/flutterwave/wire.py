"""
Flutterwave's own words, of version 3 of its API (developer.flutterwave.com). Amounts are whole
units, with a fraction where there is one. Webhooks of version 4 are read too: which of the two an
account sends is chosen on its dashboard, not by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from workers.rails import ChargeState, Topic, TransferState

CHARGE_STATES: Final[Mapping[str, ChargeState]] = {
    "successful": ChargeState.PAID,
    "failed": ChargeState.DECLINED,
    "reversed": ChargeState.REVERSED,
    "pending": ChargeState.OPEN,
}
TRANSFER_STATES: Final[Mapping[str, TransferState]] = {
    "SUCCESSFUL": TransferState.PAID,
    "FAILED": TransferState.FAILED,
    "REVERSED": TransferState.REVERSED,
    "NEW": TransferState.OPEN,
    "PENDING": TransferState.OPEN,
}
# A charge that failed is "completed" too; what it came to, the rail is asked.
TOPICS: Final[Mapping[str, Topic]] = {
    "charge.completed": Topic.CHARGE,
    "charge.failed": Topic.CHARGE,
    "transfer.completed": Topic.TRANSFER,
    "transfer.failed": Topic.TRANSFER,
    "transfer.reversed": Topic.TRANSFER,
    "refund.completed": Topic.REFUND,
    "refund.failed": Topic.REFUND,
    "chargeback.created": Topic.REFUND,
    "chargeback.updated": Topic.REFUND,
}

Id = Annotated[
    str,
    BeforeValidator(lambda given: str(given) if type(given) is int else given),
    Field(min_length=1, max_length=64, pattern=r"^[!-~]+$"),
]
Major = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=8, allow_inf_nan=False)]
Word = Annotated[str, Field(max_length=200)]


class _Wire(BaseModel):
    """Fields we do not read may hold anything."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Initialised(_Wire):
    link: str = Field(pattern=r"^https?://[!-~]+$", max_length=500)


class Verified(_Wire):
    """`amount` is what was asked for and paid; `charged_amount` may have fees of theirs on top."""

    id: Id
    tx_ref: Id
    status: Word
    amount: Major
    currency: Word
    app_fee: Major | None = None
    processor_response: Word | None = None


class Moved(_Wire):
    """A transfer, as it is made and as it is listed."""

    id: Id
    reference: Id
    status: Word
    amount: Major
    currency: Word
    fee: Major | None = None
    complete_message: Word | None = None


class About(_Wire):
    """What a webhook's data names: a charge by `tx_ref`, a transfer by `reference`."""

    tx_ref: Id | None = Field(default=None, validation_alias=AliasChoices("tx_ref", "TxRef"))
    reference: Id | None = None


class Webhook(_Wire):
    event: str = Field(min_length=1, max_length=100, validation_alias=AliasChoices("event", "type"))
    data: About

    @property
    def reference(self) -> str:
        return self.data.tx_ref or self.data.reference or ""
