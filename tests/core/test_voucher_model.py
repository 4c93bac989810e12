"""Vouchers against a simple model of them, in whatever order things happen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as play
from voucher_shop import Shop

from core import voucher_batches
from core.ledger import InsufficientFunds
from core.money import kes
from core.subscribers import Tier
from core.voucher_batches import BatchOver

STEPS = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NUMBERS = ("+254712000001", "+254733000002", "+254711000003")


@dataclass
class Batch:
    """What the model knows of one."""

    issuer: int | None
    value: int
    ends: datetime
    open: set[int]
    redeemed: set[int] = field(default_factory=set)
    is_cancelled: bool = False

    def objection(self, number, now):
        if number in self.redeemed:
            return "voucher-used"
        if self.is_cancelled:
            return "voucher-cancelled"
        return "voucher-expired" if number not in self.open or self.ends <= now else None


class Machine(RuleBasedStateMachine):
    """Does the same to both, and looks for a difference after every step."""

    house = None

    def __init__(self) -> None:
        super().__init__()
        assert self.house is not None
        self.house.reset()
        self.shop = Shop(self.house)
        self.people = [self.house.register(number, name="P", balance="1,000") for number in NUMBERS]
        self.balances = [1000_00] * len(NUMBERS)
        self.suspended: set[int] = set()
        self.batches: dict[int, Batch] = {}
        self.keys = 0

    def key(self) -> str:
        self.keys += 1
        return f"k{self.keys}"

    @rule(
        issuer=st.sampled_from([None, 0, 1, 2]),
        count=st.integers(1, 4),
        value=st.sampled_from([1_00, 70_00, 300_00]),
        hours=st.integers(1, 3),
    )
    def issue(self, issuer, count, value, hours) -> None:
        if issuer in self.suspended:
            return
        now = self.house.clock()
        self.house.clock.began = now
        payer = None if issuer is None else self.people[issuer]
        try:
            batch = self.shop.issue(
                payer, count=count, value=kes(value), days=hours / 24, key=self.key()
            )
        except InsufficientFunds:
            assert issuer is not None
            assert self.balances[issuer] < count * value
            return
        if issuer is not None:
            self.balances[issuer] -= count * value
            assert self.balances[issuer] >= 0
        ends = now + timedelta(hours=hours)
        self.batches[batch] = Batch(issuer, value, ends, set(range(1, count + 1)))

    @rule(
        wanted=st.lists(
            st.tuples(st.integers(0, 2), st.integers(0, 99), st.integers(0, 99)),
            min_size=1,
            max_size=4,
        )
    )
    @precondition(lambda self: self.batches)
    def redeem(self, wanted) -> None:
        """Several at once, some of them for one voucher; none asks first whether it is open."""
        now = self.house.clock()
        expected = {}
        for who, at, which in wanted:
            id_ = sorted(self.batches)[at % len(self.batches)]
            batch = self.batches[id_]
            number = 1 + which % (len(batch.open | batch.redeemed) or 1)
            key = self.key()
            found = self.shop.found(id_, number, kes(batch.value), batch.ends)
            self.shop.order(self.people[who], found, key=key)
            outcome = batch.objection(number, now)
            if outcome is None and who in self.suspended:
                outcome = "recipient-suspended"
            if outcome is None:
                batch.open.remove(number)
                batch.redeemed.add(number)
                self.balances[who] += batch.value
            expected[key] = outcome or "done"
        self.shop.execute()
        assert {key: self.shop.outcome(key) for key in expected} == expected

    @rule(at=st.integers(0, 99))
    @precondition(lambda self: self.batches)
    def cancel(self, at) -> None:
        id_ = sorted(self.batches)[at % len(self.batches)]
        batch = self.batches[id_]
        is_over = batch.is_cancelled or batch.ends <= self.house.clock()
        try:
            self.shop.cancel(id_)
        except BatchOver:
            assert is_over
        else:
            assert not is_over
            batch.is_cancelled = True

    @rule()
    def refund(self) -> None:
        """As many runs as it takes, each of two vouchers at most."""
        now = self.house.clock()
        returned = 0
        while True:
            with self.house.databases["worker"].begin() as session:
                done = voucher_batches.refund(session, now=now, vouchers_max=2)
            if done is None:
                break
            returned += done.count
        expected = 0
        for batch in self.batches.values():
            if batch.is_cancelled or batch.ends <= now:
                expected += len(batch.open)
                if batch.issuer is not None:
                    self.balances[batch.issuer] += len(batch.open) * batch.value
                batch.open.clear()
        assert returned == expected

    @rule(who=st.integers(0, 2))
    def suspend_or_not(self, who) -> None:
        self.suspended ^= {who}
        tier = Tier.REJECTED if who in self.suspended else Tier.VERIFIED
        self.shop.set_tier(self.people[who], tier)

    @rule(minutes=st.integers(30, 240))
    def time_passes(self, minutes) -> None:
        self.house.clock.passes(minutes=minutes)

    @invariant()
    def both_are_the_same(self) -> None:
        assert [person.balance.minor for person in self.people] == self.balances
        kept = self.house.bank.rows("SELECT batch_id, number FROM vouchers WHERE state = 'open'")
        expected = {(id_, number) for id_, batch in self.batches.items() for number in batch.open}
        assert set(map(tuple, kept)) == expected
        worth = sum(len(batch.open) * batch.value for batch in self.batches.values())
        if self.batches:
            assert self.shop.balance() == kes(worth)


@pytest.fixture
def machine(house):
    Machine.house = house
    yield Machine
    house.reset()


def test_vouchers_do_what_the_model_does(machine):
    play(machine, settings=STEPS)
