"""A till paid straight from M-Pesa, and its money sent on to the merchant's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from mpesa_user import MpesaUser, first_line

from core import merchants, settlements
from core.audit import Actor
from core.money import kes
from workers.mpesa import sweeping

STAFF = Actor("staff:jane", "desk", "r1")


@pytest.fixture
def mpesa(house):
    user = MpesaUser(house)
    user.rail.fund()
    return user


@pytest.fixture
def till(mpesa, otieno):
    """Otieno's shop."""
    shop = mpesa.rail.person(otieno)
    return mpesa.rail.worker(
        lambda session: merchants.open_till(
            session, subscriber=shop.id, actor=STAFF, now=mpesa.house.clock()
        )
    )


class TestPaidFromMpesa:
    def test_the_payer_is_prompted_and_the_shop_is_paid(self, mpesa, wanjiru, otieno, till):
        wanjiru.phone.dial().types("5", "5", "3").sees("""
            Till number:
            0. Back 00. Home
        """)
        wanjiru.phone.types(till).sees(f"""
            Pay Otieno, till {till}, from M-Pesa
            Amount in KES, no cents:
            0. Back 00. Home
        """)
        wanjiru.phone.types("400").sees(f"""
            Pay KES 400.00 to Otieno, till {till}
            From M-Pesa 0712***001
            M-Pesa charges you KES 5.00
            1. Confirm
            0. Back 00. Home
        """)
        wanjiru.phone.types("1").ends_with(
            "Enter your M-Pesa PIN on the next prompt to pay KES 400.00 to Otieno. M-Pesa will"
            " send you an SMS.\nRef REF"
        )
        mpesa.answers()
        assert wanjiru.balance == kes(1_250_00)
        assert otieno.balance == kes(398_00)
        mpesa.hears(
            otieno,
            "CODE 0712***001 paid you KES 400.00 by M-Pesa on 21/11/26 09:30. Fee KES 2.00."
            " Balance KES 398.00. Seal SEAL",
        )
        mpesa.hears(wanjiru)
        assert first_line(wanjiru.phone.redials()) == "KES 400.00 to Otieno by M-Pesa: confirmed."
        wanjiru.phone.types("3", "6")
        assert mpesa.shown(wanjiru).startswith(
            "KES 400.00 to Otieno by M-Pesa: confirmed.\nM-Pesa code CODE"
        )
        otieno.phone.dial().types("2", "1")
        assert otieno.phone.screen.startswith("M-Pesa: KES 400.00\nFee KES 2.00\n")

    def test_it_is_offered_again_once_it_is_paid(self, mpesa, wanjiru, till):
        wanjiru.phone.dial().types("5", "5", "3", till, "400", "1")
        assert wanjiru.phone.dial().types("5", "1").screen.startswith("Till number:\n0."), "not yet"
        mpesa.answers()
        wanjiru.phone.dial().types("5", "5", "3").sees(f"""
            Till number, or pick one:
            1. Otieno {till}
            0. Back 00. Home
        """)
        assert wanjiru.phone.types("1").screen.startswith(f"Pay Otieno, till {till}, from M-Pesa")
        wanjiru.phone.dial().types("5", "1")
        assert f"1. Otieno {till}" in wanjiru.phone.screen, "it may be paid either way"

    def test_of_whoever_had_the_number_before_nothing_is_offered(
        self, house, mpesa, wanjiru, otieno, till
    ):
        before = house.register("+254712000077", name="Njeri")
        before.phone.dial().types("5", "5", "3", till, "400", "1")
        mpesa.answers()
        before.phone.dial().types("5", "1")
        assert f"1. Otieno {till}" in before.phone.screen
        before.phone.dial().types("3", "5", "4071")
        house.clock.passes(days=1)
        other = house.register(before.phone.msisdn, name="Juma")
        assert other.phone.dial().types("5", "5", "3").screen.startswith("Till number:\n0.")

    def test_kwa_kiswahili(self, mpesa, amina, otieno, till):
        amina.phone.dial().types("5", "5", "3", till, "400").sees(f"""
            Lipa KES 400.00 kwa Otieno, till {till}
            Kutoka M-Pesa 0711***003
            M-Pesa itakutoza KES 5.00
            1. Thibitisha
            0. Rudi 00. Mwanzo
        """)
        amina.phone.types("1").ends_with(
            "Subiri ombi la M-Pesa, kisha ingiza PIN yako ya M-Pesa kulipa KES 400.00 kwa Otieno."
            " Utapata SMS ya M-Pesa.\nKumb REF"
        )

    def test_the_payer_cancels_and_both_know(self, mpesa, wanjiru, otieno, till):
        mpesa.safaricom.phone("+254712000001", habit="cancel")
        wanjiru.phone.dial().types("5", "5", "3", till, "400", "1")
        mpesa.answers()
        assert otieno.balance == kes(0)
        mpesa.hears(otieno, "REF 0712***001 did not pay you KES 400.00 by M-Pesa.")
        assert first_line(wanjiru.phone.redials()) == (
            "KES 400.00 to Otieno by M-Pesa: failed. You cancelled it."
        )

    def test_whoever_has_the_number_next_sees_nothing_of_it(self, house, mpesa, wanjiru, till):
        wanjiru.phone.dial().types("5", "5", "3", till, "400", "1")
        mpesa.answers()
        house.clock.passes(days=1)
        house.bank.run("UPDATE subscribers SET msisdn = '+254799' WHERE name = 'Wanjiru'")
        other = house.register(wanjiru.phone.msisdn, name="New")
        other.phone.dial().types("3", "6")
        assert other.phone.screen.startswith("You have not used M-Pesa here yet.")

    def test_a_shop_that_is_suspended(self, house, mpesa, wanjiru, till):
        house.bank.run("UPDATE subscribers SET tier = 'suspended' WHERE name = 'Otieno'")
        wanjiru.phone.dial().types("5", "5", "3", till, "400")
        assert first_line(wanjiru.phone) == "The recipient cannot receive money now."


class TestSettling:
    def test_only_a_shop_is_offered_it(self, mpesa, wanjiru, otieno, till):
        wanjiru.phone.dial().types("5", "5")
        assert "Settle" not in wanjiru.phone.screen
        otieno.phone.dial().types("5", "5")
        assert "5. Settle my till\n" in otieno.phone.screen

    def test_all_of_it_goes_now(self, mpesa, wanjiru, otieno, till):
        wanjiru.phone.dial().types("5", "1", till, "1000", "4071")
        assert otieno.balance == kes(995_00)
        otieno.phone.dial().types("5", "5", "5").sees("""
            Settle my till
            To M-Pesa 0733***002 when you say so.
            1. Settle now
            2. Settle every day
            0. Back 00. Home
        """)
        otieno.phone.types("1").sees("""
            Withdraw KES 985.00 to M-Pesa 0733***002
            Fee 5.00, M-Pesa 5.00, total KES 995.00
            Enter PIN to confirm:
            0. Back 00. Home
        """)
        otieno.phone.types("4071")
        assert otieno.phone.screen.startswith("KES 985.00 is on its way to your M-Pesa.")
        mpesa.answers()
        assert otieno.balance == kes(0)
        sms = mpesa.house.messages(otieno.phone.msisdn)[-1]["message"]
        assert "Settled: KES 985.00 went to your M-Pesa on 21/11/26 09:30. Fees KES 10.00." in sms

    def test_with_nothing_there_is_nothing_to_settle(self, mpesa, otieno, till):
        otieno.phone.dial().types("5", "5", "5", "1")
        assert first_line(otieno.phone).startswith("You have KES 0.00.")
        assert "1. Settle now" in otieno.phone.screen

    def test_every_day_by_itself_until_it_is_stopped(self, house, mpesa, otieno, till):
        otieno.phone.dial().types("5", "5", "5", "2").sees("""
            All you have will go to M-Pesa 0733***002 every day, for the fee of a withdrawal.
            Enter PIN to confirm:
            0. Back 00. Home
        """)
        otieno.phone.types("1111")
        assert first_line(otieno.phone) == "Wrong PIN. Tries left: 2"
        otieno.phone.types("4071").ends_with(
            "Daily settlement is on. You will get an SMS each time."
        )
        with house.databases["web"]() as session:
            assert settlements.is_daily(session, subscriber=mpesa.rail.person(otieno).id)
        otieno.phone.dial().types("5", "5", "5")
        assert otieno.phone.screen.startswith("Settle my till\nTo M-Pesa 0733***002 every day.")
        otieno.phone.types("2", "4071").ends_with("Daily settlement is off.")
        with house.databases["web"]() as session:
            assert not settlements.is_daily(session, subscriber=mpesa.rail.person(otieno).id)
        who = (
            "SELECT actor, origin, detail ->> 'is_daily' FROM audit_log"
            " WHERE action = 'daily-settlement-set' ORDER BY id"
        )
        assert house.bank.rows(who) == [
            (otieno.phone.msisdn, "ussd", "true"),
            (otieno.phone.msisdn, "ussd", "false"),
        ]

    def test_once_after_every_midnight_however_often_it_is_looked(self, house, mpesa, otieno, till):
        otieno.phone.dial().types("5", "5", "5", "2", "4071")
        house.clock.now = house.clock.now.replace(hour=20, minute=59)  # in Nairobi it is 23:59
        for day, amount in (("1", 985_00), ("2", 1029_00)):
            mpesa.rail.pay(f"RKL51ZDR4{day}", till, 1_000_00)
            with ThreadPoolExecutor(4) as hands:
                list(hands.map(lambda _: sweeping.sweep(), range(8)))
            mpesa.rail.execute()
            mpesa.answers()
            mpesa.rail.pay(f"RKL51ZDR5{day}", till, 50_00)  # it stays until tomorrow
            sweeping.sweep()
            mpesa.rail.execute()
            payouts = house.bank.rows(
                "SELECT purpose, payee, amount, state FROM withdrawals ORDER BY id"
            )
            assert len(payouts) == int(day)
            assert payouts[-1] == ("settlement", otieno.phone.msisdn, amount, "paid")
            house.clock.passes(minutes=1)  # and so it is
