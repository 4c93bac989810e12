"""
Real engines, a clone of a migrated template database per test process, and a house to live in.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from databases import create, drop, migrate, url_of
from house_under_test import House, build
from phone import Person
from rail import Rail, opened
from redis import Redis

from core.db import driver_url
from sandbox.engines import Postgres, Valkey


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[str, str]]:
    """A PostgreSQL and a Redis: those the environment names, else embedded ones of our own."""
    with ExitStack() as stack:
        given = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kabambe-test-")))
        urls = []
        for url, engine in zip(given, (Postgres, Valkey), strict=True):
            if url:
                urls.append(url)
                continue
            stack.callback((started := engine(home, fast=True)).stop)
            urls.append(started.start().url)
        yield driver_url(urls[0]), urls[1]


@pytest.fixture(scope="session")
def template(servers, worker_id) -> Iterator[str]:
    """The name of a database that is migrated and empty, to be cloned."""
    name = f"kabambe_template_{worker_id}"
    create(servers[0], name)
    migrate(url_of(servers[0], name))
    yield name
    drop(servers[0], name)


@pytest.fixture(scope="session")
def database(servers, template, worker_id) -> Iterator[str]:
    """The URL of this test process's clone."""
    name = f"kabambe_test_{worker_id}"
    create(servers[0], name, template=template)
    yield url_of(servers[0], name)
    drop(servers[0], name)


@pytest.fixture(scope="session")
def redis_url(servers, worker_id) -> str:
    """A Redis database of this process's own; one that is not ours is never emptied."""
    if not os.environ.get("REDIS_URL"):
        return servers[1]
    number = 15 - int(worker_id.removeprefix("gw") if worker_id != "master" else 0)
    url = f"{servers[1].split('?')[0].rstrip('/0123456789')}/{number}"
    assert Redis.from_url(url).dbsize() == 0, f"tests want an empty Redis database: {number}"
    return url


@pytest.fixture(scope="session")
def built(database, redis_url) -> Iterator[House]:
    with build(database, redis_url) as house:
        yield house


@pytest.fixture
def house(built) -> Iterator[House]:
    """The whole house, empty. After every test the book balances."""
    built.reset()
    yield built
    built.bank.assert_balanced()


@pytest.fixture
def rail(house) -> Iterator[Rail]:
    """A rail without a float. After every test the accounts are what its rows say."""
    with opened(house) as found:
        yield found


@pytest.fixture
def wanjiru(house) -> Person:
    return house.register("+254712000001", name="Wanjiru", balance="1,250")


@pytest.fixture
def otieno(house) -> Person:
    return house.register("+254733000002", name="Otieno")


@pytest.fixture
def amina(house) -> Person:
    return house.register("+254711000003", name="Amina", balance="1,250", language="sw")


@pytest.fixture(scope="session")
def worker_id(request) -> str:
    """This process's name under xdist, or `master`."""
    return getattr(request.config, "workerinput", {}).get("workerid", "master")
