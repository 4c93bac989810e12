"""
Text that is not yet in a language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.subscribers import Language
from menus.languages import catalogue


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
        said = catalogue(language).messages.get(self.msgid, self.msgid)
        return said.format(**params)


def _(msgid: str, /, **params: object) -> Text:
    """Mark a message for translation; `pybabel extract` knows this name."""
    return Text(msgid, params)
