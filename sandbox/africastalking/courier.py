"""What the provider posts to us on its own time: reports, inbound SMS, events of sessions."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import requests

log = logging.getLogger(__name__)

_ERRANDS_MAX = 20_000
"""Errands waiting at once; more are refused, as memory is not endless."""


@dataclass(frozen=True)
class Pace:
    """How fast the country runs; tests run it faster. All in seconds."""

    report_after: float = 0.3
    retry_after: tuple[float, ...] = (0.5, 1, 2, 5, 10, 30, 60)
    """Waits between tries of a callback that was not answered 200; the provider's are a minute."""
    hop_deadline: float = 10
    """How long the network waits for a screen."""
    session_life: float = 180
    """How long a USSD session may last."""
    stream_ping: float = 15
    stream_life: float = 600


def line() -> requests.Session:
    """Open a fresh way to our web, past whatever proxy the environment names."""
    session = requests.Session()
    session.trust_env = False
    return session


class Courier:
    """A few threads that run errands when they are due, the earliest first."""

    def __init__(self, web_url: str, token: str, pace: Pace, *, threads: int = 4) -> None:
        self._web_url = web_url.rstrip("/")
        self._token = token
        self._pace = pace
        self._threads = threads
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._started = False
        self._closed = False

    def later(self, seconds: float, errand: Callable[[], None]) -> None:
        """Run an errand after so many seconds."""
        with self._changed:
            if self._closed or len(self._due) >= _ERRANDS_MAX:
                return
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), errand))
            if not self._started:  # started by the first errand, so after any fork of the server
                self._started = True
                for number in range(self._threads):
                    threading.Thread(
                        target=self._run, name=f"courier-{number}", daemon=True
                    ).start()
            self._changed.notify()

    def close(self) -> None:
        """Drop what is still due and let the threads end."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()

    def deliver(self, door: str, form: Mapping[str, str], *, after: float = 0) -> None:
        """
        Post a form to one of our SMS doors until it answers 200, or the tries are used up.

        Args:
            door: the last word of the address: `delivery`, `inbound` or `optout`.
            form: the fields, the same on every try.
            after: seconds to wait before the first try.
        """
        self.later(after, lambda: self.attempt(door, form))

    def attempt(self, door: str, form: Mapping[str, str], tried: int = 0) -> None:
        """Post the form now, in the caller's thread, and see to it that it is tried again."""
        if self.post(f"/sms/africastalking/{self._token}/{door}", form) == HTTPStatus.OK:
            return
        if tried < len(self._pace.retry_after):
            wait = self._pace.retry_after[tried]
            self.later(wait, lambda: self.attempt(door, form, tried + 1))
        else:
            log.warning("gave up on a %s callback after %d tries", door, tried + 1)

    def notify(self, form: Mapping[str, str]) -> None:
        """Post the event that ends a session, once: the provider promises no more."""
        self.later(
            0, lambda: self._drop(self.post(f"/ussd/africastalking/{self._token}/events", form))
        )

    def post(self, path: str, form: Mapping[str, str]) -> int | None:
        """Post one form to the web; None when it could not be reached."""
        try:
            with line() as session:
                answer = session.post(
                    self._web_url + path,
                    data=dict(form),
                    timeout=(3, self._pace.hop_deadline),
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            log.info("a callback was not taken: %s", type(error).__name__)
            return None
        return answer.status_code

    @staticmethod
    def _drop(status: int | None) -> None:
        if status != HTTPStatus.OK:
            log.info("the end of a session was not taken: %s", status)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    if self._closed:
                        return
                    wait = self._due[0][0] - time.monotonic() if self._due else None
                    self._changed.wait(wait)
                _, _, errand = heapq.heappop(self._due)
            try:
                errand()
            except Exception:
                log.exception("an errand failed")
