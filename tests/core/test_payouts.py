"""Payouts: paid once or back once, never twice and never both, whatever is told of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import DBAPIError

from core import chart, closing
from core.audit import Actor
from core.ledger import InsufficientFunds
from core.money import kes
from core.rails import Pot
from core.subscribers import Tier
from core.withdrawals import Came, State, UnknownWithdrawal

ME = Actor("+254712000001", "ussd", "s")


@pytest.fixture
def rail(rail):
    rail.fund()
    return rail


class TestPayingOut:
    def test_what_is_set_aside_goes_on(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru, 500_00)
        assert wanjiru.balance == kes(1_250_00 - 510_00)  # 5 for us, 5 for M-Pesa
        assert rail.balance(chart.HELD, wanjiru) == 510_00
        told = rail.complete(withdrawal, told=kes(500_00))
        assert (told.came, told.state) == (Came.DONE, State.PAID)
        assert rail.balance(chart.HELD, wanjiru) == 0
        assert rail.balance(chart.MPESA_UTILITY) == -100_000_00 + 500_00
        assert rail.balance(chart.MPESA_COSTS) == 5_00
        assert rail.told(wanjiru) == ["withdrawal-paid"]

    def test_or_comes_back(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru, 500_00)
        before = rail.spent(wanjiru)
        assert rail.bounce(withdrawal).state is State.FAILED
        assert wanjiru.balance == kes(1_250_00)
        assert rail.spent(wanjiru) - before == 500_00, "the limits too"
        assert rail.balance(chart.MPESA_UTILITY) == -100_000_00
        assert rail.told(wanjiru) == ["withdrawal-failed"]

    @pytest.mark.parametrize("end", ["complete", "bounce"])
    def test_once_however_often_it_is_told(self, rail, wanjiru, end):
        withdrawal = rail.payout(wanjiru)
        told = [getattr(rail, end)(withdrawal).came for _ in range(3)]
        assert told == [Came.DONE, Came.AGAIN, Came.AGAIN]
        assert len(rail.told(wanjiru)) == 1

    @pytest.mark.parametrize("end", ["complete", "bounce"])
    def test_a_hundred_at_once_end_it_once(self, rail, wanjiru, end):
        withdrawal = rail.payout(wanjiru)
        with ThreadPoolExecutor(16) as hands:
            came = [
                each.came
                for each in hands.map(lambda _: getattr(rail, end)(withdrawal), range(100))
            ]
        assert (came.count(Came.DONE), came.count(Came.AGAIN)) == (1, 99)
        assert len(rail.told(wanjiru)) == 1

    def test_paid_and_failed_at_once_are_one_of_them_and_staff_look(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        with ThreadPoolExecutor(16) as hands:
            for number in range(32):
                hands.submit(rail.complete if number % 2 else rail.bounce, withdrawal)
        state = rail.withdrawal_state(withdrawal)
        assert state in {State.PAID, State.REVIEW}
        assert wanjiru.balance == kes(1_250_00 if state == State.REVIEW else 740_00)
        assert [case[0] for case in rail.cases()] == ["conflict"]

    def test_paid_is_paid_whatever_became_of_the_account(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        rail.set_tier(wanjiru, Tier.SUSPENDED)
        assert rail.complete(withdrawal).came is Came.DONE

    def test_what_comes_back_comes_back_to_a_suspended_account_too(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        rail.set_tier(wanjiru, Tier.SUSPENDED)
        assert rail.bounce(withdrawal).came is Came.DONE
        assert wanjiru.balance == kes(1_250_00)

    def test_a_result_before_the_ack(self, rail, wanjiru):
        withdrawal = rail.begin_only(wanjiru)
        rail.complete(withdrawal)
        rail.sent(withdrawal)
        assert rail.withdrawal_state(withdrawal) == State.PAID

    def test_above_a_bound_neither_is_believed_of_a_callback_alone(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        for end in (rail.complete, rail.bounce):
            assert end(withdrawal, confirm_above=kes(100_00)).came is Came.UNCONFIRMED
        assert rail.withdrawal_state(withdrawal) == State.SENT
        assert rail.payouts_doubtful() == [withdrawal], "it is asked about at once"
        told = rail.complete(withdrawal, confirmed=True, confirm_above=kes(100_00))
        assert told.came is Came.DONE

    def test_another_amount_is_for_staff_and_stays_set_aside(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        assert rail.complete(withdrawal, told=kes(600_00)).came is Came.REVIEW
        assert rail.balance(chart.HELD, wanjiru) == 510_00
        assert rail.cases() == [("mismatch", f"withdrawal:{withdrawal}", 0)]

    def test_a_receipt_of_another_payout_is_for_staff(self, rail, wanjiru):
        first, second = rail.payout(wanjiru), rail.payout(wanjiru)
        rail.complete(first)
        assert rail.complete(second).came is Came.REVIEW
        assert rail.balance(chart.HELD, wanjiru) == 510_00

    def test_a_receipt_may_come_later_and_a_second_one_is_for_staff(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        rail.complete(withdrawal, receipt=None, confirmed=True)
        assert rail.complete(withdrawal, receipt="SG632NMUAB").came is Came.AGAIN
        assert rail.complete(withdrawal, receipt="OTHER00001").came is Came.REVIEW
        assert rail.withdrawal_state(withdrawal) == State.PAID

    def test_nobody_is_paid_nothing(self, rail):
        with pytest.raises(UnknownWithdrawal):
            rail.complete(999)


class TestDoubt:
    def test_stays_set_aside_however_long_it_takes(self, rail, wanjiru):
        withdrawal = rail.begin_only(wanjiru)
        rail.unsure_of(withdrawal)
        rail.house.clock.passes(hours=23)
        rail.sweep_payouts()
        assert rail.balance(chart.HELD, wanjiru) == 510_00
        assert rail.withdrawal_state(withdrawal) == State.UNSURE

    def test_whose_hand_died_is_asked_about(self, rail, wanjiru):
        withdrawal = rail.begin_only(wanjiru)
        rail.house.clock.passes(minutes=2)
        assert rail.sweep_payouts() == 1
        assert rail.payouts_doubtful() == [withdrawal]
        assert rail.payouts_due() == []

    def test_is_sent_again_under_its_identifier_when_nobody_knows_it(self, rail, wanjiru):
        withdrawal = rail.withdraw(wanjiru)
        first = rail.send(withdrawal)
        rail.unsure_of(withdrawal)
        for minutes in (0, 15, 14):
            rail.house.clock.passes(minutes=minutes)
            rail.not_found(withdrawal)
            assert rail.payouts_due() == [], "too soon, or not often enough"
            assert rail.send(withdrawal) is None
        rail.house.clock.passes(minutes=1)
        assert rail.payouts_due() == [withdrawal]
        again = rail.send(withdrawal)
        assert again.is_again
        assert again.conversation == first.conversation
        assert rail.balance(chart.MPESA_UNDERWAY) == -500_00, "its float was taken once"

    def test_twice_within_an_hour_is_not_often_enough(self, rail, wanjiru):
        withdrawal = rail.begin_only(wanjiru)
        rail.unsure_of(withdrawal)
        rail.not_found(withdrawal)
        rail.house.clock.passes(hours=1)
        rail.not_found(withdrawal)
        assert rail.payouts_due() == []

    def test_a_rejection_of_the_second_sending_says_nothing_of_the_first(self, rail, wanjiru):
        withdrawal = self.not_known(rail, wanjiru)
        rail.send(withdrawal)
        assert rail.refuse(withdrawal, "500.002.1001").came is Came.UNCONFIRMED
        assert rail.withdrawal_state(withdrawal) == State.UNSURE
        assert rail.balance(chart.HELD, wanjiru) == 510_00

    def not_known(self, rail, wanjiru):
        """One of which the provider, asked three times in half an hour, knew nothing."""
        withdrawal = rail.begin_only(wanjiru)
        rail.unsure_of(withdrawal)
        for _ in range(3):
            rail.not_found(withdrawal)
            rail.house.clock.passes(minutes=15)
        return withdrawal

    def send_again(self, rail, wanjiru):
        withdrawal = self.not_known(rail, wanjiru)
        assert rail.send(withdrawal).is_again
        rail.sent(withdrawal)
        return withdrawal

    def test_nor_does_a_callback_that_says_it_failed(self, rail, wanjiru):
        withdrawal = self.send_again(rail, wanjiru)
        assert rail.bounce(withdrawal).came is Came.UNCONFIRMED
        assert rail.balance(chart.HELD, wanjiru) == 510_00
        assert rail.payouts_doubtful() == [withdrawal], "it is asked about at once"
        assert rail.bounce(withdrawal, confirmed=True).came is Came.DONE

    def test_what_does_not_say_that_nothing_was_paid_is_asked_about(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        assert rail.bounce(withdrawal, "26", is_doubtful=True).came is Came.UNCONFIRMED
        assert rail.withdrawal_state(withdrawal) == State.UNSURE
        assert rail.balance(chart.HELD, wanjiru) == 510_00
        assert rail.payouts_doubtful() == [withdrawal]
        rail.sent(withdrawal)
        assert rail.withdrawal_state(withdrawal) == State.UNSURE, "the ack came after the result"
        assert rail.complete(withdrawal).came is Came.DONE
        assert rail.bounce(withdrawal, "15", is_doubtful=True).came is Came.AGAIN
        assert rail.cases() == []

    def test_is_not_found_in_a_row_or_not_at_all(self, rail, wanjiru):
        withdrawal = rail.begin_only(wanjiru)
        rail.unsure_of(withdrawal)
        for minutes in (0, 15, 16):
            rail.house.clock.passes(minutes=minutes)
            rail.known(withdrawal)
            rail.not_found(withdrawal)
        assert rail.payouts_due() == []
        for minutes in (15, 16):
            rail.house.clock.passes(minutes=minutes)
            rail.not_found(withdrawal)
        assert rail.payouts_due() == [withdrawal]

    def test_a_result_at_the_address_of_the_first_sending_counts(self, rail, wanjiru):
        withdrawal = rail.withdraw(wanjiru)
        rail.send(withdrawal, name="first")
        rail.unsure_of(withdrawal)
        for _ in range(3):
            rail.not_found(withdrawal)
            rail.house.clock.passes(minutes=15)
        rail.send(withdrawal, name="second")
        assert [rail.by_token(each) for each in ("first", "second", "third")] == [
            withdrawal,
            withdrawal,
            None,
        ]

    def test_after_a_day_staff_look_and_it_stays_set_aside(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        rail.house.clock.passes(hours=24)
        assert rail.sweep_payouts() == 1
        assert rail.withdrawal_state(withdrawal) == State.REVIEW
        assert rail.balance(chart.HELD, wanjiru) == 510_00
        assert rail.cases() == [("undecided", f"withdrawal:{withdrawal}", 0)]

    def test_who_waits_is_told_once_that_it_takes_longer(self, rail, wanjiru):
        rail.break_off()
        rail.withdraw(wanjiru)
        rail.house.clock.passes(minutes=9)
        assert rail.tell_delayed() == 0
        rail.house.clock.passes(minutes=1)
        assert [rail.tell_delayed(), rail.tell_delayed()] == [1, 0]
        assert rail.told(wanjiru) == ["withdrawal-delayed"]

    def test_an_account_with_a_payout_under_way_is_not_closed(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru, 1_235_00)
        rail.house.bank.assert_balanced()
        person = rail.person(wanjiru)

        def close():
            rail.web(lambda session: closing.close(session, person=person, actor=ME, now=rail.now))

        with pytest.raises(closing.StillOpen):
            close()
        rail.complete(withdrawal)
        close()


class TestContradictions:
    def test_paid_after_it_came_back_is_for_staff(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        rail.bounce(withdrawal)
        assert rail.complete(withdrawal).came is Came.REVIEW
        assert wanjiru.balance == kes(1_250_00)
        rail.decide("decide_payout", is_paid=True)
        assert wanjiru.balance == kes(740_00)
        assert rail.balance(chart.MPESA_UTILITY) == -99_500_00
        assert rail.withdrawal_state(withdrawal) == State.PAID

    def test_who_has_spent_it_by_then_owes_it(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        rail.bounce(withdrawal)
        rail.complete(rail.payout(wanjiru, 1_000_00), receipt="OTHER00001")
        rail.complete(withdrawal)
        rail.decide("decide_payout", is_paid=True)
        assert wanjiru.balance == kes(0)
        assert rail.balance(chart.OWED, wanjiru) == -(510_00 - 240_00)

    def test_or_it_was_not_so(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        rail.bounce(withdrawal)
        rail.complete(withdrawal)
        rail.decide("decide_payout", is_paid=False)
        assert wanjiru.balance == kes(1_250_00)
        assert rail.withdrawal_state(withdrawal) == State.FAILED

    def test_failed_after_it_was_paid_gives_nothing_back(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru)
        rail.complete(withdrawal)
        assert rail.bounce(withdrawal).came is Came.REVIEW
        assert rail.withdrawal_state(withdrawal) == State.PAID
        assert wanjiru.balance == kes(740_00)
        rail.decide("dismiss")

    @pytest.mark.parametrize(("is_paid", "balance"), [(True, 740_00), (False, 1_250_00)])
    def test_what_nobody_knows_staff_decide(self, rail, wanjiru, is_paid, balance):
        withdrawal = rail.payout(wanjiru)
        rail.house.clock.passes(hours=24)
        rail.sweep_payouts()
        rail.decide("decide_payout", is_paid=is_paid)
        assert wanjiru.balance == kes(balance)
        assert rail.withdrawal_state(withdrawal) == (State.PAID if is_paid else State.FAILED)
        assert rail.balance(chart.HELD, wanjiru) == 0


class TestTheDatabaseSaysSoToo:
    @pytest.mark.parametrize(
        "change",
        [
            "amount = 900000",
            "payee = '+254733000002'",
            "conversation = 'p_2'",
            "state = 'requested'",
            "state = 'failed'",
            "held = 51000",
        ],
    )
    def test_what_was_paid_is_never_changed(self, rail, wanjiru, change):
        rail.complete(rail.payout(wanjiru))
        with pytest.raises(DBAPIError, match="does not become"):
            rail.house.bank.run(f"UPDATE withdrawals SET {change}")

    def test_what_is_set_aside_is_all_of_it_or_nothing(self, rail, wanjiru):
        rail.payout(wanjiru)
        with pytest.raises(DBAPIError, match="ck_withdrawals_held"):
            rail.house.bank.run("UPDATE withdrawals SET held = 1")

    def test_more_than_the_float_is_moved_nowhere(self, rail):
        with pytest.raises(InsufficientFunds):
            rail.move(100_001_00, Pot.UTILITY, Pot.BANK)
        rail.move(100_000_00, Pot.UTILITY, Pot.BANK)
        assert rail.balance(chart.MPESA_UTILITY) == 0
