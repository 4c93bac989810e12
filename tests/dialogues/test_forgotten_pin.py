from __future__ import annotations

import re
import threading

import pytest
from compliance import Office
from handset import Handset

from core.money import kes

FORGOT = ("3", "1", "2")
CODE = """
    Enter the 6 digits from our SMS:
    1. Send me another code
    0. Back 00. Home
"""


@pytest.fixture
def known(house, wanjiru, otieno):
    """Wanjiru, who has sent money to Otieno."""
    wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
    assert otieno.balance == kes(100_00)
    return wanjiru


def code(house, person) -> str:
    """The digits of the newest code that a number was sent."""
    told = [each["message"] for each in house.messages(person.phone.msisdn)]
    found = [said for message in told for said in re.findall(r"\b[0-9]{6}\b", message)]
    return found[-1]


def codes_sent(house, person) -> int:
    told = house.messages(person.phone.msisdn)
    return sum("code for a new PIN" in each["message"] for each in told)


def identified(person):
    return person.phone.dial().types(*FORGOT, "Wanjiru", "0733 000 002")


def test_a_forgotten_pin_is_replaced(house, known):
    known.phone.dial().types(*FORGOT).sees("""
        Forgot PIN. First tell us who you are.
        The name on this account:
        0. Back 00. Home
    """)
    known.phone.types("wanjiru").sees("""
        The phone number of a person you have sent money to in the last 90 days:
        0. Back 00. Home
    """)
    known.phone.types("0733 000 002").sees(CODE)
    known.phone.types(code(house, known)).sees("""
        New PIN of 4 digits:
        0. Back 00. Home
    """)
    known.phone.types("5823", "5823").ends_with(
        "Your new PIN is set. Until 22/11 09:30 you can send at most KES 1,000.00 at once"
        " and KES 2,000.00 a day."
    )
    known.phone.dial().types("1", "0733000002", "100", "4071")
    assert known.phone.screen.startswith("Wrong PIN.")
    known.phone.types("5823")
    assert known.phone.screen.startswith("Sent KES 100.00")
    told = [each["message"] for each in house.messages(known.phone.msisdn)]
    assert (
        "Your forgotten Kabambe PIN was replaced on 21/11/26 09:30. Until 22/11 09:30 you can send"
        " KES 2,000.00 a day. If that was not you, contact us now." in told
    )


def test_umesahau_pin(house, amina, otieno):
    amina.phone.dial().types("1", "0733000002", "100", "4071")
    amina.phone.dial().types(*FORGOT).sees("""
        Umesahau PIN. Kwanza tuambie wewe ni nani.
        Jina la akaunti hii:
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("Amina", "0733000002").sees("""
        Weka tarakimu 6 kutoka kwa SMS yetu:
        1. Nitumie msimbo mwingine
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types(code(house, amina), "5823", "5823").ends_with(
        "PIN yako mpya imewekwa. Hadi 22/11 09:30 unaweza kutuma hadi KES 1,000.00 kwa mara moja"
        " na KES 2,000.00 kwa siku."
    )


def test_it_works_while_the_pin_is_locked_and_unlocks_it(house, known):
    for _ in range(3):
        known.phone.dial().types("1", "0733000002", "100", "9999")
    assert known.phone.screen.startswith("Too many wrong PINs.")
    told = [each["message"] for each in house.messages(known.phone.msisdn)]
    assert any("Forgot it? Dial *384*3*1*2#" in message for message in told)
    known.phone.dial("*384*3*1*2#").types("Wanjiru", "0733000002")
    known.phone.types(code(house, known), "5823", "5823")
    known.phone.dial().types("1", "0733000002", "100", "5823")
    assert known.phone.screen.startswith("Sent KES 100.00")


@pytest.mark.parametrize(
    "answers", [("Otieno", "0733000002"), ("Wanjiru", "0733000003"), ("Otieno", "0733000003")]
)
def test_which_answer_was_wrong_is_never_told(known, answers):
    known.phone.dial().types(*FORGOT, *answers).sees("""
        Those answers are not right. Tries left: 2
        Forgot PIN. First tell us who you are.
        The name on this account:
        0. Back 00. Home
    """)


def test_three_wrong_answers_lock_it_for_a_day_and_the_owner_is_told(house, known):
    for number in ("0733000007", "0733000008"):
        known.phone.dial().types(*FORGOT, "Wanjiru", number)
    known.phone.dial().types(*FORGOT, "Wanjiru", "0733000009").ends_with(
        "Too many wrong answers. Try again after 22/11 09:30, or contact us."
    )
    known.phone.dial().types(*FORGOT).ends_with(
        "Too many wrong answers. Try again after 22/11 09:30, or contact us."
    )
    told = [each["message"] for each in house.messages(known.phone.msisdn)]
    assert (
        "Somebody gave 3 wrong answers to replace your Kabambe PIN. Nobody can try until"
        " 22/11 09:30. If that was not you, contact us." in told
    )
    # The PIN itself is good all the while.
    known.phone.dial().types("1", "0733000002", "100", "4071")
    assert known.phone.screen.startswith("Sent KES 100.00")
    house.clock.passes(hours=24)
    known.phone.dial().types(*FORGOT, "Wanjiru", "0733000009")
    assert known.phone.screen.startswith("Those answers are not right. Tries left: 2")


def test_right_answers_forgive_wrong_ones_and_so_does_a_day(house, known):
    for _ in range(2):
        known.phone.dial().types(*FORGOT, "Wanjiru", "0733000009")
    house.clock.passes(hours=24)
    known.phone.dial().types(*FORGOT, "Wanjiru", "0733000009")
    assert "Tries left: 2" in known.phone.screen
    identified(known)
    house.clock.passes(minutes=16)
    known.phone.dial().types(*FORGOT, "Wanjiru", "0733000009")
    assert "Tries left: 2" in known.phone.screen


def test_what_is_no_phone_number_costs_no_try(known):
    known.phone.dial().types(*FORGOT, "Wanjiru", "Otieno")
    assert known.phone.screen.startswith("That is not a phone number.")
    known.phone.types("Wanjiru", "0733000009")
    assert "Tries left: 2" in known.phone.screen


def test_who_sent_us_money_is_no_proof_of_who_we_are(house, wanjiru, otieno):
    """Whoever wants the account could send it a little money first."""
    house.register("+254744000004", name="Thief", balance="1,000")
    thief = house.phone("+254744000004")
    thief.dial().types("1", "0733000002", "10", "4071")
    otieno.phone.dial().types("1", "0712000001", "5", "4071")
    otieno.phone.dial().types(*FORGOT, "Otieno", "0744000004")
    assert otieno.phone.screen.startswith("Those answers are not right.")


@pytest.mark.parametrize("amount", ["10", "600"], ids=["at once", "with the code by SMS"])
def test_what_was_sent_by_sms_is_no_proof_of_who_we_are(house, known, amount):
    """No PIN is asked for by SMS: whoever has the SIM sends a little to themselves first."""
    thief = house.register("+254744000004", name="Thief")
    stolen = Handset(house, known.phone.msisdn)
    stolen.writes(f"SEND {amount} 0744000004")
    if amount == "600":
        stolen.writes(re.findall(r"Reply ([0-9]{6})", stolen.news()[-1])[-1])
    assert thief.balance == kes(int(amount) * 100)
    known.phone.dial().types(*FORGOT, "Wanjiru", "0744000004")
    assert known.phone.screen.startswith("Those answers are not right. Tries left: 2")


def test_who_has_only_sent_by_sms_cools_off_as_who_never_sent(house, wanjiru):
    house.register("+254744000004", name="Thief")
    Handset(house, wanjiru.phone.msisdn).writes("SEND 10 0744000004")
    wanjiru.phone.dial().types(*FORGOT, "Wanjiru").sees(CODE)
    wanjiru.phone.types(code(house, wanjiru), "5823", "5823")
    assert "KES 500.00 at once" in wanjiru.phone.screen


def test_who_has_no_history_is_asked_the_name_alone_and_cools_off_longer(house, otieno):
    otieno.phone.dial().types(*FORGOT).types("otieno").sees(CODE)
    otieno.phone.types(code(house, otieno), "5823", "5823").ends_with(
        "Your new PIN is set. Until 24/11 09:30 you can send at most KES 500.00 at once"
        " and KES 1,000.00 a day."
    )


def test_a_dropped_session_goes_on_at_the_code_and_sends_none_unasked(house, known):
    identified(known).hangs_up()
    sent = code(house, known)
    known.phone.dial().types(*FORGOT).sees(CODE)
    assert codes_sent(house, known) == 1
    known.phone.types("1").sees(CODE)
    assert codes_sent(house, known) == 2
    known.phone.types(sent)
    assert known.phone.screen.startswith("Wrong code.") or "Tries left" in known.phone.screen
    known.phone.types(code(house, known), "5823", "5823")
    assert known.phone.screen.startswith("Your new PIN is set.")


def test_the_tenth_code_of_a_day_is_the_last_and_tomorrow_is_named(house, known):
    for _ in range(10):
        identified(known)
        house.clock.passes(minutes=16)
    identified(known)
    assert known.phone.screen.startswith("Too many codes. Try again after 22/11 09:30.")


def test_after_a_quarter_of_an_hour_the_questions_are_asked_again(house, known):
    identified(known).hangs_up()
    house.clock.passes(minutes=15)
    known.phone.dial().types(*FORGOT)
    assert known.phone.screen.startswith("Forgot PIN.")


def test_the_code_is_no_use_where_nobody_has_answered(house, known):
    """A second session may not go on where the first was done."""
    other = house.phone(known.phone.msisdn)
    identified(known)
    other.dial().types(*FORGOT).sees(CODE)
    known.phone.types(code(house, known), "5823", "5823")
    other.types("123456").ends_with("That took too long. Dial again and start again.")


def test_the_new_pin_may_not_be_chosen_much_later_than_the_code(house, known):
    identified(known).types(code(house, known))
    house.clock.passes(minutes=10)
    known.phone.types("5823", "5823").ends_with("That took too long. Dial again and start again.")
    known.phone.dial().types("1", "0733000002", "100", "4071")
    assert known.phone.screen.startswith("Sent KES 100.00")


def test_no_answer_is_kept_nor_a_code_nor_a_pin(house, known):
    known.phone.dial().types(*FORGOT, "wAnJiRu", "0733 000 002")
    sent = code(house, known)
    known.phone.types(sent, "5823")
    kept = str(house.redis.hgetall(f"kabambe:ussd:{known.phone.session_id}"))
    assert "forgotten.RepeatPin" in kept
    for secret in ("wAnJiRu", "0733 000 002", "+254733000002", sent, "5823"):
        assert secret not in kept
    known.phone.types("5823")
    rows = str([house.bank.rows(f"SELECT * FROM {table}") for table in ("recoveries", "audit_log")])
    assert "pin-recovered" in rows
    for secret in ("wAnJiRu", "0733 000 002", "+254733000002", sent, "5823"):
        assert secret not in rows


def test_answers_at_once_are_no_more_than_three(house, known):
    phones = [house.phone(known.phone.msisdn) for _ in range(12)]
    for phone in phones:
        phone.dial().types(*FORGOT, "Wanjiru")
    start = threading.Barrier(len(phones))

    def guess(phone, number):
        start.wait()
        phone.types(f"07330001{number:02}")

    threads = [
        threading.Thread(target=guess, args=(phone, number)) for number, phone in enumerate(phones)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    screens = sorted(phone.screen.split("\n")[0] for phone in phones)
    assert screens == [
        "Those answers are not right. Tries left: 1",
        "Those answers are not right. Tries left: 2",
        *["Too many wrong answers. Try again after 22/11 09:30, or contact us."] * 10,
    ]
    told = [each["message"] for each in house.messages(known.phone.msisdn)]
    assert sum("3 wrong answers" in message for message in told) == 1


class TestPapers:
    @pytest.fixture
    def verified(self, house, wanjiru):
        office = Office(house)
        office.show_papers(office.id_of(wanjiru), name="Jané Wanjiru O'Kamau", number="12345678")
        return wanjiru

    def test_who_has_shown_papers_is_asked_about_them(self, house, verified):
        verified.phone.dial().types(*FORGOT).sees("""
            Forgot PIN. First tell us who you are.
            Your full name, as on your ID:
            0. Back 00. Home
        """)
        verified.phone.types("okamau jane").sees("""
            The last 3 digits or letters of the number on your ID:
            0. Back 00. Home
        """)
        verified.phone.types("678").sees(CODE)

    def test_the_whole_number_will_do(self, verified):
        verified.phone.dial().types(*FORGOT, "Jane Wanjiru O'Kamau", "1234 5678").sees(CODE)

    @pytest.mark.parametrize(
        ("name", "end"),
        [
            ("Wanjiru", "678"),
            ("Jane Jane", "678"),
            ("Jane Otieno", "678"),
            ("Jane Kamau", "678"),
            ("Jane Wanjiru", "679"),
            ("Jane Wanjiru", "78"),
            ("Jane Wanjiru", ""),
            ("", "678"),
        ],
    )
    def test_nothing_less_will(self, verified, name, end):
        verified.phone.dial().types(*FORGOT, name, end)
        assert verified.phone.screen.startswith("Those answers are not right. Tries left: 2")

    def test_papers_that_were_not_theirs_prove_nothing(self, house, verified):
        house.bank.run("UPDATE subscribers SET tier = 'rejected'")
        verified.phone.dial().types(*FORGOT)
        assert "The name on this account:" in verified.phone.screen
