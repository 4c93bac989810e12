"""Deposits and withdrawals against a simple model of them, in whatever order things are told."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as play
from rail import Rail

from core import chart, reconciliation
from core.money import kes

STEPS = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
RECEIPTS = st.sampled_from([f"RKL51ZDR4{letter}" for letter in "ABCDEF"])
OPEN = {"prompting", "prompted", "unsure", "expired"}
UNDER_WAY = {"sending", "sent", "unsure"}
PICK = st.integers(0, 99)


@dataclass
class In:
    """A deposit as it should be."""

    who: int
    amount: int
    state: str
    receipt: str | None = None


@dataclass
class Out:
    """A withdrawal as it should be; `held` is what is set aside."""

    who: int
    total: int
    held: int
    state: str = "requested"
    receipt: str | None = None


class Machine(RuleBasedStateMachine):
    """Whatever is told, nobody is credited or paid twice, and nothing is lost."""

    house = None

    @initialize()
    def begin(self) -> None:
        self.house.reset()
        self.rail = Rail(self.house)
        self.rail.fund()
        self.people = [
            self.house.register(f"+25471200000{n}", name=f"P{n}", balance="5,000") for n in "12"
        ]
        self.balances = [5_000_00, 5_000_00]
        self.ins: dict[int, In] = {}
        self.outs: dict[int, Out] = {}
        self.used: dict[str, tuple[str, int]] = {}
        self.payments: set[str] = set()

    def one(self, of: dict, at: int) -> int:
        return sorted(of)[at % len(of)]

    # Deposits

    @rule(who=st.integers(0, 1), shillings=st.integers(1, 900), is_unsure=st.booleans())
    def prompt(self, who, shillings, is_unsure) -> None:
        self.house.clock.passes(seconds=121)  # a phone shows one prompt at a time
        deposit = self.rail.expect(self.people[who], shillings * 100)
        self.house.clock.passes(seconds=3)
        assert self.rail.begin(deposit) is not None
        if is_unsure:
            self.rail.unsure(deposit)
        else:
            self.rail.prompted(deposit)
        self.ins[deposit] = In(who, shillings * 100, "unsure" if is_unsure else "prompted")

    @rule(at=PICK, receipt=RECEIPTS | st.none(), is_wrong=st.booleans(), asked=st.booleans())
    @precondition(lambda self: self.ins)
    def succeed(self, at, receipt, is_wrong, asked) -> None:
        deposit = self.one(self.ins, at)
        told = kes(self.ins[deposit].amount + (100 if is_wrong else 0))
        self.rail.settle(deposit, receipt=receipt, told=told, confirmed=asked)
        self._succeeded(deposit, receipt, is_wrong=is_wrong)

    def _succeeded(self, deposit, receipt, *, is_wrong=False) -> None:
        row = self.ins[deposit]
        if row.state == "settled":
            if receipt and not row.receipt and receipt not in self.used:
                row.receipt, self.used[receipt] = receipt, ("in", deposit)
        elif row.state != "duplicate" and (row.state not in OPEN or is_wrong):
            row.state = "review"
        elif row.state != "duplicate":
            kind, _ = self.used.get(receipt, ("", 0))
            if receipt and kind == "payment":
                row.state = "duplicate"
            elif receipt and kind:
                row.state = "review"
            else:
                row.state, row.receipt = "settled", receipt
                self.balances[row.who] += row.amount
                if receipt:
                    self.used[receipt] = ("in", deposit)

    @rule(at=PICK)
    @precondition(lambda self: self.ins)
    def fail(self, at) -> None:
        deposit = self.one(self.ins, at)
        self.rail.fail(deposit)
        if self.ins[deposit].state in OPEN:
            self.ins[deposit].state = "failed"

    # What is paid to the paybill

    @rule(who=st.integers(0, 1), receipt=RECEIPTS)
    def pay(self, who, receipt) -> None:
        self.rail.pay(receipt, self.people[who].phone.msisdn, 70_00)
        if receipt not in self.payments:
            self.payments.add(receipt)
            if receipt not in self.used:
                self.used[receipt] = ("payment", 0)
                self.balances[who] += 70_00

    @rule(at=PICK, receipt=RECEIPTS)
    @precondition(lambda self: self.ins)
    def pay_for(self, at, receipt) -> None:
        """M-Pesa tells of what was prompted for as a payment, too."""
        deposit = self.one(self.ins, at)
        reference = self.rail.reference_of(deposit)
        self.rail.pay(receipt, reference, self.ins[deposit].amount)
        if receipt not in self.payments:
            self.payments.add(receipt)
            self._succeeded(deposit, receipt)
            if self.ins[deposit].state != "review":
                self.used.setdefault(receipt, ("payment", 0))

    # Withdrawals

    @rule(who=st.integers(0, 1), shillings=st.integers(10, 900))
    def withdraw(self, who, shillings) -> None:
        total = shillings * 100 + 500 + (500 if shillings > 100 else 0)
        if self.balances[who] < total:
            return
        withdrawal = self.rail.withdraw(self.people[who], shillings * 100)
        self.outs[withdrawal] = Out(who, total, total)
        self.balances[who] -= total

    @rule(at=PICK, then=st.sampled_from(["nothing", "sent", "unsure"]))
    @precondition(lambda self: self.outs)
    def send(self, at, then) -> None:
        withdrawal = self.one(self.outs, at)
        row = self.outs[withdrawal]
        begun = self.rail.send(withdrawal)
        assert (begun is not None) == (row.state == "requested")
        if begun is None:
            return
        row.state = "sending"
        if then != "nothing":
            row.state = then
            (self.rail.sent if then == "sent" else self.rail.unsure_of)(withdrawal)

    @rule(at=PICK, receipt=RECEIPTS | st.none(), is_wrong=st.booleans())
    @precondition(lambda self: self.outs)
    def complete(self, at, receipt, is_wrong) -> None:
        withdrawal = self.one(self.outs, at)
        row = self.outs[withdrawal]
        told = kes(7) if is_wrong else None
        self.rail.complete(withdrawal, receipt=receipt, told=told)
        is_mine = receipt is None or receipt not in self.used
        if row.state == "paid":
            if receipt and not row.receipt and is_mine:
                row.receipt, self.used[receipt] = receipt, ("out", withdrawal)
        elif is_wrong or row.state not in UNDER_WAY or not is_mine:
            row.state = "review"
        else:
            row.state, row.receipt, row.held = "paid", receipt, 0
            if receipt:
                self.used[receipt] = ("out", withdrawal)

    @rule(at=PICK)
    @precondition(lambda self: self.outs)
    def bounce(self, at) -> None:
        withdrawal = self.one(self.outs, at)
        row = self.outs[withdrawal]
        self.rail.bounce(withdrawal)
        if row.state in UNDER_WAY:
            row.state, row.held = "failed", 0
            self.balances[row.who] += row.total

    # Time

    @rule(minutes=st.sampled_from([3, 11, 60]))
    def time_passes(self, minutes) -> None:
        self.house.clock.passes(minutes=minutes)
        self.rail.expire()
        self.rail.sweep_payouts()
        for deposit, row in self.ins.items():
            if row.state in {"prompted", "unsure"}:
                row.state = self.rail.deposit_state(deposit)
                assert row.state in {"prompted", "unsure", "expired"}
        for row in self.outs.values():
            if row.state == "sending":
                row.state = "unsure"

    @invariant()
    def both_are_the_same(self) -> None:
        if not hasattr(self, "rail"):
            return
        assert [person.balance.minor for person in self.people] == self.balances
        rows = self.house.bank.rows
        assert dict(rows("SELECT id, state FROM deposits")) == {
            id_: row.state for id_, row in self.ins.items()
        }
        assert {
            id_: (state, held)
            for id_, state, held in rows("SELECT id, state, held FROM withdrawals")
        } == {id_: (row.state, row.held) for id_, row in self.outs.items()}
        held = [sum(row.held for row in self.outs.values() if row.who == who) for who in range(2)]
        assert [self.rail.balance(chart.HELD, person) for person in self.people] == held

    def teardown(self) -> None:
        if hasattr(self, "rail"):
            found = reconciliation.whole(self.house.databases["worker"], clock=self.house.clock)
            assert found.opened == []


@pytest.fixture
def machine(house):
    Machine.house = house
    yield Machine
    house.reset()


def test_deposits_and_withdrawals_do_what_the_model_does(machine):
    play(machine, settings=STEPS)
