"""A PostgreSQL that is frozen says nothing, so nothing but our own patience ends a wait for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest
import requests
from bank import Bank
from databases import migrate
from processes import ROOT, environment, until

from core import db
from core.pins import Hasher
from sandbox.engines import Postgres

PEPPER = "sandbox-pin-pepper"
CALLERS = 20
FAILED = (
    "END Something went wrong. Your money is safe. Please try again.\n"
    "Hitilafu imetokea. Pesa zako ziko salama. Tafadhali jaribu tena."
)


def free_port() -> int:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Web:
    """The web as it is served, before a PostgreSQL of its own that can be frozen."""

    def __init__(self, house, home) -> None:
        self.engine = Postgres(home, fast=True)
        self.engine.start()
        migrate(self.engine.url)
        self.bank = Bank(db.connect(self.engine.url), Hasher(PEPPER, cheap=True))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        told = environment(house) | {"DATABASE_URL": self.engine.url, "PORT": str(port)}
        words = ("-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "wsgi:app")
        self.process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=told)

    def close(self) -> None:
        self.thaw()
        self.process.terminate()
        self.process.wait(20)
        self.bank.owner.kw["bind"].dispose()
        self.engine.stop()

    def _signal(self, number: int) -> None:
        server = self.engine.pid
        sessions = subprocess.run(["pgrep", "-P", str(server)], capture_output=True, check=False)
        for pid in (server, *map(int, sessions.stdout.split())):
            os.kill(pid, number)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def live(self) -> float:
        """How long `/live` takes."""
        began = time.monotonic()
        assert requests.get(f"{self.url}/live", timeout=10).status_code == 200
        return time.monotonic() - began

    def is_live(self) -> bool:
        try:
            return self.live() >= 0
        except requests.ConnectionError:
            return False

    def hop(self, session: str, text: str = "") -> tuple[str, float]:
        began = time.monotonic()
        said = requests.post(
            f"{self.url}/ussd/africastalking/sandbox",
            data={
                "sessionId": session,
                "phoneNumber": "+254712000001",
                "serviceCode": "*384#",
                "text": text,
            },
            timeout=20,
        )
        return said.text, time.monotonic() - began


@pytest.fixture
def web(house, tmp_path) -> Iterator[Web]:
    web = Web(house, tmp_path)
    try:
        until(web.is_live)
        for number, name in enumerate(("Wanjiru", "Otieno"), 1):
            msisdn = f"+25471200000{number}"
            now = datetime.now(UTC)
            web.bank.open(msisdn, name=name, language="en", balance="1,000", now=now)
        yield web
    finally:
        web.close()


def test_every_hop_is_answered_and_the_process_stays_alive(web):
    for number in range(CALLERS):
        assert web.hop(f"before-{number}")[0].startswith("CON Kabambe. Balance")
    web.freeze()
    with ThreadPoolExecutor(CALLERS) as hands:
        hops = [hands.submit(web.hop, f"frozen-{number}") for number in range(CALLERS)]
        time.sleep(1.5)
        assert web.live() < 4
        answers = [hop.result() for hop in hops]
    assert {said for said, _ in answers} == {FAILED}
    assert max(seconds for _, seconds in answers) < 9
    began = time.monotonic()
    assert requests.get(f"{web.url}/ready", timeout=10).status_code == 503
    told = requests.post(
        f"{web.url}/sms/africastalking/sandbox/inbound",
        data={"id": "1", "from": "+254712000001", "text": "hello"},
        timeout=20,
    )
    assert told.status_code == 503, "so that the provider repeats it"
    assert time.monotonic() - began < 10
    web.thaw()
    assert web.hop("after")[0].startswith("CON Kabambe. Balance")


def test_a_customer_whose_order_is_in_doubt_is_not_told_to_try_again(web):
    """The order is committed while nobody can say so."""
    web.hop("doubt"), web.hop("doubt", "1"), web.hop("doubt", "1*0712000002")
    assert "Enter PIN" in web.hop("doubt", "1*0712000002*500")[0]
    freeze_at_commit = (
        "CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_sleep(7); RETURN NULL; END $$;"
        " CREATE CONSTRAINT TRIGGER stall AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION stall()"
    )
    web.bank.run(freeze_at_commit)
    said, seconds = web.hop("doubt", "1*0712000002*500*4071")
    assert said.startswith("END We did not hear in time whether that was done.")
    assert seconds < 9
    assert web.hop("doubt", "1*0712000002*500*4071")[0] == said
    until(lambda: web.bank.one("SELECT count(*) FROM orders") == 1)
