"""What people type, and what handsets and networks make of it."""

from __future__ import annotations

import pytest

from core.money import kes
from menus.gsm7 import septets
from menus.screens import register


class TestTheBudgetOfANetwork:
    @pytest.fixture
    def lines(self, house, wanjiru, otieno):
        for _ in range(8):
            wanjiru.phone.dial().types("1", "0733000002", "1", "4071")

    @pytest.mark.parametrize(
        ("code", "septets_max", "shown"),
        [
            ("63902", 160, 4),
            ("63903", 182, 5),
            ("63907", 160, 4),
            ("63999", 160, 4),
            ("99999", 160, 4),
            ("", 160, 4),
            ("nonsense", 160, 4),
        ],
    )
    def test_is_used_and_kept(self, wanjiru, lines, code, septets_max, shown):
        phone = wanjiru.phone
        phone.network = code
        phone.dial().types("2")
        listed = 0
        while "98. More" in phone.screen:
            assert septets(phone.body) <= septets_max
            page = [line for line in phone.screen.splitlines() if "Otieno" in line]
            listed += len(page)
            if listed == len(page):  # the first
                assert len(page) == shown
            phone.types("98")
        listed += sum("Otieno" in line for line in phone.screen.splitlines())
        assert listed == 8

    def test_a_repeat_is_the_same_to_the_byte_whatever_network_it_names(self, wanjiru, lines):
        phone = wanjiru.phone
        phone.network = "63903"
        phone.dial().types("2")
        before = phone.body
        assert septets(before) > 160
        form = {"sessionId": phone.session_id, "serviceCode": "*384#", "text": "2"}
        again = phone.house.client.post(
            "/ussd/africastalking/sandbox",
            data=form | {"phoneNumber": phone.msisdn, "networkCode": "63902"},
        )
        assert again.text == before


class TestHowMuch:
    @pytest.mark.parametrize(("code", "letters_max"), [("63902", 80), ("63903", 90), ("1", 80)])
    def test_more_than_the_network_carries_is_asked_again(self, wanjiru, code, letters_max):
        wanjiru.phone.network = code
        wanjiru.phone.dial().types("1", "7" * letters_max)
        assert wanjiru.phone.screen.startswith("That is not a phone number.\nSend money to")
        wanjiru.phone.types("7" * (letters_max + 1)).sees(f"""
            Too long ({letters_max} at most).
            Send money to (phone number):
            0. Back
        """)

    def test_kwa_kiswahili(self, amina):
        amina.phone.dial().types("x" * 81)
        assert amina.phone.screen.startswith("Ndefu mno (80 tu).\nKabambe. Salio")

    def test_dialled_ahead_too(self, wanjiru):
        wanjiru.phone.dial(f"*384*1*{'7' * 81}#")
        assert wanjiru.phone.screen.startswith("Too long (80 at most).\nSend money to")


class TestStarsAndNothing:
    def test_a_star_is_part_of_what_was_typed(self, wanjiru, otieno):
        phone = wanjiru.phone.dial().types("1", "0733*000002")
        assert phone.screen.startswith("That is not a phone number.")
        phone.types("*", "0733000002")
        assert phone.screen.startswith("To Otieno")
        phone.types("5*0", "50")
        assert phone.screen.startswith("Send KES 50.00")

    def test_a_star_at_the_first_screen(self, wanjiru):
        phone = wanjiru.phone.dial().types("*")
        assert phone.screen.startswith("That is not on the menu.\nKabambe.")
        assert phone.types("4").screen.startswith("Help")

    def test_an_empty_answer_is_asked_again(self, wanjiru, otieno):
        phone = wanjiru.phone.dial().types("1", "")
        assert phone.screen.startswith("That is not a phone number.")
        assert phone.types("0733000002", "").screen.startswith("That is not an amount.")
        assert phone.types("50", "").screen.startswith("A PIN is 4 digits.")
        assert phone.types("4071").screen.startswith("Sent KES 50.00")

    def test_an_empty_answer_to_the_first_screen_is_the_first_hop_again(self, wanjiru):
        phone = wanjiru.phone.dial()
        shown = phone.body
        phone._hop("(nothing)")  # the network joins one nothing to nothing
        assert phone.body == shown
        phone.text = "*4"  # and then something to nothing
        phone._hop("4")
        assert phone.screen.startswith("Help")


@pytest.mark.parametrize(
    "choice", ["4", " 4", "4 ", "4\n", "\r\n4\r\n", "\u200b4", "4\ufeff", "\t4"]
)
def test_a_choice_may_have_blanks_around_it(wanjiru, choice):
    assert wanjiru.phone.dial().types(choice).screen.startswith("Help")


@pytest.mark.parametrize(
    "choice", ["٤", "4 4", "04", "4.", "four", "+4", "-1", "²", "1e0", "99999"]
)
def test_what_is_no_choice_is_no_choice(wanjiru, choice):
    screen = wanjiru.phone.dial().types(choice).screen
    assert screen.startswith("That is not on the menu.\nKabambe.")


@pytest.mark.parametrize("key", ["0", " 0", "0\n"])
def test_so_may_the_way_back(wanjiru, key):
    assert wanjiru.phone.dial().types("4", key).screen.startswith("Kabambe.")


@pytest.mark.parametrize(
    "number",
    [
        "0733000002",
        " 0733 000 002 ",
        "+254733000002",
        " 254733000002",
        "254733000002",
        "733000002",
        "0733-000-002",
        "00254733000002",
    ],
)
def test_a_number_as_people_write_it(wanjiru, otieno, number):
    assert wanjiru.phone.dial().types("1", number).screen.startswith("To Otieno")


@pytest.mark.parametrize(
    ("typed", "minor"),
    [
        ("1000", 1000_00),
        ("KES 1,000", 1000_00),
        (" kes1000 ", 1000_00),
        ("1000/=", 1000_00),
        ("Ksh. 1,000.50", 1000_50),
        ("500\n", 500_00),
    ],
)
def test_an_amount_as_people_write_it(wanjiru, otieno, typed, minor):
    wanjiru.phone.dial().types("1", "0733000002", typed, "4071")
    assert otieno.balance == kes(minor)


@pytest.mark.parametrize(
    "typed", ["٣", "٣٠٠", "³", "0", "00500", "-5", "1.005", "1,00", "5 0", "1e3"]
)
def test_no_amount(wanjiru, otieno, typed):
    screen = wanjiru.phone.dial().types("1", "0733000002", typed).screen
    assert screen.startswith(("That is not an amount.", "Send money to"))  # 0 is the way back


def test_an_at_sign_that_was_turned_over_on_its_way_is_turned_back(house, monkeypatch):
    """GSM-7 has the inverted exclamation mark where ASCII has the @; they get mixed up."""
    heard = []

    def read(_screen, _hop, text):
        heard.append(text)
        return "Njeri"

    monkeypatch.setattr(register.Name, "read", read)
    house.phone("+254720000009").dial().types("1", " njeri¡example.com ")
    assert heard == [" njeri@example.com "]  # free text is not trimmed
