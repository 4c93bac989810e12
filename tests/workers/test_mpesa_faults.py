"""
Every way in which Safaricom and we ourselves fail (reference daraja.md §2.2), for money in and out.

Whatever happens: the row ends in the truth, the ledger says so, and nobody is told it twice; nobody
is prompted or paid a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from mpesa_faults import ASKED, IN, OUT, PAID_IN, PAID_OUT, Fault
from rail import MPESA, STAFF
from safaricom import until

from core import chart, rails
from core import deposits as core_deposits
from core import withdrawals as core_withdrawals
from workers.mpesa import deposits, withdrawals

ROUNDS_MAX = 14
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def rail(house, rail):
    house.safaricom.phone("+254712000001", balance="20000.00")
    house.safaricom.phone("+254733000002", balance="20000.00")
    return rail


@pytest.fixture
def wanjiru(house):
    return house.register("+254712000001", name="Wanjiru", balance="20,000")


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
    return house.safaricom.moving()


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
    if fault.name == "failed, then paid, and much":
        # That failure says that our password is wrong: nothing is asked in its name, either.
        assert carry_on(house, lambda: rail.withdrawal_state(withdrawal), ends={"sent"}) == "sent"
        rail.worker(
            lambda session: rails.close_breaker(
                session, provider=MPESA, actor=STAFF, note="it is right", now=rail.now
            )
        )
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


def test_a_key_that_is_wrong_stops_payouts_for_two_minutes_and_no_longer(rail, house, wanjiru):
    house.safaricom.fault(on="b2c", preset="token-expired", next=2)
    first, second = (rail.withdraw(wanjiru, ASKED * 100) for _each in range(2))
    house.safaricom.work(house)
    house.safaricom.work(house)
    states = {rail.withdrawal_state(first), rail.withdrawal_state(second)}
    assert states <= {"requested", "sent", "paid"}
    assert "requested" in states
    house.clock.passes(minutes=1)
    house.safaricom.work(house)
    house.clock.passes(minutes=1, seconds=1)
    both = lambda: (rail.withdrawal_state(first), rail.withdrawal_state(second))  # noqa: E731
    assert carry_on(house, both, ends={("paid", "paid")}) == ("paid", "paid")
    assert rail.told(wanjiru) == PAID_OUT * 2
