"""
The languages we have words in: one for each `locale/<code>/LC_MESSAGES/messages.po`, and English.

English is the key of every message and has no file. A file says in its header what the language
calls itself (`X-Endonym`), under which number the menus offer it (`X-Number`; those never change),
and whether it is still `X-Status: incomplete`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from babel.messages.pofile import read_po

from core.subscribers import Language

LOCALE: Final = Path(__file__).with_name("locale")

_FILE: Final = "LC_MESSAGES/messages.po"
_HEADER: Final = re.compile(r'^"(X-[A-Za-z]+): (.*)\\n"$', re.MULTILINE)
_NUMBER_LAST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Catalogue:
    """
    What is said in one language.

    Args:
        endonym: Its name, in itself: what a person who reads it will recognise.
        number: Its place in the menus; whoever gives none comes last, by code.
        is_complete: Whether every message is translated; what is not is said in English.
        messages: The translations, by the English.
    """

    language: Language
    endonym: str
    number: int
    is_complete: bool
    messages: Mapping[str, str]


_ENGLISH: Final = Catalogue(Language.ENGLISH, "English", 1, is_complete=True, messages={})


def spoken() -> tuple[Language, ...]:
    """Every language there are words in, in the order of the menus."""
    return tuple(_catalogues(LOCALE))


def endonym(language: Language) -> str:
    """What a language calls itself."""
    return catalogue(language).endonym


def catalogue(language: Language) -> Catalogue:
    """The words of a language; English for one whose words have been taken away again."""
    return _catalogues(LOCALE).get(language, _ENGLISH)


@cache
def _catalogues(locale: Path) -> Mapping[Language, Catalogue]:
    """Read every file, once per process: there is no compiled copy to go stale."""
    found = [_ENGLISH, *(_read(path) for path in locale.glob(f"*/{_FILE}"))]
    found.sort(key=lambda each: (each.number, each.language))
    return {each.language: each for each in found}


def _read(path: Path) -> Catalogue:
    language = Language(path.parents[1].name)
    headers = dict(_HEADER.findall(path.read_text(encoding="utf-8")))
    number = headers.get("X-Number", "")
    with path.open("rb") as file:
        messages = {
            str(message.id): str(message.string)
            for message in read_po(file)
            if message.id and message.string and not message.fuzzy
        }
    return Catalogue(
        language=language,
        endonym=headers.get("X-Endonym", language.value),
        number=int(number) if number.isdigit() else _NUMBER_LAST,
        is_complete=headers.get("X-Status") != "incomplete",
        messages=messages,
    )
