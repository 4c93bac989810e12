"""Slips and codes: what anybody can check, what nobody can forge, and what a finger gets wrong."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from core import codes, slips
from core.codes import InvalidVoucherCode, Veil
from core.money import Currency, Money, kes
from core.slips import NotASlip, Slip

UNTIL = datetime(2027, 5, 31, 21, 0, tzinfo=UTC)
# RFC 8032, section 7.1, test 1.
KEY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
KEYS = [KEY.public_key()]
CODE = "72442521421420026374"
# Written once and kept: what is printed today must be read by every version to come.
VECTOR = (
    "KV1:EH7DDX5B:17-42:KES:500.00:20270531T210000Z:OUF3L5GLDOSWSUVXFYVCPA7Q:"
    "ZFY6IKMYXVWJF5MCWR2LPB7Z6P6NTQLUPSCEDGPDK7233ZPXOPV6AJURX4JQZKITOA43J7WSVUMEUDKITEB3VAMKAGDX"
    "JFU5PZAI6AI"
)
QR_ALPHANUMERIC = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


@pytest.fixture(scope="module")
def slip():
    return slips.sign(Slip("17-42", kes(500_00), UNTIL), code=CODE, key=KEY)


def test_it_says_which_what_and_until_when(slip):
    found = slips.read(slip, keys=KEYS)
    assert found.slip == Slip("17-42", kes(500_00), UNTIL)
    assert slip == VECTOR


def test_a_qr_code_holds_it_in_its_small_alphabet(slip):
    assert set(slip) <= QR_ALPHANUMERIC
    assert len(slip) < 200


def test_a_changed_letter_fails_wherever_it_is(slip):
    for at, letter in enumerate(slip):
        for other in {"A", "7", ":", "=", letter.lower(), "B"} - {letter}:
            with pytest.raises(NotASlip):
                slips.read(slip[:at] + other + slip[at + 1 :], keys=KEYS)


def test_the_bits_that_say_nothing_say_nothing_else(slip):
    """The last letter of a signature has room for three bits too many."""
    for letter in set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") - {slip[-1]}:
        with pytest.raises(NotASlip):
            slips.read(slip[:-1] + letter, keys=KEYS)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda slip: "",
        lambda slip: slip[:-1],
        lambda slip: slip + "A",
        lambda slip: slip + "=",
        lambda slip: slip + "\n",
        lambda slip: slip.replace("500.00", "5000.00"),
        lambda slip: slip.replace("KES", "USD"),
        lambda slip: slip.replace("2027", "2037"),
        lambda slip: slip.replace("17-42", "17-43"),
        lambda slip: slip.replace("KV1", "KV2"),
        lambda slip: ":" * 7,
        lambda slip: slip * 9,
        lambda slip: slip.replace("K", "\N{KELVIN SIGN}"),
    ],
)
def test_what_is_no_slip(slip, spoil):
    with pytest.raises(NotASlip):
        slips.read(spoil(slip), keys=KEYS)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_a_slip_by_chance(text):
    with pytest.raises(NotASlip):
        slips.read(text, keys=KEYS)


def test_another_key_is_not_ours_and_an_older_one_still_is(slip):
    other = Ed25519PrivateKey.generate()
    with pytest.raises(NotASlip):
        slips.read(slip, keys=[other.public_key()])
    with pytest.raises(NotASlip):
        slips.read(slip, keys=[])
    assert slips.read(slip, keys=[other.public_key(), *KEYS])
    forged = slips.sign(Slip("17-42", kes(500_00), UNTIL), code=CODE, key=other)
    mine, theirs = slips.key_id(KEYS[0]), slips.key_id(other.public_key())
    with pytest.raises(NotASlip):
        slips.read(forged.replace(theirs, mine), keys=KEYS)


def test_a_code_belongs_to_its_own_slip(slip):
    assert slips.read(slip, keys=KEYS).seals(CODE)
    assert not slips.read(slip, keys=KEYS).seals(CODE[::-1])
    neighbour = slips.sign(Slip("17-43", kes(500_00), UNTIL), code=CODE, key=KEY)
    assert slips.read(neighbour, keys=KEYS).seal != slips.read(slip, keys=KEYS).seal


@pytest.mark.parametrize("currency", list(Currency))
@pytest.mark.parametrize("minor", [1, 99, 100_00, 10**15])
def test_every_value_is_read_as_it_was_written(currency, minor):
    written = Slip("1-1", Money(minor, currency), UNTIL)
    assert slips.read(slips.sign(written, code=CODE, key=KEY), keys=KEYS).slip == written


class TestCodes:
    def test_are_derived_alike_for_ever(self):
        assert codes.derive(b"x" * 32, salt=b"s" * 16, number=0) == CODE

    def test_differ_by_secret_salt_and_number(self):
        made = {
            codes.derive(secret, salt=salt, number=number)
            for secret, salt, number in itertools.product(
                (b"x" * 32, b"y" * 32), (b"s" * 16, b"t" * 16), range(250)
            )
        }
        assert len(made) == 1000
        for place in range(codes.LENGTH):
            digits = [code[place] for code in made]
            assert all(60 < digits.count(digit) < 140 for digit in "0123456789"), place

    @pytest.mark.parametrize("between", ["", " ", "-", "  "])
    def test_are_typed_as_people_type(self, between):
        groups = codes.grouped(CODE).split()
        assert codes.parse(f" {between.join(groups)}\r\n") == CODE

    @pytest.mark.parametrize("at", range(codes.LENGTH))
    def test_one_wrong_digit_is_found(self, at):
        for digit in set("0123456789") - {CODE[at]}:
            with pytest.raises(InvalidVoucherCode):
                codes.parse(CODE[:at] + digit + CODE[at + 1 :])

    @pytest.mark.parametrize(
        "typed",
        ["", CODE[:-1], CODE + "0", "0x" + CODE, CODE.replace("0", "O"), "\u0661" * 20],
    )
    def test_what_is_none(self, typed):
        with pytest.raises(InvalidVoucherCode):
            codes.parse(typed)

    def test_a_hash_is_of_its_key_and_its_code(self):
        veil = Veil("one")
        assert veil.hash(CODE) == Veil("one").hash(CODE)
        assert len({veil.hash(CODE), Veil("two").hash(CODE), veil.hash(CODE[::-1])}) == 3
