"""
Calling a rail's API: JSON there and back, and what a status says when the body says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from core.money import Currency, Money
from workers.errors import Blocked, Rejected, Unknown, Unreachable
from workers.transport import Timeouts, Transport

BAD_KEY: Final = "BadKey"
BAD_URL: Final = "BadUrl"
NO_BALANCE: Final = "InsufficientBalance"
BAD_REQUEST: Final = "BadRequest"

# Together well under the time of a job. A rail itself gives up after half a minute; what it says
# then is asked for, not waited for.
TIMEOUTS: Final = Timeouts(connect_seconds=3.05, read_seconds=15.0)

_KEY: Final = re.compile(r"[!-~]{8,200}")
_WORD: Final = re.compile(r"[^ -~]+")
_WHY_LENGTH_MAX: Final = 120
_MINOR_MAX: Final = 10**15
_NOT_TAKEN: Final = frozenset({408, 425, 429})  # each says: I did not act on this
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body is a JSON object."""

    status: int
    body: Mapping[str, Any]

    @property
    def message(self) -> str:
        """The words of an envelope; both rails call them so."""
        return said(self.body.get("message"))

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - successes

    def says(self, words: tuple[str, ...]) -> bool:
        """Whether this is a refusal in one of these words, which are in lower case."""
        message = self.message.lower()
        return not self.is_success and any(word in message for word in words)


class Api:
    """
    An API that takes and gives JSON, and knows us by a key.

    Safe to share between threads. Make it in the process that calls: its connections must not be
    inherited through a fork.

    Args:
        url: The API's base, such as `https://api.paystack.co`.
        key: Ours. It is sent with every request and shown nowhere.
        timeouts: In seconds.

    Raises:
        ValueError: A setting cannot work.
    """

    def __init__(self, *, url: str, key: str, timeouts: Timeouts = TIMEOUTS) -> None:
        if not _KEY.fullmatch(key):
            raise ValueError("The secret key must be visible ASCII without spaces; copy it again.")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise ValueError("The API's URL must look like https://api.paystack.co.")
        self._url = url.rstrip("/")
        self._timeouts = timeouts
        self._transport = Transport(
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"}
        )

    def get(self, path: str, **params: str) -> Reply:
        """
        Ask. As nothing moves by it, no answer is `Unreachable`: ask again later.

        Raises:
            Blocked, Unreachable: Nothing was told.
        """
        try:
            return self._call("GET", path, body=None, params=params)
        except Unknown as silence:
            raise Unreachable(silence.why) from None

    def post(self, path: str, body: Mapping[str, object]) -> Reply:
        """
        Ask for something to be done, once.

        Raises:
            Blocked, Unreachable: It was not done.
            Unknown: It may have been.
        """
        return self._call("POST", path, body=body, params=None)

    def close(self) -> None:
        """Hang up the pooled connections."""
        self._transport.close()

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None,
        params: Mapping[str, str] | None,
    ) -> Reply:
        answer = self._transport.request(
            method,
            self._url + path,
            headers={} if body is None else {"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
            params=params,
            timeouts=self._timeouts,
        )
        status, why = answer.status, f"HTTP {answer.status}"
        if status in _NOT_TAKEN:
            raise Unreachable(why)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Blocked(f"{why}: the key is wrong, or may not do this", BAD_KEY)
        if status in _MOVED:
            raise Blocked(f"{why}: the API is not at the configured URL", BAD_URL)
        content = parsed(answer.body)
        if status >= 500 or not isinstance(content, dict):  # noqa: PLR2004 - the server's errors
            raise Unknown(f"{why} that says nothing of what was done")
        return Reply(status, content)


def parsed(body: bytes | None) -> Any:  # noqa: ANN401 - whatever JSON there is
    """Parse a body by what it is, fractions exactly; None if it is no JSON."""
    try:
        return json.loads(body or b"", parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def said(words: object) -> str:
    """A rail's words, fit for one line of a log."""
    return _WORD.sub(" ", words).strip()[:_WHY_LENGTH_MAX] if isinstance(words, str) else ""


def from_minor(amount: int | None, currency: str) -> Money | None:
    """An amount in minor units; None where it is none, or of no currency of ours."""
    if amount is None or currency not in Currency.__members__ or abs(amount) > _MINOR_MAX:
        return None
    return Money(amount, Currency[currency])


def from_major(amount: Decimal | None, currency: str) -> Money | None:
    """An amount in whole units; None where it is none of a currency of ours, to the last cent."""
    if amount is None or currency not in Currency.__members__ or not amount.is_finite():
        return None
    minor = amount.scaleb(Currency[currency].exponent)
    if minor != minor.to_integral_value() or abs(minor) > _MINOR_MAX:
        return None
    return Money(int(minor), Currency[currency])


def rejected(reply: Reply) -> Rejected:
    """A refusal, in the rail's own words."""
    return Rejected(f"HTTP {reply.status}: {reply.message}", BAD_REQUEST)


def first(error: ValidationError) -> str:
    """Where a body is not what it should be; never what stood there."""
    path = error.errors(include_url=False, include_input=False)[0]["loc"]
    return ".".join(str(part) for part in path) or "no JSON"
