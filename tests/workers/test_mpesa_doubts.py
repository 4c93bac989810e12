"""Words of Safaricom's that are no proof, and refusals of ours: nothing comes back by mistake."""

from __future__ import annotations

import time

import golden_daraja as golden
import pytest
from rail import opened

from core import chart, inbox, rails
from core.inbox import Kind
from core.money import kes
from core.rails import Provider
from workers.mpesa import letters, withdrawals


@pytest.fixture
def rail(house):
    house.safaricom.begin()
    with opened(house) as found:
        found.fund()
        yield found


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
