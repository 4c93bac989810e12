"""A worker stays until it is told to go, also where Redis was silent for once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from itertools import islice
from unittest.mock import PropertyMock, patch

import pytest
from processes import environment
from redis import Redis

from core.money import kes
from workers import queues
from workers.bell import EXECUTE
from workers.queues import Name, Worker


@pytest.fixture
def signals():
    """What signals do, put back: RQ takes them."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture
def told_to_stop(signals):
    """Do something while a worker of the ledger works in this thread, then tell it to stop."""

    def serve(redis, work):
        def live():
            try:
                work()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        life = threading.Thread(target=live)
        life.start()
        queues.serve(Name.LEDGER, redis)
        life.join()

    return serve


@pytest.fixture
def transfer(house, wanjiru, otieno):
    """Order a transfer, and ring until it is done: a silent Redis may lose a bell."""

    def is_done():
        queues.enqueue(queues.queue(Name.LEDGER, house.redis), EXECUTE)
        return otieno.balance == kes(100_00)

    def order():
        house.worker_is_elsewhere = True
        wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
        until(is_done)

    return order


def until(condition):
    waited = threading.Event()
    for _ in range(600):
        if condition():
            return
        waited.wait(0.05)
    raise AssertionError("it never came to that")


def test_it_goes_when_told(house, told_to_stop, transfer):
    told_to_stop(house.redis, transfer)


def test_a_silent_redis_does_not_end_it(redis_url, told_to_stop, transfer, capfd):
    """A read that takes longer than RQ waits ends RQ's worker; ours begins anew."""
    slow = Redis.from_url(redis_url, socket_timeout=0.2)

    def life():
        until(lambda: "worker.begins_anew" in capfd.readouterr().err)
        transfer()

    with patch.object(Worker, "connection_timeout", PropertyMock(return_value=0)):
        told_to_stop(slow, life)
    slow.close()


def test_nor_does_one_that_is_not_there_yet(house):
    given = {**os.environ, **environment(house), "REDIS_URL": "redis://127.0.0.1:9/0"}
    with subprocess.Popen(
        [sys.executable, "-m", "workers", "webhooks"], env=given, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            told = (json.loads(line)["event"] for line in process.stderr)
            wanted = ["worker.redis_silent", "worker.begins_anew"] * 2
            assert list(islice(told, len(wanted))) == wanted
        finally:
            process.terminate()
