"""
`python -m chaos.hurried FILE WORKER`: a worker whose clock is ahead by the seconds that FILE says.

What waits for hours in earnest (questions asked hourly, payouts looked for during half an hour)
would take those hours here, too.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from workers import __main__ as workers

_KNOWN_SECONDS: Final = 0.2


class Clock:
    """What time it is, and how far ahead of it."""

    def __init__(self, file: Path) -> None:
        """Read the file from time to time."""
        self._file = file
        self._read_at = 0.0
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        """The time, ahead."""
        if time.monotonic() - self._read_at > _KNOWN_SECONDS:
            self._read_at = time.monotonic()
            self._ahead = timedelta(seconds=float(self._file.read_text() or 0))
        return datetime.now(UTC) + self._ahead


if __name__ == "__main__":
    workers.now = Clock(Path(sys.argv[1]))
    sys.exit(workers.main(sys.argv[2:]))
