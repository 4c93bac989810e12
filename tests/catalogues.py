"""
What the menus say, and what a language's catalogue makes of it.
"""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_dir

import menus

MENUS = Path(menus.__path__[0])
# Said in English it would be a lie, however incomplete the language is.
NEVER_LEFT_OUT = {
    "From now on we speak English to you.",
    "Kabambe now speaks English to you.",
}


def marked() -> set[str]:
    """Every message in the code that is marked for translation."""
    found = extract_from_dir(str(MENUS), [("**.py", "python")], keywords={"_": (1,)})
    return {message for _file, _line, message, _comments, _context in found}


def amiss(catalogue) -> set[str]:
    """What a catalogue lacks, by what it claims to be, or translates that is never said."""
    needed = marked() if catalogue.is_complete else NEVER_LEFT_OUT
    return (needed - set(catalogue.messages)) | (set(catalogue.messages) - marked())
