from __future__ import annotations

import threading

from core.money import kes


def to_pin(person):
    return person.phone.dial().types("1", "0733000002", "500")


def test_three_wrong_pins_lock_for_fifteen_minutes_even_across_calls(house, wanjiru, otieno):
    to_pin(wanjiru).types("9999").sees("""
        Wrong PIN. Tries left: 2
        Send KES 500.00 to Otieno 0733***002
        Fee KES 5.00, total KES 505.00
        Enter PIN to confirm:
        0. Back 00. Home
    """)
    to_pin(wanjiru).types("1111")
    assert "Tries left: 1" in wanjiru.phone.screen
    to_pin(wanjiru).types("2222").ends_with("Too many wrong PINs. Try again after 09:45.")
    to_pin(wanjiru).types("4071").ends_with("Too many wrong PINs. Try again after 09:45.")

    house.clock.passes(minutes=15)
    to_pin(wanjiru).types("4071")
    assert wanjiru.phone.screen.startswith("Sent KES 500.00")
    told = [each["message"] for each in house.messages(wanjiru.phone.msisdn)]
    assert any("entered wrong 3 times" in message for message in told)


def test_after_the_lock_there_are_three_tries_again(house, wanjiru, otieno):
    for _ in range(3):
        to_pin(wanjiru).types("9999")
    house.clock.passes(minutes=16)
    to_pin(wanjiru).types("9999")
    assert "Tries left: 2" in wanjiru.phone.screen


def test_a_right_pin_forgives_the_wrong_ones(wanjiru, otieno):
    to_pin(wanjiru).types("9999", "4071")
    to_pin(wanjiru).types("9999")
    assert "Tries left: 2" in wanjiru.phone.screen


def test_what_is_not_four_digits_costs_no_try(wanjiru, otieno):
    for typed in ("40", "abcd", "٤٠٧١", "40710", ""):
        to_pin(wanjiru).types(typed)
        assert wanjiru.phone.screen.startswith("A PIN is 4 digits."), typed
    to_pin(wanjiru).types("9999")
    assert "Tries left: 2" in wanjiru.phone.screen


def test_two_sessions_cannot_guess_in_parallel(house, wanjiru, otieno):
    """Twelve guesses at once: three are tried, whoever comes first, and then it is locked."""
    phones = [house.phone(wanjiru.phone.msisdn) for _ in range(12)]
    for phone in phones:
        phone.client = None
        phone.dial().types("1", "0733000002", "500")
    start = threading.Barrier(len(phones))

    def guess(phone, pin):
        start.wait()
        phone.types(pin)

    threads = [
        threading.Thread(target=guess, args=(phone, f"9{number:03}"))
        for number, phone in enumerate(phones)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    screens = sorted(phone.screen.split("\n")[0] for phone in phones)
    assert screens == [
        *["Too many wrong PINs. Try again after 09:45."] * 10,
        "Wrong PIN. Tries left: 1",
        "Wrong PIN. Tries left: 2",
    ]


def test_the_pin_is_changed_and_the_old_one_is_of_no_use(house, wanjiru, otieno):
    wanjiru.phone.dial().types("3").sees("""
        My account: Wanjiru +254712000001
        Wallet 3847363387177
        1. PIN
        2. Language
        3. My name
        4. My limits
        5. Close account
        98. More
        0. Back
    """)
    wanjiru.phone.types("1").sees("""
        PIN
        1. Change PIN
        2. Forgot PIN
        0. Back 00. Home
    """)
    wanjiru.phone.types("1", "4071").sees("""
        New PIN of 4 digits:
        0. Back 00. Home
    """)
    wanjiru.phone.types("5823").sees("""
        Enter the PIN again:
        0. Back 00. Home
    """)
    wanjiru.phone.types("5823").ends_with("Your PIN is changed.")

    to_pin(wanjiru).types("4071")
    assert "Wrong PIN" in wanjiru.phone.screen
    to_pin(wanjiru).types("5823")
    assert otieno.balance == kes(500_00)
    told = [each["message"] for each in house.messages(wanjiru.phone.msisdn)]
    assert any("PIN was changed on 21/11/26 09:30" in message for message in told)


def test_a_new_pin_must_be_typed_alike_twice(wanjiru):
    wanjiru.phone.dial().types("3", "1", "1", "4071", "5823", "5832").sees("""
        The PINs are not the same. Start again.
        New PIN of 4 digits:
        0. Back 00. Home
    """)
    wanjiru.phone.types("5823", "5823").ends_with("Your PIN is changed.")


def test_a_weak_new_pin_is_refused(wanjiru):
    wanjiru.phone.dial().types("3", "1", "1", "4071", "1234")
    assert wanjiru.phone.screen.startswith("Too easy to guess. Choose another PIN.")


def test_badilisha_pin(amina):
    amina.phone.dial().types("3", "1", "1", "4071", "5823", "5823").ends_with(
        "PIN yako imebadilishwa."
    )
