"""
One rail of the house, as a test drives it: somebody pays in, is paid out, and what became of it.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from dataclasses import dataclass, field

from house_under_test import House
from rails_under_test import BANK, Fake, ngn
from sqlalchemy import func, select

from core import deposits, ledger, rails, subscribers, suspense, withdrawals
from core.audit import Actor
from core.deposits import Deposit
from core.ledger import UnknownAccount
from core.outbox import Outbox
from core.rails import Pot, Provider
from core.suspense import Case
from core.withdrawals import Withdrawal
from sandbox.product import FLUTTERWAVE_HASH, PAYSTACK_KEY
from workers import rail_work
from workers.queues import Name
from workers.rails import PaymentRail
from workers.resources import Resources, current

NGOZI = "+254712000009"
_KEYS = itertools.count()


@dataclass
class Line:
    """A rail, its fake, and Ngozi, who uses it."""

    house: House
    name: str
    fake: Fake = field(init=False)
    newest: int = 0
    had: int = 0

    def __post_init__(self) -> None:
        self.fake = Fake(self.name, self.house.country_url)
        self.house.register(NGOZI, name="Ngozi")

    @property
    def provider(self) -> Provider:
        return Provider(self.name)

    def web(self):
        return self.house.databases["web"].begin()

    def owner(self):
        return self.house.databases["owner"].begin()

    def ngozi(self):
        with self.owner() as session:
            return subscribers.find(session, msisdn=NGOZI)

    # ------------------------------------------------------------------------------- money in

    def asks(self, amount=None, key=None) -> int:
        """Ngozi asks for a page; nobody has worked yet."""
        person, now = self.ngozi(), self.house.clock()
        with self.web() as session:
            quoted = deposits.quote_checkout(
                session,
                person=person,
                amount=amount or ngn(250_000),
                provider=self.provider,
                now=now,
            )
            made = deposits.expect_checkout(
                session,
                subscriber=person.id,
                quoted=quoted,
                key=key or f"test:{next(_KEYS)}",
                now=now,
            )
        return made.id

    def page(self, amount=None) -> int:
        """Ngozi has a page to pay on."""
        deposit = self.asks(amount)
        self.rings()
        assert self.deposit(deposit).state == "prompted"
        return deposit

    def deposit(self, deposit: int) -> Deposit:
        with self.house.databases["owner"]() as session:
            return session.get_one(Deposit, deposit)

    def reference(self, deposit: int) -> str:
        """What the rail calls her page."""
        found = self.deposit(deposit)
        return found.provider_ref or f"{found.reference}-1"

    def person(self, outcome: str, deposit: int) -> None:
        self.fake.person(outcome, self.reference(deposit))

    # ------------------------------------------------------------------------------ money out

    def funded(self, minor: int = 1_000_000) -> None:
        """Ngozi has naira, and we have as much at the rail."""
        deposit = self.page(ngn(minor))
        self.person("pay", deposit)
        self.carry()
        self.rings()
        assert self.deposit(deposit).state == "settled"
        self.had = self.has()
        with self.owner() as session:
            rails.move(
                session,
                amount=ngn(10_000_000),
                source=Pot.BANK,
                target=Pot.UTILITY,
                key=f"test:{next(_KEYS)}",
                actor=Actor("jane", "desk", "test"),
                note="topped up",
                now=self.house.clock(),
                provider=self.provider,
            )

    def orders(self, minor: int = 100_000, payee=BANK) -> int:
        """Ngozi's money is set aside; nobody has called the rail yet."""
        person, now = self.ngozi(), self.house.clock()
        with self.web() as session:
            quoted = withdrawals.quote(
                session, person=person, amount=ngn(minor), now=now, provider=self.provider
            )
            withdrawals.order(
                session,
                person=person,
                payee=payee.written,
                quoted=quoted,
                key=f"test:{next(_KEYS)}",
                now=now,
                provider=self.provider,
            )
        self.house.ring()
        with self.house.databases["owner"]() as session:
            newest = session.scalar(select(func.max(Withdrawal.id)))
        assert newest is not None, "it was refused"
        return newest

    def newest_withdrawal(self) -> int:
        with self.house.databases["owner"]() as session:
            return session.scalars(select(func.max(Withdrawal.id))).one()

    def withdrawal(self, withdrawal: int) -> Withdrawal:
        with self.house.databases["owner"]() as session:
            return session.get_one(Withdrawal, withdrawal)

    def payout(self, withdrawal: int) -> str:
        """What the rail calls it."""
        return rail_work.theirs(self.withdrawal(withdrawal).conversation)

    def bank(self, outcome: str, withdrawal: int) -> None:
        self.fake.bank(outcome, self.payout(withdrawal))

    # ------------------------------------------------------------------------------ otherwise

    def carry(self, number: int = -1, *, expect: int = 200) -> None:
        """Carry a webhook to the door, as the rail signed it."""
        body, headers = self.fake.webhook(number)
        self.post(body, headers, expect=expect)

    def post(self, body: bytes, headers, *, expect: int = 200) -> None:
        answer = self.house.client.post(f"/callbacks/{self.name}", data=body, headers=headers)
        assert answer.status_code == expect

    def rings(self) -> None:
        """Let the relay ring for what is due on the rails, and their worker do it."""
        self.house.relay.once()
        self.house.work(Name.RAILS)

    def works(self, **later: float) -> None:
        """Time passes, and the worker does what is due."""
        self.house.clock.passes(**later)
        self.rings()

    def sweeps(self) -> None:
        rail_work.sweep()

    def balance(self, path: str) -> int:
        with self.house.databases["owner"]() as session:
            try:
                return ledger.balance(session, path=path.format(rail=self.name)).minor
            except UnknownAccount:
                return 0

    def has(self) -> int:
        """What Ngozi has, in kobo."""
        return self.balance(f"user:{self.ngozi().id}:main:ngn")

    def held(self) -> int:
        return self.balance(f"user:{self.ngozi().id}:held:ngn")

    def told(self, event: str) -> int:
        """How often she was told of an event."""
        with self.house.databases["owner"]() as session:
            counted = select(func.count()).where(Outbox.event == event, Outbox.msisdn == NGOZI)
            return session.scalar(counted) or 0

    def cases(self) -> list[Case]:
        with self.house.databases["owner"]() as session:
            return list(suspense.listed(session))

    def agrees(self) -> bool:
        """Whether our book and the rail's say the same of what it holds for us, in naira."""
        book = self.fake.book()
        theirs = sum(
            int(str(each["amount"])) - int(str(each["fee"]))
            for each in book["charges"]
            if each["status"] == "paid" and each["currency"] == "NGN"
        ) - sum(
            int(str(each["amount"])) + int(str(each["fee"]))
            for each in book["transfers"]
            if each["status"] in ("paid", "open", "otp")
        )
        topped_up = self.balance("bank:main:ngn")
        return -self.balance("{rail}:balance:ngn") == theirs + topped_up

    @property
    def have(self) -> Resources:
        return current()

    @property
    def house_rail(self) -> PaymentRail:
        """The client of the house's own worker."""
        return self.have.rails[self.provider]

    def drain(self) -> None:
        """Take from the rail whatever it holds for us."""
        with self.owner() as session:
            rails.move(
                session,
                amount=ngn(-self.balance("{rail}:balance:ngn")),
                source=Pot.UTILITY,
                target=Pot.BANK,
                key=f"test:{next(_KEYS)}",
                actor=Actor("jane", "desk", "test"),
                note="taken out",
                now=self.house.clock(),
                provider=self.provider,
            )

    def body(self, deposit: int | None, *, event: str = "", reference: str = "", **more) -> bytes:
        """News of a page, or of a reference, in the rail's own words."""
        named = reference if deposit is None else self.reference(deposit)
        if self.name == "paystack":
            data = {"status": "success", "reference": named, **more}
            return json.dumps({"event": event or "charge.success", "data": data}).encode()
        is_transfer = event.startswith("transfer")
        data = {"status": "successful", "reference" if is_transfer else "tx_ref": named, **more}
        kind = "transfer.completed" if is_transfer else "charge.completed"
        return json.dumps({"event": kind, "data": data}).encode()

    def sign(self, body: bytes) -> dict[str, str]:
        """As whoever has the secret would."""
        if self.name == "paystack":
            made = hmac.new(PAYSTACK_KEY.encode(), body, hashlib.sha512).hexdigest()
            return {"x-paystack-signature": made}
        return {"verif-hash": FLUTTERWAVE_HASH}

    def signed(self, deposit: int | None, **words) -> None:
        """Carry news that was made up, under a signature that is right."""
        body = self.body(deposit, **words)
        self.post(body, self.sign(body))
