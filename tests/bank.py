"""
The bank behind the phones: what tests set up in the book, and what must hold of it always.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import text

from core import chart, ledger, pins, subscribers
from core.access import devices
from core.access.devices import Device
from core.audit import Actor
from core.db import Databases
from core.ledger import Draft, Reason
from core.money import Currency, Money
from core.pins import Hasher
from core.subscribers import Language, Tier

OPENER = Actor("system", "tests", "bank")
PIN = "4071"
KEPT = {
    "alembic_version",
    "cooling_limits",
    "excise_duty",
    "fee_tiers",
    "limits",
    "margins",
    "reference_rates",
    "watch_rules",
}
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
# Most tables are empty, and a test writes few rows: each is deleted in a tenth of the time in which
# all tables are made anew. What deleting leaves behind goes when that is done, every so often.
_TRUNCATE_EVERY = 200
_DELETE = """
DO $$
DECLARE each record;
BEGIN
    FOR each IN {tables} LOOP
        EXECUTE format('DELETE FROM %I', each.tablename);
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
        AND sequencename <> 'entry_numbers';  -- sessions hold some of its numbers beforehand
END $$
"""


@dataclass
class Bank:
    """Acts as the tables' owner, whom no grant and no trigger stops."""

    owner: Databases
    hasher: Hasher
    emptied: int = 0

    def empty(self) -> None:
        """Forget everything but the tariffs."""
        kept = ", ".join(f"'{name}'" for name in sorted(KEPT))
        listed = f"{_TABLES} AND tablename NOT IN ({kept})"
        with self.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            if self.emptied % _TRUNCATE_EVERY == 0:
                tables = sorted(session.scalars(text(listed)))
                session.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"))
            else:
                session.execute(text(_DELETE.replace("{tables}", listed)))
            self.emptied += 1
            session.execute(
                text(
                    "INSERT INTO accounts (path, currency, mode)"
                    " VALUES ('fees:transfer:kes', 'KES', 'record')"
                )
            )
            session.execute(text("INSERT INTO watches (name) VALUES ('patterns')"))

    def open(self, msisdn: str, *, name: str, language: str, balance: str, now) -> None:
        with self.owner.begin() as session:
            subscriber = subscribers.register(
                session,
                msisdn=msisdn,
                name=name,
                language=Language(language),
                terms_version="test",
                now=now,
            )
            subscribers.set_tier(
                session,
                subscriber=subscriber,
                tier=Tier.VERIFIED,
                actor=OPENER,
                note="opened for play",
                now=now,
            )
            pins.keep(
                session, subscriber=subscriber, pin=PIN, hasher=self.hasher, actor=OPENER, now=now
            )
            if balance:
                self.give(session, msisdn, balance, now=now)

    def give(self, session, msisdn: str, balance: str, *, now) -> None:
        cash = chart.SANDBOX_CASH.open(session, currency=Currency.KES)
        amount = Money.parse(balance, Currency.KES).minor
        account = subscribers.recipient(session, msisdn=msisdn).account_id
        draft = Draft(f"open:{msisdn}", Reason.OPENING, {cash: -amount, account: amount})
        ledger.post(session, drafts=[draft], now=now)

    def give_more(self, msisdn: str, balance: str, *, now) -> None:
        """More than they were opened with, whatever they may hold."""
        with self.owner.begin() as session:
            cash = chart.SANDBOX_CASH.open(session, currency=Currency.KES)
            amount = Money.parse(balance, Currency.KES).minor
            account = subscribers.recipient(session, msisdn=msisdn).account_id
            key = f"more:{msisdn}:{now.isoformat()}"
            draft = Draft(key, Reason.OPENING, {cash: -amount, account: amount})
            ledger.post(session, drafts=[draft], now=now)

    def log_in(self, msisdn: str, *, keyring, now) -> str:
        """The access token of a device that somebody is logged in on from now on."""
        with self.owner.begin() as session:
            device = f"dev_{secrets.token_hex(13)}"
            subscriber = subscribers.recipient(session, msisdn=msisdn).id
            session.add(
                Device(
                    public_id=device,
                    subscriber_id=subscriber,
                    name="Test",
                    second_factor=False,
                    begun_at=now,
                    seen_at=now,
                    ends_at=now + devices.STAYS,
                )
            )
        return keyring.sign(device, now=now).token

    def account_of(self, msisdn: str) -> int:
        return self.one("SELECT account_id FROM subscribers WHERE msisdn = :m", m=msisdn)

    def balance_of(self, msisdn: str) -> int:
        return self.one(
            "SELECT balance FROM accounts a JOIN subscribers s ON s.account_id = a.id"
            " WHERE s.msisdn = :msisdn",
            msisdn=msisdn,
        )

    def one(self, query: str, **params):
        with self.owner() as session:
            return session.scalar(text(query), params)

    def rows(self, query: str, **params):
        with self.owner() as session:
            return list(session.execute(text(query), params))

    def run(self, statement: str, **params) -> None:
        with self.owner.begin() as session:
            session.execute(text(statement), params)

    def assert_balanced(self) -> None:
        """Each currency sums to zero, each balance equals its entries, nobody owes us."""
        off = self.rows(
            "SELECT a.currency, sum(e.amount) FROM entries e JOIN accounts a ON a.id = e.account_id"
            " GROUP BY a.currency HAVING sum(e.amount) <> 0"
        )
        assert not off, f"the book does not sum to zero: {off}"
        off = self.rows(
            "SELECT a.path, a.balance, coalesce(sum(e.amount), 0) AS entered,"
            " coalesce((SELECT sum(u.amount) FROM unrolled u WHERE u.account_id = a.id), 0) AS u"
            " FROM accounts a LEFT JOIN entries e ON e.account_id = a.id GROUP BY a.id"
            " HAVING a.balance + coalesce("
            "   (SELECT sum(u.amount) FROM unrolled u WHERE u.account_id = a.id), 0)"
            " <> coalesce(sum(e.amount), 0)"
        )
        assert not off, f"balances that are not their entries: {off}"
        off = self.rows(
            "SELECT account_id, version FROM (SELECT e.account_id, e.version, e.balance_after,"
            " sum(e.amount) OVER (PARTITION BY e.account_id ORDER BY e.version) AS running"
            " FROM entries e WHERE e.balance_after IS NOT NULL) x WHERE balance_after <> running"
        )
        assert not off, f"entries whose balance_after is wrong: {off}"
        off = self.rows(
            "SELECT path FROM accounts WHERE path LIKE 'user:%' AND path NOT LIKE '%:owed:%'"
            " AND balance < 0"
        )
        assert not off, f"overdrawn: {off}"
        off = self.rows(
            "SELECT o.reference, o.state FROM orders o LEFT JOIN journals j ON j.key = o.key"
            " WHERE o.kind NOT IN ('hold', 'capture', 'release')"  # theirs are the hold's own
            " AND (o.state = 'done') <> (j.id IS NOT NULL)"
        )
        assert not off, f"orders that are not what the book says: {off}"
