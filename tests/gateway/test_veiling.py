"""What is kept of an SMS: whatever somebody writes, no PIN; and every command."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from core import codes, otp_codes
from core.codes import Veil
from core.money import kes
from core.otp_codes import OtpKey
from gateway.veiling import veiled
from menus import keywords
from menus.keywords import Pay, Send, text_of

VEIL, OTP_KEY = Veil("x"), OtpKey("y")
SENDER = "+254712000001"
VOUCHER = "72442521421420026374"
TILL = "1234566"


def kept(said, *, sender=SENDER):
    return veiled(said, sender=sender, veil=VEIL, otp_key=OTP_KEY)


MENTION = codes.mention(VEIL.hash(VOUCHER))
CONFIRMED = otp_codes.mention(OTP_KEY.veil(msisdn=SENDER, digits="123456"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("4071", "****"),
        ("My PIN is 4071, ok?", "My PIN is ****, ok?"),
        ("pin4071", "pin****"),
        ("40 71", "****"),
        ("4 0 7 1", "****"),
        ("4-0-7-1", "****"),
        ("4.0.7.1", "****"),
        ("٤٠٧١", "****"),
        ("\uff14\uff10\uff17\uff11", "****"),
        ("BAL 4071", "BAL ****"),
        ("BAL#4071", "BAL#****"),
        ("SEND 500 0733000002 4071", "SEND **** 0733000002 ****"),
        ("SEND 1500 0733000002", "SEND 1500.00 +254733000002"),
        ("SEND 0733 000 002 1500", "SEND 1500.00 +254733000002"),
        (f"pay {TILL} 1,500", f"PAY {TILL} 1500.00"),
        ("LUGHA kiswahili", "LANG SW"),
        ("Code 123456", f"OK {CONFIRMED}"),
        ("123 456", f"OK {CONFIRMED}"),
        ("what is 123456?", "what is [..]?"),
        (VOUCHER, MENTION),
        (f"Vocha 7244 2521-4214 2002 6374 ya {SENDER}", f"Vocha {MENTION} ya {SENDER}"),
        (f"1234 {VOUCHER}", f"**** {MENTION}"),
        (f"12 {VOUCHER}", f"[..] {MENTION}"),
        (VOUCHER[:-1], "[code]"),
        (
            f"{VOUCHER[:4]} {VOUCHER[4:8]} {VOUCHER[8:12]} {VOUCHER[12:16]} {VOUCHER[16:19]}",
            "[code]",
        ),
        ("I sent 1,000 to 0733 000 002", "I sent [..],[..] to 0733 000 002"),
        ("a shop's till is 1234566", "a shop's till is 1234566"),
        ("born 21/11/1990", "born [..]/[..]/****"),
        ("a voucher:" + "a1" * 32, None),
        ("otp:" + "a1" * 32, None),
    ],
)
def test_what_is_kept(said, expected):
    if expected is None:
        assert codes.mentioned(kept(said)) == []
        assert otp_codes.mentioned(kept(said)) is None
    else:
        assert kept(said) == expected


def test_a_code_from_nobodys_number_is_kept_by_nothing():
    assert kept("123456", sender="KABAMBE") == "[..]"


PINS = st.from_regex(r"[0-9]{4}", fullmatch=True)
AMOUNTS = st.integers(1, 10**9).map(kes)
COMMANDS = st.builds(
    Send, AMOUNTS, st.sampled_from(["+254733000002", "+256772123456", "3840000000014"])
) | st.builds(Pay, AMOUNTS, st.just(TILL))
BETWEEN = st.sampled_from([" ", "  ", "\n", ", ", ". ", "; ", " pin ", " PIN:", " #", "*", " - "])


def digits_of(text):
    """Every run of digits, mentions of codes aside."""
    return re.findall(r"[0-9]+", re.sub(r"(voucher|otp):[0-9a-f]{64}", "", text))


@given(before=st.text(), pin=PINS, after=st.text())
@example(before="SEND 500 0733000002 ", pin="4071", after="")
@example(before="SEND ", pin="4071", after=" 500 0733000002")
@example(before="", pin="4071", after=" SEND 500 0733000002")
def test_no_pin_is_kept_whatever_stands_around_it(before, pin, after):
    """Unless the whole is a command, no run as short as a PIN is kept, whoever's it is."""
    said = f"{before} {pin} {after}"
    if isinstance(keywords.parse(said), Send | Pay):
        return
    found = kept(said)
    assert all(len(run) >= 7 for run in digits_of(found)), found
    assert pin not in digits_of(found)


@given(command=COMMANDS, pin=PINS, between=BETWEEN, at=st.integers(0, 3))
def test_no_pin_beside_a_command_is_kept_and_the_command_is_none(command, pin, between, at):
    words = text_of(command).split()
    assume(pin not in words)
    words.insert(at, between + pin + between)
    found = kept(" ".join(words))
    assert pin not in digits_of(found)
    if at or not re.search("[a-zA-Z]", between):
        assert keywords.parse(found) != command
        assert not isinstance(keywords.parse(found), Send | Pay)


@given(command=COMMANDS, spaces=st.sampled_from([" ", "  ", "\n"]))
def test_every_command_is_kept(command, spaces):
    said = text_of(command).lower().replace(" ", spaces)
    assume(keywords.parse(said) == command)
    found = kept(said)
    assert keywords.parse(found) == command
    assert kept(found) == found


@given(st.text())
def test_what_is_kept_of_no_command_is_none_either(said):
    """Hiding digits makes no command of what was none."""
    if isinstance(keywords.parse(said), Send | Pay):
        return
    folded = kept(said)
    if not re.search(r"\d", folded):
        assert not isinstance(keywords.parse(folded), Send | Pay)


@given(
    st.lists(
        st.sampled_from(
            [
                "SEND",
                "PAY",
                "500",
                "4071",
                "0733000002",
                "0733",
                "000",
                "002",
                TILL,
                "KES",
                "to",
                "1,0",
            ]
        ),
        max_size=7,
    )
)
def test_no_mixture_of_numbers_becomes_a_command_by_hiding_some(words):
    said = " ".join(words)
    before, after = keywords.parse(said), keywords.parse(kept(said))
    if isinstance(after, Send | Pay):
        assert before == after
    if not isinstance(before, Send | Pay):
        assert "4071" not in digits_of(kept(said))
