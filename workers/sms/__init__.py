"""
Sending text messages: what every provider of them must be able to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.money import Money


@dataclass(frozen=True)
class Receipt:
    """
    A provider's word that it took a message.

    Args:
        provider_id: What its delivery reports will call the message.
        status: How far it got by then, in the provider's word (`Sent`, `Queued`).
        parts: How many messages it was cut into, where the provider tells.
        cost: What it cost, as the provider writes it (`KES 0.8000`), where it tells.
        cost_kes: The same as money, where it is a whole number of Kenyan cents.
    """

    provider_id: str
    status: str
    parts: int | None = None
    cost: str | None = None
    cost_kes: Money | None = None


class SmsSender(Protocol):
    """Sends one text to one phone."""

    def send(self, *, to: str, text: str) -> Receipt:
        """
        Hand a text for a number in E.164 to the provider, once.

        Raises:
            Rejected: The provider will not send it, now or later.
            Unreachable: It was not sent; the same call may be made again later.
            Unknown: It may have been sent; the same call could send it twice.
        """
        ...
