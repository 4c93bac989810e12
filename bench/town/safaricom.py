"""
The country's Safaricom: what it is told to do in the town, and what its own book says came of it.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from bench.town.people import Neighbour

_CALL_SECONDS: Final = 30
_OK: Final = 200
# Some of its callbacks come twice, which must do nothing.
_WEATHER: Final = {"none": 9, "callback-twice": 1}

IN: Final = "c2b"
OUT: Final = "b2c"

Moved = Counter[tuple[str, str, str, int]]
"""What moved: in or out, its receipt, the phone (E.164), and cents; how often each."""


@dataclass(frozen=True, slots=True)
class Book:
    """
    What Safaricom has written down.

    Args:
        moved: What people paid us, and we them.
        totals: Of either, how often and how many cents, as it sums it up itself.
    """

    moved: Moved
    totals: dict[str, tuple[int, int]]


class Safaricom:
    """It, by its control doors."""

    def __init__(self, url: str) -> None:
        self._control = f"{url}/daraja/control"
        # Straight to the loopback, whatever proxy the environment names.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def begin(self, people: Sequence[Neighbour], *, seed: int) -> None:
        """Let phones answer prompts by themselves: most pay, some people always cancel."""
        self._ask("PUT", "terms", {"phones": "accept"})
        self._ask("PUT", "weather", {"seed": seed, "weights": _WEATHER})
        for each in people:
            if each.cancels_prompts:
                self._ask("PUT", f"phones/{each.msisdn.removeprefix('+')}", {"habit": "cancel"})

    def say_again(self) -> int:
        """
        Tell once more what nobody was there to hear, as the web was being restarted.

        Safaricom does not: we ask after two minutes. So of what was lost early this tells us what
        we have asked about since, and of what was lost late it spares everybody the wait.

        Returns:
            How much that was.
        """
        lost = [each for each in self._ask("GET", "callbacks") if each["status"] != _OK]
        for each in lost:
            request = urllib.request.Request(  # noqa: S310 - an address of our own house
                each["url"], each["body"].encode(), {"Content-Type": "application/json"}
            )
            with suppress(urllib.error.URLError), self._open(request, timeout=_CALL_SECONDS):
                pass
        return len(lost)

    def book(self) -> Book:
        """Everything that has moved."""
        moved: Moved = Counter()
        for each in self._ask("GET", "transactions"):
            if each["status"] == "Completed" and each["kind"] in (IN, OUT):
                amount = _minor(each["amount"])
                moved[each["kind"], each["receipt"], "+" + each["msisdn"], amount] += 1
        told = self._ask("GET", "totals")
        totals = {kind: (told[kind]["count"], _minor(told[kind]["amount"])) for kind in (IN, OUT)}
        return Book(moved, totals)

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        request = urllib.request.Request(  # noqa: S310 - an address of our own house
            f"{self._control}/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with self._open(request, timeout=_CALL_SECONDS) as answer:
            return json.loads(answer.read() or b"null")


def _minor(told: str) -> int:
    whole, _point, rest = told.partition(".")
    return int(whole) * 100 + int(rest or 0)
