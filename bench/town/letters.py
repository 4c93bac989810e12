"""
What people write to us by SMS, and what must come of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from bench.town.people import LANGUAGE_SET, Deeds, Neighbour
from bench.town.steps import shop, someone
from core.orders import Kind
from core.outbox import Event
from core.subscribers import Language


@dataclass(frozen=True, slots=True)
class Letter:
    """
    An SMS.

    Args:
        kind: What it is for, as the picture calls it.
        text: Its words.
        comes: What must come of it: what is moved or changed, and what is answered.
        may_come: What may come of it instead.
        code: What finds the code that is sent back first, and is to be said again; empty where
            none is.
        becomes: What they are differently afterwards, by the name of the attribute.
        then: What they write later.
    """

    kind: str
    text: str
    comes: Deeds = field(default_factory=Counter)
    may_come: Deeds = field(default_factory=Counter)
    code: str = ""
    becomes: Mapping[str, object] = field(default_factory=dict)
    then: Letter | None = None


Writing = Callable[[Neighbour, Sequence[Neighbour], Random], Letter]

_CODE: Final = r"(?:Reply|Jibu) ([0-9]{6})\b"


def _told(event: Event) -> Deeds:
    return Counter({(event.value, 0): 1})


def _moved(kind: Kind, shillings: int) -> Deeds:
    return Counter({(kind.value, shillings * 100): 1})


def _balance(_me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Letter:
    return Letter("BAL", chance.choice(("BAL", "SALIO", "balnce")), _told(Event.SMS_BALANCES))


def _mini(_me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Letter:
    return Letter("MINI", chance.choice(("MINI", "TAARIFA")), _told(Event.SMS_MINI))


def _rate(_me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Letter:
    # Whether there is a fresh rate is nobody's to know.
    may_come = _told(Event.SMS_RATES) + _told(Event.SMS_REFUSED)
    return Letter("RATE", chance.choice(("RATE", "BEI")), may_come=may_come)


def _help(_me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Letter:
    return Letter("HELP", chance.choice(("HELP", "MSAADA")), _told(Event.SMS_HELP))


def _send(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Letter:
    """So little that no code is asked for."""
    to, shillings = someone(me, all_, chance), chance.randint(10, 400)
    word = chance.choice(("SEND", "TUMA"))
    comes = _moved(Kind.TRANSFER, shillings)
    return Letter("SEND", f"{word} {shillings} 0{to.msisdn[4:]}", comes)


def _send_more(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Letter:
    """So much that a code comes first."""
    to, shillings = someone(me, all_, chance), chance.randint(501, 900)
    comes = _moved(Kind.TRANSFER, shillings)
    return Letter("SEND, a code", f"SEND {shillings} 0{to.msisdn[4:]}", comes, code=_CODE)


def _pay(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Letter:
    paid, shillings = shop(me, all_, chance), chance.randint(10, 400)
    word = chance.choice(("PAY", "LIPA"))
    comes = _moved(Kind.PAYMENT, shillings)
    return Letter("PAY", f"{word} {paid.till} {shillings}", comes)


def _stop(_me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Letter:
    word = chance.choice(("STOP", "ACHA"))
    return Letter("STOP", word, _told(Event.SMS_STOPPED), becomes={"has_stopped": True})


def _stop_and_start(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Letter:
    """Want no offers, and then want them again."""
    first, word = _stop(me, all_, chance), chance.choice(("START", "ANZA"))
    again = Letter("START", word, _told(Event.SMS_STARTED), becomes={"has_stopped": False})
    return Letter(first.kind, first.text, first.comes, becomes=first.becomes, then=again)


def _language(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Letter:
    other = me.other_language
    word = "LANG SW" if other is Language.KISWAHILI else "LUGHA EN"
    comes = _told(Event.SMS_LANGUAGE_SET) + Counter({(LANGUAGE_SET, other.value): 1})
    return Letter("LANG", word, comes, becomes={"language": other})


def _pin(me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Letter:
    """One's PIN, by mistake: it must be kept nowhere."""
    said = chance.choice((me.pin, f"PIN {me.pin}", f"BAL {me.pin}"))
    return Letter("a PIN", said, _told(Event.SMS_PIN_SENT))


# How often each is written, among a hundred SMS.
SHARES: Final[Mapping[Writing, int]] = {
    _balance: 34,
    _mini: 12,
    _rate: 6,
    _help: 8,
    _send: 12,
    _send_more: 8,
    _pay: 7,
    _stop: 3,
    _stop_and_start: 2,
    _language: 4,
    _pin: 4,
}

_SPENDS: Final = frozenset({_send, _send_more, _pay})


def drawn(me: Neighbour, all_: Sequence[Neighbour], chance: Random, *, turn: int) -> Letter:
    """
    What somebody writes.

    Args:
        me: Who.
        all_: Everybody.
        chance: Theirs.
        turn: Of the kinds of letters, which is theirs to write; beyond them they draw.
    """
    if me.is_new:  # who may have left, or never come
        may_come = _told(Event.SMS_HELP) + _told(Event.SMS_STRANGER)
        return Letter("HELP", "HELP", may_come=may_come)
    writing = chance.choices(list(SHARES), list(SHARES.values()))[0]
    if 0 <= turn < len(SHARES):
        writing = list(SHARES)[turn]
    if me.till and writing in _SPENDS:  # a shop may settle all it has while its letter is read
        writing = _balance
    return writing(me, all_, chance)
