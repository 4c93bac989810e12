"""Where state lives: one folder, and a short one for sockets."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sandbox.environment import variable

REPOSITORY = Path(__file__).resolve().parents[2]

# A Unix socket's path must be shorter than 104 bytes on macOS (108 on Linux).
SOCKET_PATH_BYTES_MAX = 103
_LONGEST_SOCKET = ".s.PGSQL.5432"


def home() -> Path:
    """The folder that holds all state: KABAMBE_HOME, else `.kabambe` in the repository."""
    chosen = variable("KABAMBE_HOME")
    return Path(chosen).expanduser().absolute() if chosen else REPOSITORY / ".kabambe"


def private(folder: Path) -> Path:
    """
    Make a folder that only we may enter.

    Raises:
        PermissionError: it exists and is somebody else's, or a link.

    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of ours: remove it and start again")
    folder.chmod(0o700)
    return folder


def sockets(state: Path) -> Path:
    """The folder for sockets: in `state` where that is short enough, else below the temp folder."""
    beside = state / "run"
    if len(os.fsencode(beside / _LONGEST_SOCKET)) <= SOCKET_PATH_BYTES_MAX:
        return private(beside)
    name = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - private() refuses what is not ours
        short = Path(parent) / f"kabambe-{os.geteuid()}-{name}"
        if len(os.fsencode(short / _LONGEST_SOCKET)) <= SOCKET_PATH_BYTES_MAX:
            return private(short)
    raise PermissionError(f"no folder is short enough for a socket: move {state} to a shorter path")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process that holds it, however it ends."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
