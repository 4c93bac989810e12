"""
Rates from a feed over HTTP: `GET <url>` answers

    {"source": "…", "at": "2026-11-21T06:30:00Z",
     "rates": [{"base": "USD", "quote": "KES", "bid": "129.10", "ask": "129.50"}, …]}

with prices as decimal text. Pairs of currencies we do not hold are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import orjson
import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from core import rates
from core.db import transact
from core.money import Currency
from core.rates import Rate
from workers.errors import CallFailed, Unreachable
from workers.resources import current
from workers.transport import Timeouts, Transport

log = structlog.get_logger(__name__)

_TIMEOUTS: Final = Timeouts(connect_seconds=2.0, read_seconds=5.0)


class _Pair(BaseModel):
    model_config = ConfigDict(frozen=True)

    base: str
    quote: str
    bid: Decimal = Field(gt=0, max_digits=24, decimal_places=12)
    ask: Decimal = Field(gt=0, max_digits=24, decimal_places=12)


class _Feed(BaseModel):
    model_config = ConfigDict(frozen=True)

    source: str = Field(min_length=1, max_length=64)
    at: AwareDatetime
    rates: list[_Pair] = Field(max_length=200)


class RateFeed:
    """
    A feed of rates at an address.

    Args:
        url: What is asked.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._transport = Transport(headers={"Accept": "application/json"})

    def rates(self) -> Sequence[Rate]:
        """
        Ask for the rates of now.

        Raises:
            Unreachable: There was no answer, or none that can be understood.
            Unknown: The feed was asked and did not answer in time.
        """
        answer = self._transport.request(
            "GET", self._url, headers={}, data=None, params=None, timeouts=_TIMEOUTS
        )
        if answer.status != 200 or answer.body is None:  # noqa: PLR2004 - OK
            raise Unreachable(f"HTTP {answer.status}")
        try:
            feed = _Feed.model_validate(orjson.loads(answer.body))
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise Unreachable(f"the feed is not understood ({type(error).__name__})") from None
        ours = set(Currency.__members__)
        return [
            Rate(
                Currency[pair.base], Currency[pair.quote], pair.bid, pair.ask, feed.source, feed.at
            )
            for pair in feed.rates
            if {pair.base, pair.quote} <= ours
        ]

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


def refresh(**_: object) -> None:
    """Fetch the feed and keep what it says. A silent feed is asked again half a minute later."""
    have = current()
    if have.rates is None:
        return
    try:
        fetched = have.rates.rates()
        keep = partial(rates.record, rates=fetched, now=have.clock())
        transact(have.databases, keep)
    except (CallFailed, ValueError) as error:
        log.warning("rates.not_fetched", error=type(error).__name__, why=_why(error))


def _why(error: Exception) -> Any:  # noqa: ANN401 - whatever the error says
    return error.why if isinstance(error, CallFailed) else str(error)
