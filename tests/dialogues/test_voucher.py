"""Use a voucher: by USSD and by SMS, once, and its code is kept nowhere."""

from __future__ import annotations

import leaks
import pytest
from voucher_shop import opened

from core.money import kes


@pytest.fixture
def code(house):
    """One that the house has given."""
    with opened(house) as shop:
        yield shop.codes(count=1)[0]


@pytest.fixture
def codes(house):
    """Two of one batch."""
    with opened(house) as shop:
        yield shop.codes(count=2)


def sms(house, phone, said, *, letter="m1"):
    form = {"id": letter, "from": phone.msisdn, "to": "384", "text": said, "date": "2026-11-21"}
    answer = house.client.post("/sms/africastalking/sandbox/inbound", data=form)
    assert answer.status_code == 200
    house.send_messages()
    house.ring()


def heard(house, phone):
    return [each["message"] for each in house.messages(phone.msisdn)]


class TestByUssd:
    def test_its_money_is_there_at_once(self, wanjiru, code):
        wanjiru.phone.dial().types("5", "2").sees("""
            Voucher code (20 digits):
            0. Back 00. Home
        """)
        wanjiru.phone.types(code).ends_with("You have received KES 100.00 from a voucher.\nRef REF")
        assert wanjiru.balance == kes(1350_00)

    def test_once(self, wanjiru, otieno, code):
        wanjiru.phone.dial().types("5", "2", code)
        otieno.phone.dial().types("5", "2", code)
        assert "already" in otieno.phone.screen
        assert otieno.balance == kes(0)

    def test_what_is_dialled_after_its_code_orders_nothing_more(self, house, wanjiru, codes):
        first, second = codes
        wanjiru.phone.dial(f"*384*5*2*{first}*0*{second}#").ends_with(
            "You have received KES 100.00 from a voucher.\nRef REF"
        )
        assert wanjiru.balance == kes(1350_00)
        assert house.bank.one("SELECT count(*) FROM orders") == 1

    def test_a_slip_is_no_guess_and_guesses_are_counted(self, house, wanjiru, code):
        other = "9" if code[0] != "9" else "8"
        wanjiru.phone.dial().types("5", "2", other + code[1:])
        assert "Voucher code (20 digits):" in wanjiru.phone.screen
        for left in (4, 3, 2, 1):
            wanjiru.phone.types("00000000000000000000")
            assert str(left) in wanjiru.phone.screen, left
        wanjiru.phone.types("00000000000000000000", code)
        assert wanjiru.balance == kes(1250_00)

    def test_its_code_is_kept_nowhere(self, house, wanjiru, code):
        wanjiru.phone.dial().types("5", "2", code)
        assert leaks.keys(house.redis, code) == []


class TestBySms:
    def test_its_money_is_there_and_the_receipt_is_the_answer(self, house, wanjiru, code):
        grouped = " ".join(code[at : at + 4] for at in range(0, 20, 4))
        sms(house, wanjiru.phone, f"Vocha {grouped} asante")
        assert wanjiru.balance == kes(1350_00)
        [receipt] = heard(house, wanjiru.phone)
        assert "You received KES 100.00 from a voucher" in receipt

    def test_two_in_one_sms_are_both_used_and_a_pin_among_them_is_warned_of(
        self, house, wanjiru, codes
    ):
        sms(house, wanjiru.phone, f"{codes[0]} and {codes[1]} pin 4071")
        assert wanjiru.balance == kes(1450_00)
        told = heard(house, wanjiru.phone)
        assert sum("from a voucher" in each for each in told) == 2
        assert any("Never send your PIN" in each for each in told)

    def test_the_same_sms_twice_is_one_order(self, house, wanjiru, code):
        for _ in range(2):
            sms(house, wanjiru.phone, code)
        assert house.bank.one("SELECT count(*) FROM orders") == 1

    def test_its_code_is_kept_nowhere(self, house, wanjiru, code):
        sms(house, wanjiru.phone, code)
        assert house.bank.one("SELECT form ->> 'text' FROM inbox").startswith("voucher:")
        assert leaks.tables(house.bank, code) == []

    def test_what_cannot_be_had_is_said_and_not_for_ever(self, house, wanjiru, otieno, code):
        sms(house, otieno.phone, code)
        sms(house, wanjiru.phone, code, letter="m2")
        assert "already" in heard(house, wanjiru.phone)[-1]
        for number in range(20):
            sms(house, wanjiru.phone, "0000 0000 0000 0000 0000", letter=f"n{number}")
        assert len(heard(house, wanjiru.phone)) == 6
        assert house.bank.one("SELECT max(wrong_tries) FROM voucher_tries") == 5

    def test_a_stranger_is_told_how_to_begin(self, house, code):
        phone = house.phone("+254712999999")
        sms(house, phone, code)
        assert house.bank.one("SELECT count(*) FROM vouchers WHERE state = 'open'") == 1
        assert "*384#" in heard(house, phone)[-1]

    def test_a_number_that_is_no_code_is_not_kept_either(self, house, wanjiru):
        sms(house, wanjiru.phone, "12345678901234567890")
        assert house.bank.one("SELECT form ->> 'text' FROM inbox") == "[code]"
