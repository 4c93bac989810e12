"""Runs the auditor's program on a house's database, as an auditor would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import make_url

from sandbox.engines import binaries

ROOT = Path(__file__).resolve().parents[1]


def libpq(url: str) -> str:
    """A database's address as psql takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def audited(house, *, published: bool = True) -> subprocess.CompletedProcess[str]:
    """Audit a house's book, with its published key and, if so, checkpoints."""
    key = house.outside / "key"
    said = [house.outside / "checkpoints.jsonl"] if published else []
    path = f"{binaries.postgres()}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "verifier/audit.py", key, libpq(house.database_url), *said],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
