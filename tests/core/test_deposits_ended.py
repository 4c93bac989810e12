"""Deposits that contradict themselves, come late, or are for who may not have them."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

from core import chart, closing, deposits, resolutions, reversals
from core.audit import Actor
from core.deposits import Came, State
from core.money import kes
from core.reversals import UnknownTransfer
from core.subscribers import Tier

ME = Actor("+254733000002", "ussd", "s")


class TestContradictions:
    def test_a_success_after_a_failure_is_for_staff(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.fail(deposit)
        assert rail.settle(deposit).came is Came.REVIEW
        assert rail.cases() == [("conflict", f"deposit:{deposit}", 0)]
        rail.settle(deposit, receipt=None, confirmed=True)
        assert rail.cases() == [("conflict", f"deposit:{deposit}", 500_00)]
        assert otieno.balance == kes(0)

    @pytest.mark.parametrize("is_named", [True, False])
    def test_it_is_asked_about_by_what_the_callback_calls_it(self, rail, otieno, is_named):
        """Its ack was lost: nobody had told us what Safaricom calls the prompt."""
        deposit = rail.expect(otieno)
        rail.house.clock.passes(seconds=3)
        rail.begin(deposit)
        rail.unsure(deposit)
        if is_named:
            rail.worker(
                lambda session: deposits.named(session, deposit=deposit, provider_ref="ws_CO_9")
            )
        rail.fail(deposit)
        assert rail.settle(deposit, provider_ref="ws_CO_9").came is Came.REVIEW
        assert rail.doubtful() == [deposit]

    def test_but_not_by_what_is_anothers(self, rail, otieno, wanjiru):
        other = rail.prompt(wanjiru)
        deposit = rail.expect(otieno)
        rail.house.clock.passes(seconds=3)
        rail.begin(deposit)
        rail.unsure(deposit)
        rail.fail(deposit)
        rail.settle(deposit, provider_ref=f"ws_CO_{other}")
        assert deposit not in rail.doubtful()

    def test_what_staff_credited_otherwise_is_no_news_when_it_is_confirmed(
        self, rail, otieno, wanjiru
    ):
        deposit = rail.prompt(otieno)
        rail.fail(deposit)
        rail.settle(deposit)
        [case] = [row.id for row in rail.house.bank.rows("SELECT id FROM suspense_cases")]
        before = wanjiru.balance
        rail.worker(
            lambda session: resolutions.credit(
                session,
                case=case,
                person=rail.person(wanjiru),
                actor=ME,
                note="it was hers",
                now=rail.now,
            )
        )
        assert wanjiru.balance - before == kes(500_00)
        assert rail.settle(deposit, receipt=None, confirmed=True).came is Came.AGAIN
        assert rail.settle(deposit).came is Came.AGAIN
        assert rail.cases() == []
        assert rail.doubtful() == []

    def test_a_failure_after_a_success_takes_nothing_back(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.settle(deposit)
        assert rail.fail(deposit) is State.SETTLED
        assert otieno.balance == kes(500_00)
        assert rail.cases() == [("conflict", f"deposit:{deposit}", 0)]


class TestExpiring:
    def test_is_told_and_a_late_success_is_credited(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.house.clock.passes(minutes=9)
        assert rail.expire() == 0
        rail.house.clock.passes(minutes=1)
        assert rail.expire() == 1
        assert rail.expire() == 0
        assert rail.deposit_state(deposit) == State.EXPIRED
        rail.house.clock.passes(hours=5)
        assert rail.doubtful() == [deposit], "it is asked about all the same"
        assert rail.settle(deposit).came is Came.CREDITED
        assert rail.told(otieno) == ["deposit-expired", "deposit-settled"]
        assert rail.cases() == []

    def test_a_late_failure_is_told_nobody_again(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.house.clock.passes(minutes=10)
        rail.expire()
        assert rail.fail(deposit) is State.FAILED
        assert rail.told(otieno) == ["deposit-expired"]

    def test_after_a_day_staff_look(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.house.clock.passes(minutes=10)
        rail.expire()
        rail.house.clock.passes(hours=24)
        assert rail.expire() == 1
        assert rail.cases() == [("undecided", f"deposit:{deposit}", 0)]
        assert rail.deposit_state(deposit) == State.REVIEW
        assert rail.doubtful() == []

    def test_unsure_without_an_identifier_it_does_so_too(self, rail, otieno):
        deposit = rail.expect(otieno)
        rail.house.clock.passes(seconds=3)
        rail.house.clock.passes(seconds=3)
        rail.begin(deposit)
        rail.unsure(deposit)
        rail.house.clock.passes(minutes=10)
        rail.expire()
        assert rail.doubtful() == [], "there is nothing to ask by"
        rail.house.clock.passes(hours=24)
        rail.expire()
        assert rail.deposit_state(deposit) == State.REVIEW


class TestWhoMayNotHaveIt:
    def test_of_a_suspended_owner_it_stands_in_suspense(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.set_tier(otieno, Tier.SUSPENDED)
        assert rail.settle(deposit).came is Came.REVIEW
        assert rail.cases() == [("not-receivable", f"deposit:{deposit}", 500_00)]
        assert otieno.balance == kes(0)
        assert rail.settle(deposit, confirmed=True).came is Came.REVIEW
        assert rail.balance(chart.MPESA_SUSPENSE) == 500_00

    def test_nor_does_anybody_hold_more_than_they_may(self, rail, house):
        rich = house.register("+254700000009", name="Rich", balance="499,000")
        deposit = rail.prompt(rich, 600_00)
        house.bank.give_more("+254700000009", "500", now=house.clock())
        assert rail.settle(deposit).came is Came.REVIEW
        assert rich.balance == kes(499_500_00)

    def test_an_account_with_an_open_deposit_is_not_closed(self, rail, otieno):
        deposit = rail.prompt(otieno)

        def close():
            person = rail.person(otieno)
            rail.web(lambda session: closing.close(session, person=person, actor=ME, now=rail.now))

        for end in (lambda: None, lambda: rail.house.clock.passes(minutes=10) or rail.expire()):
            end()
            with pytest.raises(closing.StillOpen):
                close()
        rail.fail(deposit)
        close()

    def test_what_comes_after_they_have_left_is_for_staff(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.fail(deposit)
        person = rail.person(otieno)
        rail.web(lambda session: closing.close(session, person=person, actor=ME, now=rail.now))
        assert rail.settle(deposit, confirmed=True).came is Came.REVIEW
        assert rail.cases() == [("conflict", f"deposit:{deposit}", 500_00)]

    def test_a_deposit_is_not_asked_back(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.settle(deposit)
        reference = rail.house.bank.one("SELECT reference FROM deposits")
        with pytest.raises(UnknownTransfer):
            rail.worker(
                lambda session: reversals.request(
                    session,
                    subscriber=rail.person(otieno).id,
                    reference=reference,
                    actor=ME,
                    reason="mistake",
                    now=rail.now,
                )
            )


class TestTheDatabaseSaysSoToo:
    @pytest.mark.parametrize(
        "change",
        [
            "amount = 900000",
            "subscriber_id = 1",
            "payer = '+254712000001'",
            "state = 'expected'",
            "state = 'failed'",
            "receipt = 'OTHER00001'",
            "token_hash = '\\x00'",
        ],
    )
    def test_what_is_settled_is_never_changed(self, rail, wanjiru, otieno, change):
        rail.settle(rail.prompt(otieno))
        with pytest.raises(DBAPIError, match="does not become"):
            rail.house.bank.run(f"UPDATE deposits SET {change}")

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE deposits SET state = 'settled'",
            "INSERT INTO deposits (state) VALUES ('settled')",
            "DELETE FROM deposits",
            "INSERT INTO receipts VALUES ('mpesa', 'X', 'deposit', 1, now())",
            "SELECT * FROM suspense_cases",
            "UPDATE withdrawals SET held = 0",
            "SELECT arrival_refusal(1, '{}', 1, now())",
            "SELECT unspend(1)",
            "INSERT INTO breakers (provider, opened_at, code, why) VALUES ('mpesa', now(), '', '')",
        ],
    )
    def test_the_web_may_expect_and_no_more(self, rail, otieno, change):
        rail.prompt(otieno)
        with pytest.raises(DBAPIError, match="permission denied"):
            rail.web(lambda session: session.connection().exec_driver_sql(change))
