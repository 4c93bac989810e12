"""
Every way in which Safaricom and we ourselves fail (reference daraja.md §2.2), for money in and out.

Whatever happens: the row ends in the truth, the ledger says so, and nobody is told it twice; nobody
is prompted or paid a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from rail import opened
from safaricom import until

from core import chart
from core import deposits as core_deposits
from core import withdrawals as core_withdrawals
from workers.mpesa import deposits, withdrawals

ASKED = 500
SOON = {"callback": {"kind": "late", "seconds": 0.2}}
ROUNDS_MAX = 14
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def rail(house):
    house.safaricom.begin()
    house.safaricom.phone("+254712000001", balance="20000.00")
    house.safaricom.phone("+254733000002", balance="20000.00")
    with opened(house) as found:
        found.fund()
        yield found


@pytest.fixture
def wanjiru(house):
    return house.register("+254712000001", name="Wanjiru", balance="20,000")


@dataclass
class Fault:
    """
    What goes wrong, and what must come of it.

    Args:
        number: Its number in the reference.
        name: What it is.
        scripts: What the sandbox's Safaricom is told.
        state: The row's, at the end.
        told: What the person was told, in order.
        terms: How Safaricom treats us besides.
        came: Whether Safaricom moved the money.
        kept: Whether we have it on the person's account, or in suspense ("suspense").
        cases: How many cases there are for staff.
        calls: How often Safaricom got the request that moves money.
        amount: Shillings.
        registered: Whether payments are told to our paybill, too.
    """

    number: int
    name: str
    scripts: list[dict[str, object]]
    state: str
    told: list[str]
    terms: dict[str, object] = field(default_factory=dict)
    came: bool = True
    kept: str = "account"
    cases: int = 0
    calls: int = 1
    amount: int = ASKED
    registered: bool = False

    def __str__(self) -> str:
        return f"{self.number}-{self.name}"


def spoil(api: str, preset: str, **more: object) -> dict[str, object]:
    return {"on": api, "preset": preset, **more}


def quirks() -> dict[str, object]:
    names = ("balance_item", "spaced_keys", "bare_parameter", "reference_array", "shuffled")
    return {"quirks": dict.fromkeys((*names, "whole_amounts", "doubled_debit_party"), True)}


PAID_IN, FAILED_IN = ["deposit-settled"], ["deposit-failed"]
IN = [
    Fault(1, "lost ack", [spoil("stk", "lost-ack")], "settled", PAID_IN),
    Fault(
        1,
        "lost ack and callback",
        [spoil("stk", "lost-ack-and-callback")],
        "settled",
        PAID_IN,
        registered=True,
    ),
    Fault(2, "5xx, but moved", [spoil("stk", "5xx-moved")], "settled", PAID_IN),
    Fault(2, "HTML instead of JSON", [spoil("stk", "html-200")], "settled", PAID_IN),
    Fault(2, "busy, but moved", [spoil("stk", "busy-moved")], "settled", PAID_IN),
    Fault(
        2, "5xx, and not moved", [spoil("stk", "5xx")], "expired", ["deposit-expired"], came=False
    ),
    Fault(3, "callback before the ack", [spoil("stk", "callback-first")], "settled", PAID_IN),
    Fault(4, "callback twice", [spoil("stk", "callback-twice")], "settled", PAID_IN),
    Fault(5, "no callback", [spoil("stk", "callback-lost")], "settled", PAID_IN),
    Fault(5, "half a callback", [spoil("stk", "corrupt")], "settled", PAID_IN),
    Fault(
        6, "late", [spoil("stk", "callback-late", callback=SOON["callback"])], "settled", PAID_IN
    ),
    Fault(
        7,
        "failed, then paid",
        [spoil("stk", "failed-then-paid")],
        "review",
        ["deposit-failed", "deposit-in-review"],
        kept="suspense",
        cases=1,
    ),
    Fault(7, "paid, then failed", [spoil("stk", "paid-then-failed")], "settled", PAID_IN, cases=1),
    Fault(
        8,
        "still processing",
        [
            spoil("stk", "callback-lost"),
            {"on": "query", "answer": {"kind": "pending", "how": "processing"}},
            {"on": "query", "answer": {"kind": "pending", "how": "4999"}},
            {"on": "query", "answer": {"kind": "pending", "how": "empty"}},
            {"on": "query", "answer": {"kind": "html"}},
        ],
        "settled",
        ["deposit-expired", *PAID_IN],
    ),
    Fault(9, "told twice over", [], "settled", PAID_IN, registered=True),
    Fault(10, "paid after we gave up", [], "settled", ["deposit-expired", *PAID_IN]),
    Fault(11, "token expired", [spoil("stk", "token-expired")], "settled", PAID_IN, calls=2),
    Fault(12, "spike arrest", [spoil("stk", "spike", next=3)], "settled", PAID_IN, calls=4),
    Fault(
        13,
        "the query says it failed",
        [{"on": "stk", "outcome": "1032", "callback": {"kind": "lost"}}],
        "failed",
        FAILED_IN,
        came=False,
    ),
    Fault(14, "as oddly as it can be said", [], "settled", PAID_IN, terms=quirks()),
    Fault(15, "unknown token", [spoil("stk", "forged-elsewhere")], "settled", PAID_IN),
    Fault(15, "unlisted address", [], "settled", PAID_IN, terms={"source": "127.0.0.7"}),
    Fault(
        15,
        "wrong amount",
        [spoil("stk", "wrong-amount")],
        "review",
        ["deposit-in-review"],
        kept="suspense",
        cases=1,
    ),
    Fault(
        15,
        "a success that is none",
        [spoil("stk", "forged", outcome="1032")],
        "failed",
        FAILED_IN,
        terms={"answer_after": 0.2},
        came=False,
        amount=6_000,
    ),
]

PAID_OUT, FAILED_OUT = ["withdrawal-paid"], ["withdrawal-failed"]
LOST = spoil("b2c", "callback-lost")
OUT = [
    Fault(
        1,
        "lost request",
        [spoil("b2c", "lost-request")],
        "paid",
        ["withdrawal-delayed", *PAID_OUT],
        calls=2,
    ),
    Fault(2, "lost ack", [spoil("b2c", "lost-ack")], "paid", PAID_OUT),
    Fault(2, "lost ack and callback", [spoil("b2c", "lost-ack-and-callback")], "paid", PAID_OUT),
    Fault(2, "5xx, but moved", [spoil("b2c", "5xx-moved")], "paid", PAID_OUT),
    Fault(
        2,
        "maintenance",
        [spoil("b2c", "maintenance")],
        "paid",
        ["withdrawal-delayed", *PAID_OUT],
        calls=2,
    ),
    Fault(3, "result before the ack", [spoil("b2c", "callback-first")], "paid", PAID_OUT),
    Fault(4, "result twice", [spoil("b2c", "callback-twice")], "paid", PAID_OUT),
    Fault(5, "no result", [LOST], "paid", PAID_OUT),
    Fault(5, "half a result", [spoil("b2c", "corrupt")], "paid", PAID_OUT),
    Fault(6, "timeout, no result", [spoil("b2c", "timeout")], "paid", PAID_OUT),
    Fault(
        6,
        "timeout, then the result",
        [{"on": "b2c", "callback": {"kind": "timeout-then-result", "seconds": 0.2}}],
        "paid",
        PAID_OUT,
    ),
    Fault(7, "paid, then failed", [spoil("b2c", "paid-then-failed")], "paid", PAID_OUT, cases=1),
    Fault(
        7,
        "failed, then paid, and little",
        [spoil("b2c", "failed-then-paid")],
        "review",
        FAILED_OUT,
        cases=1,
        kept="both",
    ),
    Fault(
        7,
        "failed, then paid, and much",
        [spoil("b2c", "failed-then-paid")],
        "paid",
        PAID_OUT,
        amount=6_000,
    ),
    Fault(
        8,
        "nobody can say for long",
        [
            LOST,
            {"on": "status", "next": 2, "fate": "Pending Authorized"},
            spoil("status", "html-200"),
        ],
        "paid",
        ["withdrawal-delayed", *PAID_OUT],
    ),
    Fault(
        9,
        "the result and the status",
        [spoil("b2c", "callback-late", callback=SOON["callback"])],
        "paid",
        PAID_OUT,
    ),
    Fault(11, "token expired", [spoil("b2c", "token-expired")], "paid", PAID_OUT, calls=2),
    Fault(12, "spike arrest", [spoil("b2c", "spike", next=2)], "paid", PAID_OUT, calls=3),
    Fault(
        13,
        "declined, with a code of success",
        [{"on": "b2c", "outcome": "2040", "callback": {"kind": "lost"}}],
        "failed",
        FAILED_OUT,
        came=False,
    ),
    Fault(14, "as oddly as it can be said", [], "paid", PAID_OUT, terms=quirks()),
    Fault(
        14,
        "their identifier for ours",
        [],
        "paid",
        PAID_OUT,
        terms={"quirks": {"gateway_originator": True}},
    ),
    Fault(15, "unknown token", [spoil("b2c", "forged-elsewhere")], "paid", PAID_OUT),
    Fault(15, "unlisted address", [], "paid", PAID_OUT, terms={"source": "127.0.0.7"}),
    Fault(15, "wrong amount", [spoil("b2c", "wrong-amount")], "review", [], cases=1, kept="held"),
    Fault(15, "another's number", [spoil("b2c", "wrong-number")], "paid", PAID_OUT),
    Fault(
        15,
        "a success that is none",
        [spoil("b2c", "forged", outcome="2040")],
        "failed",
        FAILED_OUT,
        came=False,
        amount=6_000,
    ),
]


def carry_on(house, state, *, ends: set[str]) -> str:
    """Let everybody work, and time pass, until the row has ended."""
    for _round in range(ROUNDS_MAX):
        for _again in range(4):
            house.safaricom.work(house)
            time.sleep(0.03)
        house.safaricom.work(house)
        if state() in ends:
            break
        house.clock.passes(minutes=2, seconds=10)
    time.sleep(0.25)  # what comes after the end must change nothing
    house.clock.passes(minutes=3)
    house.safaricom.work(house)
    time.sleep(0.05)
    house.safaricom.work(house)
    return state()


def begin(house, fault: Fault) -> Callable[[str], int]:
    """Script it; return how many shillings have moved since, by kind."""
    house.safaricom.register("" if fault.registered else NOBODY)
    house.safaricom.terms(**fault.terms)
    for script in fault.scripts:
        house.safaricom.fault(**script)
    before = house.safaricom.totals()

    def moved(kind: str) -> int:
        now = house.safaricom.totals()
        return int(float(now[kind]["amount"]) - float(before[kind]["amount"]))

    return moved


@pytest.mark.parametrize("fault", IN, ids=str)
def test_money_in(rail, house, wanjiru, fault):
    moved = begin(house, fault)
    if fault.number == 10:
        house.safaricom.terms(phones="ask")
    deposit = rail.expect(wanjiru, fault.amount * 100)
    house.clock.passes(seconds=3)
    if fault.number == 10:
        house.safaricom.work(house)
        house.clock.passes(minutes=11)
        house.safaricom.work(house)
        assert rail.deposit_state(deposit) == "expired"
        house.safaricom.accept()
    ends = {"settled", "failed", "review"} | ({fault.state} if fault.state == "expired" else set())
    state = carry_on(house, lambda: rail.deposit_state(deposit), ends=ends)
    assert state == fault.state
    assert rail.told(wanjiru) == fault.told
    assert moved("c2b") == (fault.amount if fault.came else 0)
    assert len(house.safaricom.requests("stk")) == fault.calls
    minor = fault.amount * 100 if fault.came else 0
    assert wanjiru.balance.minor == 20_000_00 + (minor if fault.kept == "account" else 0)
    assert rail.balance(chart.MPESA_SUSPENSE) == (minor if fault.kept == "suspense" else 0)
    assert rail.balance(chart.MPESA_PAYBILL) == -minor
    assert len(rail.cases()) == fault.cases


@pytest.mark.parametrize("fault", OUT, ids=str)
def test_money_out(rail, house, wanjiru, fault):
    moved = begin(house, fault)
    before = wanjiru.balance.minor
    withdrawal = rail.withdraw(wanjiru, fault.amount * 100)
    price = before - wanjiru.balance.minor
    if "source" in fault.terms:
        # Answers to our questions come from there, too: nothing of it is believed.
        assert carry_on(house, lambda: rail.withdrawal_state(withdrawal), ends={"sent"}) == "sent"
        house.safaricom.terms(source=None)
    state = carry_on(
        house, lambda: rail.withdrawal_state(withdrawal), ends={"paid", "failed", "review"}
    )
    assert state == fault.state
    assert rail.told(wanjiru) == fault.told
    assert moved("b2c") == (fault.amount if fault.came else 0)
    assert len(house.safaricom.requests("b2c")) == fault.calls
    came = price if fault.came and fault.kept != "both" else 0
    assert wanjiru.balance.minor == before - came
    assert rail.balance(chart.HELD, wanjiru) == (price if fault.kept == "held" else 0)
    is_out = fault.came and fault.kept in ("account", "held")
    assert rail.balance(chart.MPESA_UTILITY) == -100_000_00 + (fault.amount * 100 if is_out else 0)
    assert len(rail.cases()) == fault.cases


class Died(BaseException):
    """The process was killed."""


@pytest.fixture
def dies_after_the_call(monkeypatch):
    """Let a hand die between Safaricom's answer and our commit of it, once."""

    def once(module, function: str) -> None:
        whole = getattr(module, function)

        def die(*args, **more):
            monkeypatch.setattr(module, function, whole)
            raise Died

        monkeypatch.setattr(module, function, die)

    return once


class TestDeath:
    """16: between the call and the commit, and jobs that run twice."""

    def test_a_prompt_is_not_sent_again(self, rail, house, wanjiru, dies_after_the_call):
        house.safaricom.register(NOBODY)
        deposit = rail.expect(wanjiru, ASKED * 100)
        house.clock.passes(seconds=3)
        dies_after_the_call(core_deposits, "prompted")
        with pytest.raises(Died):
            house.safaricom.work(house)
        assert rail.deposit_state(deposit) == "prompting"
        state = carry_on(house, lambda: rail.deposit_state(deposit), ends={"settled"})
        assert state == "settled"
        assert len(house.safaricom.requests("stk")) == 1
        assert rail.told(wanjiru) == PAID_IN

    def test_a_payout_is_not_sent_again(self, rail, house, wanjiru, dies_after_the_call):
        house.safaricom.fault(on="b2c", preset="callback-lost")
        withdrawal = rail.withdraw(wanjiru, ASKED * 100)
        dies_after_the_call(core_withdrawals, "sent")
        with pytest.raises(Died):
            house.safaricom.work(house)
        assert rail.withdrawal_state(withdrawal) == "sending"
        state = carry_on(house, lambda: rail.withdrawal_state(withdrawal), ends={"paid"})
        assert state == "paid"
        assert len(house.safaricom.requests("b2c")) == 1
        assert rail.told(wanjiru) == PAID_OUT

    def test_jobs_that_run_at_once_call_once(self, rail, house, wanjiru):
        house.safaricom.register(NOBODY)
        deposit = rail.expect(wanjiru, ASKED * 100)
        withdrawal = rail.withdraw(wanjiru, ASKED * 100)
        house.clock.passes(seconds=3)
        with ThreadPoolExecutor(6) as hands:
            for job in (deposits.prompt, withdrawals.pay) * 3:
                hands.submit(job)
        assert len(house.safaricom.requests("stk")) == 1
        assert len(house.safaricom.requests("b2c")) == 1
        ends = {("settled", "paid")}
        both = lambda: (rail.deposit_state(deposit), rail.withdrawal_state(withdrawal))  # noqa: E731
        assert carry_on(house, both, ends=ends) == ("settled", "paid")


def test_an_emptied_redis_loses_nothing(rail, house, wanjiru):
    """17: PostgreSQL is the outbox and the inbox; Redis rings."""
    house.safaricom.register(NOBODY)
    deposit = rail.expect(wanjiru, ASKED * 100)
    withdrawal = rail.withdraw(wanjiru, ASKED * 100)
    house.clock.passes(seconds=3)
    house.relay.once()
    house.redis.flushdb()  # the rings for both
    house.safaricom_works()
    house.safaricom_works()
    until(lambda: house.bank.one("SELECT count(*) FROM inbox WHERE provider = 'mpesa'") == 2)
    house.relay.once()
    house.redis.flushdb()  # the rings for what was told; the token, too
    house.clock.passes(seconds=11)
    house.safaricom_works()
    assert rail.deposit_state(deposit) == "settled"
    assert rail.withdrawal_state(withdrawal) == "paid"
    assert len(house.safaricom.requests("stk")) == 1
    assert len(house.safaricom.requests("b2c")) == 1
