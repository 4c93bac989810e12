"""
Real PostgreSQL and Valkey out of wheels: the default of the sandbox and of the tests.

Nothing listens on TCP: both speak over Unix sockets in a folder only we may enter, which is why
PostgreSQL may trust whoever connects.
"""

from __future__ import annotations

from sandbox.engines.engine import Engine, EngineError
from sandbox.engines.places import home
from sandbox.engines.postgres import Postgres
from sandbox.engines.valkey import Valkey

__all__ = ["Engine", "EngineError", "Postgres", "Valkey", "home"]
