"""What a rail posts to us on its own time, as often as it takes."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import requests

from sandbox.errands import Errands
from sandbox.rails.faults import News

log = logging.getLogger(__name__)

_KEPT_MAX = 10_000


@dataclass(frozen=True)
class Pace:
    """How fast a rail is, in seconds; tests have another."""

    news_after: float = 0.5
    retry_after: tuple[float, ...] = (1, 2, 5, 10, 30, 60)
    """Waits between tries of a webhook that was not answered 200."""
    transfer_after: float = 2.0
    """From an accepted transfer to its end."""


@dataclass(frozen=True)
class Webhook:
    """A body and its headers, as they travel."""

    body: bytes
    headers: Mapping[str, str]


Sign = Callable[[bytes], Mapping[str, str]]


class Webhooks(Errands):
    """
    What carries a rail's webhooks to our door, each when it is due.

    Args:
        name: The rail's.
        url: Our door.
        sign: What a body is sent with.
        pace: How fast.
    """

    def __init__(self, name: str, url: str, sign: Sign, pace: Pace) -> None:
        super().__init__(name, threads=2)
        self.pace = pace
        self._url = url
        self._sign = sign
        self._lock = threading.Lock()
        self._made: deque[Webhook] = deque(maxlen=_KEPT_MAX)

    def send(self, event: Mapping[str, object], how: News | None) -> None:
        """Post an event, as well or badly as the fault wants."""
        kind = how.kind if how else ""
        if kind == "lost":
            return
        body = json.dumps(event).encode()
        made = Webhook(body, self._sign(body))
        if kind == "corrupt":
            body = body[: len(body) // 2]
            made = Webhook(body, self._sign(body))
        if kind == "forged":
            lie = body.replace(b"success", b"failed")
            self._post_later(Webhook(lie, self._sign(body[:-1])), 0)
        if kind == "first":
            self._keep(made)
            self._attempt(made, 0)
            return
        after = how.seconds if how and kind == "late" else self.pace.news_after
        self._post_later(made, after)
        if kind == "twice":
            self._post_later(made, after * 2)

    def made(self) -> list[dict[str, object]]:
        """Every webhook that was made, in order: bodies as text."""
        with self._lock:
            return [{"body": each.body.decode(), "headers": each.headers} for each in self._made]

    def forget(self) -> None:
        """Forget what was made."""
        with self._lock:
            self._made.clear()

    def _keep(self, webhook: Webhook) -> None:
        with self._lock:
            self._made.append(webhook)

    def _post_later(self, webhook: Webhook, seconds: float) -> None:
        self._keep(webhook)
        self.later(seconds, lambda: self._attempt(webhook, 0))

    def _attempt(self, webhook: Webhook, tried: int) -> None:
        status = self._post(webhook)
        if status == HTTPStatus.OK or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
            return
        if tried < len(self.pace.retry_after):
            self.later(self.pace.retry_after[tried], lambda: self._attempt(webhook, tried + 1))
        else:
            log.warning("gave up on a webhook after %d tries", tried + 1)

    def _post(self, webhook: Webhook) -> int | None:
        try:
            with requests.Session() as line:
                line.trust_env = False
                return line.post(
                    self._url,
                    data=webhook.body,
                    headers={"Content-Type": "application/json", **webhook.headers},
                    timeout=(3, 10),
                    allow_redirects=False,
                ).status_code
        except requests.RequestException as error:
            log.info("a webhook was not taken: %s", type(error).__name__)
            return None
