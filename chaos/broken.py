"""
What the controls break: one rule at a time, in a database of their own.

The functions are changed where they stand in the database; what must be there to be changed is
looked for, so that a control never quietly breaks nothing.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from chaos.cluster import Book

Change = tuple[str, str, str]

_LOCKED: Final = "ORDER BY x.id FOR NO KEY UPDATE"

# Reads, decides and writes as if nobody else did.
RACY: Final[tuple[Change, ...]] = (
    ("post", _LOCKED, "ORDER BY x.id"),
    (
        "post",
        "versions[at_leg] := versions[at_leg] + 1;",
        "versions[at_leg] := nextval('entry_numbers');",
    ),
)
# Leaves moved what it does not post.
KEEPING: Final[tuple[Change, ...]] = (
    (
        "post_alone",
        "SET balance = a.balance - p_amounts[array_position(p_accounts, a.id)]",
        "SET balance = a.balance",
    ),
)
# Looks at no bound.
BOUNDLESS: Final[tuple[Change, ...]] = (
    (
        "post",
        "IF held[at_leg] < minima[at_leg] OR held[at_leg] > maxima[at_leg] THEN",
        "IF false THEN",
    ),
)
BOUNDLESS_TABLE: Final = (
    "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_balance_min,"
    " DROP CONSTRAINT ck_accounts_balance_max"
)
# Takes a key for the whole request.
CREDULOUS: Final[tuple[Change, ...]] = (("repeated", "WHEN is_same THEN '{", "WHEN true THEN '{"),)
# Locks the accounts as they are named.
UNORDERED: Final[tuple[Change, ...]] = (
    (
        "post",
        "SELECT array_agg(a.id), array_agg(a.balance)",
        """FOR n IN 1 .. cardinality(p_leg_accounts) LOOP
            PERFORM FROM accounts x
            WHERE x.id = p_leg_accounts[n] AND x.mode = 'authorise' FOR NO KEY UPDATE;
        END LOOP;
        SELECT array_agg(a.id), array_agg(a.balance)""",
    ),
)


def change(book: Book, changes: tuple[Change, ...]) -> None:
    """Change functions of the book in a scratch database."""
    with book.opened() as databases, databases.begin() as session:
        for function, right, wrong in changes:
            found = session.scalar(text(f"SELECT pg_get_functiondef('{function}'::regproc)"))
            definition = str(found)
            assert right in definition, f"{function} is written otherwise by now: {right}"
            definition = definition.replace(right, wrong, 1)
            session.connection().exec_driver_sql(definition.replace("%", "%%"))
