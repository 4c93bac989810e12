"""
What of an SMS to us is kept: no PIN, and of a code only its hash.

A PIN cannot be told from an amount by its looks, so nothing is hidden for its looks. A command is
kept as it was understood; of anything else only such numbers are kept as are nobody's secret: a
phone's, a till's, a wallet's. Whatever other digits there are is hidden.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from core import codes, msisdn, otp_codes
from core.codes import Veil
from core.errors import DomainError
from core.otp_codes import OtpKey
from menus import keywords
from menus.keywords import CODE, HIDDEN, PIN, Confirm, Pay, Send, Speak

_VOUCHER: Final = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){19}(?![0-9])")
_CLUSTER: Final = re.compile(r"\+?[0-9](?:[\s.-]{0,2}[0-9])*")
_PIN_LENGTH: Final = 4
_CODE_LENGTH_MIN: Final = 14
_GROUPS_MAX: Final = 4


def veiled(said: str, *, sender: str, veil: Veil, otp_key: OtpKey) -> str:
    """
    Say what of an SMS may be kept.

    Args:
        said: The text as it came.
        sender: Whom it is from, as the aggregator says.
        veil: What a voucher's code is hidden under.
        otp_key: What a one-time code is hidden under.
    """
    plain = _plain(said)
    match command := keywords.parse(plain):
        case Send() | Pay() | Speak():
            return keywords.text_of(command)
        case Confirm(digits):
            return _confirmation(digits, sender=sender, otp_key=otp_key)
    kept, at = [], 0
    for start, end, hashed in _vouchers(plain, veil):
        kept += [_CLUSTER.sub(_hidden, plain[at:start]), codes.mention(hashed)]
        at = end
    return "".join(kept) + _CLUSTER.sub(_hidden, plain[at:])


def _plain(said: str) -> str:
    """One way to write each letter and digit, whatever the keypad."""
    plain = unicodedata.normalize("NFKC", said)
    return re.sub(r"\d", lambda digit: str(unicodedata.decimal(digit.group())), plain)


def _confirmation(digits: str, *, sender: str, otp_key: OtpKey) -> str:
    """A one-time code as the hash of who said it."""
    try:
        hashed = otp_key.veil(msisdn=msisdn.claimed(sender), digits=digits)
    except DomainError:  # it is nobody's
        return HIDDEN
    return f"{keywords.Keyword.CONFIRM} {otp_codes.mention(hashed)}"


def _vouchers(plain: str, veil: Veil) -> Iterator[tuple[int, int, bytes]]:
    """Where the codes of vouchers stand, and what they are kept as."""
    at = 0
    while found := _VOUCHER.search(plain, at):
        try:
            hashed = veil.hash(codes.parse(found.group()))
        except DomainError:
            at = found.start() + 1  # these twenty digits are none: the next may be
        else:
            at = found.end()
            yield found.start(), at, hashed


def _hidden(cluster: re.Match[str]) -> str:
    """Digits that stand together, without those that may be somebody's secret."""
    runs = re.findall(r"\+?[0-9]+", cluster.group())
    kept: list[str | None] = []
    while len(kept) < len(runs):
        begin = len(kept)
        length = next(
            (n for n in range(_GROUPS_MAX, 0, -1) if _is_public(runs[begin : begin + n])), 0
        )
        kept += runs[begin : begin + length] or [None]
    secret = [run for run, public in zip(runs, kept, strict=True) if public is None]
    shown = [_mark(secret) if public is None else public for public in kept]
    return " ".join(word for word, _same in groupby(shown))


def _is_public(runs: Sequence[str]) -> bool:
    """Whether runs of digits are a number that anybody may read."""
    is_till = len(runs) == 1 and keywords.is_till(runs[0])
    return is_till or keywords.number_of(runs) is not None


def _mark(secret: Sequence[str]) -> str:
    digits = sum(len(run.removeprefix("+")) for run in secret)
    if digits >= _CODE_LENGTH_MIN:
        return CODE
    if digits == _PIN_LENGTH or any(len(run) == _PIN_LENGTH for run in secret):
        return PIN
    return HIDDEN
