"""Withdrawals: priced, set aside first, and sent once, as far as there is float."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core import chart, withdrawals
from core.audit import Actor
from core.ledger import InsufficientFunds
from core.limits import AccountSuspended, AmountTooLarge, AmountTooSmall
from core.money import kes
from core.msisdn import InvalidMsisdn
from core.rails import BreakerClosed, NotWholeShillings
from core.subscribers import Tier
from core.withdrawals import Quote, State
from sandbox import demo
from sandbox.daraja.contract import Contract

ME = Actor("+254712000001", "ussd", "s")


@pytest.fixture
def rail(rail):
    rail.fund()
    return rail


@pytest.fixture
def quote(rail):
    def quoted(someone, minor):
        person = rail.person(someone)
        return rail.web(
            lambda session: withdrawals.quote(
                session, person=person, amount=kes(minor), now=rail.now
            )
        )

    return quoted


class TestQuoting:
    @pytest.mark.parametrize(
        ("minor", "fee", "tariff"),
        [
            (10_00, 5_00, 0),
            (100_00, 5_00, 0),
            (101_00, 5_00, 5_00),
            (1_000_00, 5_00, 5_00),
            (1_001_00, 10_00, 5_00),
            (1_500_00, 10_00, 5_00),
            (1_501_00, 10_00, 9_00),
            (5_000_00, 10_00, 9_00),
            (5_001_00, 10_00, 11_00),
            (20_000_00, 20_00, 11_00),
            (20_001_00, 20_00, 13_00),
            (250_000_00, 40_00, 13_00),
        ],
    )
    def test_tells_our_fee_and_mpesas_tariff(self, house, quote, minor, fee, tariff):
        rich = house.register("+254700000009", name="Rich", balance="400,000")
        quoted = quote(rich, minor)
        assert (quoted.fee, quoted.tariff) == (kes(fee), kes(tariff))
        assert quoted.total == kes(minor + fee + tariff)

    @pytest.mark.parametrize(
        ("minor", "error"),
        [
            (500_50, NotWholeShillings),
            (9_00, AmountTooSmall),
            (250_001_00, AmountTooLarge),
            (1_250_00, InsufficientFunds),
        ],
    )
    def test_refuses_what_cannot_be(self, wanjiru, quote, minor, error):
        with pytest.raises(error):
            quote(wanjiru, minor)

    def test_refuses_who_is_suspended(self, rail, wanjiru, quote):
        rail.set_tier(wanjiru, Tier.SUSPENDED)
        with pytest.raises(AccountSuspended):
            quote(wanjiru, 500_00)


class TestSettingAside:
    def test_a_payout_has_an_identifier_of_its_own_before_anybody_is_asked(self, rail, wanjiru):
        rail.withdraw(wanjiru)
        [(conversation, state, held)] = rail.house.bank.rows(
            "SELECT conversation, state, held FROM withdrawals"
        )
        assert re.fullmatch(r"p_[0-9A-HJKMNP-TV-Z]{26}", conversation)
        assert (state, held) == (State.REQUESTED, 510_00)

    def test_what_is_not_there_is_not_set_aside(self, rail, wanjiru):
        rail.order(wanjiru, 700_00)
        rail.order(wanjiru, 700_00)
        rail.execute()
        assert rail.house.bank.rows("SELECT state FROM orders ORDER BY id") == [
            ("done",),
            ("refused",),
        ]
        assert rail.told(wanjiru) == ["withdrawal-refused"]
        assert rail.house.bank.one("SELECT count(*) FROM withdrawals") == 1

    def test_the_fee_that_was_shown_is_the_fee(self, rail, wanjiru):
        person = rail.person(wanjiru)
        rail.web(
            lambda session: withdrawals.order(
                session,
                person=person,
                payee=person.msisdn,
                quoted=Quote(kes(500_00), kes(5_00), kes(0)),
                key="k",
                now=rail.now,
            )
        )
        rail.execute()
        [(code,)] = rail.house.bank.rows("SELECT outcome ->> 'code' FROM orders")
        assert code == "fee-changed"
        assert wanjiru.balance == kes(1_250_00)

    def test_a_forged_order_is_refused_and_spoils_no_other(self, rail, wanjiru):
        good, bad = rail.order(wanjiru, 100_00), rail.order(wanjiru, 200_00)
        rail.house.bank.run(
            'UPDATE orders SET args = args || \'{"payee": "0712"}\' WHERE id = :o', o=bad
        )
        rail.execute()
        states = dict(rail.house.bank.rows("SELECT id, state FROM orders"))
        assert states == {good: "done", bad: "refused"}

    def test_nobody_is_paid_whom_mpesa_cannot_know(self, rail, wanjiru):
        person = rail.person(wanjiru)
        with pytest.raises(InvalidMsisdn):
            rail.web(
                lambda session: withdrawals.order(
                    session,
                    person=person,
                    payee="+255712000001",
                    quoted=Quote(kes(500_00), kes(5_00), kes(5_00)),
                    key="k",
                    now=rail.now,
                )
            )

    def test_it_counts_against_the_limits_as_a_transfer_does(self, rail, wanjiru):
        before = rail.spent(wanjiru)
        rail.withdraw(wanjiru)
        assert before - rail.spent(wanjiru) == 500_00

    def test_who_left_the_house_is_not_paid(self, rail, wanjiru):
        order = rail.order(wanjiru)
        rail.house.bank.run("UPDATE subscribers SET closed_at = now() WHERE name = 'Wanjiru'")
        rail.execute()
        assert rail.house.bank.rows("SELECT state FROM orders WHERE id = :o", o=order) == [
            ("refused",)
        ]
        # Who leaves may have nothing, which is looked at when this ends: she is back.
        rail.house.bank.run(
            "SET LOCAL session_replication_role = replica;"
            " UPDATE subscribers SET closed_at = NULL WHERE name = 'Wanjiru'"
        )


class TestSending:
    def test_once_however_many_hands_there_are(self, rail, wanjiru):
        withdrawal = rail.withdraw(wanjiru)
        assert rail.payouts_due() == [withdrawal]
        with ThreadPoolExecutor(8) as hands:
            begun = list(hands.map(lambda _: rail.send(withdrawal), range(16)))
        [payout] = [each for each in begun if each]
        assert (payout.payee, payout.amount) == (wanjiru.phone.msisdn, kes(500_00))
        assert not payout.is_again
        assert rail.payouts_due() == []

    def test_takes_float_before_it_asks(self, rail, wanjiru):
        rail.begin_only(wanjiru)
        assert rail.balance(chart.MPESA_UTILITY) == -99_500_00
        assert rail.balance(chart.MPESA_UNDERWAY) == -500_00

    def test_what_the_float_does_not_hold_waits(self, rail, house):
        rich = house.register("+254700000009", name="Rich", balance="400,000")
        withdrawal = rail.withdraw(rich, 150_000_00)
        assert rail.send(withdrawal) is None
        assert rail.withdrawal_state(withdrawal) == State.REQUESTED
        assert rail.payouts_due() == []
        rail.fund(100_000_00, key="more")
        house.clock.passes(minutes=1)
        assert rail.payouts_due() == [withdrawal]
        assert rail.send(withdrawal) is not None

    def test_many_at_once_never_take_more_than_there_is(self, rail, house):
        rich = house.register("+254700000009", name="Rich", balance="400,000")
        waiting = [rail.withdraw(rich, 40_000_00) for _ in range(5)]
        with ThreadPoolExecutor(5) as hands:
            begun = [each for each in hands.map(rail.send, waiting) if each]
        assert len(begun) == 2
        assert rail.balance(chart.MPESA_UTILITY) == -20_000_00

    def test_what_the_provider_says_of_the_float_counts_too(self, rail, wanjiru):
        rail.tell_float(600_00)
        first, second = rail.withdraw(wanjiru, 500_00), rail.withdraw(wanjiru, 500_00)
        rail.house.clock.passes(seconds=1)
        assert rail.send(first) is not None
        assert rail.send(second) is None, "it is not there any more"
        rail.house.clock.passes(minutes=1)
        rail.tell_float(5_000_00)
        assert rail.send(second) is not None

    def test_an_open_breaker_stops_them_all(self, rail, wanjiru):
        withdrawal = rail.withdraw(wanjiru)
        assert rail.break_off("8006")
        assert not rail.break_off("2001"), "it is open already"
        rail.house.clock.passes(days=3)
        assert rail.send(withdrawal) is None
        rail.mend()
        with pytest.raises(BreakerClosed):
            rail.mend()
        assert rail.send(withdrawal) is not None

    def test_one_with_an_end_ends_by_itself(self, rail, wanjiru):
        withdrawal = rail.withdraw(wanjiru)
        rail.break_off("26", until=rail.now + timedelta(minutes=5))
        assert rail.send(withdrawal) is None
        rail.house.clock.passes(minutes=5)
        assert rail.send(withdrawal) is not None

    def test_but_not_where_staff_must_mend_something_too(self, rail, wanjiru):
        withdrawal = rail.withdraw(wanjiru)
        rail.break_off("26", until=rail.now + timedelta(minutes=5))
        rail.break_off("8006")
        rail.house.clock.passes(minutes=6)
        assert rail.send(withdrawal) is None

    def test_then_theirs_is_the_reason_that_stands(self, rail):
        assert rail.break_off("26", until=rail.now + timedelta(minutes=5))
        assert rail.break_off("2028"), "it is told anew"
        assert not rail.break_off("1", until=rail.now + timedelta(minutes=15))
        assert not rail.break_off("11")
        stops = rail.house.bank.rows("SELECT code, until IS NULL, note FROM breakers ORDER BY id")
        assert stops == [("26", False, "2028 took its place"), ("2028", True, None)]

    def test_what_was_certainly_not_taken_is_sent_later_with_the_same_identifier(
        self, rail, wanjiru
    ):
        withdrawal = rail.withdraw(wanjiru)
        first = rail.send(withdrawal)
        rail.postpone(withdrawal, rail.now + timedelta(seconds=30))
        assert rail.send(withdrawal) is None
        rail.house.clock.passes(seconds=30)
        second = rail.send(withdrawal)
        assert first.conversation == second.conversation
        assert rail.balance(chart.MPESA_UNDERWAY) == -500_00, "its float was taken once"

    def test_a_rejection_gives_everything_back(self, rail, wanjiru):
        withdrawal = rail.begin_only(wanjiru)
        before = rail.spent(wanjiru)
        assert rail.refuse(withdrawal).state is State.FAILED
        assert wanjiru.balance == kes(1_250_00)
        assert rail.spent(wanjiru) - before == 500_00, "the limits too"
        assert rail.balance(chart.MPESA_UTILITY) == -100_000_00


def test_the_sandbox_begins_with_the_float_that_its_safaricom_has(house):
    for _ in range(2):
        with house.databases["owner"].begin() as session:
            demo.lend_float(session, now=house.clock())
    utility = house.bank.one("SELECT balance FROM accounts WHERE path = 'mpesa:utility:kes'")
    assert utility == -Contract().float_kes * 100
