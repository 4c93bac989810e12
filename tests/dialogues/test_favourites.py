"""Whom one has paid before is offered again; a number may be typed as ever."""

from __future__ import annotations

import pytest

from core import merchants, reversals, subscribers
from core.audit import Actor
from core.money import kes

CLERK = Actor("staff:jane", "desk", "r1")
NAMES = ("Mama Mboga", "Duka", "Kiosk", "Butchery", "Baker")


@pytest.fixture
def shops(house):
    """Five shops; the till of each by its name."""
    tills = {}
    for number, name in enumerate(NAMES):
        msisdn = f"+25471200010{number}"
        house.register(msisdn, name=name)
        with house.databases["worker"].begin() as session:
            owner = subscribers.recipient(session, msisdn=msisdn).id
            tills[name] = merchants.open_till(
                session, subscriber=owner, actor=CLERK, now=house.clock()
            )
    return tills


def pay(person, till, amount="10"):
    person.phone.dial().types("5", "1", till, amount, "4071")
    assert person.phone.screen.startswith("Paid KES ")


class TestTills:
    def test_one_that_was_paid_is_offered_by_name(self, wanjiru, shops):
        pay(wanjiru, shops["Duka"], "100")
        wanjiru.phone.dial().types("5", "1").sees(f"""
            Till number, or pick one:
            1. Duka {shops["Duka"]}
            0. Back 00. Home
        """)
        wanjiru.phone.types("1").sees(f"""
            Pay Duka, till {shops["Duka"]}
            Amount in KES:
            0. Back 00. Home
        """)
        wanjiru.phone.types("50", "4071")
        assert wanjiru.balance == kes(1100_00)

    def test_another_may_be_typed_as_ever(self, wanjiru, shops):
        pay(wanjiru, shops["Duka"])
        pay(wanjiru, shops["Kiosk"])
        assert wanjiru.balance == kes(1230_00)

    def test_most_used_first_then_last_paid_and_four_at_most(self, wanjiru, shops):
        for name in ("Kiosk", *NAMES):
            pay(wanjiru, shops[name])
        wanjiru.phone.dial().types("5", "1").sees(f"""
            Till number, or pick one:
            1. Kiosk {shops["Kiosk"]}
            2. Baker {shops["Baker"]}
            3. Butchery {shops["Butchery"]}
            4. Duka {shops["Duka"]}
            0. Back 00. Home
        """)

    @pytest.mark.parametrize("typed", ["2", "0001", "", "abc", "98"])
    def test_what_is_neither_is_asked_again(self, wanjiru, shops, typed):
        pay(wanjiru, shops["Duka"])
        wanjiru.phone.dial().types("5", "1", typed)
        assert wanjiru.phone.screen.startswith("No shop has that till number.\nTill number, or")

    def test_a_payment_that_was_refused_makes_no_favourite(self, house, wanjiru, shops):
        first, second = wanjiru.phone, house.phone(wanjiru.phone.msisdn)
        first.dial().types("5", "1", shops["Duka"], "1000")
        second.dial().types("5", "1", shops["Kiosk"], "1000", "4071")
        first.types("4071")
        assert first.screen.startswith("You have KES 250.00.")
        first.dial().types("5", "1")
        assert "Kiosk" in first.screen
        assert "Duka" not in first.screen

    def test_one_that_was_asked_back_is_none(self, wanjiru, shops):
        pay(wanjiru, shops["Duka"])
        wanjiru.phone.dial().types("2", "1", "1", "1", "4071")
        wanjiru.phone.dial().types("5", "1").sees("""
            Till number:
            0. Back 00. Home
        """)

    def test_they_are_ones_own(self, wanjiru, amina, shops):
        pay(wanjiru, shops["Duka"])
        amina.phone.dial().types("5", "1").sees("""
            Nambari ya till:
            0. Rudi 00. Mwanzo
        """)

    def test_kwa_kiswahili(self, amina, shops):
        amina.phone.dial().types("5", "1", shops["Duka"], "10", "4071")
        amina.phone.dial().types("5", "1").sees(f"""
            Nambari ya till, au chagua:
            1. Duka {shops["Duka"]}
            0. Rudi 00. Mwanzo
        """)


class TestPeople:
    def test_who_got_money_last_is_offered_first_with_a_masked_number(self, wanjiru, otieno, amina):
        for number in ("0733000002", "0711000003"):
            wanjiru.phone.dial().types("1", number, "10", "4071")
        wanjiru.phone.dial().types("1", "1").sees("""
            Send money to:
            1. Amina 0711***003
            2. Otieno 0733***002
            0. Back 00. Home
        """)
        wanjiru.phone.types("2").sees("""
            To Otieno 0733***002
            Amount in KES:
            0. Back 00. Home
        """)
        wanjiru.phone.types("100", "4071")
        assert otieno.balance == kes(110_00)
        wanjiru.phone.dial().types("1", "1")
        assert "1. Otieno 0733***002\n2. Amina" in wanjiru.phone.screen

    def test_four_at_most(self, house, wanjiru):
        for number in range(5):
            house.register(f"+25471200020{number}", name=f"Friend {'ABCDE'[number]}")
            wanjiru.phone.dial().types("1", f"071200020{number}", "10", "4071")
        wanjiru.phone.dial().types("1", "1")
        assert "Friend E" in wanjiru.phone.screen
        assert "Friend A" not in wanjiru.phone.screen
        wanjiru.phone.types("5")
        assert wanjiru.phone.screen.startswith("That is not on the menu.\nSend money to:")

    def test_a_number_may_be_typed_and_dialled_ahead_as_ever(self, wanjiru, otieno):
        for _ in range(2):
            wanjiru.phone.dial("*384*1*0733000002*10#").types("4071")
        assert otieno.balance == kes(20_00)

    def test_who_has_sent_nothing_is_told_so_and_shops_are_not_people(self, wanjiru, shops):
        pay(wanjiru, shops["Duka"])
        wanjiru.phone.dial().types("1", "1").sees("""
            You have not sent money to anybody yet.
            0. Back 00. Home
        """)

    def test_who_was_sent_money_by_mistake_is_none(self, house, wanjiru, otieno):
        wanjiru.phone.dial().types("1", "0733000002", "10", "4071")
        wanjiru.phone.dial().types("2", "1", "1", "1", "4071")
        with house.databases["worker"].begin() as session:
            reversals.decline(
                session, reversal=1, actor=CLERK, note="It was his", now=house.clock()
            )
        wanjiru.phone.dial().types("1", "1")
        assert wanjiru.phone.screen.startswith("You have not sent money to anybody yet.")

    def test_kwa_kiswahili(self, amina, otieno):
        amina.phone.dial().types("1").sees("""
            Tuma pesa kwa (nambari ya simu):
            1. Niliowatumia awali
            0. Rudi
        """)
        amina.phone.types("1")
        assert amina.phone.screen.startswith("Bado hujamtumia mtu yeyote pesa.")
        amina.phone.dial().types("1", "0733000002", "50", "4071")
        amina.phone.dial().types("1", "1").sees("""
            Tuma pesa kwa:
            1. Otieno 0733***002
            0. Rudi 00. Mwanzo
        """)


def test_only_the_newest_orders_are_looked_at(house, wanjiru, shops):
    """So that it costs the same however long somebody has been with us."""

    def order_more(count):
        house.bank.run(
            "INSERT INTO orders"
            " (key, kind, reference, subscriber_id, args, args_hash, placed_at, state)"
            " SELECT 'x' || n, 'exchange', 'X' || n, 1, '{}', '', now(), 'refused'"
            " FROM generate_series((SELECT count(*) FROM orders) + 1, :count) n",
            count=count,
        )

    pay(wanjiru, shops["Duka"])
    order_more(100)
    wanjiru.phone.dial().types("5", "1")
    assert "1. Duka" in wanjiru.phone.screen
    order_more(101)
    wanjiru.phone.dial().types("5", "1")
    assert "Duka" not in wanjiru.phone.screen
