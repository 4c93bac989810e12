"""
Ends servers as a power cut would: no signal they could answer, and all of their children.

Only servers that this very process started are touched, by their process id.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox.engines import Engine
from sandbox.engines.processes import alive, within

_GONE_SECONDS: Final = 10.0


def crash(engine: Engine) -> None:
    """
    Kill a server and everything it has forked.

    It is stopped first, so that it neither replaces a child that dies nor tells the others.

    Raises:
        RuntimeError: Something of it is still there.
    """
    pid = engine.pid
    assert pid is not None, f"{engine.name} does not run"
    assert not engine.adopted, f"{engine.name} is not ours to kill"
    os.kill(pid, signal.SIGSTOP)
    doomed = [*_children(pid), pid]
    for each in doomed:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    if not within(_GONE_SECONDS, lambda: not engine.runs() and not any(map(alive, doomed))):
        raise RuntimeError(f"{engine.name} does not die")


def _children(parent: int) -> list[int]:
    """The processes that a process has forked; PostgreSQL's fork none themselves."""
    if Path("/proc/self/stat").exists():
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if _parent(pid) == parent]
    listed = subprocess.run(
        ["ps", "-axo", "pid=,ppid="],  # noqa: S607 - wherever the system keeps it
        capture_output=True,
        text=True,
        check=True,
        timeout=5,
    )
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [int(pid) for pid, its in pairs if int(its) == parent]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # it is gone already
