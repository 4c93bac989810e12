from __future__ import annotations

import pytest

from core.money import kes


def test_a_new_number_opens_an_account(house):
    phone = house.phone("+254720000009")
    phone.dial("*384#").sees("""
        Welcome to Kabambe. Karibu Kabambe.
        Language / Lugha:
        1. English
        2. Kiswahili
    """)
    phone.types("1").sees("""
        Your name, as others will see it:
        0. Back
    """)
    phone.types("Njeri").sees("""
        Njeri, choose a PIN of 4 digits. Never tell it to anyone:
        0. Back 00. Home
    """)
    phone.types("4071").sees("""
        Enter the PIN again:
        0. Back 00. Home
    """)
    phone.types("4071").sees("""
        Terms: you keep your PIN secret; we show every fee first and keep records as the law asks.
        1. Accept
        2. Decline
        0. Back 00. Home
    """)
    phone.types("1").ends_with("Welcome Njeri. Your account is open. Dial *384# to use it.")

    assert house.bank.balance_of(phone.msisdn) == 0
    phone.received(
        "Welcome to Kabambe, Njeri. Dial *384# to send money and see your balance."
        " Never tell anyone your PIN: we will not ask for it."
    )
    phone.dial()
    assert phone.screen.startswith("Kabambe. Balance KES 0.00")


def test_kujisajili_kwa_kiswahili(house):
    phone = house.phone("+254720000009")
    phone.dial().types("2", "Njeri", "4071", "4071").sees("""
        Masharti: tunza siri ya PIN yako; tutaonyesha kila ada kwanza na kuweka kumbukumbu kisheria.
        1. Kubali
        2. Kataa
        0. Rudi 00. Mwanzo
    """)
    phone.types("1").ends_with("Karibu Njeri. Akaunti yako imefunguliwa. Piga *384# kuitumia.")
    phone.received(
        "Karibu Kabambe, Njeri. Piga *384# kutuma pesa na kuona salio lako."
        " Usimwambie mtu yeyote PIN yako: hatutaiuliza."
    )


def test_declining_the_terms_opens_nothing(house):
    phone = house.phone("+254720000009")
    phone.dial().types("1", "Njeri", "4071", "4071", "2").ends_with(
        "No account was opened. Dial *384# if you change your mind."
    )
    assert house.bank.one("SELECT count(*) FROM subscribers") == 0


@pytest.mark.parametrize(
    "pin", ["1234", "0000", "1111", "9999", "4321", "6789", "9876", "1212", "1990", "2004", "7890"]
)
def test_a_weak_pin_is_refused(house, pin):
    phone = house.phone("+254720000009").dial().types("1", "Njeri", pin)
    assert phone.screen.startswith("Too easy to guess. Choose another PIN.\nNjeri, choose")


def test_pins_that_differ_start_again(house):
    phone = house.phone("+254720000009").dial().types("1", "Njeri", "4071", "4072")
    phone.sees("""
        The PINs are not the same. Start again.
        Njeri, choose a PIN of 4 digits. Never tell it to anyone:
        0. Back 00. Home
    """)
    phone.types("5823", "5823", "1")
    assert phone.screen.startswith("Welcome Njeri.")


@pytest.mark.parametrize(
    "name", ["J", "", "1234", "a" * 21, "Юлия", "<script>", "Otieno*2", "Kabambe", "KABAMBE Care"]
)
def test_what_is_no_name_is_asked_again(house, name):
    phone = house.phone("+254720000009").dial().types("1", name)
    assert phone.screen.startswith("Use your own name, 2 to 20 letters, A to Z.\nYour name"), (
        phone.screen
    )


def test_a_name_is_made_fit_for_any_phone(house):
    phone = house.phone("+254720000009").dial().types("1", "  josé  mwañgi ")
    assert phone.screen.startswith("Jose Mwangi, choose")


def test_the_new_account_can_be_paid_at_once(house, wanjiru):
    house.phone("+254720000009").dial().types("1", "Njeri", "5823", "5823", "1")
    wanjiru.phone.dial().types("1", "0720000009", "100", "4071")
    assert house.bank.balance_of("+254720000009") == kes(100_00).minor


def test_two_sessions_of_one_number_register_once(house):
    first, second = house.phone("+254720000009"), house.phone("+254720000009")
    for phone in (first, second):
        phone.dial().types("1", "Njeri", "4071", "4071")
    first.types("1")
    second.types("1").ends_with("This number already has an account.")
    assert house.bank.one("SELECT count(*) FROM subscribers") == 1
