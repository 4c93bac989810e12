"""What is paid to our paybill from any M-Pesa, as its owner hears and sees it."""

from __future__ import annotations

import pytest
from mpesa_user import MpesaUser

from core import merchants
from core.audit import Actor
from core.money import kes


@pytest.fixture
def mpesa(house):
    return MpesaUser(house)


@pytest.mark.parametrize("account", ["0712000001", "3847363387177"], ids=["phone", "wallet"])
def test_whoever_is_paid_hears_of_it(mpesa, wanjiru, account):
    mpesa.rail.pay("UKL7RT61SV", account, 300_00)
    assert wanjiru.balance == kes(1_550_00)
    [sms] = mpesa.house.messages(wanjiru.phone.msisdn)
    assert sms["message"].startswith(
        "UKL7RT61SV Confirmed. KES 300.00 from M-Pesa is on your account on 21/11/26 09:30."
        " Fee KES 0.00. Balance KES 1,550.00. Seal "
    )
    wanjiru.phone.dial().types("5", "5", "4")
    assert wanjiru.phone.screen.startswith(
        "Deposit of KES 300.00: confirmed.\nM-Pesa code UKL7RT61SV\n"
    )


def test_kwa_kiswahili(mpesa, amina):
    mpesa.rail.pay("UKL7RT61SV", "0711000003", 300_00)
    [sms] = mpesa.house.messages(amina.phone.msisdn)
    assert sms["message"].startswith(
        "UKL7RT61SV Imethibitishwa. KES 300.00 kutoka M-Pesa zimewekwa 21/11/26 09:30."
    )


def test_a_till_is_paid_and_no_number_is_made_up(house, mpesa, otieno):
    shop = mpesa.rail.person(otieno)
    till = mpesa.rail.worker(
        lambda session: merchants.open_till(
            session,
            subscriber=shop.id,
            actor=Actor("staff:jane", "desk", "r1"),
            now=house.clock(),
        )
    )
    mpesa.rail.pay("UKL7RT61SV", till, 400_00)
    [sms] = house.messages(otieno.phone.msisdn)
    assert sms["message"].startswith(
        "UKL7RT61SV You were paid KES 400.00 by M-Pesa on 21/11/26 09:30. Fee KES 2.00."
    )


def test_what_is_not_confirmed_yet_is_seen_and_not_told(mpesa, wanjiru):
    mpesa.rail.pay("UKL7RT61SV", "0712000001", 9_000_00, confirmed=False)
    assert wanjiru.balance == kes(1_250_00)
    assert mpesa.house.messages(wanjiru.phone.msisdn) == []
    mpesa.rail.confirm("UKL7RT61SV", 9_000_00)
    assert wanjiru.balance == kes(10_250_00)
    assert len(mpesa.house.messages(wanjiru.phone.msisdn)) == 1
