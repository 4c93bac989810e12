"""What is restarted under the simulated people comes back before the next thing goes."""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import until

from bench.stack import Stack
from bench.town.log import Log
from bench.town.troubles import Restart, trouble
from sandbox.product import Ports

# Ends when it is asked to, but takes its time, as a worker that has a job in hands does.
SLOW = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.5)
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


@pytest.fixture
def house(tmp_path):
    house = Stack(Ports(1, 2), 3, dict(os.environ), None, (), {}, tmp_path)
    house.start("ledger", [sys.executable, "-c", SLOW, str(tmp_path / "up")])
    until((tmp_path / "up").exists)
    yield house
    house.stop_all()


def test_one_process_is_restarted_and_killed_in_turn(house):
    """Both times come at once, as they do where few people call."""
    log = Log()
    restarts = Restart(0.1, "ledger"), Restart(0.2, "ledger", is_killed=True)

    async def both():
        share, turn = asyncio.Event(), asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            for each in restarts:
                group.create_task(trouble(house, log, share=share, turn=turn, each=each))
            share.set()

    with ThreadPoolExecutor(max_workers=1) as apart:
        apart.submit(lambda: asyncio.run(both())).result()
    assert [each.name for each in log.troubles] == ["ledger restarted", "ledger killed"]
    assert log.troubles[0].ended <= log.troubles[1].began
    assert house.processes["ledger"].poll() is None
