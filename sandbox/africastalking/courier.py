"""What the provider posts to us on its own time: reports, inbound SMS, events of sessions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import requests

from sandbox.errands import Errands

log = logging.getLogger(__name__)


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


class Courier(Errands):
    """What carries the provider's callbacks to our web, each when it is due."""

    def __init__(self, web_url: str, token: str, pace: Pace, *, threads: int = 4) -> None:
        super().__init__("courier", threads=threads)
        self._web_url = web_url.rstrip("/")
        self._token = token
        self._pace = pace

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
