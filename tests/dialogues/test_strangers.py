"""Numbers tried out for a name: twenty of nobody's a day, by USSD and SMS together."""

from __future__ import annotations

import re

import pytest
from handset import Handset
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.money import kes

TOO_MANY = "Too many numbers without an account. Try again tomorrow."


@pytest.fixture
def known(wanjiru, otieno):
    """Wanjiru, who has sent money to Otieno: a part of his number stands in her statement."""
    wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
    return wanjiru


def tries(phone, numbers):
    """Ask for the name behind each of some numbers; say what each was answered."""
    phone.dial().types("1")
    answers = []
    for number in numbers:
        phone.types(number)
        answers.append(phone.screen.split("\n")[0])
    return answers


def unheard_of(count, *, first=100):
    return [f"0733{number}002" for number in range(first, first + count)]


def test_whoever_has_the_sim_cannot_try_out_the_rest_of_a_number(house, known):
    known.phone.dial().types("2", "1")
    assert re.search(r"Otieno 0733\*\*\*002", known.phone.screen)
    answers = tries(known.phone, unheard_of(25))
    assert answers[:19] == ["That number has no account here."] * 19
    assert answers[19:] == [TOO_MANY] * 6
    # Not even the right one is told from others any more, in a session of its own.
    assert tries(known.phone, ["0733000002", "3840000000014"]) == [TOO_MANY] * 2
    lines = house.bank.rows("SELECT actor FROM audit_log WHERE action = 'strangers-asked-for'")
    assert lines == [("+254712000001",)]


def test_people_of_before_can_be_sent_to_all_the_while(known, otieno):
    tries(known.phone, unheard_of(20))
    known.phone.dial().types("1", "1", "1", "50", "4071")
    assert known.phone.screen.startswith("Sent KES 50.00 to Otieno")
    assert otieno.balance == kes(150_00)


def test_a_day_after_the_first_it_begins_anew(house, known):
    tries(known.phone, unheard_of(20))
    house.clock.passes(hours=23, minutes=59)
    assert tries(known.phone, ["0733000002"]) == [TOO_MANY]
    house.clock.passes(minutes=1)
    assert tries(known.phone, ["0733000002", *unheard_of(1)])[0].startswith("To Otieno")
    known.phone.dial().types("1", "0733100002")
    assert known.phone.screen.startswith("That number has no account here.")
    assert house.bank.one("SELECT asked FROM strangers") == 1


def test_each_is_counted_alone_and_slips_of_the_finger_are_not(house, known, otieno):
    tries(known.phone, unheard_of(20))
    assert tries(otieno.phone, ["0712000001"])[0].startswith("To Wanjiru")
    otieno.phone.dial().types("1", "071", "3840000000013").hangs_up()
    assert house.bank.rows("SELECT asked FROM strangers") == [(20,)]


def test_kwa_kiswahili(amina):
    answers = tries(amina.phone, unheard_of(20))
    assert answers[-1] == "Umeuliza nambari nyingi zisizo na akaunti. Jaribu tena kesho."


def test_sms_and_ussd_are_counted_together(house, known, otieno):
    tries(known.phone, unheard_of(18))
    handset = Handset(house, known.phone.msisdn)
    first, second, right = (
        handset.writes(f"SEND 10 {number}").news()
        for number in [*unheard_of(2, first=200), "0733000002"]
    )
    assert first == ["Not sent: KES 10.00. That number has no account here."]
    assert second == right == [f"Not sent: KES 10.00. {TOO_MANY}"]
    assert otieno.balance == kes(100_00)
    assert tries(known.phone, ["0733000002"]) == [TOO_MANY]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_no_role_forgets_what_was_asked_for(house, known, role):
    tries(known.phone, unheard_of(1))
    for statement in ("DELETE FROM strangers", "UPDATE strangers SET subscriber_id = 2"):
        with (
            pytest.raises(DBAPIError, match="permission denied"),
            house.databases[role].begin() as session,
        ):
            session.execute(text(statement))
