"""Words of Safaricom's that are no proof, and refusals of ours: nothing comes back by mistake."""

from __future__ import annotations

import time

import golden_daraja as golden
import pytest
from structlog.testing import capture_logs

from core import chart, inbox, rails
from core.inbox import Kind
from core.money import kes
from core.rails import Provider
from workers.mpesa import deposits, letters, withdrawals


@pytest.fixture
def told(house):
    """Tell us a result of a payout, as Safaricom would, at an address of it."""

    def tell(withdrawal, code):
        row = house.bank.rows(
            "SELECT t.token_hash, w.conversation FROM withdrawal_tokens t"
            " JOIN withdrawals w ON w.id = t.withdrawal_id WHERE w.id = :w LIMIT 1",
            w=withdrawal,
        )[0]
        said = golden.B2C_FAILED.replace(b"2001", code.encode())
        ours = said.split(b'"OriginatorConversationID"')[1].split(b'"')[1]
        with house.databases["owner"].begin() as session:
            inbox.receive(
                session,
                provider="mpesa",
                kind=Kind.PAYOUT_RESULT,
                key=f"{withdrawal}:{code}",
                body=said.replace(ours, row.conversation.encode()),
                token_hash=bytes(row.token_hash),
                now=house.clock(),
            )
        ids = house.bank.rows("SELECT id FROM inbox WHERE done_at IS NULL")
        letters.understand(ids=[each[0] for each in ids])

    return tell


def stopped_by(house):
    with house.databases["worker"]() as session:
        found = rails.breaker(session, provider=Provider.MPESA, now=house.clock())
    return None if found is None else found.code


@pytest.mark.parametrize("code", ["15", "17", "26"])
def test_a_code_that_proves_nothing_stops_payouts_and_is_asked_about(
    house, rail, wanjiru, told, code
):
    withdrawal = rail.payout(wanjiru)
    told(withdrawal, code)
    assert stopped_by(house) == code
    assert rail.withdrawal_state(withdrawal) == "unsure"
    assert rail.balance(chart.HELD, wanjiru) == 510_00
    assert rail.told(wanjiru) == []


@pytest.mark.parametrize("code", ["15", "2040", "2001"])
def test_a_failure_of_what_was_sent_twice_may_be_of_either(house, rail, wanjiru, told, code):
    """The first sending was paid late; the second was none."""
    withdrawal = rail.begin_only(wanjiru)
    rail.unsure_of(withdrawal)
    for _ in range(3):
        rail.not_found(withdrawal)
        house.clock.passes(minutes=16)
    assert rail.send(withdrawal).is_again
    told(withdrawal, code)
    assert rail.withdrawal_state(withdrawal) == "unsure"
    assert wanjiru.balance == kes(740_00)


@pytest.mark.parametrize(("code", "state"), [("26", "failed"), ("15", "failed")])
def test_safaricom_asked_says_what_became_of_it(house, rail, wanjiru, code, state):
    house.safaricom.fault(on="b2c", outcome=code)
    withdrawal = rail.withdraw(wanjiru, 100_00)
    for _ in range(20):
        withdrawals.resolve()
        house.safaricom.work(house)
        time.sleep(0.05)
        if rail.withdrawal_state(withdrawal) == state:
            break
    assert rail.withdrawal_state(withdrawal) == state
    assert len(house.safaricom.requests("status")) >= 1
    assert wanjiru.balance == kes(1_250_00)


def refuse(house, api, status, code, message):
    answer = {"kind": "envelope", "status": status, "code": code, "message": message}
    house.safaricom.fault(on=api, answer=answer, next=2)


class TestRefusals:
    @pytest.mark.parametrize(
        "message", ["Bad Request - Invalid InitiatorName", "Invalid Request Payload"]
    )
    def test_what_is_ours_to_mend_stops_payouts_and_gives_none_back(
        self, house, rail, wanjiru, message
    ):
        refuse(house, "b2c", 400, "400.002.02", message)
        withdrawal = rail.withdraw(wanjiru)
        with capture_logs() as said:
            withdrawals.pay()
        assert rail.withdrawal_state(withdrawal) == "requested"
        assert rail.balance(chart.HELD, wanjiru) == 510_00
        assert stopped_by(house) == "InvalidRequest"
        levels = {line["event"]: line["log_level"] for line in said}
        assert levels["mpesa.payout_not_taken"] == levels["mpesa.payouts_stopped"] == "error"

    @pytest.mark.parametrize("field", ["PartyB", "Amount"])
    def test_what_is_the_payouts_own_comes_back_and_is_told_to_staff(
        self, house, rail, wanjiru, field
    ):
        refuse(house, "b2c", 400, "400.002.02", f"Bad Request - Invalid {field}")
        withdrawal = rail.withdraw(wanjiru)
        with capture_logs() as said:
            withdrawals.pay()
        assert rail.withdrawal_state(withdrawal) == "failed"
        assert stopped_by(house) is None
        [told] = [line for line in said if line["event"] == "mpesa.payout_not_taken"]
        assert told["log_level"] == "error"
        assert field in told["why"]


def test_a_product_that_the_app_lacks_slows_no_prompt(house, rail, wanjiru):
    refuse(house, "b2c", 404, "404.001.03", "Invalid Access Token")
    rail.withdraw(wanjiru)
    withdrawals.pay()
    assert stopped_by(house) is not None
    assert house.safaricom.line.pace.pause_seconds() == 0


def test_but_one_of_prompts_does(house, rail, wanjiru):
    refuse(house, "stk", 404, "404.001.03", "Invalid Access Token")
    rail.expect(wanjiru)
    house.clock.passes(seconds=3)
    deposits.prompt()
    assert house.safaricom.line.pace.pause_seconds() > 50
