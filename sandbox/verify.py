"""The command `./run verify`: hands over to the verifiers, which know nothing of this house."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.engines import Postgres, binaries, home
from sandbox.engines.places import REPOSITORY
from sandbox.environment import everything, variable
from sandbox.product import log_folder

_USAGE = """\
./run verify RECEIPT [--key KEY] [--seal SEAL]   check one receipt, with nothing but the public key
./run verify --book [--key KEY]                  audit the whole book, here or at DATABASE_URL

RECEIPT is a file, an address (http://127.0.0.1:8000/log/proof/<seal>), or - for what is typed in.
KEY is the log's public key, or a file with it; without it, this sandbox's own is taken.
"""


def main(arguments: Sequence[str]) -> int:
    """Verify; the answer is the exit status."""
    rest = list(arguments)
    if not rest or rest[0] in {"-h", "--help"}:
        print(_USAGE, end="")
        return 0 if rest else 2
    database = variable("DATABASE_URL") or Postgres(home()).url
    folder = log_folder(home(), database)
    if "--key" not in rest and not any(word.startswith("--key=") for word in rest):
        if not (folder / "key").exists():
            print("./run verify: there is no sandbox here: say --key KEY", file=sys.stderr)
            return 1
        rest += ["--key", str(folder / "key")]
    if rest[0] == "--book":
        return _book(rest[1:], database, folder)
    return _python("verifier/receipt.py", *rest)


def _book(rest: list[str], database: str, folder: Path) -> int:
    flag, _, key = rest[0].partition("=")
    if flag != "--key" or len(rest) != (1 if key else 2):
        print(_USAGE, end="", file=sys.stderr)
        return 2
    address = re.sub(r"^postgres(ql)?(\+psycopg2)?://", "postgresql://", database)  # as psql has it
    published = folder / "checkpoints.jsonl"
    said = [str(published)] if published.exists() else []
    return _python("verifier/audit.py", key or rest[1], address, *said)


def _python(*arguments: str) -> int:
    """Run a verifier, with psql where it is found."""
    environment = everything()
    environment["PATH"] = f"{binaries.postgres()}:{environment.get('PATH', '')}"
    program, *rest = arguments
    command = [sys.executable, str(REPOSITORY / program), *rest]
    where = variable("KABAMBE_CALLED_FROM") or None
    return subprocess.run(command, env=environment, cwd=where, check=False).returncode
