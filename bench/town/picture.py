"""
The report as a picture: rates and times as they went, what was brought to its end, and where not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from bench.town.log import Log
from core.endings import Endings
from menus import flows

_WIDTH: Final = 960
_LEFT: Final = 60
_CHART_HEIGHT: Final = 150
_BAR: Final = 20
_BUCKETS: Final = 90
_SCREENS_MAX: Final = 12
_STYLE: Final = """
text { font: 13px "DejaVu Sans", sans-serif; fill: #22313a }
.title { font-size: 18px; font-weight: bold }
.axis { fill: #6b7a83; font-size: 11px }
.rate { fill: #9fc5d8 }
.half { fill: none; stroke: #1f6f8b; stroke-width: 1.6 }
.most { fill: none; stroke: #c0562f; stroke-width: 1.6 }
.trouble { fill: #f3d9a4; opacity: .7 }
.grid { stroke: #dfe6ea }
.done { fill: #4f9a6b }
.left { fill: #c0562f }
"""


def drawn(log: Log, ended: Endings, *, title: str) -> str:
    """
    Draw it.

    Args:
        log: What the people saw.
        ended: What the product itself counted of how calls ended.
        title: What stands above.
    """
    parts, y = [f'<text class="title" x="16" y="30">{escape(title)}</text>'], 56.0
    for draw in (_rates, _times):
        lines = list(draw(log, y))
        parts += lines
        y += _CHART_HEIGHT + 74
    for heading, rows, is_done in (
        ("Flows begun, and brought to their end", _flows(ended), True),
        ("SMS written, and gone through", _letters(log), True),
        ("Where calls were broken off, by screen", _left(ended), False),
    ):
        parts += _bars(heading, rows, y, is_done=is_done)
        y += 34 + _BAR * max(len(rows), 1) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}"'
        f' width="{_WIDTH}" height="{y:.0f}"><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _buckets(log: Log) -> tuple[float, list[list[float]]]:
    """How long each stretch of time is, in seconds, and how long the hops in each took."""
    lasted = max((at for at, _took, _kind in log.hops), default=1.0)
    width = lasted / _BUCKETS
    found: dict[int, list[float]] = defaultdict(list)
    for at, took, _kind in log.hops:
        found[min(int(at / width), _BUCKETS - 1)].append(took * 1000)
    return width, [sorted(found[number]) for number in range(_BUCKETS)]


def _x(bucket: float) -> float:
    return _LEFT + bucket * (_WIDTH - _LEFT - 20) / _BUCKETS


def _rates(log: Log, y: float) -> Iterator[str]:
    width, found = _buckets(log)
    rates = [len(each) / width for each in found]
    top = max(rates, default=1.0) or 1.0
    yield from _frame(log, y, f"hops a second (at most {top:.0f})", width, top)
    for number, rate in enumerate(rates):
        height = _CHART_HEIGHT * rate / top
        yield (
            f'<rect class="rate" x="{_x(number):.1f}" y="{y + 14 + _CHART_HEIGHT - height:.1f}"'
            f' width="{_x(1) - _x(0) - 0.6:.1f}" height="{height:.1f}"/>'
        )


def _times(log: Log, y: float) -> Iterator[str]:
    width, found = _buckets(log)
    half = [each[len(each) // 2] if each else 0.0 for each in found]
    most = [each[int(len(each) * 0.99)] if each else 0.0 for each in found]
    top = max(most, default=1.0) or 1.0
    name = f"milliseconds to an answer: p50 blue, p99 red (at most {top:.0f})"
    yield from _frame(log, y, name, width, top)
    for kind, values in (("most", most), ("half", half)):
        points = " ".join(
            f"{_x(number + 0.5):.1f},{y + 14 + _CHART_HEIGHT * (1 - value / top):.1f}"
            for number, value in enumerate(values)
        )
        yield f'<polyline class="{kind}" points="{points}"/>'


def _frame(log: Log, y: float, name: str, width: float, top: float) -> Iterator[str]:
    yield f'<text x="16" y="{y:.0f}">{escape(name)}</text>'
    for number, trouble in enumerate(log.troubles):
        left, right = _x(trouble.began / width), _x(trouble.ended / width)
        yield (
            f'<rect class="trouble" x="{left:.1f}" y="{y + 14:.0f}"'
            f' width="{max(right - left, 2):.1f}" height="{_CHART_HEIGHT}"/>'
        )
        below = y + 28 + _CHART_HEIGHT + 14 * (number % 2)
        yield (f'<text class="axis" x="{left:.1f}" y="{below:.0f}">{escape(trouble.name)}</text>')
    for share in (0.0, 0.5, 1.0):
        line = y + 14 + _CHART_HEIGHT * (1 - share)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{line}" y2="{line}"/>'
        yield (
            f'<text class="axis" x="{_LEFT - 6}" y="{line + 4}" text-anchor="end">'
            f"{top * share:.0f}</text>"
        )
    lasted = width * _BUCKETS
    yield (
        f'<text class="axis" x="{_WIDTH - 20}" y="{y - 2:.0f}"'
        f' text-anchor="end">over {lasted:.0f} s</text>'
    )


Rows = Sequence[tuple[str, int, int]]


def _flows(ended: Endings) -> Rows:
    """Of each flow: how often it was begun, and brought to its end."""
    begun, done = Counter[str](), Counter[str]()
    for path in ended.paths:
        for flow, is_done in flows.taken(path.screens).items():
            begun[flow] += path.sessions
            done[flow] += path.sessions * is_done
    return [(flow, count, done[flow]) for flow, count in begun.most_common()]


def _letters(log: Log) -> Rows:
    """Of each kind of SMS: how many were written, and went through."""
    kinds = sorted(log.letters.items(), key=lambda each: -each[1]["begun"])
    return [(kind, counted["begun"], counted["done"]) for kind, counted in kinds]


def _left(ended: Endings) -> Rows:
    """The screens on which calls were broken off."""
    left = Counter[str]()
    for path in ended.paths:
        if path.is_broken_off and path.screens:
            left[path.screens[-1]] += path.sessions
    return [(screen, count, 0) for screen, count in left.most_common(_SCREENS_MAX)]


def _bars(heading: str, rows: Rows, y: float, *, is_done: bool) -> Iterator[str]:
    yield f'<text x="16" y="{y:.0f}">{escape(heading)}</text>'
    top = max((count for _name, count, _done in rows), default=1)
    room = _WIDTH - 220 - 120
    for number, (name, count, done) in enumerate(rows):
        line = y + 14 + number * _BAR
        wide = room * count / top
        yield f'<text x="210" y="{line + 14:.0f}" text-anchor="end">{escape(name)}</text>'
        yield (
            f'<rect class="{"rate" if is_done else "left"}" x="220" y="{line + 3:.0f}"'
            f' width="{max(wide, 1):.1f}" height="{_BAR - 6}"/>'
        )
        said = f"{count:,}"
        if is_done:
            yield (
                f'<rect class="done" x="220" y="{line + 3:.0f}" width="{room * done / top:.1f}"'
                f' height="{_BAR - 6}"/>'
            )
            said = f"{done:,} of {count:,}"
        yield f'<text class="axis" x="{228 + wide:.0f}" y="{line + 14:.0f}">{said}</text>'
    if not rows:
        yield f'<text class="axis" x="220" y="{y + 28:.0f}">none</text>'
