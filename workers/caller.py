"""
Calls a stranger's address: signed, bounded in every way, and never one of our own house.

What is refused before the call: anything but https to a public name by few ports. What is refused
as the name resolves: any address that is not on the public internet. The addresses that were looked
at are the ones connected to. Redirects are not followed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from standardwebhooks import Webhook

from core import internet, webhooks
from core.webhook_ends import ANSWER_LENGTH_MAX, Heard
from core.webhooks import InvalidWebhook
from workers.errors import CallFailed
from workers.transport import Answer, Timeouts, Transport

TIMEOUTS: Final = Timeouts(connect_seconds=5.0, read_seconds=10.0)


class Caller:
    """Calls webhooks; the threads of one process may share it."""

    def __init__(self, *, loopback: bool, timeouts: Timeouts = TIMEOUTS) -> None:
        """
        Make one.

        Args:
            loopback: Whether this very machine may be called: in the sandbox alone.
            timeouts: In seconds; they bound the whole of a call but for resolving the name.
        """
        self._loopback = loopback
        self._timeouts = timeouts
        self._transport = Transport(
            headers={"User-Agent": "Kabambe-Webhooks/1", "Connection": "close"},
            may_reach=self._may_reach,
        )

    def call(
        self, *, url: str, code: str, body: str, secrets: Sequence[str], now: datetime
    ) -> Heard:
        """
        Tell somebody something, once.

        Args:
            url: Their address.
            code: The `webhook-id`: the same each time this is told.
            body: What is told.
            secrets: What it is signed with; more than one while a secret is being replaced.
            now: When, which is signed as well.
        """
        begun = time.monotonic()
        try:
            webhooks.check(url, loopback=self._loopback)
            answer = self._transport.request(
                "POST",
                url,
                headers=signed(code=code, body=body, secrets=secrets, now=now),
                data=body.encode(),
                params=None,
                timeouts=self._timeouts,
            )
        except InvalidWebhook:
            return Heard(_since(begun), why="this is not an address that we call")
        except CallFailed as failure:
            return Heard(_since(begun), why=failure.why)
        return Heard(
            _since(begun),
            status=answer.status,
            answer=_piece(answer),
            retry_after=_retry_after(answer.headers.get("Retry-After", ""), now=now),
        )

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def _may_reach(self, address: str) -> bool:
        return internet.is_public(address) or (self._loopback and internet.is_loopback(address))


def signed(*, code: str, body: str, secrets: Sequence[str], now: datetime) -> Mapping[str, str]:
    """The headers of Standard Webhooks, with a signature by each secret."""
    at = now.astimezone(UTC)
    return {
        "Content-Type": "application/json",
        "webhook-id": code,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(msg_id=code, timestamp=at, data=body) for secret in secrets
        ),
    }


def _since(begun: float) -> int:
    return int((time.monotonic() - begun) * 1000)


def _piece(answer: Answer) -> str | None:
    """As much of an answer as is kept for its owner, without what no database and no page likes."""
    if not answer.body:
        return None
    said = answer.body[: 4 * ANSWER_LENGTH_MAX].decode(errors="replace")
    return re.sub(r"[^\n -~\u00a0-\ud7ff\ue000-\uffef]", "\ufffd", said)[:ANSWER_LENGTH_MAX]


def _retry_after(said: str, *, now: datetime) -> timedelta | None:
    """How long they ask us to wait: seconds, or a date."""
    if re.fullmatch(r"[0-9]{1,7}", said):
        return timedelta(seconds=int(said))
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, OverflowError):  # a year that no clock has
        return None
    return max(at.replace(tzinfo=at.tzinfo or UTC) - now, timedelta(0))
