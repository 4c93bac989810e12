"""
Sending text messages: what every provider of them must be able to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.money import Money
from workers.errors import CallFailed


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
    """An account with a provider that texts are sent from."""

    has_sender_id: bool
    """Whether messages come from a name of our own."""

    def send(self, *, to: str, text: str, as_shared: bool = False) -> Receipt:
        """
        Hand a text for a number in E.164 to the provider, once.

        Args:
            to: The number.
            text: The words.
            as_shared: Let it come from the provider's shared sender instead of our own.

        Raises:
            Rejected: The provider will not send it, now or later.
            Blocked: It will send nothing until staff mend something.
            Unreachable: It was not sent; the same call may be made again later.
            Unknown: It may have been sent; the same call could send it twice.
        """
        ...

    def send_many(self, *, to: Sequence[str], text: str) -> Mapping[str, Receipt | CallFailed]:
        """
        Hand one text for several numbers, no two the same, to the provider, once.

        Returns:
            What became of each number's message: a receipt, or what `send` would have raised.

        Raises:
            Rejected, Blocked, Unreachable, Unknown: As `send`, for all of them.
        """
        ...

    def credit(self) -> Money:
        """
        Ask what credit is left.

        Raises:
            CallFailed: It was not told, or not in shillings.
        """
        ...
