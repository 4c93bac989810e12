"""Payments that one side alone has told: the provider is asked for a day, then staff decide."""

from __future__ import annotations

import pytest

from core.money import kes
from core.paybill import State

RECEIPT = "RKL51ZDR4F"


class TestAsking:
    @pytest.fixture(autouse=True)
    def told(self, rail, otieno):
        rail.pay(RECEIPT, "0733000002", 9_000_00, confirmed=False)

    def test_is_put_less_and_less_often(self, rail):
        pauses = []
        for _ in range(6):
            rail.asked_of(RECEIPT)
            asked_at = rail.now
            while not rail.unconfirmed():
                rail.house.clock.passes(minutes=1)
            pauses.append((rail.now - asked_at).total_seconds() / 60)
        assert pauses == [2, 4, 8, 16, 30, 60]

    def test_begins_with_whom_it_owes_longest(self, rail):
        """A hundred that nobody ever answers do not keep the others waiting."""
        rail.asked_of(RECEIPT)
        rail.house.clock.passes(seconds=1)
        rail.pay("RKL51ZDR4G", "0733000002", 9_000_00, confirmed=False)
        assert rail.unconfirmed() == ["RKL51ZDR4G"]
        rail.house.clock.passes(minutes=2)
        assert rail.unconfirmed() == ["RKL51ZDR4G", RECEIPT]

    def test_ends_after_a_day_and_staff_look(self, rail, otieno):
        asks, minutes = rail.ask_for_a_day()
        assert (asks, 23 * 60 < minutes < 25 * 60) == (10, True)
        assert rail.cases() == [("undecided", "paybill:1", 9_000_00)]
        rail.house.clock.passes(days=1)
        assert (rail.unconfirmed(), rail.give_up()) == ([], 0)
        rail.decide("strike")
        assert rail.payment_state(RECEIPT) == State.STRUCK
        assert otieno.balance == kes(0)

    def test_an_answer_counts_that_comes_after_it(self, rail, otieno):
        rail.ask_for_a_day()
        assert rail.confirm(RECEIPT, 9_000_00).state is State.CREDITED
        assert otieno.balance == kes(9_000_00)
        assert rail.cases() == []

    def test_but_not_after_staff_have_decided(self, rail, otieno):
        rail.ask_for_a_day()
        rail.decide("credit", person=rail.person(otieno))
        assert rail.confirm(RECEIPT, 9_000_00).state is State.CREDITED
        assert rail.refute(RECEIPT).state is State.CREDITED
        assert otieno.balance == kes(9_000_00)
        rail.decide("dismiss")

    def test_goes_on_while_nobody_could_put_it(self, rail):
        """Our initiator was broken for two days: that is not the payment's fault."""
        rail.house.clock.passes(days=2)
        assert (rail.unconfirmed(), rail.give_up()) == ([RECEIPT], 0)
        assert rail.cases() == [("unconfirmed", "paybill:1", 9_000_00)]

    def test_of_what_was_prompted_for_ends_with_its_deposit(self, rail, wanjiru):
        rail.refute(RECEIPT)
        deposit = rail.prompt(wanjiru)
        reference = rail.reference_of(deposit)
        rail.pay("RKL51ZDR4G", reference, 500_00, confirmed=False)
        rail.pay("RKL51ZDR4H", reference, 500_00, confirmed=False)
        rail.settle(deposit, receipt="RKL51ZDR4G")
        rail.ask_for_a_day()
        assert rail.payment_state("RKL51ZDR4G") == State.DUPLICATE
        assert rail.payment_state("RKL51ZDR4H") == State.UNCONFIRMED
        assert [case[:2] for case in rail.cases()][1:] == [("undecided", "paybill:3")]
        case = "SELECT id FROM suspense_cases WHERE subject = 'paybill:3'"
        rail.decide("dismiss", case=rail.house.bank.one(case))
        assert rail.payment_state("RKL51ZDR4H") == State.STRUCK
