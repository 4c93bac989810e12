"""Deposits: what was asked for is credited once, whatever is told, however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from rail import token

from core import chart, deposits, merchants
from core.audit import Actor
from core.deposits import Came, DepositOpen, State, UnknownDeposit
from core.limits import AccountSuspended, AmountTooLarge, AmountTooSmall, CeilingReached
from core.money import Currency, Money, kes
from core.msisdn import InvalidMsisdn
from core.orders import KeyReused
from core.rails import NotWholeShillings
from core.subscribers import Tier

ME = Actor("+254733000002", "ussd", "s")


class TestQuoting:
    def test_says_what_is_asked_what_we_keep_and_what_mpesa_asks_besides(self, rail, otieno):
        quoted = rail.quote(otieno, 500_00)
        assert (quoted.amount, quoted.fee, quoted.tariff) == (kes(500_00), kes(0), kes(5_00))
        assert quoted.credited == kes(500_00)

    @pytest.mark.parametrize(
        ("minor", "tariff"), [(1_00, 0), (100_00, 0), (101_00, 5_00), (250_000_00, 108_00)]
    )
    def test_the_tariff_is_that_of_the_paybill(self, rail, otieno, minor, tariff):
        assert rail.quote(otieno, minor).tariff == kes(tariff)

    @pytest.mark.parametrize(
        ("minor", "error"),
        [
            (50, NotWholeShillings),
            (500_50, NotWholeShillings),
            (0, AmountTooSmall),
            (250_001_00, AmountTooLarge),
        ],
    )
    def test_refuses_what_mpesa_cannot_move(self, rail, otieno, minor, error):
        with pytest.raises(error):
            rail.quote(otieno, minor)

    def test_refuses_another_currency(self, rail, otieno):
        person = rail.person(otieno)
        with pytest.raises(NotWholeShillings):
            rail.web(
                lambda session: deposits.quote(
                    session, person=person, amount=Money(100_00, Currency.USD), now=rail.now
                )
            )

    def test_refuses_more_than_may_be_held_with_what_is_on_its_way(self, rail, house):
        rich = house.register("+254700000009", name="Rich", balance="499,000")
        rail.expect(rich, 600_00)
        house.clock.passes(minutes=3)
        with pytest.raises(CeilingReached):
            rail.quote(rich, 500_00)
        assert rail.quote(rich, 400_00).credited == kes(400_00)

    @pytest.mark.parametrize("tier", [Tier.SUSPENDED, Tier.REJECTED])
    def test_refuses_who_may_hold_nothing(self, rail, otieno, tier):
        rail.set_tier(otieno, tier)
        with pytest.raises(AccountSuspended):
            rail.quote(otieno, 500_00)

    def test_refuses_a_payer_whom_mpesa_cannot_know(self, rail, otieno):
        with pytest.raises(InvalidMsisdn):
            rail.quote(otieno, 500_00, payer="+255712000001")


class TestExpecting:
    def test_is_safe_to_repeat(self, rail, otieno):
        assert rail.expect(otieno, key="k") == rail.expect_again(otieno, key="k")

    def test_but_not_for_something_else(self, rail, otieno):
        rail.expect(otieno, key="k")
        with pytest.raises(KeyReused):
            rail.expect_again(otieno, 600_00, key="k")

    def test_one_prompt_at_a_time_for_a_payer(self, rail, otieno, wanjiru):
        rail.expect(otieno, 500_00)
        with pytest.raises(DepositOpen):
            rail.expect(otieno, 300_00)
        rail.expect(wanjiru, 300_00)
        rail.house.clock.passes(minutes=2)
        rail.expect(otieno, 300_00)

    def test_the_same_amount_waits_two_minutes_and_another_does_not(self, rail, otieno):
        rail.settle(rail.prompt(otieno, 500_00))
        with pytest.raises(DepositOpen) as refused:
            rail.expect(otieno, 500_00)
        assert (refused.value.until - rail.now).total_seconds() == 117
        rail.expect(otieno, 300_00)

    def test_after_a_failure_it_may_be_tried_at_once(self, rail, otieno):
        rail.fail(rail.prompt(otieno, 500_00))
        rail.expect(otieno, 500_00)

    def test_two_at_once_are_one(self, rail, otieno):
        def one(number):
            try:
                return rail.expect_again(otieno, 500_00, key=f"at-once-{number}")
            except DepositOpen:
                return None

        with ThreadPoolExecutor(8) as hands:
            made = [each for each in hands.map(one, range(8)) if each]
        assert len(made) == 1


class TestPrompting:
    def test_goes_out_a_few_seconds_later(self, rail, otieno):
        deposit = rail.expect(otieno)
        assert rail.due() == []
        assert rail.begin(deposit) is None
        rail.house.clock.passes(seconds=3)
        assert rail.due() == [deposit]
        prompt = rail.begin(deposit)
        assert (prompt.payer, prompt.amount) == (otieno.phone.msisdn, kes(500_00))
        assert rail.due() == []
        assert rail.begin(deposit) is None

    def test_once_however_many_hands_there_are(self, rail, otieno):
        deposit = rail.expect(otieno)
        rail.house.clock.passes(seconds=3)
        with ThreadPoolExecutor(8) as hands:
            begun = list(hands.map(lambda _: rail.begin(deposit), range(16)))
        assert len([each for each in begun if each]) == 1

    def test_not_minutes_later(self, rail, otieno):
        deposit = rail.expect(otieno)
        rail.house.clock.passes(minutes=5)
        assert rail.due() == []
        assert rail.begin(deposit) is None
        rail.house.clock.passes(minutes=6)
        assert rail.expire() == 1
        assert rail.deposit_state(deposit) == State.EXPIRED
        assert rail.told(otieno) == ["deposit-expired"]

    def test_an_ack_after_the_callback_changes_nothing(self, rail, otieno):
        deposit = rail.expect(otieno)
        rail.house.clock.passes(seconds=3)
        rail.begin(deposit)
        rail.settle(deposit, provider_ref="ws_CO_9")
        rail.prompted(deposit, "ws_CO_9")
        assert rail.deposit_state(deposit) == State.SETTLED

    def test_is_not_called_what_another_is(self, rail, otieno, wanjiru):
        first, second = rail.prompt(otieno), rail.expect(wanjiru)
        rail.house.clock.passes(seconds=3)
        rail.begin(second)
        rail.prompted(second, f"ws_CO_{first}")
        assert rail.deposit_state(second) == State.PROMPTED
        assert rail.house.bank.rows("SELECT provider_ref FROM deposits ORDER BY id") == [
            (f"ws_CO_{first}",),
            (None,),
        ]

    def test_a_rejection_ends_it(self, rail, otieno):
        deposit = rail.expect(otieno)
        rail.house.clock.passes(seconds=3)
        rail.begin(deposit)
        rail.reject(deposit, "1001")
        assert rail.deposit_state(deposit) == State.FAILED
        assert rail.told(otieno) == ["deposit-failed"]

    def test_whose_hand_died_is_unsure_and_never_prompted_again(self, rail, otieno):
        deposit = rail.expect(otieno)
        rail.house.clock.passes(seconds=3)
        rail.begin(deposit)
        rail.house.clock.passes(minutes=2)
        assert rail.sweep_deposits() == 1
        assert rail.deposit_state(deposit) == State.UNSURE
        assert rail.due() == []
        assert rail.settle(deposit).came is Came.CREDITED

    def test_is_found_by_its_token_alone(self, rail, otieno):
        deposit = rail.prompt(otieno)
        with rail.house.databases["web"]() as session:
            assert deposits.by_token(session, token_hash=token(f"d{deposit}")) == deposit
            assert deposits.by_token(session, token_hash=token("other")) is None

    def test_is_asked_about_by_the_plan(self, rail, otieno):
        deposit = rail.prompt(otieno)
        waits = []
        for _ in range(8):
            at = rail.house.bank.one("SELECT next_ask_at FROM deposits WHERE id = :d", d=deposit)
            waits.append(round((at - rail.now).total_seconds()))
            rail.house.clock.now = at
            assert rail.doubtful() == [deposit]
            rail.asked(deposit)
            assert rail.doubtful() == []
        assert waits == [120, 60, 120, 180, 300, 600, 3600, 3600]


class TestSettling:
    def test_what_was_asked_for_is_credited(self, rail, otieno):
        deposit = rail.prompt(otieno, 500_00)
        told = rail.settle(deposit, told=kes(500_00), payer=otieno.phone.msisdn)
        assert (told.came, told.state) == (Came.CREDITED, State.SETTLED)
        assert otieno.balance == kes(500_00)
        assert rail.balance(chart.MPESA_PAYBILL) == -500_00
        assert rail.told(otieno) == ["deposit-settled"]

    def test_once_however_often_it_is_told(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.settle(deposit)
        assert rail.settle(deposit).came is Came.AGAIN
        assert otieno.balance == kes(500_00)
        assert rail.told(otieno) == ["deposit-settled"]

    def test_a_hundred_at_once_credit_once(self, rail, otieno):
        deposit = rail.prompt(otieno)
        with ThreadPoolExecutor(16) as hands:
            came = [each.came for each in hands.map(lambda _: rail.settle(deposit), range(100))]
        assert (came.count(Came.CREDITED), came.count(Came.AGAIN)) == (1, 99)
        assert otieno.balance == kes(500_00)
        assert rail.told(otieno) == ["deposit-settled"]

    def test_a_success_and_a_failure_at_once_end_in_one_of_them(self, rail, otieno):
        deposit = rail.prompt(otieno)
        with ThreadPoolExecutor(16) as hands:
            for number in range(32):
                hands.submit(rail.settle if number % 2 else rail.fail, deposit)
        state = rail.deposit_state(deposit)
        assert state in {State.SETTLED, State.REVIEW}
        assert otieno.balance == kes(500_00 if state == State.SETTLED else 0)
        assert [case[0] for case in rail.cases()] == ["conflict"]

    def test_a_failure_moves_nothing(self, rail, otieno):
        deposit = rail.prompt(otieno)
        assert rail.fail(deposit) is State.FAILED
        assert rail.fail(deposit) is State.FAILED
        assert otieno.balance == kes(0)
        assert rail.told(otieno) == ["deposit-failed"]

    def test_of_a_till_the_shop_has_it_less_its_fee(self, rail, otieno):
        rail.worker(
            lambda session: merchants.open_till(
                session, subscriber=rail.person(otieno).id, actor=ME, now=rail.now
            )
        )
        deposit = rail.prompt(otieno, 500_00, payer="+254712000001", purpose="till")
        rail.settle(deposit)
        assert otieno.balance == kes(497_50)
        assert rail.balance(chart.PAYMENT_FEES) == 2_18
        assert rail.told(otieno) == ["till-received"]

    def test_asked_and_confirmed_without_a_receipt_which_comes_later(self, rail, otieno):
        deposit = rail.prompt(otieno)
        assert rail.settle(deposit, receipt=None, confirmed=True).came is Came.CREDITED
        assert rail.settle(deposit, receipt="NLJ7RT61SV").came is Came.AGAIN
        assert rail.receipt_of(deposit) == "NLJ7RT61SV"
        assert rail.cases() == []
        assert rail.settle(deposit, receipt="OTHER00001").came is Came.REVIEW
        assert rail.cases() == [("second-receipt", f"deposit:{deposit}", 0)]

    def test_nobody_is_found_nothing(self, rail):
        with pytest.raises(UnknownDeposit):
            rail.settle(999)


class TestWhatACallbackSaysAlone:
    def test_above_a_bound_it_is_not_believed_until_the_provider_is_asked(self, rail, otieno):
        deposit = rail.prompt(otieno, 6_000_00)
        told = rail.settle(deposit, confirm_above=kes(5_000_00))
        assert (told.came, told.state) == (Came.UNCONFIRMED, State.PROMPTED)
        assert otieno.balance == kes(0)
        assert rail.doubtful() == [deposit], "it is asked about at once"
        settled = rail.settle(deposit, receipt=None, confirmed=True, confirm_above=kes(5_000_00))
        assert settled.came is Came.CREDITED
        assert rail.receipt_of(deposit) == "NLJ7RT61SV"

    def test_at_the_bound_it_is(self, rail, otieno):
        deposit = rail.prompt(otieno, 5_000_00)
        assert rail.settle(deposit, confirm_above=kes(5_000_00)).came is Came.CREDITED

    @pytest.mark.parametrize(
        "told",
        [
            {"told": kes(5_000_00)},
            {"told": kes(500_01)},
            {"told": Money(500_00, Currency.USD)},
            {"payer": "+254712000001"},
            {"provider_ref": "ws_CO_other"},
        ],
        ids=str,
    )
    def test_what_is_not_as_we_asked_is_for_staff_and_moves_nothing(self, rail, otieno, told):
        deposit = rail.prompt(otieno, 500_00)
        assert rail.settle(deposit, **told).came is Came.REVIEW
        assert (otieno.balance, rail.balance(chart.MPESA_SUSPENSE)) == (kes(0), 0)
        assert rail.cases() == [("mismatch", f"deposit:{deposit}", 0)]
        assert rail.told(otieno) == ["deposit-in-review"]
        assert rail.doubtful() == [deposit]

    def test_when_it_has_come_all_the_same_it_stands_in_suspense_once(self, rail, otieno):
        deposit = rail.prompt(otieno, 500_00)
        rail.settle(deposit, told=kes(5_000_00))
        for _ in range(2):
            rail.settle(deposit, receipt=None, confirmed=True)
        assert rail.cases() == [("mismatch", f"deposit:{deposit}", 500_00)]
        assert rail.balance(chart.MPESA_PAYBILL) == -500_00
        assert otieno.balance == kes(0)
        assert rail.doubtful() == []

    def test_a_callback_told_of_another_deposit_credits_neither_twice(self, rail, otieno, wanjiru):
        first, second = rail.prompt(otieno), rail.prompt(wanjiru)
        rail.settle(first)
        assert rail.settle(second).came is Came.REVIEW, "the same receipt"
        assert wanjiru.balance == kes(1_250_00)
        assert rail.cases() == [("replayed", f"deposit:{second}", 0)]

    def test_nor_does_its_identifier(self, rail, otieno, wanjiru):
        first, second = rail.prompt(otieno), rail.expect(wanjiru)
        rail.house.clock.passes(seconds=3)
        rail.begin(second)
        told = rail.settle(second, receipt="OTHER00001", provider_ref=f"ws_CO_{first}")
        assert told.came is Came.REVIEW
        assert wanjiru.balance == kes(1_250_00)
