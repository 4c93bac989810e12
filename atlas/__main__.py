"""
`python -m atlas [--check]`: draw the menus and write every flow down, in `docs/`.

With --check nothing is written. The exit status is 1 when a screen is not as it must be (nobody can
get there, or back; it is too long, or not translated), and with --check when a file is outdated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from atlas import checks, drawing, graph, transcript, world
from atlas.walk import walk
from atlas.world import Worlds
from core.subscribers import Language

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs"
WRONG: Final = 1


@dataclass(frozen=True, slots=True)
class Atlas:
    """What the files should say, by their names, and what is wrong with the menus."""

    files: Mapping[str, str]
    faults: Sequence[str]


def made(worlds: Worlds) -> Atlas:
    """Walk everything, in both languages."""
    english = walk(worlds, Language.ENGLISH)
    swahili = walk(worlds, Language.KISWAHILI)
    files = {
        "menus.svg": drawing.draw(graph.drawn(english)),
        "menus.md": transcript.write(english, swahili),
    }
    wrong = [
        *checks.faults(english, Language.ENGLISH),
        *checks.faults(swahili, Language.KISWAHILI),
    ]
    return Atlas(files, list(dict.fromkeys(wrong)))


def outdated(files: Mapping[str, str], folder: Path) -> list[str]:
    """Which files say something else, or are not there."""
    return [
        name
        for name, content in files.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != content
    ]


def main(argv: Sequence[str]) -> int:
    """Write, or check; the answer is the exit status."""
    parser = argparse.ArgumentParser(
        prog="./run menus", description="Draw the menus: docs/menus.svg and docs/menus.md."
    )
    parser.add_argument("--check", action="store_true", help="write nothing: say what is outdated")
    chosen = parser.parse_args(argv)
    with world.opened() as worlds:
        atlas = made(worlds)
    for fault in atlas.faults:
        print(fault, file=sys.stderr)
    stale = outdated(atlas.files, FOLDER)
    if chosen.check:
        for name in stale:
            print(f"docs/{name} is not what the code says: run ./run menus", file=sys.stderr)
        return WRONG if stale or atlas.faults else 0
    for name, content in atlas.files.items():
        (FOLDER / name).write_text(content, encoding="utf-8")
        print(f"docs/{name}{'' if name in stale else ' (as it was)'}")
    return WRONG if atlas.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
