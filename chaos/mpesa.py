"""
Thousands of deposits and payouts while Safaricom fails at random, and workers are killed.

At the end every row has ended, and three books agree to the shilling: ours, Safaricom's, and its
statement compared with ours. Nobody was told twice how theirs ended.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import requests
from redis import Redis
from sqlalchemy import text

from chaos.figures import Figures, say
from chaos.house import House
from core import deposits, rails, reconciliation, withdrawals
from core.audit import Actor
from core.db import transact
from core.errors import DomainError
from core.money import kes
from core.rails import Pot
from core.subscribers import Person
from sandbox.daraja.contract import Contract
from workers import reconcile
from workers.bell import Bell
from workers.daraja.client import Account, Daraja
from workers.daraja.statement import OrganisationStatement
from workers.daraja.token import Token
from workers.mpesa import taking
from workers.queues import Name, queue
from workers.transport import Timeouts

SEED: Final = 20261128
HURRIED: Final = ("mpesa", "mpesa-2", "relay")
_FLOAT_KES: Final = 5_000_000
_STAFF: Final = Actor("staff:chaos", "chaos", "mpesa")
_TIMEOUTS: Final = Timeouts(connect_seconds=2, read_seconds=10)
# How often each befalls a request, of a hundred. What staff must decide about (a failure and then a
# success of the same, another's amount) is left out: it ends with them, and is tested by itself. So
# is a float that is too low: it would stop all payouts for a quarter of an hour, as it should.
WEATHER: Final = {
    "none": 72,
    **dict.fromkeys(("lost-ack", "5xx-moved", "empty-500-moved", "html-200", "malformed"), 2.0),
    **dict.fromkeys(("busy-moved", "slow-body", "spike", "token-expired", "pending"), 1.0),
    **dict.fromkeys(("lost-request", "5xx", "html-503", "maintenance"), 0.5),
    **dict.fromkeys(("callback-lost", "callback-late", "callback-twice", "corrupt"), 2.0),
    **dict.fromkeys(("callback-first", "callback-swapped", "forged-elsewhere"), 1.0),
    **dict.fromkeys(("timeout", "timeout-then-result", "expired"), 1.0),
}
_WAVE_SECONDS_MAX: Final = 150.0
_UNTRIED: Final = """
    SELECT (SELECT count(*) FROM deposits WHERE state IN ('expected', 'prompting'))
         + (SELECT count(*) FROM withdrawals WHERE state IN ('requested', 'sending'))
         + (SELECT count(*) FROM inbox WHERE provider = 'mpesa' AND done_at IS NULL)
         + (SELECT count(*) FROM orders WHERE state = 'placed')
"""
_OPEN: Final = """
    SELECT (SELECT count(*) FROM deposits
            WHERE state IN ('expected', 'prompting', 'prompted', 'unsure'))
         + (SELECT count(*) FROM withdrawals
            WHERE state IN ('requested', 'sending', 'sent', 'unsure'))
         + (SELECT count(*) FROM paybill_payments WHERE state = 'unconfirmed')
         + (SELECT count(*) FROM orders WHERE state = 'placed')
"""


@dataclass(frozen=True)
class Pace:
    """How much of it, and how long it may take."""

    each: int
    waves: int
    kill_every_seconds: float
    seconds_max: float


@dataclass
class Rail:
    """The house's line to Safaricom, and the hand that hurries time."""

    house: House
    file: Path
    random: Random
    ahead: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)
    keys: Iterator[int] = field(default_factory=itertools.count)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def hurry(self, seconds: float) -> None:
        self.ahead += seconds
        new = self.file.with_suffix(".new")
        new.write_text(str(self.ahead))
        new.replace(self.file)

    def control(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401 - as JSON has it
        url = f"{self.house.ports.sandbox_url}/daraja/control/{path}"
        answer = requests.request(method, url, timeout=30, **more)
        answer.raise_for_status()
        return answer

    def one(self, query: str, **given: object) -> Any:  # noqa: ANN401 - as SQL has it
        with self.house.databases() as session:
            return session.scalar(text(query), given)

    def open(self) -> int:
        """How many rows have not ended."""
        return int(self.one(_OPEN))

    def deposit(self, person: Person, shillings: int) -> bool:
        def place(session: Any) -> None:  # noqa: ANN401 - a session
            amount = kes(shillings * 100)
            quoted = deposits.quote(session, person=person, amount=amount, now=self.now)
            deposits.expect(
                session,
                subscriber=person.id,
                payer=person.msisdn,
                quoted=quoted,
                key=f"chaos:{next(self.keys)}",
                now=self.now,
            )

        return self._placed(place)

    def payout(self, person: Person, shillings: int) -> bool:
        def place(session: Any) -> None:  # noqa: ANN401 - a session
            amount = kes(shillings * 100)
            quoted = withdrawals.quote(session, person=person, amount=amount, now=self.now)
            withdrawals.order(
                session,
                person=person,
                payee=person.msisdn,
                quoted=quoted,
                key=f"chaos:{next(self.keys)}",
                now=self.now,
            )

        return self._placed(place)

    def _placed(self, place: Any) -> bool:  # noqa: ANN401 - work in a session
        with suppress(DomainError):
            transact(self.house.web, place)
            return True
        return False


def check(house: House, figures: Figures, *, pace: Pace) -> None:
    """Move the money, kill the workers, and see what stands."""
    with tempfile.TemporaryDirectory(prefix="kabambe-hurry-") as folder, _calm(folder) as file:
        rail = Rail(house, file, Random(SEED))
        house.hurry(file, HURRIED)
        _prepare(rail)
        began = time.monotonic()
        ended = threading.Event()
        killer = threading.Thread(target=_kill, args=(rail, pace, ended), daemon=True)
        killer.start()
        try:
            placed = _load(rail, pace)
            _wait(rail, until=began + pace.seconds_max / 2)
        finally:
            ended.set()
            killer.join()
        _wait(rail, until=began + pace.seconds_max)
        seconds = time.monotonic() - began
        _judge(rail, figures, placed, Path(folder))
        figures.told("M0 it took", round(seconds), "s")


@contextmanager
def _calm(folder: str) -> Iterator[Path]:
    file = Path(folder) / "ahead"
    file.write_text("0")
    yield file


def _prepare(rail: Rail) -> None:
    """Fund the float, tell Safaricom our addresses, and let its weather turn."""
    house, agreed = rail.house, Contract()
    transact(
        house.databases,
        lambda session: rails.move(
            session,
            amount=kes(_FLOAT_KES * 100),
            source=Pot.BANK,
            target=Pot.UTILITY,
            key="chaos",
            actor=_STAFF,
            note="the float that Safaricom begins with",
            now=rail.now,
        ),
    )
    calm = {"phones": "accept", "answer_after": 0.1, "callback_after": 0.05, "result_after": 0.1}
    rail.control("PUT", "terms", json={**calm, "same_amount": 0, "busy_phones": False})
    for number, person in enumerate(house.people):
        balance = "400000.00" if number % 12 else "300.00"  # some have too little
        rail.control("PUT", f"phones/{person.msisdn}", json={"balance": balance})
    token = house.environment["KABAMBE_MPESA__DOOR_TOKEN"]
    account = Account(
        shortcode=agreed.shortcode,
        payout_shortcode=agreed.payer,
        initiator=agreed.initiator,
        callbacks=f"{house.ports.web_url}/callbacks/d/{token}",
        passkey=agreed.passkey,
        credential="not asked for",
    )
    url = f"{house.ports.sandbox_url}/daraja"
    redis = Redis.from_url(house.valkey.url)
    grants = Token(redis, url=url, key=agreed.key, secret=agreed.secret, timeouts=_TIMEOUTS)
    client = Daraja(url=url, account=account, token=grants, clock=lambda: rail.now)
    client.register(accepts_unsure=False)
    client.close()
    redis.close()
    rail.control("PUT", "weather", json={"seed": SEED, "weights": WEATHER})


def _load(rail: Rail, pace: Pace) -> Counter[str]:
    """Wave after wave, each with everybody once: prompts of one payer go apart."""
    placed: Counter[str] = Counter()
    per_wave = -(-pace.each // pace.waves)
    redis = Redis.from_url(rail.house.valkey.url)
    bell = Bell(redis, queue(Name.LEDGER, redis), waiting_max=1)
    for wave in range(pace.waves):
        people = rail.random.sample(rail.house.people, min(per_wave, len(rail.house.people)))
        for person in people[: max(0, pace.each - placed["deposits"])]:
            amount = (
                rail.random.randrange(50, 900) if wave % 5 else rail.random.randrange(5001, 5900)
            )
            placed["deposits"] += rail.deposit(person, amount)
        for person in people[: max(0, pace.each - placed["payouts"])]:
            placed["payouts"] += rail.payout(person, rail.random.randrange(20, 400))
        with suppress(Exception):  # the relay rings, too
            bell.ring()
        rail.hurry(4)  # until prompts may go out
        if wave % 2 == 0:
            time.sleep(1)
            rail.house.lose_redis()  # by this thread, with which it would end
            rail.killed["redis"] += 1
        ends = time.monotonic() + _WAVE_SECONDS_MAX
        while rail.one(_UNTRIED) and time.monotonic() < ends:
            time.sleep(0.5)
            rail.hurry(0.5)
        rail.hurry(125)
        say(f"wave {wave + 1} of {pace.waves}: {dict(placed)}, {rail.open()} open")
    redis.close()
    return placed


def _kill(rail: Rail, pace: Pace, ended: threading.Event) -> None:
    names = [*HURRIED, "ledger", "ledger-2"]
    chance = Random(SEED)
    while not ended.wait(pace.kill_every_seconds):
        name = chance.choice(names)
        if rail.house.works(name):  # one that only starts has nothing to lose
            rail.house.kill(name)
            rail.killed[name] += 1


def _wait(rail: Rail, *, until: float) -> None:
    """Let time pass faster, until everything has ended."""
    while (open_ := rail.open()) and time.monotonic() < until:
        time.sleep(2.5)
        # Time passes for what waits, and not for what only has not had its turn.
        rail.hurry(10 if rail.one(_UNTRIED) else 130)
        say(f"{open_} open, {rail.ahead / 60:.0f} minutes ahead")
    time.sleep(3)


_TOLD_TWICE: Final = """
    SELECT count(*) FROM (
        SELECT facts ->> 'reference' FROM outbox
        WHERE event IN ('deposit-settled', 'deposit-failed', 'withdrawal-paid', 'withdrawal-failed')
        GROUP BY 1 HAVING count(*) > 1
    ) x
"""


def _judge(rail: Rail, figures: Figures, placed: Counter[str], folder: Path) -> None:
    figures.told("M0 deposits", placed["deposits"], "")
    figures.told("M0 payouts", placed["payouts"], "")
    figures.told("M0 workers killed", sum(rail.killed.values()), "")
    totals = rail.control("GET", "totals").json()
    in_, out = (round(float(totals[kind]["amount"]) * 100) for kind in ("c2b", "b2c"))
    zeros = {
        "M1 rows that have not ended": rail.open(),
        "M1 rows that staff must decide": rail.one(
            "SELECT (SELECT count(*) FROM deposits WHERE state = 'review')"
            " + (SELECT count(*) FROM withdrawals WHERE state = 'review')"
        ),
        "M2 cents that came, and we have not": in_
        - rail.one("SELECT coalesce(sum(amount), 0) FROM deposits WHERE state = 'settled'")
        - rail.one(
            "SELECT coalesce(sum(amount), 0) FROM paybill_payments WHERE state <> 'duplicate'"
        ),
        "M2 cents that went, and we do not know": out
        - rail.one("SELECT coalesce(sum(amount), 0) FROM withdrawals WHERE state = 'paid'"),
        "M3 cents off on the paybill": in_ + _balance(rail, "mpesa:paybill:kes"),
        "M3 cents off on the float": _FLOAT_KES * 100
        - out
        + _balance(rail, "mpesa:utility:kes")
        + _balance(rail, "mpesa:underway:kes"),
        "M3 cents in suspense": _balance(rail, "suspense:mpesa:kes"),
        "M4 told twice how it ended": rail.one(_TOLD_TWICE),
        "M5 breaks in our book": len(
            reconciliation.whole(rail.house.databases, clock=lambda: rail.now).opened
        ),
        "M5 breaks against the statement": _breaks(rail, figures, folder),
        "M6 prompted more than once": rail.one(
            "SELECT count(*) - count(DISTINCT token_hash) FROM deposits WHERE begun_at IS NOT NULL"
        ),
    }
    for name, value in zeros.items():
        figures.exactly(name, float(value), "", 0.0)


def _balance(rail: Rail, path: str) -> int:
    return int(
        rail.one(
            "SELECT a.balance + coalesce((SELECT sum(u.amount) FROM unrolled u"
            " WHERE u.account_id = a.id), 0) FROM accounts a WHERE path = :path",
            path=path,
        )
        or 0
    )


def taken(rail: Rail, statement: OrganisationStatement) -> int:
    """Take in what only the statement tells, and wait until Safaricom has been asked about it."""
    do = partial(transact, rail.house.databases)
    count = taking.take(do, statement, now=rail.now)
    _wait(rail, until=time.monotonic() + _WAVE_SECONDS_MAX)
    return count


def _breaks(rail: Rail, figures: Figures, folder: Path) -> int:
    """How many receipts of Safaricom's statements are not as we have them."""
    files = []
    for shortcode in (Contract().shortcode, Contract().payer):
        told = rail.control("GET", "statement", params={"shortcode": shortcode}).text
        files.append(folder / f"{shortcode}.csv")
        files[-1].write_text(told)
    statement = OrganisationStatement(tuple(files), late_after=timedelta(days=2))
    figures.told("M0 receipts that only the statement had", taken(rail, statement), "")
    summary = reconcile.bill(rail.house.databases, statement, None)
    for each in summary.opened[:10]:
        say(f"{each.kind} {each.subject}: expected {each.expected}, found {each.found}")
    return len(summary.opened)
