"""
Safaricom as tests handle it: the sandbox's, over HTTP, and our own hands beside it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from redis import Redis

from core.money import kes
from gateway.callbacks import Callers
from sandbox.daraja.contract import Contract
from workers.daraja import credential
from workers.daraja.client import Account, Daraja
from workers.daraja.line import PACE, Line
from workers.daraja.token import Token
from workers.mpesa import deposits as prompts
from workers.mpesa import letters, payments, sweeping
from workers.mpesa import withdrawals as payouts
from workers.pace import Pace
from workers.transport import Timeouts

DOOR = "0123456789abcdef" * 2
CALLERS = Callers(
    token=DOOR,
    addresses=frozenset({"127.0.0.1"}),
    mode="enforce",
    shortcode=Contract().shortcode,
    accepts_unsure=False,
)
TIMEOUTS = Timeouts(connect_seconds=2.0, read_seconds=3.0)

CALM: dict[str, object] = {
    "phones": "accept",
    "answer_after": 0,
    "callback_after": 0,
    "result_after": 0,
    "same_amount": 0,
    "busy_phones": False,
}
PATIENCE_SECONDS = 60.0
_FORGOTTEN = (
    *("faults", "weather", "terms", "requests", "callbacks"),
    *("initiators", "quota", "urls", "phones"),
)


@dataclass
class Safaricom:
    """What the fake is told, and what it has."""

    url: str
    line: Line
    is_used: bool = False

    def work(self, house: Any) -> None:
        """Do all that is due, as the worker would, rung for every piece of it."""
        sweeping.sweep()
        for job in (prompts.prompt, payouts.pay, prompts.ask, payouts.resolve, payments.confirm):
            job()
        undone = house.bank.rows(
            "SELECT id FROM inbox WHERE provider = 'mpesa' AND done_at IS NULL ORDER BY id"
        )
        letters.understand(ids=[row[0] for row in undone])

    def control(self, path: str) -> str:
        return f"{self.url}/control/{path}"

    def begin(self) -> None:
        """Be as calm as it can be, and quick."""
        self.is_used = True
        self.reset()

    def reset(self) -> None:
        for what in _FORGOTTEN:
            requests.delete(self.control(what), timeout=5).raise_for_status()
        self.terms(**CALM)

    def register(self, callbacks: str = "") -> None:
        """Have payments to our paybill told to us; or to nobody, at an address where nobody is."""
        account = replace(
            self.line.client.account, callbacks=callbacks or self.line.client.account.callbacks
        )
        Daraja(
            url=self.url,
            account=account,
            token=self.line.client._token,
            clock=self.line.client._clock,
            timeouts=TIMEOUTS,
        ).register(accepts_unsure=False)

    def terms(self, **terms: object) -> None:
        requests.put(self.control("terms"), json=terms, timeout=5).raise_for_status()

    def fault(self, **script: object) -> None:
        answer = requests.post(self.control("faults"), json=script, timeout=5)
        assert answer.ok, answer.text

    def phone(self, msisdn: str, **changes: object) -> None:
        requests.put(self.control(f"phones/{msisdn}"), json=changes, timeout=5).raise_for_status()

    def accept(self, pin: str = "1234") -> None:
        """Let people enter their PINs into the prompts that wait."""
        for prompt in requests.get(f"{self.url}/prompts", timeout=5).json():
            answer = requests.post(
                f"{self.url}/prompts/{prompt['id']}", json={"pin": pin}, timeout=5
            )
            assert answer.ok, answer.text

    def requests(self, api: str) -> list[dict[str, Any]]:
        return requests.get(self.control("requests"), params={"api": api}, timeout=5).json()

    def callbacks(self, kind: str) -> list[dict[str, Any]]:
        return requests.get(self.control("callbacks"), params={"kind": kind}, timeout=5).json()

    def transactions(self) -> list[dict[str, Any]]:
        return requests.get(self.control("transactions"), timeout=5).json()

    def totals(self) -> dict[str, Any]:
        return requests.get(self.control("totals"), timeout=5).json()

    def moving(self) -> Callable[[str], int]:
        """How many shillings will have moved from now on, by kind; its book is never emptied."""
        before = self.totals()

        def moved(kind: str) -> int:
            return int(float(self.totals()[kind]["amount"]) - float(before[kind]["amount"]))

        return moved


def until(is_so: Callable[[], object], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for what happens by itself, as callbacks do."""
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


@contextmanager
def opened(
    redis: Redis, clock: Callable[[], datetime], web_url: str, country_url: str
) -> Iterator[Safaricom]:
    """Open our line to the sandbox's Safaricom, who calls the web back."""
    url, agreed = f"{country_url}/daraja", Contract()
    with tempfile.NamedTemporaryFile(suffix=".pem") as certificate:
        told = requests.get(f"{url}/control/certificate", timeout=5).content
        certificate.write(told)
        certificate.flush()
        sealed = credential.seal(Path(certificate.name), agreed.password)
    account = Account(
        shortcode=agreed.shortcode,
        payout_shortcode=agreed.payer,
        initiator=agreed.initiator,
        callbacks=f"{web_url}/callbacks/d/{DOOR}",
        passkey=agreed.passkey,
        credential=sealed,
    )
    token = Token(redis, url=url, key=agreed.key, secret=agreed.secret, timeouts=TIMEOUTS)
    began = time.monotonic()

    def moving() -> datetime:
        """The tests' time, but one that passes: a pace waits for it."""
        return clock() + timedelta(seconds=time.monotonic() - began)

    line = Line(
        client=Daraja(url=url, account=account, token=token, clock=clock, timeouts=TIMEOUTS),
        pace=Pace(redis, moving, per_second=200, name=PACE),
        confirm_above=kes(5_000_00),
        float_least=kes(50_000_00),
    )
    yield Safaricom(url, line)
    line.client.close()
