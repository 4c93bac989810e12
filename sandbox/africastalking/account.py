"""
How the provider treats our account: its credit, how fast it may send, whether its name is taken.

`PUT /africastalking/account` with JSON changes it until `DELETE` brings the usual back, and `GET`
shows it. Usually there is credit for ever, and no limit:

| field            | means                                                                     |
|------------------|---------------------------------------------------------------------------|
| `balance`        | KES left, as text; from then on sends draw on it, and at its end get 405  |
| `per_second`     | messages a second; a send that is too soon is answered 429                |
| `retry_after`    | seconds that a 429 asks for in its `Retry-After`; left out when null      |
| `appended`       | opt-out words that end the first message to each number from then on      |
| `tells_parts`    | answers say `messageParts`, as some seen elsewhere do and the docs do not |
| `sender_refused` | our sender id gets `InvalidSenderId`; the provider's shared one does not  |
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sandbox.africastalking import wire

_USUAL = Decimal("1785.50")


class Terms(BaseModel):
    """What can be told of an account."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    balance: Annotated[Decimal, Field(ge=-1_000_000, le=1_000_000)] | None = None
    per_second: Annotated[int, Field(ge=1, le=1_000)] | None = None
    retry_after: Annotated[int, Field(ge=0, le=3_600)] | None = None
    sender_refused: bool = False
    appended: Annotated[str, Field(max_length=100)] = ""
    tells_parts: bool = False


class Account:
    """The account as it stands; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._terms = Terms()
        self._sent: deque[float] = deque()
        self._met: set[str] = set()

    @property
    def terms(self) -> Terms:
        """How it is treated now."""
        with self._lock:
            return self._terms

    def change(self, terms: Terms) -> None:
        """Treat it otherwise from now on."""
        with self._lock:
            self._terms = terms
            self._sent.clear()
            self._met.clear()

    @property
    def balance(self) -> Decimal:
        """The credit left, in KES."""
        left = self.terms.balance
        return _USUAL if left is None else left

    def is_too_fast(self, count: int) -> bool:
        """Count messages that want to be sent now; whether they are more than go in a second."""
        with self._lock:
            if self._terms.per_second is None:
                return False
            now = time.monotonic()
            while self._sent and self._sent[0] <= now - 1:
                self._sent.popleft()
            if len(self._sent) + count > self._terms.per_second:
                return True
            self._sent.extend([now] * count)
            return False

    def words(self, number: str, text: str) -> str:
        """What a number is sent: a first message may have something appended."""
        with self._lock:
            is_first = number not in self._met
            self._met.add(number)
            return f"{text}\n{self._terms.appended}" if self._terms.appended and is_first else text

    def charge(self, recipients: Sequence[wire.Recipient]) -> list[wire.Recipient]:
        """Take what the accepted cost; those that the credit does not reach are refused."""
        with self._lock:
            left = self._terms.balance
            if left is None:
                return list(recipients)
            judged = []
            for each in recipients:
                if each.accepted and each.cost > left:
                    judged.append(replace(each, code=405))
                else:
                    left -= each.cost
                    judged.append(each)
            self._terms = self._terms.model_copy(update={"balance": left})
            return judged
