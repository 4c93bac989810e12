"""
What people may say by SMS: a keyword in English or Kiswahili, and what belongs to it.

A command moves money, so nothing in it is guessed: a slip is forgiven in the keyword alone, and a
number or a word that has no place in the command makes it no command. `text_of` writes a command
as `parse` reads it, which is how it is kept: whatever else was typed is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from rapidfuzz.distance import OSA
from stdnum import luhn

from core import msisdn
from core.errors import DomainError
from core.money import Currency, Money
from core.subscribers import Language
from menus.languages import endonym, spoken

# What stands in a kept text for digits that are not kept. None is part of any command.
PIN: Final = "****"
"""Four digits that may be a PIN."""
CODE: Final = "[code]"
"""So many digits that they are a voucher's code, with a slip in it."""
HIDDEN: Final = "[..]"
"""Other digits."""


class Keyword(StrEnum):
    """What can be asked for, by the word we write it with."""

    BALANCE = "BAL"
    MINI = "MINI"
    SEND = "SEND"
    PAY = "PAY"
    RATE = "RATE"
    HELP = "HELP"
    STOP = "STOP"
    START = "START"
    LANGUAGE = "LANG"
    CONFIRM = "OK"


_ENGLISH: Final = {
    Keyword.BALANCE: ("BAL", "BALANCE"),
    Keyword.MINI: ("MINI", "STATEMENT", "MINISTATEMENT"),
    Keyword.SEND: ("SEND",),
    Keyword.PAY: ("PAY",),
    Keyword.RATE: ("RATE", "RATES"),
    Keyword.HELP: ("HELP",),
    Keyword.STOP: ("STOP", "UNSUBSCRIBE"),
    Keyword.START: ("START", "SUBSCRIBE"),
    Keyword.LANGUAGE: ("LANG", "LANGUAGE"),
    Keyword.CONFIRM: ("OK", "OKAY", "YES", "CODE"),
}
_SWAHILI: Final = {
    Keyword.BALANCE: ("SALIO",),
    Keyword.MINI: ("TAARIFA",),
    Keyword.SEND: ("TUMA",),
    Keyword.PAY: ("LIPA",),
    Keyword.RATE: ("KIWANGO", "VIWANGO", "BEI"),
    Keyword.HELP: ("MSAADA", "SAIDIA"),
    Keyword.STOP: ("ACHA", "SIMAMA", "SIMAMISHA"),
    Keyword.START: ("ANZA", "ANZISHA"),
    Keyword.LANGUAGE: ("LUGHA",),
    Keyword.CONFIRM: ("NDIO", "NDIYO", "SAWA", "MSIMBO"),
}
_WORDS: Final[Mapping[str, tuple[Keyword, Language]]] = {
    word: (keyword, language)
    for language, words in ((Language.ENGLISH, _ENGLISH), (Language.KISWAHILI, _SWAHILI))
    for keyword, each in words.items()
    for word in each
}
_LANGUAGES: Final[Mapping[str, Language]] = {
    **{language.value.upper(): language for language in spoken()},
    **{endonym(language).upper(): language for language in spoken()},
    "KIINGEREZA": Language.ENGLISH,
    "ENG": Language.ENGLISH,
    "SWAHILI": Language.KISWAHILI,
    "SWA": Language.KISWAHILI,
}
# One slip in a word; two in a long one.
_LONG: Final = 6
# These do something, where the others only answer: SALAMA, two slips from SIMAMA, is a greeting.
# Who writes something between the two is asked, not guessed at.
_OPPOSITES: Final = {Keyword.STOP: Keyword.START, Keyword.START: Keyword.STOP}
_APART: Final = 2

# Words that change nothing about a command.
_FILLERS: Final = frozenset(
    (
        *("TO", "KWA", "KWENDA", "NA", "TILL", "NO", "NUMBER", "NAMBARI", "YA", "THE"),
        *("PLEASE", "TAFADHALI", "MONEY", "CASH", "PESA", "HELA"),
        *("KES", "KSH", "KSHS", "SH", "SHS", "BOB", "SHILLINGS", "SHILINGI"),
    )
)
# Words that a code may stand among. NO is not one, as it may be meant.
_YES: Final = frozenset(
    (
        *(word for word, (keyword, _) in _WORDS.items() if keyword is Keyword.CONFIRM),
        *("IS", "NI", "MY", "THE", "PLEASE", "TAFADHALI", "THANKS", "ASANTE"),
    )
)
_PRICED: Final = re.compile(r"(?:KES|KSHS?|SHS?)\.?([0-9].*)")
_AMOUNT: Final = re.compile(r"[0-9][0-9,.]*(?:/[=-])?")
_NUMBER: Final = re.compile(r"\+?[0-9]+")
_PHONE: Final = re.compile(r"\+?[0-9]{8,15}")
# How people write a phone number: so many digits, a blank or a dash, so many. None ends in four,
# so that what follows a number is never taken for its end.
_GROUPS: Final = frozenset(((4, 3, 3), (4, 6), (3, 3, 3), (3, 6), (3, 3, 3, 3), (3, 9), (3, 3, 6)))
_TILL: Final = re.compile(r"[0-9]{7}")
_WALLET: Final = re.compile(r"384[0-9]{10}")
_OTP: Final = re.compile(r"[0-9]{6}|[0-9]{3}[ -][0-9]{3}")
_EDGES: Final = ".,;:!?()\"'"  # neither * nor #, which stand for what is hidden


@dataclass(frozen=True, slots=True)
class Ask:
    """A keyword that stands for itself."""

    keyword: Keyword


@dataclass(frozen=True, slots=True)
class Send:
    """Shillings to somebody, by phone number (E.164) or wallet number."""

    amount: Money
    to: str


@dataclass(frozen=True, slots=True)
class Pay:
    """Shillings to a shop."""

    amount: Money
    till: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Another language from now on."""

    language: Language


@dataclass(frozen=True, slots=True)
class Confirm:
    """The six digits that were sent for an order."""

    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unclear:
    """A keyword that lacks something, or has too much."""

    keyword: Keyword


Command: TypeAlias = Ask | Send | Pay | Speak | Confirm | Unclear


@dataclass(frozen=True, slots=True)
class _Figure:
    """One run of digits as it was typed, and whether it was called money."""

    typed: str
    is_money: bool = False


def parse(said: str) -> Command | None:
    """Make sense of an SMS; None where no keyword begins it."""
    pieces = [piece.strip(_EDGES) for piece in _unglued(said.upper()).split()]
    pieces = [piece for piece in pieces if piece]
    if not pieces:
        return None
    if (code := _confirm(pieces)) is not None:
        return code
    keyword = _keyword(pieces[0])
    if keyword is None:
        return None
    rest, is_exact = pieces[1:], pieces[0] in _WORDS
    found: Command | None
    match keyword:
        case Keyword.SEND:
            found = _send(rest)
        case Keyword.PAY:
            found = _pay(rest)
        case Keyword.LANGUAGE:
            found = _speak(rest)
        case Keyword.CONFIRM:
            return None  # a code that is none
        case Keyword.STOP | Keyword.START:
            found = _offers(keyword, rest)
        case _:
            has_digits = any(re.search("[0-9]", piece) for piece in rest)
            found = None if has_digits else Ask(keyword)
    # A slip is forgiven where all else is right, or any sentence might begin with a command.
    if is_exact:
        return found or Unclear(keyword)
    return None if rest and isinstance(found, Ask) else found


def _offers(keyword: Keyword, rest: Sequence[str]) -> Ask | None:
    """What leaves is meant however it goes on. ANZA KAZI LEO is no wish for offers."""
    is_meant = keyword is Keyword.STOP or all(map(_says_nothing, rest))
    return Ask(keyword) if is_meant else None


def _says_nothing(piece: str) -> bool:
    """Whether a word changes nothing: a filler, digits, or what was hidden as such."""
    return piece in _FILLERS or piece == "PIN" or not piece.strip("*0123456789")


def text_of(command: Command) -> str:
    """Write a command down: `SEND 1500.00 +254712345678`. A code is nobody's to write."""
    match command:
        case Ask(keyword) | Unclear(keyword):
            return keyword.value
        case Send(amount, to):
            return f"{Keyword.SEND} {_plain(amount)} {to}"
        case Pay(amount, till):
            return f"{Keyword.PAY} {till} {_plain(amount)}"
        case Speak(language):
            return f"{Keyword.LANGUAGE} {language.value.upper()}"
        case Confirm():
            raise AssertionError("a code is kept as its hash")


def language_of(said: str) -> Language | None:
    """The language of the keyword that begins an SMS: all that is known of a stranger's."""
    pieces = said.upper().split()
    found = _WORDS.get(pieces[0].strip(_EDGES)) if pieces else None
    return None if found is None else found[1]


def _unglued(said: str) -> str:
    """Put a blank between a keyword and the digits that follow it: `SEND500`, `BAL#1`."""
    return re.sub(r"^(\s*[A-Z]+)[\s:#*.,]*(?=\+?[0-9])", r"\1 ", said)


def _keyword(word: str) -> Keyword | None:
    """The keyword that a word is, or is nearly and no other is."""
    if word in _WORDS:
        return _WORDS[word][0]
    if not re.fullmatch("[A-Z]{3,}", word):
        return None
    distances = {known: OSA.distance(word, known) for known in _WORDS}
    near = {
        _WORDS[known][0]
        for known, distance in distances.items()
        if distance <= (2 if len(known) >= _LONG else 1)
    }
    if len(near) != 1:
        return None
    [found] = near
    opposite = _OPPOSITES.get(found)
    if opposite is None:
        return found
    slips = {
        word: min(distances[known] for known in _WORDS if _WORDS[known][0] is word)
        for word in (found, opposite)
    }
    return found if slips[found] == 1 and slips[opposite] > _APART else None


def _speak(pieces: Sequence[str]) -> Speak | None:
    found = _LANGUAGES.get(pieces[0]) if len(pieces) == 1 else None
    return None if found is None else Speak(found)


def _confirm(pieces: Sequence[str]) -> Confirm | None:
    """The six digits, alone or among words that say yes to them; never beside other digits."""
    said = " ".join(piece for piece in pieces if piece not in _YES)
    return Confirm(re.sub("[^0-9]", "", said)) if _OTP.fullmatch(said) else None


def _send(pieces: Sequence[str]) -> Send | None:
    """An amount and a number, either first; None where there is not exactly one way to read it."""
    figures = _figures(pieces)
    if figures and _is_number_alone(figures):
        return None
    found = {
        Send(amount, to)
        for amount, rest in _amounts(figures or ())
        if (to := number_of([each.typed for each in rest])) is not None
    }
    return found.pop() if len(found) == 1 else None


def _pay(pieces: Sequence[str]) -> Pay | None:
    """A till and an amount, either first. Of two that may be tills, the one that is right is it."""
    figures = _figures(pieces)
    found = {
        Pay(amount, rest[0].typed)
        for amount, rest in _amounts(figures or ())
        if len(rest) == 1 and _TILL.fullmatch(rest[0].typed)
    }
    if len(found) > 1:
        found = {each for each in found if luhn.is_valid(each.till)}
    return found.pop() if len(found) == 1 else None


def _figures(pieces: Sequence[str]) -> list[_Figure] | None:
    """The digits of a command; None where anything else is said that may matter."""
    figures: list[_Figure] = []
    for piece in pieces:
        if priced := _PRICED.fullmatch(piece):
            figures.append(_Figure(priced.group(1), is_money=True))
        elif re.fullmatch(r"\+?[0-9]+(-[0-9]+)+", piece):
            figures += [_Figure(each) for each in piece.split("-")]
        elif _AMOUNT.fullmatch(piece) or _NUMBER.fullmatch(piece):
            figures.append(_Figure(piece, is_money="/" in piece))
        elif piece not in _FILLERS:
            return None
    return figures


def _amounts(figures: Sequence[_Figure]) -> Iterator[tuple[Money, Sequence[_Figure]]]:
    """Every way to take the first or the last for the amount, and what is left then."""
    called = [figure for figure in figures if figure.is_money]
    for at, rest in ((0, figures[1:]), (-1, figures[:-1])):
        if not rest or len(called) > 1 or (called and not figures[at].is_money):
            continue
        try:
            yield Money.parse(figures[at].typed, Currency.KES), rest
        except DomainError:
            continue


def _is_number_alone(figures: Sequence[_Figure]) -> bool:
    """
    Whether all the digits may be one number, and none is called money: `254 733 000 002`.

    Of any country, and however it is parted: what begins it must never be taken for an amount.
    """
    if any(figure.is_money for figure in figures):
        return False
    joined = "".join(figure.typed for figure in figures)
    # Before Kenya's own 0 stands no other country's code: `250 0733000002` has an amount.
    has_zero = any(figure.typed.startswith("0") for figure in figures[1:2])
    readings = [joined] if has_zero else [joined, f"+{joined.removeprefix('+')}"]
    return any(number_of([each]) is not None for each in readings)


def number_of(typed: Sequence[str]) -> str | None:
    """The number that money can be sent to, if these runs of digits are one as people write it."""
    joined = "".join(typed)
    if len(typed) == 1 and _WALLET.fullmatch(joined):
        return joined if luhn.is_valid(joined) else None
    groups = tuple(len(each.removeprefix("+")) for each in typed)
    if not _PHONE.fullmatch(joined) or (len(typed) > 1 and groups not in _GROUPS):
        return None
    try:
        return msisdn.parse(joined)
    except DomainError:
        return None


def is_till(typed: str) -> bool:
    """Whether a run of digits is a till's number."""
    return _TILL.fullmatch(typed) is not None and luhn.is_valid(typed)


def _plain(amount: Money) -> str:
    return amount.figures.replace(",", "")
