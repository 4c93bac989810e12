"""Paybill: what is paid to us unasked is on the right account once, or in suspense."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from core import chart, paybill
from core.deposits import Came
from core.limits import CeilingReached, RecipientSuspended
from core.money import Currency, Money, kes
from core.paybill import Refusal, State, UnknownPayment
from core.resolutions import NothingSuspended, StillSuspended
from core.subscribers import Tier
from core.suspense import SuspenseClosed, UnknownSuspense

RECEIPT = "RKL51ZDR4F"


@pytest.fixture
def till(rail, otieno):
    return rail.open_till(otieno)


class TestValidating:
    @pytest.fixture
    def validate(self, rail):
        def asked(account, minor=500_00, currency=Currency.KES):
            with rail.house.databases["web"]() as session:
                return paybill.validate(
                    session, account=account, amount=Money(minor, currency), now=rail.now
                )

        return asked

    @pytest.mark.parametrize(
        "account", ["+254733000002", "0733000002", "254733000002", "0733 000 002", "733-000-002"]
    )
    def test_a_phone_number_is_an_account_however_it_is_written(self, otieno, validate, account):
        assert validate(account) is None

    def test_so_is_a_wallet_number_and_a_till(self, rail, otieno, till, validate):
        wallet = rail.person(otieno).wallet_number
        assert validate(wallet) is None
        assert validate(f"{wallet[:4]} {wallet[4:]}") is None
        assert validate(till) is None

    @pytest.mark.parametrize(
        "account",
        [
            "",
            "nobody",
            "0733000003",
            "1234567890123",
            "1234567",
            "x" * 500,
            "';",
            "\x00",
            "\u0660\u0667",
        ],
    )
    def test_nothing_else_is(self, otieno, validate, account):
        assert validate(account) is Refusal.UNKNOWN_ACCOUNT

    def test_more_than_may_be_held_is_not_wanted(self, house, validate):
        house.register("+254700000009", name="Rich", balance="499,900")
        assert validate("0700000009", 100_00) is None
        assert validate("0700000009", 101_00) is Refusal.NOT_RECEIVABLE

    def test_nor_anything_for_who_is_suspended(self, rail, otieno, validate):
        rail.set_tier(otieno, Tier.SUSPENDED)
        assert validate("0733000002") is Refusal.NOT_RECEIVABLE

    def test_nor_another_currency_or_nothing(self, otieno, validate):
        assert validate("0733000002", 100, Currency.USD) is Refusal.WRONG_AMOUNT
        assert validate("0733000002", 0) is Refusal.WRONG_AMOUNT

    def test_what_we_prompted_for_is_wanted_in_that_amount_until_it_is_paid(
        self, rail, otieno, validate
    ):
        deposit = rail.prompt(otieno, 500_00)
        reference = rail.reference_of(deposit)
        assert validate(reference) is None
        assert validate(reference, 400_00) is Refusal.WRONG_AMOUNT
        rail.settle(deposit)
        assert validate(reference) is Refusal.UNKNOWN_ACCOUNT


class TestReceiving:
    def test_is_credited_to_whom_the_account_means(self, rail, otieno):
        got = rail.pay(RECEIPT, "0733 000 002", 500_00)
        assert (got.state, got.is_new) == (State.CREDITED, True)
        assert otieno.balance == kes(500_00)
        assert rail.told(otieno) == ["deposit-settled"]

    def test_once_however_often_it_is_told(self, rail, otieno):
        rail.pay(RECEIPT, "0733000002", 500_00)
        again = rail.pay(RECEIPT, "0733000002", 500_00)
        assert (again.state, again.is_new) == (State.CREDITED, False)
        assert otieno.balance == kes(500_00)
        assert rail.cases() == []

    def test_a_hundred_at_once_credit_once(self, rail, otieno):
        with ThreadPoolExecutor(16) as hands:
            got = list(hands.map(lambda _: rail.pay(RECEIPT, "0733000002", 500_00), range(100)))
        assert [each.is_new for each in got].count(True) == 1
        assert otieno.balance == kes(500_00)
        assert rail.told(otieno) == ["deposit-settled"]

    def test_the_same_receipt_of_something_else_is_for_staff(self, rail, otieno, wanjiru):
        rail.pay(RECEIPT, "0733000002", 500_00)
        rail.pay(RECEIPT, "0712000001", 500_00)
        rail.pay(RECEIPT, "0733000002", 900_00)
        assert (otieno.balance, wanjiru.balance) == (kes(500_00), kes(1_250_00))
        assert [case[0] for case in rail.cases()] == ["replayed"]

    def test_at_a_till_the_shop_bears_its_fee(self, rail, otieno, till):
        rail.pay(RECEIPT, till, 500_00)
        assert otieno.balance == kes(497_50)
        assert rail.told(otieno) == ["till-received"]

    def test_cents_are_taken_as_they_come(self, rail, otieno):
        rail.pay(RECEIPT, "0733000002", 500_50)
        assert otieno.balance == kes(500_50)

    def test_an_account_that_nobody_has_stands_in_suspense(self, rail):
        got = rail.pay(RECEIPT, "nobody", 500_00)
        assert got.state is State.SUSPENDED
        assert rail.cases() == [("unknown-account", "paybill:1", 500_00)]
        assert rail.balance(chart.MPESA_SUSPENSE) == 500_00

    @pytest.mark.parametrize("words", ["", "\x00\ud800\n", "=1+1", "x" * 10_000])
    def test_whatever_words_a_stranger_finds(self, rail, words):
        assert rail.pay(RECEIPT, words, 500_00, payer=words).state is State.SUSPENDED

    def test_so_does_what_its_owner_may_not_have(self, rail, otieno):
        rail.set_tier(otieno, Tier.SUSPENDED)
        assert rail.pay(RECEIPT, "0733000002", 500_00).state is State.SUSPENDED
        assert otieno.balance == kes(0)
        assert rail.cases() == [("not-receivable", "paybill:1", 500_00)]


class TestWhatOneSideAloneHasTold:
    def test_stands_in_suspense_until_the_provider_says_so_too(self, rail, otieno):
        assert rail.pay(RECEIPT, "0733000002", 9_000_00, confirmed=False).state is State.UNCONFIRMED
        assert (otieno.balance, rail.balance(chart.MPESA_SUSPENSE)) == (kes(0), 9_000_00)
        assert rail.unconfirmed() == [RECEIPT]
        assert rail.confirm(RECEIPT, 9_000_00).state is State.CREDITED
        assert otieno.balance == kes(9_000_00)
        assert (rail.cases(), rail.unconfirmed()) == ([], [])
        assert rail.confirm(RECEIPT, 9_000_00).state is State.CREDITED
        assert rail.told(otieno) == ["deposit-settled"]

    def test_confirmed_of_nobody_it_stays_there(self, rail):
        rail.pay(RECEIPT, "nobody", 9_000_00, confirmed=False)
        assert rail.confirm(RECEIPT, 9_000_00).state is State.SUSPENDED
        assert rail.cases() == [("unknown-account", "paybill:1", 9_000_00)]

    def test_another_amount_is_for_staff(self, rail, otieno):
        rail.pay(RECEIPT, "0733000002", 9_000_00, confirmed=False)
        assert rail.confirm(RECEIPT, 90_00).state is State.SUSPENDED
        assert otieno.balance == kes(0)
        assert [case[0] for case in rail.cases()] == ["mismatch"]

    def test_what_the_provider_knows_nothing_of_is_for_staff_who_strike_it(self, rail, otieno):
        rail.pay(RECEIPT, "0733000002", 9_000_00, confirmed=False)
        assert rail.refute(RECEIPT).state is State.SUSPENDED
        assert rail.cases() == [("refuted", "paybill:1", 9_000_00)]
        rail.decide("strike")
        assert rail.balance(chart.MPESA_SUSPENSE) == 0
        assert rail.balance(chart.MPESA_PAYBILL) == 0
        assert rail.payment_state(RECEIPT) == State.STRUCK
        assert otieno.balance == kes(0)

    def test_a_receipt_that_nobody_told_is_unknown(self, rail):
        for ask in (lambda: rail.confirm(RECEIPT, 1), lambda: rail.refute(RECEIPT)):
            with pytest.raises(UnknownPayment):
                ask()


class TestWhatWePromptedFor:
    """M-Pesa tells of such a payment twice: as the prompt's result, and as a payment to us."""

    @pytest.mark.parametrize("confirmed", [True, False])
    def test_is_credited_once_the_result_first(self, rail, otieno, confirmed):
        deposit = rail.prompt(otieno)
        rail.settle(deposit, receipt=RECEIPT)
        rail.pay(RECEIPT, rail.reference_of(deposit), 500_00, confirmed=confirmed)
        rail.confirm(RECEIPT, 500_00)
        assert rail.payment_state(RECEIPT) == State.DUPLICATE
        assert otieno.balance == kes(500_00)
        assert rail.told(otieno) == ["deposit-settled"]
        assert rail.cases() == []

    def test_is_credited_once_the_payment_first(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.pay(RECEIPT, rail.reference_of(deposit), 500_00)
        assert rail.settle(deposit, receipt=RECEIPT).came is Came.AGAIN
        assert otieno.balance == kes(500_00)
        assert rail.told(otieno) == ["deposit-settled"]

    def test_both_at_once(self, rail, otieno):
        deposit = rail.prompt(otieno)
        reference = rail.reference_of(deposit)
        with ThreadPoolExecutor(16) as hands:
            done = [
                hands.submit(rail.settle, deposit, receipt=RECEIPT)
                if number % 2
                else hands.submit(rail.pay, RECEIPT, reference, 500_00)
                for number in range(32)
            ]
        assert not [each.exception() for each in done if each.exception()]
        assert otieno.balance == kes(500_00)
        assert rail.cases() == []

    def test_resolves_a_prompt_whose_answer_was_lost(self, rail, otieno):
        deposit = rail.expect(otieno)
        rail.house.clock.passes(seconds=3)
        rail.begin(deposit)
        rail.unsure(deposit)
        rail.pay(RECEIPT, rail.reference_of(deposit), 500_00)
        assert rail.deposit_state(deposit) == "settled"
        assert rail.receipt_of(deposit) == RECEIPT

    def test_until_it_is_confirmed_nothing_moves(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.pay(RECEIPT, rail.reference_of(deposit), 500_00, confirmed=False)
        assert rail.deposit_state(deposit) == "prompted"
        assert rail.balance(chart.MPESA_SUSPENSE) == 0
        assert rail.refute(RECEIPT).state is State.STRUCK
        assert otieno.balance == kes(0)
        rail.decide("dismiss")

    def test_a_second_payment_under_its_reference_is_other_money(self, rail, otieno):
        deposit = rail.prompt(otieno)
        reference = rail.reference_of(deposit)
        rail.settle(deposit, receipt=RECEIPT)
        assert rail.pay("RKL51ZDR4G", reference, 500_00).state is State.SUSPENDED
        assert rail.pay("RKL51ZDR4H", reference, 300_00).state is State.SUSPENDED
        assert rail.balance(chart.MPESA_SUSPENSE) == 800_00
        assert otieno.balance == kes(500_00)

    @pytest.mark.parametrize("end", ["failed", "decided"])
    def test_also_where_the_first_one_is_for_staff(self, rail, otieno, end):
        """They had cancelled, paid by hand under the reference, and then once more."""
        deposit = rail.prompt(otieno)
        reference = rail.reference_of(deposit)
        rail.fail(deposit)
        assert rail.pay(RECEIPT, reference, 500_00).state is State.DUPLICATE
        assert rail.balance(chart.MPESA_SUSPENSE) == 500_00
        if end == "decided":
            rail.decide("credit", person=rail.person(otieno))
        held = rail.balance(chart.MPESA_SUSPENSE)
        assert rail.pay("RKL51ZDR4G", reference, 500_00).state is State.SUSPENDED
        assert rail.balance(chart.MPESA_SUSPENSE) == held + 500_00
        assert rail.balance(chart.MPESA_PAYBILL) == -1_000_00

    def test_credited_as_a_payment_it_is_no_deposit_any_more(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.pay(RECEIPT, "0733000002", 500_00)
        assert rail.settle(deposit, receipt=RECEIPT).came is Came.DUPLICATE
        assert rail.settle(deposit, receipt=RECEIPT).came is Came.AGAIN
        assert otieno.balance == kes(500_00)


class TestWhatStaffDecide:
    def test_it_goes_to_whom_it_belongs(self, rail, otieno):
        rail.pay(RECEIPT, "nobody", 500_00)
        rail.decide("credit", person=rail.person(otieno))
        assert otieno.balance == kes(500_00)
        assert rail.payment_state(RECEIPT) == State.CREDITED
        assert rail.told(otieno) == ["deposit-settled"]
        assert rail.house.bank.rows("SELECT action, actor FROM audit_log ORDER BY id DESC LIMIT 1")
        with pytest.raises(SuspenseClosed):
            rail.decide("credit", case=1, person=rail.person(otieno))

    def test_once_however_many_decide(self, rail, otieno, wanjiru):
        rail.pay(RECEIPT, "nobody", 500_00)
        people = [rail.person(each) for each in (otieno, wanjiru)]

        def one(number):
            try:
                rail.decide("credit", case=1, person=people[number % 2])
            except SuspenseClosed:
                return False
            return True

        with ThreadPoolExecutor(8) as hands:
            assert list(hands.map(one, range(16))).count(True) == 1
        assert otieno.balance + wanjiru.balance == kes(1_750_00)

    def test_not_to_who_may_not_have_it(self, rail, otieno, house):
        rail.pay(RECEIPT, "nobody", 500_00)
        rich = house.register("+254700000009", name="Rich", balance="499,900")
        rail.set_tier(otieno, Tier.SUSPENDED)
        for someone, error in ((otieno, RecipientSuspended), (rich, CeilingReached)):
            with pytest.raises(error):
                rail.decide("credit", person=rail.person(someone))
        assert rail.balance(chart.MPESA_SUSPENSE) == 500_00

    def test_or_back_to_who_paid_it(self, rail, otieno):
        rail.pay(RECEIPT, "nobody", 500_00)
        back = rail.decide("begin_return")
        assert (back.receipt, back.amount) == (RECEIPT, 500_00)
        with pytest.raises(SuspenseClosed):
            rail.decide("credit", case=1, person=rail.person(otieno))
        assert [rail.returned(1), rail.returned(1)] == [True, False]
        assert rail.balance(chart.MPESA_SUSPENSE) == rail.balance(chart.MPESA_PAYBILL) == 0
        assert rail.payment_state(RECEIPT) == State.RETURNED

    def test_which_may_not_succeed(self, rail, otieno):
        rail.pay(RECEIPT, "nobody", 500_00)
        rail.decide("begin_return")
        rail.return_failed(1)
        rail.decide("credit", case=1, person=rail.person(otieno))
        assert otieno.balance == kes(500_00)

    def test_a_case_with_money_is_not_dismissed(self, rail):
        rail.pay(RECEIPT, "nobody", 500_00)
        with pytest.raises(StillSuspended):
            rail.decide("dismiss")

    def test_nor_one_without_it_struck_or_credited(self, rail, otieno):
        rail.pay(RECEIPT, "0733000002", 500_00)
        rail.pay(RECEIPT, "0733000002", 400_00)
        for decision, more in (
            ("strike", {}),
            ("begin_return", {}),
            ("credit", {"person": rail.person(otieno)}),
            ("decide_payout", {"is_paid": True}),
        ):
            with pytest.raises(NothingSuspended):
                rail.decide(decision, **more)
        rail.decide("dismiss")
        assert otieno.balance == kes(500_00)

    def test_there_is_no_such_case(self, rail):
        with pytest.raises(UnknownSuspense):
            rail.decide("dismiss", case=9)

    def test_a_deposit_in_review_is_settled_by_it(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.fail(deposit)
        rail.settle(deposit, receipt=RECEIPT, confirmed=True)
        rail.decide("credit", person=rail.person(otieno))
        assert rail.deposit_state(deposit) == "settled"
        assert otieno.balance == kes(500_00)
        assert rail.told(otieno) == ["deposit-failed", "deposit-in-review", "deposit-settled"]

    def test_also_where_a_callback_alone_had_spoken_and_staff_have_looked(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.settle(deposit, told=kes(5_00))
        rail.decide("credit", person=rail.person(otieno))
        assert rail.deposit_state(deposit) == "settled"
        assert otieno.balance == kes(500_00)

    def test_given_to_somebody_else_it_has_failed(self, rail, otieno, wanjiru):
        deposit = rail.prompt(otieno)
        rail.fail(deposit)
        rail.settle(deposit, receipt=RECEIPT, confirmed=True)
        rail.decide("credit", person=rail.person(wanjiru))
        assert rail.deposit_state(deposit) == "failed"
        assert (otieno.balance, wanjiru.balance) == (kes(0), kes(1_750_00))

    def test_dismissed_it_has_failed(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.settle(deposit, told=kes(5_00))
        rail.decide("dismiss")
        assert rail.deposit_state(deposit) == "failed"
