"""
What the controls break: one rule at a time, in a database of their own.

The function `post` is changed where it stands in the database; what must be there to be changed is
looked for, so that a control never quietly breaks nothing.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from chaos.cluster import Book

Change = tuple[str, str]

_LOCKED: Final = "ORDER BY x.id FOR NO KEY UPDATE"

# Reads, decides and writes as if nobody else did.
RACY: Final[tuple[Change, ...]] = (
    (_LOCKED, "ORDER BY x.id"),
    ("versions[at_leg] := versions[at_leg] + 1;", "versions[at_leg] := nextval('entry_numbers');"),
)
# Looks at no bound.
BOUNDLESS: Final[tuple[Change, ...]] = (
    ("< minima[at_leg] THEN", "< minima[at_leg] AND false THEN"),
    ("> maxima[at_leg] THEN", "> maxima[at_leg] AND false THEN"),
)
BOUNDLESS_TABLE: Final = (
    "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_balance_min,"
    " DROP CONSTRAINT ck_accounts_balance_max"
)
# Takes a key for the whole request.
CREDULOUS: Final[tuple[Change, ...]] = (("IF NOT is_same THEN", "IF false THEN"),)
# Locks the accounts as they are named.
UNORDERED: Final[tuple[Change, ...]] = (
    (
        "SELECT array_agg(a.id), array_agg(a.balance)",
        """FOR n IN 1 .. cardinality(p_leg_accounts) LOOP
            PERFORM FROM accounts x
            WHERE x.id = p_leg_accounts[n] AND x.mode = 'authorise' FOR NO KEY UPDATE;
        END LOOP;
        SELECT array_agg(a.id), array_agg(a.balance)""",
    ),
)


def change_post(book: Book, changes: tuple[Change, ...]) -> None:
    """Change `post` in a scratch database."""
    with book.opened() as databases, databases.begin() as session:
        definition = str(session.scalar(text("SELECT pg_get_functiondef('post'::regproc)")))
        for right, wrong in changes:
            assert right in definition, f"post is written otherwise by now: {right}"
            definition = definition.replace(right, wrong, 1)
        session.connection().exec_driver_sql(definition.replace("%", "%%"))
