"""Webhooks: which programs are told of what, and what they answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from core import webhook_deliveries, webhooks
from core.outbox import WEBHOOK_TYPES
from core.webhook_deliveries import Logged, Tried
from core.webhooks import Webhook
from gateway.api.schemas import SEEN, Instant, Sent, Told
from gateway.api.schemas.access import Digits, Pin

_TYPES = sorted(WEBHOOK_TYPES.values())
Url = Annotated[
    str,
    StringConstraints(min_length=8, max_length=500, pattern=SEEN),
    Field(
        description="https, a public name, port 443 or 8443.",
        examples=["https://shop.example.com/kabambe"],
    ),
]
Description = Annotated[str, StringConstraints(max_length=100, pattern=SEEN)]
Types = Annotated[
    list[Annotated[str, Field(json_schema_extra={"enum": _TYPES})]],
    Field(max_length=len(_TYPES), description="Of which types; none for all."),
]


class WebhookMade(Sent):
    """A program that wants to be told."""

    url: Url
    description: Description = ""
    types: Types = Field(default_factory=list)
    pin: Pin
    totp: Digits | None = None


class WebhookChanged(Sent):
    """What is to be otherwise; what is left out stays."""

    url: Url | None = None
    description: Description | None = None
    types: Types | None = None
    active: bool | None = None
    pin: Pin | None = Field(
        default=None, description="Wanted if `url`, `types` or `active` change."
    )
    totp: Digits | None = None


class WebhookConfirmed(Sent):
    """What shows that its owner wants it, and nobody who has their token."""

    pin: Pin
    totp: Digits | None = None


class WebhookTold(Told):
    """A program that is told."""

    id: str = Field(examples=["we_3f0d3c9c52a94b5d8f1c0e8b7a6d5c4b"])
    url: str
    description: str
    types: list[str]
    state: webhooks.EndpointState
    made_at: datetime
    failing_since: datetime | None = Field(
        description="Since when it has taken nothing; after three days it is turned off."
    )
    disabled_at: datetime | None
    disabled_why: str | None = Field(examples=["failing"])

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """The same, for its owner."""
        return cls(**fields(webhook))


class WebhookShownOnce(WebhookTold):
    """With the secret by which what it is told is signed. It is never shown again."""

    secret: str = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])


class Webhooks(Told):
    """All of them, the oldest first."""

    webhooks: list[WebhookTold]


class SecretShownOnce(Told):
    """Another secret. It is never shown again."""

    secret: str
    both_sign_until: datetime = Field(description="Until when the one before it signs as well.")


class DeliveriesWanted(Sent):
    """Which deliveries, and how many at once."""

    state: Annotated[webhook_deliveries.DeliveryState | None, Field(strict=False)] = None
    limit: Annotated[int, Field(strict=False, ge=1, le=100)] = 50
    cursor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,24}$")] | None = Field(
        default=None, description="`next` of the page before."
    )


class DeliveryTold(Told):
    """Something that was told, or is to be. `id` is the `webhook-id`."""

    id: str = Field(examples=["msg_0d0a7ef3c4f14f6a9a1f4ba0b2f3d9be"])
    type: str
    state: webhook_deliveries.DeliveryState
    staged_at: datetime
    due_at: datetime = Field(description="When it is tried next, while it waits.")
    attempts: int

    @classmethod
    def of(cls, logged: Logged) -> Self:
        """The same, for its owner."""
        return cls(**_logged(logged))


class Deliveries(Told):
    """Some deliveries, the newest first."""

    deliveries: list[DeliveryTold]
    next: str | None = Field(description="The cursor to go on from; null at the end.")


class AttemptTold(Told):
    """One call: how long it took, and what was answered, or why nothing was."""

    number: int
    started_at: datetime
    duration_ms: int | None
    status: int | None
    why: str | None
    answer: str | None = Field(description="The first 500 letters of it.")


class DeliveryWithAttempts(DeliveryTold):
    """A delivery, and every attempt at it."""

    tried: list[AttemptTold]

    @classmethod
    def with_attempts(cls, logged: Logged, tried: Sequence[Tried]) -> Self:
        """The same, for its owner."""
        return cls(
            **_logged(logged),
            tried=[
                AttemptTold(
                    number=each.number,
                    started_at=each.started_at,
                    duration_ms=each.duration_ms,
                    status=each.status,
                    why=each.why,
                    answer=each.answer,
                )
                for each in tried
            ],
        )


class ReplayAsked(Sent):
    """What is to be told again."""

    since: Instant
    delivered_too: bool = Field(
        default=False, description="Also what arrived, and not only what never did."
    )


class Replayed(Told):
    """How much is told again; where it is 10,000, ask once more."""

    count: int


def fields(webhook: Webhook) -> dict[str, object]:
    """What is told of a webhook."""
    return {
        "id": webhook.code,
        "url": webhook.url,
        "description": webhook.description,
        "types": list(webhook.types),
        "state": webhook.state,
        "made_at": webhook.made_at,
        "failing_since": webhook.failing_since,
        "disabled_at": webhook.disabled_at,
        "disabled_why": webhook.disabled_why,
    }


def _logged(logged: Logged) -> dict[str, object]:
    return {
        "id": logged.code,
        "type": logged.type,
        "state": logged.state,
        "staged_at": logged.staged_at,
        "due_at": logged.due_at,
        "attempts": logged.tries,
    }
