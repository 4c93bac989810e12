"""The house rules that a machine can keep."""

from __future__ import annotations

import ast
import hashlib
import importlib
import socket
from pathlib import Path

import alembic.command
import pytest
from databases import config_of, create, drop, migrate, url_of
from sqlalchemy import NullPool, create_engine, make_url, text

from core import db
from core.db import driver_url
from sandbox.engines import Postgres
from workers.relay import JOBS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "core",
    "menus",
    "gateway",
    "workers",
    "migrations",
    "sandbox",
    "bench",
    "verifier",
    "chaos",
    "atlas",
    "tests",
)
LINES_MAX = 400
FUNCTION_LINES_MAX = 70

SOURCES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "__pycache__" not in path.parts
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
class TestEverySource:
    def test_is_short_enough_to_read(self, path):
        assert len(path.read_text().splitlines()) <= LINES_MAX

    def test_has_functions_short_enough_to_read(self, path):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= FUNCTION_LINES_MAX, f"{node.name}: {length} lines"

    def test_leaves_nothing_for_later(self, path):
        if path == Path(__file__):
            return
        words = path.read_text()
        for left in ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"):
            assert left not in words


def test_the_composition_root_stays_a_few_lines():
    assert len((ROOT / "wsgi.py").read_text().splitlines()) <= 100


def test_migrations_go_up_down_and_up_and_leave_no_drift(servers, worker_id):
    name = f"kabambe_migrations_{worker_id}"
    create(servers[0], name)
    try:
        url = url_of(servers[0], name)
        migrate(url)
        migrate(url, "base", down=True)
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            left = connection.scalars(
                text(
                    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                    " AND relname NOT LIKE 'alembic_version%'"
                    " UNION ALL SELECT proname FROM pg_proc"
                    " WHERE pronamespace = 'public'::regnamespace"
                )
            ).all()
        assert left == []
        migrate(url)
        alembic.command.check(config_of(url))
    finally:
        drop(servers[0], name)


def test_a_login_that_may_not_make_roles_is_told_who_can(servers, worker_id):
    name = f"kabambe_plain_{worker_id}"
    engine = create_engine(servers[0], isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"DROP ROLE IF EXISTS {name}"))
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'plain'"))
    create(servers[0], name)
    try:
        login = make_url(url_of(servers[0], name)).set(username=name, password="plain")
        with pytest.raises(SystemExit, match=f'GRANT kabambe_book TO "{name}"'):
            migrate(login.render_as_string(hide_password=False))
    finally:
        drop(servers[0], name)
        with engine.connect() as connection:
            connection.execute(text(f"DROP ROLE {name}"))


@pytest.fixture
def server(tmp_path_factory):
    """A server where nobody has made our roles before."""
    server = Postgres(tmp_path_factory.mktemp("plain"), fast=True).start()
    yield server
    server.stop()


def login_of(server, name) -> str:
    """Somebody who may make roles, with a database of their own: its URL."""
    engine = create_engine(driver_url(server.url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN CREATEROLE"))
        connection.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
    url = make_url(server.url).set(username=name, database=name)
    return url.render_as_string(hide_password=False)


@pytest.mark.parametrize("made_before", [None, "kabambe_web"])
def test_a_login_that_may_make_roles_need_be_no_more(server, made_before):
    """Even if it made one itself, which since PostgreSQL 16 does not give it to its maker."""
    url = login_of(server, "plain")
    if made_before:
        with create_engine(driver_url(url), poolclass=NullPool).begin() as connection:
            connection.execute(text(f"CREATE ROLE {made_before} NOLOGIN"))
    migrate(url)
    for role in (db.WEB, db.WORKER, db.STAFF):
        databases = db.connect(url, role=role)
        with databases() as session:
            assert session.scalar(text("SELECT current_user")) == role
            is_new = session.connection().dialect.server_version_info >= (16,)
        databases.kw["bind"].dispose()
    if is_new and not made_before:
        with pytest.raises(SystemExit, match='GRANT kabambe_staff TO "other"'):
            migrate(login_of(server, "other"))


def test_what_has_landed_is_never_edited():
    """A database somewhere stands at each of these: it will not run them again."""
    listed = dict(
        reversed(line.split())
        for line in (ROOT / "tests/rules/landed.sha256").read_text().splitlines()
    )
    for name, digest in listed.items():
        source = (ROOT / "migrations/versions" / name).read_bytes()
        assert hashlib.sha256(source).hexdigest() == digest, f"{name}: write a new revision"


def test_every_job_that_is_rung_for_exists():
    for job in JOBS:
        module, _, function = job.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function)), job


def test_no_test_reaches_out_of_this_machine():
    with pytest.raises(UserWarning, match="tried to use socket"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
