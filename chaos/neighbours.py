"""
How much of the machine others took meanwhile: what they slow down is not ours to answer for.
"""

from __future__ import annotations

import os
from pathlib import Path

_STAT = Path("/proc/stat")


class Neighbours:
    """Counts from its making on. Where the system tells nothing (no Linux), there are none."""

    def __init__(self) -> None:
        """Begin."""
        self._busy, self._all = _machine()
        self._ours = _ours()

    def share(self) -> float:
        """The part of all processors' time that was used, and not by us or our children."""
        busy, every = _machine()
        passed = every - self._all
        others = (busy - self._busy) - (_ours() - self._ours)
        return min(max(others / passed, 0.0), 1.0) if passed else 0.0


def _machine() -> tuple[int, int]:
    """Ticks that all processors worked, and all ticks there were."""
    if not _STAT.exists():
        return 0, 0
    ticks = [int(word) for word in _STAT.read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)


def _ours() -> int:
    """Ticks of this process and its descendants, of those that ended too."""
    if not _STAT.exists():
        return 0
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it is gone already
        children.setdefault(int(words[1]), []).append(int(entry.name))
        ticks[int(entry.name)] = sum(map(int, words[11:15]))
    found, left = 0, [os.getpid()]
    while left:
        pid = left.pop()
        found += ticks.get(pid, 0)
        left += children.get(pid, [])
    return found
