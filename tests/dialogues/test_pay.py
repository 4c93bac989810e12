"""Pay a till: the number, the amount, PIN. The shop bears the fee."""

from __future__ import annotations

import pytest

from core import merchants, subscribers
from core.audit import Actor
from core.money import kes


@pytest.fixture
def till(house, otieno):
    """Otieno's shop."""
    with house.databases["worker"].begin() as session:
        shop = subscribers.recipient(session, msisdn=otieno.phone.msisdn)
        actor = Actor("staff:jane", "desk", "r1")
        return merchants.open_till(session, subscriber=shop.id, actor=actor, now=house.clock())


def test_pay(house, wanjiru, otieno, till):
    wanjiru.phone.dial().types("5").sees("""
        More services
        1. Pay a till
        2. Use a voucher
        3. Exchange money
        4. My money
        5. M-Pesa
        0. Back
    """)
    wanjiru.phone.types("1").sees("""
        Till number:
        0. Back 00. Home
    """)
    wanjiru.phone.types(till).sees(f"""
        Pay Otieno, till {till}
        Amount in KES:
        0. Back 00. Home
    """)
    wanjiru.phone.types("500").sees(f"""
        Pay KES 500.00 to Otieno, till {till}
        You pay no fee, total KES 500.00
        Enter PIN to confirm:
        0. Back 00. Home
    """)
    wanjiru.phone.types("4071").ends_with(
        "Paid KES 500.00 to Otieno.\nBalance KES 750.00.\nRef REF"
    )
    assert otieno.balance == kes(497_50)
    [hers] = house.messages(wanjiru.phone.msisdn)
    [his] = house.messages(otieno.phone.msisdn)
    assert (
        "Paid KES 500.00 to Otieno on 21/11/26 09:30. Fee KES 0.00. Balance KES 750.00. Seal "
        in hers["message"]
    )
    assert "Wanjiru 0712***001 paid you KES 500.00" in his["message"]


def test_dialled_ahead_it_stops_at_the_pin(wanjiru, otieno, till):
    wanjiru.phone.dial(f"*384*5*1*{till}*500*4071#")
    assert wanjiru.phone.screen.startswith("Pay KES 500.00 to Otieno")
    assert otieno.balance == kes(0)


@pytest.mark.parametrize("typed", ["1234567", "12", "abc", "0712000001"])
def test_a_till_nobody_has(wanjiru, till, typed):
    wanjiru.phone.dial().types("5", "1", typed)
    assert "Till number:" in wanjiru.phone.screen
    assert wanjiru.phone.screen != "Till number:\n0. Back 00. Home"


def test_a_wrong_pin_pays_nothing(wanjiru, otieno, till):
    wanjiru.phone.dial().types("5", "1", till, "500", "1111")
    assert wanjiru.phone.screen.startswith("Wrong PIN. Tries left: 2\nPay KES 500.00")
    wanjiru.phone.types("4071")
    assert otieno.balance == kes(497_50)


def test_kwa_kiswahili(amina, otieno, till):
    amina.phone.dial().types("5", "1", till, "200").sees(f"""
        Lipa KES 200.00 kwa Otieno, till {till}
        Hulipi ada, jumla KES 200.00
        Weka PIN kuthibitisha:
        0. Rudi 00. Mwanzo
    """)
