"""
What was asked of Safaricom and what it told us, kept for those who want to look afterwards.

`GET /daraja/control/requests` and `GET /daraja/control/callbacks` list them, oldest first;
`?api=b2c` or `?kind=stk` narrows; `DELETE` forgets. The newest 20,000 of each are kept.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass

from sandbox.daraja import wire

_KEPT_MAX = 20_000


@dataclass(frozen=True)
class Request:
    """
    One request to the API.

    Args:
        api: what it was about, as scripts name it.
        path: its path below `/daraja`.
        body: what it said; no headers, as those hold a login.
        status: of the answer; 0 when the connection was reset instead.
        answer: the body of the answer.
        spoilt: the script that befell it, if any.
        at: when, in Nairobi.

    """

    api: str
    path: str
    body: object
    status: int
    answer: str
    spoilt: dict[str, object]
    at: str


@dataclass(frozen=True)
class Told:
    """
    One callback.

    Args:
        kind: `stk`, `b2c`, `timeout`, `validation`, `confirmation`, `status` …
        url: where it went.
        body: what it said, as it was sent.
        status: of the answer; 0 when there was none.
        answer: the answer's body.
        at: when, in Nairobi.
        milliseconds: how long the answer took.

    """

    kind: str
    url: str
    body: str
    status: int
    answer: str
    at: str
    milliseconds: int


class Record:
    """The newest of both; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=_KEPT_MAX)
        self._callbacks: deque[Told] = deque(maxlen=_KEPT_MAX)

    def asked(
        self,
        *,
        api: str,
        path: str,
        body: object,
        status: int,
        answer: str,
        spoilt: dict[str, object],
    ) -> None:
        """Keep a request."""
        at = wire.now().isoformat(timespec="milliseconds")
        with self._lock:
            self._requests.append(Request(api, path, body, status, answer, spoilt, at))

    def told(
        self, *, kind: str, url: str, body: str, status: int, answer: str, milliseconds: int
    ) -> None:
        """Keep a callback."""
        at = wire.now().isoformat(timespec="milliseconds")
        with self._lock:
            self._callbacks.append(Told(kind, url, body, status, answer, at, milliseconds))

    def requests(self, api: str | None = None) -> list[dict[str, object]]:
        """List what was asked, oldest first."""
        with self._lock:
            return [asdict(each) for each in self._requests if api in {None, each.api}]

    def callbacks(self, kind: str | None = None) -> list[dict[str, object]]:
        """List what was told, oldest first."""
        with self._lock:
            return [asdict(each) for each in self._callbacks if kind in {None, each.kind}]

    def forget_requests(self) -> None:
        with self._lock:
            self._requests.clear()

    def forget_callbacks(self) -> None:
        with self._lock:
            self._callbacks.clear()
