"""
Become the process an engine may run as, then become the engine; a program of its own.

    python -IS launch.py PARENT [FOLDER …] -- PROGRAM ARGUMENT …

* Where the kernel can (Linux), the engine ends when PARENT, the process that started it, does.
* With folders, root is given up, because PostgreSQL refuses it: a user namespace that maps one
  ordinary uid onto root, so that files stay root's; where namespaces are forbidden (as in many
  containers) or cannot reach the folders, `nobody`, who keeps the one capability that reaches them.
  The folders' contents are made the engine's own; the user's other files are left alone.

Doing this in a program rather than between fork and exec keeps it safe in processes with threads.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    end = arguments.index("--")
    parent, folders, program = int(arguments[0]), arguments[1:end], arguments[end + 1 :]
    if folders and os.geteuid() == 0:
        _become_ordinary([Path(folder) for folder in folders], Path(program[0]))
    if LINUX:
        _call(_libc.prctl, PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was told
            sys.exit(1)
    os.execv(program[0], program)


def _become_ordinary(folders: list[Path], program: Path) -> None:
    if _works(lambda: _try_namespace(folders, program)):
        for folder in folders:
            _own(folder, 0, 0)
        _enter_namespace()
        return
    nobody = pwd.getpwnam("nobody")
    for folder in folders:
        _own(folder, nobody.pw_uid, nobody.pw_gid)
    _become(nobody.pw_uid, nobody.pw_gid)


def _works(attempt: Callable[[], None]) -> bool:
    """Whether an attempt succeeds, made in a child so that it leaves no trace here."""
    if not LINUX:
        return False
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _try_namespace(folders: list[Path], program: Path) -> None:
    _enter_namespace()
    if not os.access(program, os.X_OK):
        raise PermissionError(program)
    for folder in folders:
        folder.stat()


def _enter_namespace() -> None:
    _call(_libc.unshare, CLONE_NEWUSER)
    for name, words in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        Path(f"/proc/self/{name}").write_text(words)


def _become(uid: int, gid: int) -> None:
    if LINUX:
        # Or the kernel would drop every capability with root's uid, and ignore them in access(2).
        _call(_libc.prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if LINUX:
        _keep_reaching_files()


def _keep_reaching_files() -> None:
    """Keep CAP_DAC_OVERRIDE over the exec: the state may lie below a folder only root may enter."""
    bit = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable; then the same for capabilities above 31
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _call(_libc.capset, ctypes.byref(header), ctypes.byref(sets))
    _call(_libc.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _own(folder: Path, uid: int, gid: int) -> None:
    if not folder.exists() or folder.stat().st_uid == uid:
        return
    for path in [*folder.rglob("*"), folder]:  # itself last: it tells whether the rest is done
        if stat.S_ISDIR(path.lstat().st_mode) or path.lstat().st_nlink == 1:
            os.chown(path, uid, gid, follow_symlinks=False)


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
