"""
Runs migrations: one at a time, each in its own transaction, giving up rather than blocking.
"""

from __future__ import annotations

import os
import pkgutil
from importlib import import_module

from alembic import context
from sqlalchemy import create_engine, pool, text

import core
from core.db import Base, driver_url

for module in pkgutil.iter_modules(core.__path__, "core."):
    if module.name != "core.settings":  # wants an environment that a migration need not have
        import_module(module.name)  # each brings its tables


def run() -> None:
    """
    Upgrade the database at `DATABASE_URL` as whoever that logs in as: the owner of the tables.

    The timeouts keep a migration from queueing behind a long transaction with the whole bank
    queueing behind it; the advisory lock lets two deployments start at once.
    """
    url = context.config.attributes.get("url") or os.environ["DATABASE_URL"]  # noqa: TID251 - migrations need no other setting
    engine = create_engine(driver_url(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET statement_timeout = '60s'"))
        connection.execute(text("SET lock_timeout = '5s'"))
        connection.execute(text("SELECT pg_advisory_lock(hashtext('kabambe.migrations'))"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
        connection.commit()


run()
