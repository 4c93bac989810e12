"""Deposit from M-Pesa: the amount, what it comes to, and M-Pesa's own prompt once we hung up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from mpesa_user import MpesaUser, first_line

from core.money import kes

DEPOSIT = ("5", "5", "1")


@pytest.fixture
def mpesa(house):
    return MpesaUser(house)


def test_money_comes_in(house, mpesa, wanjiru):
    wanjiru.phone.dial().types("5").sees("""
        More services
        1. Pay a till
        2. Use a voucher
        3. Exchange money
        4. My money
        5. M-Pesa
        0. Back
    """)
    wanjiru.phone.types("5").sees("""
        M-Pesa
        1. Deposit from M-Pesa
        2. Withdraw to M-Pesa
        3. Pay a till from M-Pesa
        4. Last M-Pesa
        0. Back 00. Home
    """)
    wanjiru.phone.types("1").sees("""
        Deposit from M-Pesa 0712***001
        Amount in KES, 1 to 250,000:
        0. Back 00. Home
    """)
    wanjiru.phone.types("500").sees("""
        Deposit KES 500.00 from M-Pesa 0712***001
        Our fee KES 0.00, you get KES 500.00
        M-Pesa charges you KES 5.00
        1. Confirm
        0. Back 00. Home
    """)
    wanjiru.phone.types("1").ends_with(
        "Enter your M-Pesa PIN on the next prompt to deposit KES 500.00. You will get an SMS."
        "\nRef REF"
    )
    assert wanjiru.balance == kes(1_250_00)
    mpesa.answers()
    assert wanjiru.balance == kes(1_750_00)
    mpesa.hears(
        wanjiru,
        "CODE Confirmed. KES 500.00 from M-Pesa is on your account on 21/11/26 09:30."
        " Fee KES 0.00. Balance KES 1,750.00. Seal SEAL",
    )


def test_kwa_kiswahili(mpesa, amina):
    amina.phone.dial().types("5", "5").sees("""
        M-Pesa
        1. Weka pesa kutoka M-Pesa
        2. Toa pesa kwenda M-Pesa
        3. Lipa till kwa M-Pesa
        4. M-Pesa ya mwisho
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("1", "200").sees("""
        Weka KES 200.00 kutoka M-Pesa 0711***003
        Ada yetu KES 0.00, utapata KES 200.00
        M-Pesa itakutoza KES 5.00
        1. Thibitisha
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("1").ends_with(
        "Subiri ombi la M-Pesa, kisha ingiza PIN yako ya M-Pesa kuweka KES 200.00. Utapata SMS."
        "\nKumb REF"
    )
    mpesa.answers()
    mpesa.hears(
        amina,
        "CODE Imethibitishwa. KES 200.00 kutoka M-Pesa zimewekwa 21/11/26 09:30. Ada KES 0.00."
        " Salio KES 1,450.00. Muhuri SEAL",
    )


def test_nobody_is_prompted_while_our_session_is_on_the_line(house, mpesa, wanjiru):
    wanjiru.phone.dial().types(*DEPOSIT, "500", "1")
    house.safaricom_works()
    assert mpesa.safaricom.requests("stk") == []
    mpesa.answers()
    assert len(mpesa.safaricom.requests("stk")) == 1


def test_a_repeat_of_the_hop_prompts_once(mpesa, wanjiru):
    wanjiru.phone.dial().types(*DEPOSIT, "500", "1").again()
    mpesa.answers()
    assert len(mpesa.safaricom.requests("stk")) == 1
    assert wanjiru.balance == kes(1_750_00)


@pytest.mark.parametrize("typed", [(), ("500",)], ids=["at the amount", "at the confirmation"])
def test_cut_off_before_it_is_confirmed_nothing_is_asked(house, mpesa, wanjiru, typed):
    wanjiru.phone.dial().types(*DEPOSIT, *typed).hangs_up()
    mpesa.is_silent()
    assert mpesa.safaricom.requests("stk") == []
    wanjiru.phone.redials().sees("""
        Your last call was cut off.
        1. Continue: deposit from M-Pesa
        2. Main menu
    """)
    wanjiru.phone.types("1").sees("""
        Deposit from M-Pesa 0712***001
        Amount in KES, 1 to 250,000:
        0. Back 00. Home
    """)


def test_dialled_ahead_it_stops_at_the_confirmation(mpesa, wanjiru):
    wanjiru.phone.dial("*384*5*5*1*500*1#")
    assert wanjiru.phone.screen.startswith("Deposit KES 500.00 from M-Pesa")
    mpesa.is_silent()
    assert mpesa.safaricom.requests("stk") == []


@pytest.mark.parametrize(
    ("typed", "refusal"),
    [
        ("100.50", "M-Pesa takes whole shillings only."),
        ("250001", "The most at once is KES 250,000.00."),
        ("0.00", "That is not an amount."),
        ("hello", "That is not an amount."),
    ],
)
def test_an_amount_m_pesa_cannot_move_is_refused(mpesa, wanjiru, typed, refusal):
    wanjiru.phone.dial().types(*DEPOSIT, typed)
    assert wanjiru.phone.screen == (
        f"{refusal}\nDeposit from M-Pesa 0712***001\nAmount in KES, 1 to 250,000:\n0. Back 00. Home"
    )


def test_one_prompt_at_a_time(mpesa, wanjiru):
    wanjiru.phone.dial().types(*DEPOSIT, "500", "1")
    wanjiru.phone.dial().types(*DEPOSIT, "700")
    assert first_line(wanjiru.phone) == "An M-Pesa prompt is open. Try again after 09:32."


class TestWhatBecameOfIt:
    """The first line of the next call, and My account."""

    def asked(self, wanjiru):
        wanjiru.phone.dial().types(*DEPOSIT, "500", "1")

    def test_pending(self, mpesa, wanjiru):
        self.asked(wanjiru)
        assert first_line(wanjiru.phone.redials()) == "Deposit of KES 500.00: pending."
        assert "Balance KES 1,250.00" in wanjiru.phone.screen

    def test_confirmed(self, mpesa, wanjiru):
        self.asked(wanjiru)
        mpesa.answers()
        assert first_line(wanjiru.phone.redials()) == "Deposit of KES 500.00: confirmed."
        wanjiru.phone.types("3", "98").sees("""
            My account: Wanjiru +254712000001
            Wallet 3847363387177
            6. Last M-Pesa
            0. Back
        """)
        wanjiru.phone.types("6")
        assert mpesa.shown(wanjiru) == (
            "Deposit of KES 500.00: confirmed.\nM-Pesa code CODE\n21/11/26 09:30\nRef REF\n"
            "0. Back 00. Home"
        )

    @pytest.mark.parametrize(
        ("habit", "reason"),
        [
            ("cancel", "You cancelled it."),
            ("wrong-pin", "The M-Pesa PIN was wrong."),
            ("ignore", "Your phone did not answer M-Pesa."),
        ],
    )
    def test_failed_and_why(self, mpesa, wanjiru, habit, reason):
        mpesa.safaricom.phone("+254712000001", habit=habit)
        mpesa.safaricom.terms(prompt_life=0.2)  # how long a phone that is ignored shows it
        self.asked(wanjiru)
        mpesa.answers()
        assert first_line(wanjiru.phone.redials()) == f"Deposit of KES 500.00: failed. {reason}"
        mpesa.hears(wanjiru, f"REF KES 500.00 did not come from M-Pesa. {reason}")
        assert wanjiru.balance == kes(1_250_00)

    def test_there_is_too_little_on_m_pesa(self, mpesa, amina):
        mpesa.safaricom.phone("+254711000003", balance="100.00")
        amina.phone.dial().types(*DEPOSIT, "500", "1")
        mpesa.answers()
        assert first_line(amina.phone.redials()) == (
            "Kuweka KES 500.00: imeshindikana. Salio lako la M-Pesa halitoshi."
        )

    def test_expired_and_it_settles_all_the_same(self, house, mpesa, wanjiru):
        mpesa.safaricom.fault(on="stk", callback={"kind": "lost"})
        mpesa.safaricom.fault(on="query", next=9, answer={"kind": "pending", "how": "processing"})
        self.asked(wanjiru)
        mpesa.is_silent()
        mpesa.is_silent(seconds=601)
        wanjiru.phone.redials()
        assert first_line(wanjiru.phone) == "Deposit of KES 500.00: expired, M-Pesa gave no answer."
        mpesa.safaricom.reset()
        mpesa.is_silent(seconds=3700)
        assert wanjiru.balance == kes(1_750_00)
        wanjiru.phone.dial().types("5", "5", "4")
        assert wanjiru.phone.screen.startswith("Deposit of KES 500.00: confirmed.")

    def test_m_pesa_is_down(self, mpesa, wanjiru):
        mpesa.safaricom.fault(on="stk", answer={"kind": "http", "status": 503})
        self.asked(wanjiru)
        mpesa.is_silent()
        assert first_line(wanjiru.phone.redials()) == "Deposit of KES 500.00: pending."
        assert wanjiru.balance == kes(1_250_00)

    def test_nothing_yet(self, mpesa, wanjiru):
        wanjiru.phone.dial().types("5", "5", "4").sees("""
            You have not used M-Pesa here yet.
            0. Back 00. Home
        """)

    def test_a_session_that_redis_forgot_does_not_ask_twice(self, house, mpesa, wanjiru):
        self.asked(wanjiru)
        house.redis.flushdb()
        wanjiru.phone.on_the_line = True
        wanjiru.phone._hop("(again)")
        wanjiru.phone.ends_with("Deposit of KES 500.00: pending.")
        mpesa.answers()
        assert wanjiru.balance == kes(1_750_00)


def test_the_statement_shows_it(mpesa, wanjiru):
    wanjiru.phone.dial().types(*DEPOSIT, "500", "1")
    mpesa.answers()
    wanjiru.phone.dial().types("2")
    assert wanjiru.phone.screen.splitlines()[1] == "1. 21/11 M-Pesa +500.00"
    wanjiru.phone.types("1")
    assert wanjiru.phone.screen.startswith("M-Pesa: KES 500.00\n21/11/26 09:30\nBalance KES 1,750")


def test_where_there_is_no_m_pesa_none_of_it_is_offered(house, wanjiru, monkeypatch):
    monkeypatch.setitem(house.app.extensions, "none", None)
    object.__setattr__(house.conversation, "has_mpesa", False)
    try:
        wanjiru.phone.dial().types("5")
        assert "M-Pesa" not in wanjiru.phone.screen
        wanjiru.phone.types("5")
        assert first_line(wanjiru.phone) == "That is not on the menu."
        wanjiru.phone.dial().types("3")
        assert "98. More" not in wanjiru.phone.screen
    finally:
        object.__setattr__(house.conversation, "has_mpesa", True)


@pytest.mark.parametrize("seconds", [0, 20])
def test_the_prompt_waits_as_long_as_the_house_says(house, mpesa, wanjiru, seconds):
    usual = house.conversation.prompt_delay
    object.__setattr__(house.conversation, "prompt_delay", timedelta(seconds=seconds))
    try:
        wanjiru.phone.dial().types(*DEPOSIT, "500", "1")
    finally:
        object.__setattr__(house.conversation, "prompt_delay", usual)
    waits = house.bank.one("SELECT prompt_at - expected_at FROM deposits")
    assert waits == timedelta(seconds=seconds)
