"""
The guard: ends what the sandbox started when the sandbox itself can no longer do it.

A small process in a session of its own, so that what kills the sandbox, or its whole process group,
does not reach it. The sandbox tells it over a pipe which processes there are, and the pipe's end
tells it that the sandbox is gone. It also inherits the state's lock: until everything has ended,
nobody else starts on that state.

A child is a session: whatever it starts itself belongs to it, in whatever process group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

APPLICATION, ENGINE = 0, 1
"""What is ended first, and what it needs until then."""

_ENDING_SECONDS = 2.0
_LOOK_SECONDS = 0.02


class Guard:
    """
    The sandbox's side of it.

    Args:
        inherited: the descriptor of the state's lock.

    """

    def __init__(self, inherited: int) -> None:
        self._inherited = inherited
        self._told: dict[int, str] = {}
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-IS", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            pass_fds=(self._inherited,),
            start_new_session=True,
        )

    def add(self, pid: int, level: int, ending: signal.Signals) -> None:
        """Tell of a process that leads a session, when it is ended, and how it is asked to end."""
        self._told[pid] = f"+ {pid} {level} {ending.value}\n"
        self._say(self._told[pid])

    def remove(self, pid: int) -> None:
        """Tell that a process is gone: its id may become another's."""
        if self._told.pop(pid, None):
            self._say(f"- {pid}\n")

    def look(self) -> None:
        """Replace a guard that was killed."""
        if self._process.poll() is not None:
            self._hang_up()
            self._process = self._spawn()
            self._say("".join(self._told.values()))

    def close(self) -> None:
        """Let it end what is left, and go."""
        self._told.clear()
        self._hang_up()
        self._process.wait(4 * _ENDING_SECONDS)

    def _hang_up(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _say(self, words: str) -> None:
        # A guard that was killed hears nothing; look() tells the next one everything.
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.write(words)
                self._process.stdin.flush()


def end(children: dict[int, tuple[int, signal.Signals]]) -> None:
    """
    End sessions, the doors before the engines.

    Args:
        children: by the leader's process id, the level and how it is asked to end.

    """
    for level in sorted({level for level, _ in children.values()}):
        sessions = {pid: ending for pid, (its, ending) in children.items() if its == level}
        for pid, ending in sessions.items():
            _signal([pid], ending)
        deadline = time.monotonic() + _ENDING_SECONDS
        while (left := members(sessions)) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        _signal(left, signal.SIGKILL)


def kill(session: int) -> None:
    """End what is left of a session whose leader died."""
    _signal(members([session]), signal.SIGKILL)


def members(sessions: Iterable[int]) -> list[int]:
    """The living processes of some sessions."""
    wanted = set(sessions)
    return [pid for pid in _processes() if _session(pid) in wanted]


def _processes() -> list[int]:
    if Path("/proc/self/stat").exists():
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    listed = subprocess.run(
        ["ps", "-axo", "pid="], capture_output=True, text=True, check=False, timeout=5
    )
    return [int(word) for word in listed.stdout.split()]


def _session(pid: int) -> int:
    """The session of a process; 0 when it is gone or only its remains are there."""
    try:
        found = os.getsid(pid)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return found if not Path("/proc/self/stat").exists() else 0
    except OSError:
        return 0
    return 0 if state in {"Z", "X"} else found


def _signal(pids: Iterable[int], ending: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, ending)
        except OSError:
            continue  # it is gone already


def _watch() -> None:
    """Be the guard: listen until the sandbox's end of the pipe is gone."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    children: dict[int, tuple[int, signal.Signals]] = {}
    for line in sys.stdin:
        what, pid, *how = line.split()
        if what == "+":
            children[int(pid)] = (int(how[0]), signal.Signals(int(how[1])))
        else:
            children.pop(int(pid), None)
    end(children)


if __name__ == "__main__":
    _watch()
