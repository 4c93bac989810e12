"""The commands for staff, on the database of this folder or the one that DATABASE_URL names."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sandbox import product, stores
from sandbox.engines import EngineError, Postgres, home
from sandbox.environment import variable
from sandbox.product import Ports, Refused


def reconcile(arguments: Sequence[str]) -> int:
    """Look for breaks; the answer is the exit status."""
    return _work("workers.reconcile", arguments)


def statement(arguments: Sequence[str]) -> int:
    """Print a statement; the answer is the exit status."""
    return _work("workers.statement", arguments)


def sessions(arguments: Sequence[str]) -> int:
    """Print how USSD sessions went; the answer is the exit status."""
    return _work("workers.sessions", arguments)


def _work(module: str, arguments: Sequence[str]) -> int:
    """Run a command of the product's in its own process, beside whatever runs already."""
    engine: Postgres | None = None
    try:
        database_url = variable("DATABASE_URL")
        if not database_url:
            engine = Postgres(home()).start()
            database_url = engine.url
        environment = product.environment(Ports.chosen(), database_url, "redis://not-asked")
        if not stores.is_current(database_url):
            print("The database is not of this version: run ./run once.", file=sys.stderr)
            return 2
        return product.call(module, arguments, environment=environment)
    except (EngineError, LookupError, Refused, stores.Unreachable, PermissionError) as failure:
        print(f"Kabambe cannot look: {failure}", file=sys.stderr)
        return 2
    finally:
        if engine is not None:  # one that ran before goes on
            engine.stop()
