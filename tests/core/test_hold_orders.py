"""Orders about holds: in their turn, for whom they are, within limits, at the fee of the order."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from compliance import Office
from sqlalchemy import text

from core import execution, hold_orders, holds, ledger, orders, statements, subscribers, transfers
from core.holds import HoldTooSmall
from core.ledger import Draft, Reason
from core.money import kes
from core.orders import Kind
from core.statements import Period
from workers import ledger as ledger_jobs

ANNA, BEN, SHOP, OTHER = "+254712000001", "+254712000002", "+254733000003", "+254733000004"


class Counter:
    """Two people and two shops, who order things about holds; a worker executes when asked."""

    def __init__(self, house) -> None:
        self.house = house
        house.workers_are_there = False
        self.office = Office(house)
        self.anna, self.ben = (self.office.register(each) for each in (ANNA, BEN))
        self.shop = self.office.register(SHOP, kind="merchant")
        self.other = self.office.register(OTHER, kind="merchant")

    def web(self, work):
        with self.house.databases["web"].begin() as session:
            return work(session, self.house.clock())

    def holds(self, owner, minor, *, key="h", shop=None, days=1):
        def order(session, now):
            who, to = (
                subscribers.by_id(session, subscriber=each) for each in (owner, shop or self.shop)
            )
            return hold_orders.order(
                session, owner=who, merchant=to, amount=kes(minor), days=days, key=key, now=now
            )

        return self.web(order).reference

    def takes(self, reference, minor=None, *, key="c"):
        amount = None if minor is None else kes(minor)
        return self.web(
            lambda session, now: hold_orders.take(
                session, merchant=self.shop, reference=reference, amount=amount, key=key, now=now
            )
        )

    def sends(self, sender, recipient, minor, *, key="t"):
        def order(session, now):
            person = subscribers.by_id(session, subscriber=sender)
            quoted = transfers.quote(session, sender=person, amount=kes(minor), now=now)
            return transfers.order(
                session, sender=person, recipient=recipient, quoted=quoted, key=key, now=now
            )

        return self.web(order)

    def executes(self):
        return execution.execute(self.house.databases["worker"], now=self.house.clock())

    def states(self):
        found = self.house.bank.rows("SELECT state, outcome ->> 'code' FROM orders ORDER BY id")
        return [code or state for state, code in found]

    def has(self, subscriber):
        path = f"user:{subscriber}:main:kes"
        return self.house.bank.one("SELECT balance FROM accounts WHERE path = :p", p=path)

    def deadlocks(self):
        with self.house.bank.owner.begin() as session:
            session.execute(text("SELECT pg_stat_force_next_flush()"))
            return session.scalar(
                text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            )


@pytest.fixture
def counter(house):
    return Counter(house)


class TestTheirTurn:
    def test_a_hold_is_served_before_what_was_ordered_after_it(self, counter):
        counter.office.fund(counter.anna, kes(1_000_00))
        counter.holds(counter.anna, 900_00)
        counter.sends(counter.anna, counter.ben, 900_00)
        assert counter.executes() == [1, 2]
        assert counter.states() == ["done", "insufficient-funds"]

    def test_and_after_what_was_ordered_before_it(self, counter):
        counter.office.fund(counter.anna, kes(1_000_00))
        counter.sends(counter.anna, counter.ben, 900_00)
        counter.holds(counter.anna, 900_00)
        counter.sends(counter.anna, counter.ben, 50_00, key="after")
        assert counter.executes() == [1, 2, 3]
        assert counter.states() == ["done", "insufficient-funds", "done"]

    def test_of_a_run_that_fails_only_the_order_at_fault_is_refused(self, counter):
        counter.office.fund(counter.anna, kes(1_000_00))
        counter.sends(counter.anna, counter.ben, 10_00)
        counter.sends(counter.anna, counter.ben, 20_00, key="spoilt")
        counter.holds(counter.anna, 30_00)
        counter.house.bank.run(
            "UPDATE orders SET args = args || '{\"recipient\": \"x\"}' WHERE key = 'spoilt'"
        )
        assert counter.executes() == [1, 2, 3]
        assert counter.states() == ["done", "not-executed", "done"]

    def test_a_hundred_at_most_however_they_are_cut(self, counter):
        counter.office.fund(counter.anna, kes(9_000_00))
        for number in range(execution.BATCH_MAX + 2):
            if number % 40 == 7:
                counter.holds(counter.anna, 1_00, key=f"{number}")
            else:
                counter.office.do(
                    orders.place,
                    role="web",
                    kind=Kind.TRANSFER,
                    subscriber=counter.anna,
                    args={"recipient": counter.anna, "amount": 1, "fee": 0, "currency": "KES"},
                    key=f"{number}",
                )
        assert counter.executes() == [*range(1, execution.BATCH_MAX + 1)]
        assert counter.executes() == [execution.BATCH_MAX + 1, execution.BATCH_MAX + 2]
        assert counter.executes() == []

    def test_each_transaction_locks_its_accounts_once(self, counter, monkeypatch):
        """Halfway through a hold, a worker has locked nothing that another could wait for."""
        counter.office.fund(counter.anna, kes(1_000_00))
        counter.office.fund(counter.ben, kes(1_000_00))
        counter.sends(counter.ben, counter.shop, 100_00)
        counter.holds(counter.anna, 100_00)
        ids = dict(counter.house.bank.rows("SELECT id, account_id FROM subscribers"))
        hold = hold_orders._hold
        said = []

        def halfway(session, row, now):
            with counter.house.databases["worker"].begin() as other:
                other.execute(text("SET LOCAL lock_timeout = '500ms'"))
                legs = {ids[counter.anna]: -1_00, ids[counter.ben]: 1_00}
                draft = Draft("beside", Reason.TRANSFER, legs)
                said.extend(ledger.post(other, drafts=[draft], now=now))
            return hold(session, row, now)

        monkeypatch.setattr(hold_orders, "_hold", halfway)
        counter.executes()
        assert [each.outcome for each in said] == ["posted"]
        assert counter.states() == ["done", "done"]

    def test_two_workers_with_holds_and_transfers_never_deadlock(self, counter):
        others = [counter.office.register(f"+2547120001{number:02}") for number in range(3)]
        people = (counter.anna, counter.ben, *others)
        for person in people:
            counter.office.fund(person, kes(9_000_00))
        for number in range(60):
            sender, other = people[number % 5], people[(number + 2) % 5]
            counter.sends(other, sender, 1_00, key=f"t{number}")
            counter.holds(sender, 2_00, key=f"h{number}")
            counter.sends(sender, counter.shop, 1_00, key=f"s{number}")
        before, failed = counter.deadlocks(), []

        def work():
            try:
                while counter.executes():
                    pass
            except Exception as error:  # noqa: BLE001 - said by the test
                failed.append(error)

        hands = [threading.Thread(target=work) for _ in range(2)]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        assert failed == []
        while counter.executes():  # what one let go as the other had just looked
            pass
        assert counter.deadlocks() == before
        assert counter.states() == ["done"] * 180

    def test_what_expires_together_is_given_back_in_one_call(self, counter, monkeypatch):
        for person in (counter.anna, counter.ben):
            counter.office.fund(person, kes(1_000_00))
        for number, owner in enumerate((counter.ben, counter.anna, counter.ben)):
            counter.holds(owner, 100_00, key=f"{number}")
        counter.executes()
        counter.house.clock.passes(days=1, minutes=1)
        calls, post = [], ledger.post
        monkeypatch.setattr(
            ledger,
            "post",
            lambda session, *, drafts, now: (
                calls.append(len(drafts)) or post(session, drafts=drafts, now=now)
            ),
        )
        ledger_jobs.expire_holds()
        assert [each for each in calls if each] == [3]
        assert (counter.has(counter.anna), counter.has(counter.ben)) == (1_000_00, 1_000_00)


class TestWhoMay:
    @pytest.mark.parametrize("kind", [Kind.CAPTURE, Kind.RELEASE])
    def test_a_hold_is_resolved_by_nobody_but_its_shop_whatever_a_door_says(self, counter, kind):
        counter.office.fund(counter.anna, kes(1_000_00))
        counter.holds(counter.anna, 300_00)
        counter.executes()
        counter.office.do(
            orders.place,
            role="web",
            kind=kind,
            subscriber=counter.other,
            args={"hold": 1, "amount": 300_00},
            key="stolen",
        )
        counter.office.do(
            orders.place,
            role="web",
            kind=kind,
            subscriber=counter.shop,
            args={"hold": 77, "amount": 300_00},
            key="made up",
        )
        counter.executes()
        assert counter.states() == ["done", "unknown-hold", "unknown-hold"]
        assert counter.house.bank.one("SELECT state FROM holds") == "open"

    def test_nobody_takes_more_than_they_may_hold(self, counter):
        """Half a million shillings of a shop whose papers nobody has seen."""
        counter.house.bank.run(
            "UPDATE subscribers SET tier = 'pending' WHERE id = :i", i=counter.shop
        )
        counter.office.fund(counter.anna, kes(450_000_00))
        counter.office.fund(counter.shop, kes(499_000_00))
        reference = counter.holds(counter.anna, 200_000_00)
        counter.executes()
        counter.takes(reference)
        counter.takes(reference, 900_00, key="a part")
        counter.executes()
        assert counter.states() == ["done", "ceiling-reached", "done"]
        assert counter.has(counter.shop) < 500_000_00
        [told] = [
            each
            for each in counter.house.bank.rows("SELECT facts -> 'refusal' FROM outbox")
            if each[0]
        ]
        assert told[0]["code"] == "ceiling-reached"

    def test_what_comes_back_to_its_owner_passes_no_ceiling(self, counter):
        counter.office.fund(counter.anna, kes(499_000_00))
        now = counter.house.clock()
        hold = counter.office.do(
            holds.place,
            owner=counter.anna,
            amount=kes(1_000_00),
            key="own",
            expires_at=now + timedelta(hours=1),
        )
        counter.office.fund(counter.anna, kes(1_900_00))
        counter.house.bank.run(
            "UPDATE subscribers SET tier = 'pending' WHERE id = :i", i=counter.anna
        )
        to = counter.house.bank.one(
            "SELECT account_id FROM subscribers WHERE id = :i", i=counter.anna
        )
        counter.office.do(holds.capture, hold=hold, to=to)
        assert counter.has(counter.anna) == 500_900_00


class TestTheFee:
    def fee(self, counter, minor):
        return counter.web(
            lambda session, now: session.scalar(
                text("SELECT fee('payment', 'KES', :a, :n)"), {"a": minor, "n": now}
            )
        )

    @pytest.fixture
    def reference(self, counter):
        counter.office.fund(counter.anna, kes(1_000_00))
        made = counter.holds(counter.anna, 300_00)
        counter.executes()
        return made

    def test_it_is_ordered_with_the_capture_and_shown_to_who_bears_it(self, counter, reference):
        placed = counter.takes(reference, 200_00)
        fee = self.fee(counter, 200_00)
        assert fee > 0
        kept = counter.house.bank.one("SELECT args FROM orders WHERE id = :i", i=placed.id)
        assert kept == {"hold": 1, "amount": 200_00, "fee": fee}
        counter.executes()
        now = counter.house.clock()
        period = Period(now - timedelta(days=1), now + timedelta(days=1))

        def sums(session, subscriber):
            person = subscribers.by_id(session, subscriber=subscriber)
            told = statements.open_statement(session, person=person, period=period)
            return told.paid_in.minor, told.fees.minor, told.closing.minor

        with counter.house.databases["web"]() as session:
            assert sums(session, counter.shop) == (200_00, fee, 200_00 - fee)
            # What comes back to the owner is not what the shop pays for.
            assert sums(session, counter.anna) == (1_100_00, 0, 800_00)
            [line] = statements.of_reference(
                session, subscriber=counter.shop, reference=placed.reference
            )
        assert (line.amount, line.fee) == (kes(200_00), kes(fee))

    def test_what_it_would_eat_up_is_not_taken(self, counter, reference):
        with pytest.raises(HoldTooSmall):
            counter.takes(reference, self.fee(counter, 1))
        counter.office.do(
            orders.place,
            role="web",
            kind=Kind.CAPTURE,
            subscriber=counter.shop,
            args={"hold": 1, "amount": 1},
            key="unasked",
        )
        counter.executes()
        assert counter.states()[-1] == "hold-too-small"

    def test_no_other_is_charged(self, counter, reference):
        placed = counter.takes(reference)
        counter.house.bank.run(
            "UPDATE orders SET args = args || '{\"fee\": 0}' WHERE id = :i", i=placed.id
        )
        counter.executes()
        assert counter.states()[-1] == "fee-changed"
        assert counter.house.bank.one("SELECT state FROM holds") == "open"

    def test_an_order_of_before_there_was_one_is_executed(self, counter, reference):
        placed = counter.takes(reference)
        counter.house.bank.run("UPDATE orders SET args = args - 'fee' WHERE id = :i", i=placed.id)
        counter.executes()
        assert counter.states()[-1] == "done"
        assert counter.has(counter.shop) == 300_00 - self.fee(counter, 300_00)
