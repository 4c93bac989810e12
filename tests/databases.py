"""Databases that tests make, migrate and drop."""

from __future__ import annotations

from pathlib import Path

import alembic.command
import alembic.config
from sqlalchemy import create_engine, make_url, text

ROOT = Path(__file__).resolve().parents[1]


def url_of(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def config_of(url: str) -> alembic.config.Config:
    config = alembic.config.Config(toml_file=str(ROOT / "pyproject.toml"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = url
    return config


def migrate(url: str, revision: str = "head", *, down: bool = False) -> None:
    (alembic.command.downgrade if down else alembic.command.upgrade)(config_of(url), revision)


def create(server: str, name: str, *, template: str = "template1") -> None:
    drop(server, name)
    _run(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def drop(server: str, name: str) -> None:
    _run(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _run(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
