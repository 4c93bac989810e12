"""
What must hold of every screen wherever it is met, told by what was walked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from atlas.walk import FIRST, Flow, Hop
from core.money import Currency
from core.subscribers import Language
from menus import engine
from menus.gsm7 import SCREEN_SEPTETS_MAX, septets
from menus.languages import catalogue, endonym, spoken
from menus.pages import BACK
from menus.screens import SCREENS
from menus.text import Text

OPTIONS_MAX: Final = 5

_OPTION: Final = re.compile(r"(?!0|98\.)[0-9]+\. ")
_GAP: Final = re.compile(r"\{[^{}]*\}")


def faults(flows: Sequence[Flow], language: Language) -> list[str]:
    """Everything that is wrong, in words, each once."""
    found = dict.fromkeys(_unreached(flows))
    for flow in flows:
        for number, hop in enumerate(flow.hops):
            name = hop.seen.name
            for fault in (
                *_without_a_way_back(hop, is_first=number == 0),
                *_with_too_much(hop),
                *_untranslated(hop, language),
            ):
                found[f"{name}: {fault}"] = None
    return list(found)


def _unreached(flows: Sequence[Flow]) -> Iterator[str]:
    reached = {hop.seen.name for flow in flows for hop in flow.hops}
    for name in SCREENS:
        if name not in reached:
            yield f"{name}: no answer leads to it"


def _without_a_way_back(hop: Hop, *, is_first: bool) -> Iterator[str]:
    """Whoever is past the first screen of a session can go back; where it ends, nobody is."""
    seen = hop.seen
    if seen.ends or is_first:
        return
    if seen.depth == 1:
        if type(seen.screen) not in FIRST:
            yield "there is nothing to go back to"
        return
    if not re.search(rf"^{BACK}\. ", seen.words, re.MULTILINE):
        yield "it does not offer the way back"
    if engine.answer(seen.dialogue, seen.hop, BACK).stack != seen.dialogue.stack[:-1]:
        yield f"{BACK} does not lead back"


def _with_too_much(hop: Hop) -> Iterator[str]:
    lines = hop.seen.words.split("\n")
    if sum(1 for line in lines if _OPTION.match(line)) > OPTIONS_MAX:
        yield f"more than {OPTIONS_MAX} options"
    if septets(hop.seen.words) > SCREEN_SEPTETS_MAX:
        yield f"more than {SCREEN_SEPTETS_MAX} septets"


def _untranslated(hop: Hop, language: Language) -> Iterator[str]:
    """What would be said in English to somebody who reads another language."""
    if language is Language.ENGLISH:
        return
    notice = hop.seen.dialogue.notice
    said = (hop.seen.view.head, *hop.seen.view.lines, *([notice] if notice else []))
    for text in (each for words in said for each in _parts(words)):
        if text.msgid not in catalogue(language).messages and _has_words(text.msgid):
            yield f"not in {endonym(language)}: {text.msgid!r}"


def _parts(text: Text) -> Iterator[Text]:
    """A text, and those that fill its gaps."""
    yield text
    for value in text.params.values():
        if isinstance(value, Text):
            yield from _parts(value)


def _has_words(msgid: str) -> bool:
    """Whether there is anything to translate: names, and codes of currencies, are what they are."""
    names = {"Kabambe", "M-Pesa", *Currency, *(endonym(each) for each in spoken())}
    return msgid not in names and re.search("[A-Za-z]{2}", _GAP.sub("", msgid)) is not None
