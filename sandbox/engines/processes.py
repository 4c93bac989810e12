"""Looking at processes by their id: who lives, who it is."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_PROC = Path("/proc/self/cmdline")
_LOOK_SECONDS = 0.005


def alive(pid: int) -> bool:
    """Whether a process is there, and not only its remains."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return not _PROC.exists()
    return state not in {"Z", "X"}


def command(pid: int) -> str:
    """A process's command line; empty when there is no such process."""
    if _PROC.exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            return ""
    told = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        timeout=5,
    )
    return told.stdout.strip()


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; False when it did not in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True
