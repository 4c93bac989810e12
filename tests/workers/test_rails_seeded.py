"""
Days of deposits and payouts on both rails, with everything that may go wrong going wrong by a seed:
in the end every row has ended, and our book and the rail's agree to the kobo.
"""

from __future__ import annotations

from random import Random

import pytest
from rail_line import Line
from rails_under_test import NAMES, ngn

WAVES, AT_ONCE = 2, 4
ANSWERS = (
    None,
    None,
    {"kind": "reset"},
    {"kind": "reset", "moved": True},
    {"kind": "http", "status": 503},
    {"kind": "http", "status": 503, "moved": True},
    {"kind": "html", "status": 200, "moved": True},
    {"kind": "malformed", "moved": True},
    {"kind": "throttled"},
)
NEWS = ({}, {}, {"news": {"kind": "twice"}}, {"news": {"kind": "lost"}}, {"news": {"kind": "late"}})

ENDS = (("paid",), ("paid",), ("failed",), ("paid", "reversed"))


class Days:
    """A line of which most things go wrong."""

    def __init__(self, line: Line, seed: int) -> None:
        self.line, self.random, self.carried = line, Random(seed), 0

    def spoil(self, *calls: str) -> None:
        for call in calls:
            for _ in range(AT_ONCE):
                answer = self.random.choice(ANSWERS)
                if answer is not None:
                    self.line.fake.fault(on=call, answer=answer)

    def carry(self) -> None:
        """Some webhooks arrive now, in any order; the others never do."""
        made = self.line.fake.webhooks()
        new = list(range(self.carried, len(made)))
        self.carried = len(made)
        self.random.shuffle(new)
        for number in new:
            if self.random.random() < 0.7:
                self.line.carry(number)

    def passes(self, minutes: int) -> None:
        for _ in range(3):
            self.line.works(minutes=minutes)

    def deposits(self) -> list[int]:
        self.spoil("initialise", "verify")
        made = [
            self.line.asks(ngn(self.random.randrange(100_000, 900_000))) for _ in range(AT_ONCE)
        ]
        self.passes(1)
        for deposit in made:
            if self.line.deposit(deposit).state != "prompted":
                continue
            for outcome in self.random.choice((("pay",), ("pay",), ("fail",), ("fail", "pay"), ())):
                self.line.fake.fault(on="pay", **self.random.choice(NEWS))
                self.line.person(outcome, deposit)
            self.carry()
        self.passes(6)
        self.line.sweeps()
        self.passes(61)
        self.line.sweeps()
        return made

    def payouts(self) -> list[int]:
        self.spoil("transfer", "verify-transfer", "recipient")
        made = [self.line.orders(self.random.randrange(20_000, 60_000)) for _ in range(AT_ONCE)]
        self.passes(1)
        self.passes(20)
        self.passes(40)
        known = {each["reference"]: each for each in self.line.fake.book()["transfers"]}
        for withdrawal in made:
            if self.line.payout(withdrawal) not in known:
                continue
            for outcome in self.random.choice(
                (("paid",), ("paid",), ("failed",), ("paid", "reversed"))
            ):
                self.line.fake.fault(on="pay", **self.random.choice(NEWS))
                self.line.bank(outcome, withdrawal)
                self.carry()
                self.passes(61)
        self.line.fake.tell("DELETE", "faults")
        self.passes(61)
        return made


@pytest.mark.parametrize("seed", [7])
@pytest.mark.parametrize("name", NAMES)
def test_whatever_goes_wrong_everything_ends_and_both_books_agree(house, name, seed):
    line = Line(house, name)
    line.funded()
    days = Days(line, seed)
    made = [deposit for _ in range(WAVES) for deposit in days.deposits()]
    line.fake.tell("DELETE", "faults")
    days.passes(61)
    line.sweeps()
    sent = [withdrawal for _ in range(WAVES) for withdrawal in days.payouts()]
    for days_later in (1, 3, 4, 23):  # what came back in silence
        line.works(days=days_later)
    came = [line.deposit(each) for each in made]
    went = [line.withdrawal(each) for each in sent]
    assert {each.state for each in came} <= {"settled", "failed", "expired", "review"}
    assert {each.state for each in went} <= {"paid", "failed", "returned"}
    assert {"settled", "expired"} <= {each.state for each in came}
    assert {"paid", "failed"} <= {each.state for each in went}
    in_suspense = sum(case.amount for case in line.cases())
    assert line.balance("suspense:{rail}:ngn") == in_suspense
    assert line.held() == 0
    assert line.balance("{rail}:underway:ngn") == 0
    assert line.has() == line.had + sum(
        each.amount - each.fee for each in came if each.state == "settled"
    ) - sum(each.amount + each.fee + each.tariff for each in went if each.state == "paid")
    paid = [each for each in line.fake.book()["transfers"] if each["status"] == "paid"]
    assert len(paid) == sum(each.state == "paid" for each in went)
    assert line.told("deposit-settled") == 1 + sum(each.state == "settled" for each in came)
    reached = sum(each.state in ("paid", "returned") for each in went)
    assert line.told("withdrawal-paid") <= reached
    assert line.agrees()
