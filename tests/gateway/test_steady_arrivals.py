"""
Callers who keep dialling while an engine is frozen: nobody stands in line behind the silence.

Their hops come whether or not those before them were answered, as those of a country do. So each
thread that waits for the frozen engine is missed: what a hop waits for a thread counts as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from web_under_test import Web, opened

RATE, SECONDS = 25, 6
IN_TIME, QUICK = 8.5, 3.0
WALKS = 6


@pytest.fixture
def web(built, tmp_path) -> Iterator[Web]:
    with opened(built, tmp_path) as web:
        yield web


def arriving(web: Web, engine, hands: ThreadPoolExecutor) -> tuple[list[Future], list[Future]]:
    """The dials, and the steps through menus that need no SQL, at a steady rate."""
    dials, walks = [], []
    count = RATE * SECONDS
    every = count // WALKS
    with web.frozen(engine):
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(began + number / RATE - time.monotonic(), 0))
            dials.append(hands.submit(web.hop, f"dial-{number}"))
            if number % every == every // 2:
                walks.append(hands.submit(web.hop, f"walk-{number // every}", "4"))
        for hop in dials + walks:
            hop.result()
    return [hop.result() for hop in dials], [hop.result() for hop in walks]


@pytest.mark.parametrize("engine", ["postgres", "valkey"])
def test_nobody_stands_in_line_behind_the_silence(web, engine):
    for number in range(WALKS):
        assert web.hop(f"walk-{number}")[0].startswith("CON Kabambe. Balance")
    with ThreadPoolExecutor(RATE * SECONDS + WALKS) as hands:
        dials, walks = arriving(web, getattr(web, engine), hands)
    assert all(said.startswith("END ") for said, _ in dials)
    took = sorted(seconds for _, seconds in dials)
    assert took[-1] <= IN_TIME
    assert took[len(took) // 2] < QUICK / 3, "once it is known, it is said at once"
    assert max(seconds for _, seconds in walks) < QUICK
    if engine == "postgres":
        assert all(said.startswith("END ") for said, _ in dials)
    took = sorted(seconds for _, seconds in dials)
    assert took[-1] <= IN_TIME
    assert took[len(took) // 2] < QUICK / 3, "once it is known, it is said at once"
    assert max(seconds for _, seconds in walks) < QUICK
    heard = "CON Help" if engine == "postgres" else "END Sorry, please try again shortly."
    assert {said.startswith(heard) for said, _ in walks} == {True}
    said, _ = web.hop("after", msisdn="+254712000002")
    assert said.startswith("CON Kabambe. Balance"), "whoever comes next finds it awake"
