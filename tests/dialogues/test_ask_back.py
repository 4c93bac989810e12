"""Money that was sent is asked back from the statement; staff decide, and it is seen there."""

from __future__ import annotations

import pytest
from currencies import give, tell_rates

from core import merchants, reversals, subscribers
from core.audit import Actor
from core.money import Currency, Money, kes

CLERK = Actor("staff:jane", "desk", "r1")


@pytest.fixture
def sent(house, wanjiru, otieno):
    """She has sent him 500; the transfer's reference."""
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
    return house.bank.one("SELECT reference FROM orders")


def decide(house, decision):
    with house.databases["worker"].begin() as session:
        decision(session, reversal=1, actor=CLERK, note="Seen", now=house.clock())


def kept(house):
    return house.bank.rows("SELECT requested_by, reason, state FROM reversals ORDER BY id")


def test_asked_answered_and_seen(house, wanjiru, otieno, sent):
    wanjiru.phone.dial().types("2", "1").sees(f"""
        KES 500.00 to Otieno 0733***002
        Fee KES 5.00
        21/11/26 09:30
        Balance KES 745.00
        Ref {sent}
        1. Ask for it back
        0. Back 00. Home
    """)
    wanjiru.phone.types("1").sees("""
        Why should KES 500.00 come back?
        1. Wrong number
        2. Wrong amount
        3. I was tricked
        4. Another reason
        0. Back 00. Home
    """)
    wanjiru.phone.types("1").sees("""
        Ask for KES 500.00 back from Otieno 0733***002.
        We answer by SMS.
        Enter PIN to confirm:
        0. Back 00. Home
    """)
    wanjiru.phone.types("4071").ends_with("""
        You asked for KES 500.00 back from Otieno. We will answer by SMS.
        Ref REF
    """)
    assert kept(house) == [("+254712000001", "Wrong number", "requested")]
    assert wanjiru.balance == kes(745_00)

    wanjiru.phone.dial().types("2", "1").sees(f"""
        KES 500.00 to Otieno 0733***002
        Fee KES 5.00
        21/11/26 09:30
        Balance KES 745.00
        Ref {sent}
        You asked for it back. We will answer by SMS.
        0. Back 00. Home
    """)
    wanjiru.phone.types("1")
    assert wanjiru.phone.screen.startswith("That is not on the menu.\n")

    decide(house, reversals.approve)
    assert wanjiru.balance == kes(1250_00)
    wanjiru.phone.dial().types("2", "2")
    assert "\nIt came back to you.\n" in wanjiru.phone.screen
    assert "came back to you" in house.messages(wanjiru.phone.msisdn)[-1]["message"]


def test_what_was_declined_says_so_and_is_not_asked_again(house, wanjiru, sent):
    wanjiru.phone.dial().types("2", "1", "1", "3", "4071")
    decide(house, reversals.decline)
    wanjiru.phone.dial().types("2", "1")
    assert "\nIt could not be brought back.\n" in wanjiru.phone.screen
    wanjiru.phone.types("1")
    assert wanjiru.phone.screen.startswith("That is not on the menu.\n")
    assert len(kept(house)) == 1


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("He sells no phones", "He sells no phones"),
        ("They got my PIN 4071!", "They got my PIN ****!"),
        ("PIN was 4 0 7 1 or 40-71", "PIN was **** or ****"),
        ("PIN \u0664\u0660\u0667\u0661 sir", "PIN **** sir"),
        ("sent to 0733000002\r\nnot\x1b[2J him", "sent to 0733000002 not [2J him"),
        ("a*b", "a*b"),
    ],
)
def test_in_ones_own_words(house, wanjiru, sent, typed, reason):
    wanjiru.phone.dial().types("2", "1", "1", "4").sees("""
        Tell us why, in a few words:
        0. Back 00. Home
    """)
    wanjiru.phone.types(typed, "4071")
    assert wanjiru.phone.screen.startswith("You asked for KES 500.00 back")
    assert [each.reason for each in kept(house)] == [reason]
    assert len(wanjiru.phone.text.replace("a*b", "ab").split("*")) == 6
    detail = house.bank.one("SELECT detail ->> 'reason' FROM audit_log ORDER BY id DESC LIMIT 1")
    assert detail == reason


@pytest.mark.parametrize("typed", ["4071", "", "?", "98"])
def test_what_is_no_reason_is_asked_again(house, wanjiru, sent, typed):
    wanjiru.phone.dial().types("2", "1", "1", "4", typed)
    assert wanjiru.phone.screen.startswith("Please say why, in 500 letters at most.\nTell us why")
    assert kept(house) == []


def test_a_wrong_pin_asks_nothing(house, wanjiru, sent):
    wanjiru.phone.dial().types("2", "1", "1", "2", "1111")
    assert wanjiru.phone.screen.startswith("Wrong PIN. Tries left: 2\nAsk for KES 500.00 back")
    assert kept(house) == []
    wanjiru.phone.types("4071")
    assert [each.reason for each in kept(house)] == ["Wrong amount"]


def test_asked_at_two_phones_at_once_it_is_asked_once(house, wanjiru, sent):
    first, second = wanjiru.phone, house.phone(wanjiru.phone.msisdn)
    first.dial().types("2", "1", "1", "1")
    second.dial().types("2", "1", "1", "1", "4071")
    first.types("4071")
    assert first.screen.startswith("You have asked for that already.\nAsk for KES 500.00 back")
    assert len(kept(house)) == 1


def test_a_payment_can_be_asked_back(house, wanjiru, otieno):
    with house.databases["worker"].begin() as session:
        shop = subscribers.recipient(session, msisdn=otieno.phone.msisdn)
        till = merchants.open_till(session, subscriber=shop.id, actor=CLERK, now=house.clock())
    wanjiru.phone.dial().types("5", "1", till, "500", "4071")
    wanjiru.phone.dial().types("2", "1", "1", "1", "4071")
    assert wanjiru.phone.screen.startswith("You asked for KES 500.00 back from Otieno.")
    decide(house, reversals.approve)
    assert wanjiru.balance == kes(1250_00)


def test_what_cannot_come_back_is_not_offered(house, wanjiru, otieno, sent):
    tell_rates(house, USDKES=("130", "130"))
    wanjiru.phone.dial().types("5", "3", "1", "100", "4071")
    give(house, wanjiru, Money(1_00, Currency.EUR))
    for phone, answers in (
        (otieno.phone, ("2", "1")),  # received
        (wanjiru.phone, ("2", "1")),  # exchanged away
        (wanjiru.phone, ("2", "3")),  # a gift
        (wanjiru.phone, ("5", "4", "2", "1")),  # exchanged for
    ):
        phone.dial().types(*answers)
        assert "Ask for it back" not in phone.screen
        assert "98. More" not in phone.screen
        phone.types("1")
        assert phone.screen.startswith("That is not on the menu.\n")


def test_dialled_ahead_it_stops_at_the_pin(house, wanjiru, sent):
    wanjiru.phone.dial("*384*2*1*1*1*4071#")
    assert wanjiru.phone.screen.startswith("Ask for KES 500.00 back")
    assert kept(house) == []


def test_no_screen_shows_the_others_whole_number(wanjiru, otieno, sent):
    wanjiru.phone.dial().types("2", "1", "1", "1", "4071")
    otieno.phone.dial().types("2", "1")
    assert "0733000002" not in "".join(wanjiru.phone.transcript).replace("> 0733000002", "")
    assert "712000001" not in "".join(otieno.phone.transcript)


def test_kwa_kiswahili(house, amina, otieno):
    amina.phone.dial().types("1", "0733000002", "150", "4071")
    amina.phone.dial().types("2", "1")
    assert "\n1. Omba zirudishwe\n" in amina.phone.screen
    amina.phone.types("1").sees("""
        Kwa nini KES 150.00 zirudishwe?
        1. Nilikosea nambari
        2. Nilikosea kiasi
        3. Nimetapeliwa
        4. Sababu nyingine
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("3").sees("""
        Omba KES 150.00 zirudi kutoka kwa Otieno 0733***002.
        Tutajibu kwa SMS.
        Weka PIN kuthibitisha:
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("4071").ends_with("""
        Umeomba KES 150.00 zirudi kutoka kwa Otieno. Tutajibu kwa SMS.
        Kumb REF
    """)
    # Whoever decides reads English.
    assert [each.reason for each in kept(house)] == ["I was tricked"]
    amina.phone.dial().types("2", "1")
    assert "\nUliomba zirudishwe. Tutajibu kwa SMS.\n" in amina.phone.screen
