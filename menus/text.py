"""
Text that is not yet in a language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from core.subscribers import Language

LOCALE = Path(__file__).with_name("locale")


@dataclass(frozen=True, slots=True)
class Text:
    """A message in English, which is its key in every catalogue, and what fills its gaps."""

    msgid: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def render(self, language: Language) -> str:
        """Say it in a language; what is not translated is said in English."""
        params = {
            name: value.render(language) if isinstance(value, Text) else value
            for name, value in self.params.items()
        }
        return catalogue(language).get(self.msgid, self.msgid).format(**params)


def _(msgid: str, /, **params: object) -> Text:
    """Mark a message for translation; `pybabel extract` knows this name."""
    return Text(msgid, params)


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """
    Read a language's messages. English needs none.

    The `.po` file itself is read, once per process: there is no compiled copy to go stale.
    """
    path = LOCALE / language / "LC_MESSAGES" / "messages.po"
    if language is Language.ENGLISH:
        return {}
    with path.open("rb") as file:
        return {
            str(message.id): str(message.string)
            for message in read_po(file)
            if message.id and message.string and not message.fuzzy
        }
