"""Reconciliations of a house's book, and somebody who tampers with it past every guard."""

from __future__ import annotations

from sqlalchemy import text

from core import reconciliation

WHOLE, NEWEST = reconciliation.whole, reconciliation.newest


def run(house, how=WHOLE):
    return how(house.databases["worker"], clock=house.clock)


def tamper(house, *statements):
    """As somebody does whom neither trigger nor grant stops."""
    with house.bank.owner.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            assert session.execute(text(statement)).rowcount > 0, statement


def found(summary):
    return {(each.kind.value, each.subject) for each in summary.opened}


class Saved:
    """Tables as they were before somebody tampered with them."""

    TABLES = (
        "accounts",
        "journals",
        "entries",
        "unrolled",
        "orders",
        "holds",
        "reversals",
        "refunds",
        "quotes",
        "vouchers",
        "voucher_batches",
        "audit_log",
    )

    def __init__(self, house) -> None:
        self.house = house

    def __enter__(self):
        with self.house.bank.owner.begin() as session:
            for table in self.TABLES:
                session.execute(text(f"CREATE TABLE saved_{table} AS TABLE {table}"))
        return self

    def __exit__(self, *_):
        with self.house.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for table in self.TABLES:
                session.execute(text(f"DELETE FROM {table}"))
                session.execute(
                    text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE saved_{table}")
                )
                session.execute(text(f"DROP TABLE saved_{table}"))
