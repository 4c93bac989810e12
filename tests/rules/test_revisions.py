"""Each revision undone leaves what stood before it: functions, grants, columns, rules."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from alembic.script import ScriptDirectory
from databases import config_of, create, drop, migrate, url_of
from sqlalchemy import NullPool, create_engine, text

FUNCTIONS = """
SELECT oid::regprocedure::text, md5(prosrc), prosecdef, provolatile, proconfig, proowner::regrole,
       (SELECT array_agg(x.grantee::regrole::text ORDER BY 1)
        FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) x)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""
GRANTS = """
SELECT c.oid::regclass::text, NULL, x.grantee::regrole, x.privilege_type
FROM pg_class c, aclexplode(c.relacl) x
WHERE relnamespace = 'public'::regnamespace AND x.grantee <> c.relowner
UNION ALL
SELECT attrelid::regclass::text, attname, x.grantee::regrole, x.privilege_type
FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) x
WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped
"""
COLUMNS = """
SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull,
       pg_get_expr(adbin, adrelid)
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
"""
RULES = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""


@pytest.fixture
def url(servers, worker_id) -> Iterator[str]:
    name = f"kabambe_revisions_{worker_id}"
    create(servers[0], name)
    yield url_of(servers[0], name)
    drop(servers[0], name)


def standing(url: str) -> set[str]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return {
            str(tuple(row))
            for query in (FUNCTIONS, GRANTS, COLUMNS, RULES)
            for row in connection.execute(text(query))
        }


def test_undone_each_leaves_what_stood_before(url):
    script = ScriptDirectory.from_config(config_of(url))
    revisions = [each.revision for each in script.walk_revisions()][::-1]
    stood = {}
    for revision in revisions:
        migrate(url, revision)
        stood[revision] = standing(url)
    for earlier, later in list(pairwise(revisions))[::-1]:
        migrate(url, earlier, down=True)
        left = standing(url)
        assert (later, left - stood[earlier], stood[earlier] - left) == (later, set(), set())
