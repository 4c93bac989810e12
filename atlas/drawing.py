"""
Draw the screens: a column for each step from the first, and a line from each answer.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from atlas.graph import Graph, Node
from menus.screen import Ask, Menu, Pick

COLUMNS: Final = 30
_LETTER: Final = 6.05
_LINE: Final = 13
_PADDING: Final = 8
_HEAD: Final = 20
_WIDTH: Final = round(COLUMNS * _LETTER) + 2 * _PADDING
_CHANNEL: Final = 100
_GAP: Final = 18
_MARGIN: Final = 24
_LEGEND: Final = 64
_XMLNS: Final = 'xmlns="http://www.w3.org/2000/svg"'
_DIALLED: Final = 20
_LANE: Final = 7
_TAG: Final = 20

_KINDS: Final = {
    "menu": ("#1d4e89", "a menu: choose a number"),
    "ask": ("#8a5a00", "type something"),
    "guarded": ("#9b1c31", "a PIN, or what only a live answer counts for"),
    "tell": ("#27632a", "read, and go back"),
    "ends": ("#3d3d3d", "the session ends"),
}
_STYLE: Final = """\
text{font:10px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#111;white-space:pre}
.name{font-weight:bold;fill:#fff}.typed{fill:#444;font-size:9px}.title{font-size:15px;
font-weight:bold}.way{fill:none;stroke:#777;stroke-width:1.2}.dialled{font-weight:bold}
"""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a screen is drawn."""

    node: Node
    x: int
    y: int
    lines: tuple[str, ...]

    @property
    def height(self) -> int:
        return _height(self.lines)

    def line_of(self, typed: str) -> int:
        """The height at which an answer leaves: its own line where it has one."""
        for number, line in enumerate(self.lines):
            if line.startswith(f"{typed}. "):
                return self.y + _HEAD + _PADDING + number * _LINE + _LINE // 2
        return self.y + _HEAD // 2


@dataclass
class Sheet:
    """What is placed so far."""

    graph: Graph
    boxes: dict[str, Box]
    tags: list[tuple[int, int, str, str]]
    """Where a way leads to a screen that is drawn elsewhere: x, y, from where, to what."""


def draw(graph: Graph) -> str:
    """Draw the whole as SVG."""
    sheet = Sheet(graph, {}, [])
    y = _MARGIN + _LEGEND
    for root in graph.roots:
        y += _place(sheet, root, _MARGIN, y + _DIALLED) + _DIALLED + 2 * _GAP
    right = max(box.x for box in sheet.boxes.values()) + _WIDTH
    width = max([right, *(x + _WIDTH for x, *_rest in sheet.tags)]) + _MARGIN
    parts = [
        f'<svg {_XMLNS} width="{width}" height="{y}" viewBox="0 0 {width} {y}" role="img">',
        "<title>Every screen of Kabambe, and the answers that lead between them</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{y}" fill="#fff"/>',
        *_legend(),
        *(line for key in sheet.boxes for line in _ways(sheet, key)),
        *(line for box in sheet.boxes.values() for line in _box(box)),
        *(line for x, y_, _from, to in sheet.tags for line in _tag(x, y_, to)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _place(sheet: Sheet, key: str, x: int, y: int) -> int:
    """Place a screen and what comes after it, to the right and down; return the height taken."""
    node = sheet.graph.nodes[key]
    lines = tuple(
        line for said in node.words.split("\n") for line in textwrap.wrap(said, COLUMNS) or [""]
    )
    sheet.boxes[key] = Box(node, x, y, lines)
    below = y
    for to in node.ways:
        if to in sheet.graph.children[key]:
            below += _place(sheet, to, x + _WIDTH + _CHANNEL, below) + _GAP
        else:
            sheet.tags.append((x + _WIDTH + _CHANNEL, below, key, to))
            below += _TAG + _GAP
    return max(_height(lines), below - _GAP - y)


def _height(lines: tuple[str, ...]) -> int:
    return _HEAD + 2 * _PADDING + len(lines) * _LINE


def _kind(node: Node) -> str:
    if node.ends:
        return "ends"
    if node.kind.guarded:
        return "guarded"
    if issubclass(node.kind, Menu | Pick):
        return "menu"
    return "ask" if issubclass(node.kind, Ask) else "tell"


def _legend() -> Iterator[str]:
    yield f'<text class="title" x="{_MARGIN}" y="{_MARGIN + 12}">Kabambe, screen by screen</text>'
    x = _MARGIN
    for colour, words in _KINDS.values():
        yield f'<rect x="{x}" y="{_MARGIN + 28}" width="12" height="12" rx="2" fill="{colour}"/>'
        yield _text(x + 18, _MARGIN + 38, words)
        x += 18 + round(len(words) * _LETTER) + 26
    words = "Everywhere: 0 goes back, 00 goes home, 98 turns the page."
    yield _text(x, _MARGIN + 38, words)


def _box(box: Box) -> Iterator[str]:
    colour, _words = _KINDS[_kind(box.node)]
    if box.node.dialled:
        yield _text(box.x, box.y - 6, box.node.dialled, "dialled")
    yield (
        f'<rect x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{box.height}" rx="6"'
        f' fill="#fbfbf7" stroke="{colour}" stroke-width="1.5"/>'
    )
    yield (
        f'<path d="M{box.x} {box.y + _HEAD}v-{_HEAD - 6}q0 -6 6 -6h{_WIDTH - 12}q6 0 6 6'
        f'v{_HEAD - 6}z" fill="{colour}"/>'
    )
    yield _text(box.x + _PADDING, box.y + 14, _name(box.node.key), "name")
    for number, line in enumerate(box.lines):
        y = box.y + _HEAD + _PADDING + number * _LINE + 10
        yield _text(box.x + _PADDING, y, line)


def _name(key: str) -> str:
    return key.partition(" ")[0]


def _tag(x: int, y: int, to: str) -> Iterator[str]:
    words = f"to {_name(to)}"
    width = round(len(words) * _LETTER) + 2 * _PADDING
    yield (
        f'<rect x="{x}" y="{y}" width="{width}" height="{_TAG}" rx="10"'
        ' fill="#fff" stroke="#777" stroke-dasharray="3 2"/>'
    )
    yield _text(x + _PADDING, y + 14, words)


def _ways(sheet: Sheet, key: str) -> Iterator[str]:
    """
    The lines from a screen to those after it.

    The first answer turns down farthest to the right: so no two lines cross.
    """
    box = sheet.boxes[key]
    tags = {to: (x, y) for x, y, from_, to in sheet.tags if from_ == key}
    for number, (to, typed) in enumerate(box.node.ways.items()):
        x, y = tags.get(to) or (sheet.boxes[to].x, sheet.boxes[to].y)
        end = y + _HEAD // 2
        start = box.line_of(typed[0])
        turn = box.x + _WIDTH + 8 + _LANE * (len(box.node.ways) - 1 - number)
        yield f'<path class="way" d="M{box.x + _WIDTH} {start}H{turn}V{end}H{x}"/>'
        yield f'<path d="M{x} {end}l-6 -3v6z" fill="#777"/>'
        said = textwrap.shorten(", ".join(typed), 16, placeholder=" …")
        room = x - 8 - round(len(said) * 5.45)
        yield _text(room, end - 4, said, "typed")


def _text(x: int, y: int, words: str, kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<text{marked} x="{x}" y="{y}">{escape(words, quote=False)}</text>'
