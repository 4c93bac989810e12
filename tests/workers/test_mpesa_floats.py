"""What we hold at M-Pesa: each shortcode is asked, and only its own account is believed of it."""

from __future__ import annotations

import requests
from safaricom import until

from core import rails
from core.money import Currency, kes
from core.rails import Pot, Provider
from workers.mpesa import letters, questions
from workers.resources import current

ANSWERS = "SELECT id FROM inbox WHERE kind LIKE 'inquiry-%' AND done_at IS NULL ORDER BY id"


def told(house, pot):
    with house.databases["worker"]() as session:
        found = rails.told_balance(
            session, provider=Provider.MPESA, account=pot, currency=Currency.KES
        )
    return None if found is None else found[0]


def test_the_float_is_the_payers_and_not_what_the_paybill_holds(rail, house, wanjiru):
    """A customer pays the paybill, and a payout leaves the payer: two accounts of one name."""
    account = house.safaricom.line.client.account
    assert account.payout_shortcode != account.shortcode
    holds = {"Utility Account": "5000000.00"}
    accounts = house.safaricom.control(f"accounts/{account.payout_shortcode}")
    requests.put(accounts, json=holds, timeout=5).raise_for_status()
    withdrawal = rail.withdraw(wanjiru, 500_00)
    house.safaricom_works()
    until(lambda: house.bank.one("SELECT count(*) FROM inbox WHERE provider = 'mpesa'"))
    house.safaricom_works()
    assert rail.withdrawal_state(withdrawal) == "paid"
    for of_payouts in (True, False):
        questions.balance(current(), house.safaricom.line, of_payouts=of_payouts)
        until(lambda: house.bank.rows(ANSWERS))
        letters.understand(ids=[row[0] for row in house.bank.rows(ANSWERS)])
        assert told(house, Pot.UTILITY) == kes(4_999_500_00)
