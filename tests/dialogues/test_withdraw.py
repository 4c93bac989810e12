"""Withdraw to M-Pesa: the amount, both fees, PIN; what M-Pesa says comes by SMS."""

from __future__ import annotations

import pytest
from mpesa_user import MpesaUser, first_line

from core import rails
from core.money import kes
from core.rails import Provider

WITHDRAW = ("5", "5", "2")


@pytest.fixture
def mpesa(house):
    user = MpesaUser(house)
    user.rail.fund()
    return user


def test_money_goes_out_and_what_was_shown_is_what_it_costs(mpesa, wanjiru):
    wanjiru.phone.dial().types(*WITHDRAW).sees("""
        Withdraw to M-Pesa 0712***001
        Amount in KES, 10 to 250,000:
        0. Back 00. Home
    """)
    wanjiru.phone.types("500").sees("""
        Withdraw KES 500.00 to M-Pesa 0712***001
        Fee 5.00, M-Pesa 5.00, total KES 510.00
        Enter PIN to confirm:
        0. Back 00. Home
    """)
    wanjiru.phone.types("4071").ends_with(
        "KES 500.00 is on its way to your M-Pesa. You will get an SMS.\nBalance KES 740.00."
        "\nRef REF"
    )
    mpesa.answers()
    assert wanjiru.balance == kes(1_250_00 - 510_00)
    assert mpesa.safaricom.transactions()[-1]["amount"] == "500.00"
    mpesa.hears(
        wanjiru,
        "CODE Confirmed. KES 500.00 went to your M-Pesa on 21/11/26 09:30. Fees KES 10.00."
        " Balance KES 740.00. Seal SEAL",
    )
    wanjiru.phone.dial().types("2", "1")
    assert wanjiru.phone.screen.startswith("M-Pesa: KES -500.00\nFee KES 10.00\n21/11/26 09:30")


def test_kwa_kiswahili(mpesa, amina):
    amina.phone.dial().types(*WITHDRAW, "100").sees("""
        Toa KES 100.00 kwenda M-Pesa 0711***003
        Ada 5.00, M-Pesa 0.00, jumla KES 105.00
        Weka PIN kuthibitisha:
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("4071").ends_with(
        "KES 100.00 ziko njiani kwenda M-Pesa yako. Utapata SMS.\nSalio KES 1,145.00.\nKumb REF"
    )
    mpesa.answers()
    mpesa.hears(
        amina,
        "CODE Imethibitishwa. KES 100.00 zimeenda M-Pesa yako 21/11/26 09:30. Ada KES 5.00."
        " Salio KES 1,145.00. Muhuri SEAL",
    )


def test_a_wrong_pin_sends_nothing_and_counts(mpesa, wanjiru):
    wanjiru.phone.dial().types(*WITHDRAW, "500", "1111")
    assert wanjiru.phone.screen.startswith("Wrong PIN. Tries left: 2\nWithdraw KES 500.00")
    wanjiru.phone.types("2222", "3333")
    assert not wanjiru.phone.on_the_line
    mpesa.is_silent()
    assert mpesa.safaricom.requests("b2c") == []
    assert wanjiru.balance == kes(1_250_00)


def test_a_repeat_of_the_hop_pays_once(mpesa, wanjiru):
    wanjiru.phone.dial().types(*WITHDRAW, "500", "4071").again()
    mpesa.answers()
    assert len(mpesa.safaricom.requests("b2c")) == 1
    assert wanjiru.balance == kes(740_00)


def test_cut_off_before_the_pin_nothing_goes(mpesa, wanjiru):
    wanjiru.phone.dial().types(*WITHDRAW, "500").hangs_up()
    mpesa.is_silent()
    assert wanjiru.balance == kes(1_250_00)
    assert wanjiru.phone.redials().screen.splitlines()[1] == "1. Continue: withdraw to M-Pesa"


def test_dialled_ahead_it_stops_at_the_pin(mpesa, wanjiru):
    wanjiru.phone.dial("*384*5*5*2*500*4071#")
    assert wanjiru.phone.screen.startswith("Withdraw KES 500.00 to M-Pesa")
    assert wanjiru.balance == kes(1_250_00)


@pytest.mark.parametrize(
    ("typed", "refusal"),
    [
        ("1245", "You have KES 1,250.00. You need KES 1,260.00 in all."),
        ("9", "The least is KES 10.00."),
        ("99.99", "M-Pesa takes whole shillings only."),
        ("4071.5.5", "That is not an amount."),
    ],
)
def test_what_cannot_go_is_refused_before_the_pin(mpesa, wanjiru, typed, refusal):
    wanjiru.phone.dial().types(*WITHDRAW, typed)
    assert first_line(wanjiru.phone) == refusal
    assert "Amount in KES" in wanjiru.phone.screen


class TestWhatBecameOfIt:
    def test_on_its_way(self, mpesa, wanjiru):
        wanjiru.phone.dial().types(*WITHDRAW, "500", "4071")
        assert first_line(wanjiru.phone.redials()) == "Withdrawal of KES 500.00: pending."

    def test_confirmed(self, mpesa, wanjiru):
        wanjiru.phone.dial().types(*WITHDRAW, "500", "4071")
        mpesa.answers()
        assert first_line(wanjiru.phone.redials()) == "Withdrawal of KES 500.00: confirmed."
        wanjiru.phone.types("3", "6")
        assert mpesa.shown(wanjiru).startswith(
            "Withdrawal of KES 500.00: confirmed.\nM-Pesa code CODE\n21/11/26 09:30\nRef REF"
        )

    def test_it_comes_back_fees_too(self, mpesa, wanjiru):
        mpesa.safaricom.phone("+254712000001", registered=False)
        wanjiru.phone.dial().types(*WITHDRAW, "500", "4071")
        mpesa.answers()
        assert wanjiru.balance == kes(1_250_00)
        assert first_line(wanjiru.phone.redials()) == (
            "Withdrawal of KES 500.00: failed. Your number is not on M-Pesa."
        )
        mpesa.hears(
            wanjiru,
            "REF KES 500.00 did not go to your M-Pesa. Your number is not on M-Pesa. It is back on"
            " your account, fees too.",
        )
        wanjiru.phone.dial().types("2")
        assert wanjiru.phone.screen.splitlines()[1] == "1. 21/11 M-Pesa, given back +510.00"

    def test_the_ledger_is_late_and_refuses(self, house, mpesa, wanjiru, otieno):
        house.workers_are_there = False
        wanjiru.phone.dial().types("1", "0733000002", "1000", "4071")
        wanjiru.phone.dial().types(*WITHDRAW, "500", "4071").ends_with(
            "Your request to withdraw KES 500.00 is received. You will get an SMS.\nRef REF"
        )
        house.workers_are_there = True
        house.ring()
        assert first_line(wanjiru.phone.redials()) == (
            "Not withdrawn: You have KES 240.00. You need KES 510.00 in all."
        )

    def test_the_ledger_is_late_and_last_m_pesa_knows_of_it(self, house, mpesa, wanjiru):
        house.workers_are_there = False
        wanjiru.phone.dial().types(*WITHDRAW, "500", "4071")
        wanjiru.phone.dial().types("5", "5", "4")
        assert first_line(wanjiru.phone) == "Withdrawal of KES 500.00: pending."

    def test_m_pesa_is_slow_and_that_is_told_once(self, house, mpesa, wanjiru):
        mpesa.safaricom.fault(on="b2c", answer={"kind": "http", "status": 503})
        mpesa.safaricom.fault(on="status", next=9, fate="Initiated")
        wanjiru.phone.dial().types(*WITHDRAW, "500", "4071")
        mpesa.is_silent()
        mpesa.is_silent(seconds=601)
        mpesa.is_silent(seconds=60)
        mpesa.hears(
            wanjiru,
            "REF M-Pesa is slow: your KES 500.00 is set aside and will be sent. You will get an"
            " SMS. Please do not withdraw it again.",
        )


class TestPaused:
    @pytest.fixture
    def stopped(self, mpesa):
        mpesa.rail.worker(
            lambda session: rails.open_breaker(
                session,
                provider=Provider.MPESA,
                code="2001",
                why="the password",
                now=mpesa.house.clock(),
            )
        )

    def test_is_said_before_anything_is_asked(self, stopped, wanjiru):
        wanjiru.phone.dial().types(*WITHDRAW).sees("""
            M-Pesa payouts are paused.
            Yours will wait, set aside.
            1. Withdraw all the same
            0. Back 00. Home
        """)

    def test_who_withdraws_all_the_same_waits(self, mpesa, stopped, wanjiru):
        wanjiru.phone.dial().types(*WITHDRAW, "1", "500", "4071")
        assert wanjiru.phone.screen.startswith("KES 500.00 is on its way")
        mpesa.is_silent()
        assert mpesa.safaricom.requests("b2c") == []
        assert first_line(wanjiru.phone.redials()) == "Withdrawal of KES 500.00: pending."
