"""
Runs migrations: one at a time, each in its own transaction, giving up rather than blocking.
"""

from __future__ import annotations

import os
import pkgutil
from importlib import import_module

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

import core
from core.db import Base, driver_url

for module in pkgutil.walk_packages(core.__path__, "core."):
    if module.name != "core.settings":  # wants an environment that a migration need not have
        import_module(module.name)  # each brings its tables


ROLES = ("kabambe_web", "kabambe_worker", "kabambe_book")
_GRANTS_ITSELF = (16,)


def _want_roles(connection: Connection) -> None:
    """
    Look whether whoever logs in can have the roles that the revisions grant to.

    Raises:
        SystemExit: It may not make them, and nobody has made them for it.
    """
    login, may_make = connection.execute(
        text("SELECT rolname, rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    ).one()
    had = connection.scalars(
        text(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY (:roles)"
            " AND pg_has_role(current_user, oid, 'MEMBER')"
        ),
        {"roles": list(ROLES)},
    ).all()
    connection.rollback()
    if not may_make and (wanted := [role for role in ROLES if role not in had]):
        orders = [f'CREATE ROLE {role} NOLOGIN; GRANT {role} TO "{login}";' for role in wanted]
        raise SystemExit(
            f"The login {login} may not make roles. Let PostgreSQL's administrator make them once"
            " (where one is there already, its GRANT alone):\n" + "\n".join(orders)
        )


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
        if (connection.dialect.server_version_info or ()) >= _GRANTS_ITSELF:
            # Whoever makes a role and is no superuser could not become it, nor give it anything.
            connection.execute(text("SET createrole_self_grant = 'set, inherit'"))
        connection.execute(text("SELECT pg_advisory_lock(hashtext('kabambe.migrations'))"))
        connection.commit()
        _want_roles(connection)
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
