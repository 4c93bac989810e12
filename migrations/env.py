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


ROLES = ("kabambe_web", "kabambe_worker", "kabambe_book", "kabambe_staff")
# From here on, whoever makes a role may give it to anybody, and yet has not got it.
_NOT_ITS_MAKERS = (16,)


def _want_roles(connection: Connection) -> None:
    """
    See that whoever logs in can become the roles that the revisions grant to, or make them.

    Raises:
        SystemExit: It can not, and an administrator has to help.
    """
    is_new = (connection.dialect.server_version_info or ()) >= _NOT_ITS_MAKERS
    login, may_make = connection.execute(
        text("SELECT rolname, rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    ).one()
    found = connection.execute(
        text(
            "SELECT rolname, pg_has_role(current_user, oid, :become),"
            " pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION')"
            " FROM pg_roles WHERE rolname = ANY (:roles)"
        ),
        {"roles": list(ROLES), "become": "SET" if is_new else "MEMBER"},
    ).all()
    able = {role for role, can_become, may_give in found if can_become or may_give}
    for role, can_become, may_give in found:
        if may_give and not can_become:
            connection.execute(text(f"GRANT {role} TO CURRENT_USER"))
    if is_new:  # and what the revisions are about to make
        connection.execute(text("SET createrole_self_grant = 'set, inherit'"))
    connection.commit()
    if may_make:
        able |= set(ROLES) - ({role for role, *_ in found} if is_new else set())
    if wanted := [role for role in ROLES if role not in able]:
        orders = [f'CREATE ROLE {role} NOLOGIN; GRANT {role} TO "{login}";' for role in wanted]
        raise SystemExit(
            f"The login {login} can not have all roles. Let PostgreSQL's administrator make them"
            " once (where one is there already, its GRANT alone):\n" + "\n".join(orders)
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
