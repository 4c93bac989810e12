"""
Safaricom's own book: what people and organisations have, and every transaction between them.

Everything is read and changed under `Book.lock`. A person is on M-PESA from the first time their
number is spoken of, with KES 50,000.00 and the PIN 1234; what a door told of a number is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Literal

from sandbox.daraja import wire
from sandbox.daraja.terms import Habit

WORKING = "Working Account"
FLOAT = "Float Account"
UTILITY = "Utility Account"
CHARGES = "Charges Paid Account"
SETTLEMENT = "Organization Settlement Account"
ACCOUNTS = (WORKING, FLOAT, UTILITY, CHARGES, SETTLEMENT)

PIN = "1234"
_OPENING = Decimal("50000.00")

# The limits of a mobile-money wallet, in KES.
_ONE_MAX = Decimal(250_000)
_DAY_MAX = Decimal(500_000)
_WALLET_MAX = Decimal(500_000)
_PAY_MIN = Decimal(10)
_WRONG_MAX = 3

# What an organisation pays for a payment to a person: up to so much, so much.
_TARIFF = ((100, 0), (1_500, 5), (5_000, 9), (20_000, 11), (250_000, 13))

# Given to a number for ever, by its last digits.
_FIRST = (
    "NICHOLAS",
    "GRACE",
    "PETER",
    "MERCY",
    "BRIAN",
    "FAITH",
    "KEVIN",
    "AKINYI",
    "JAMES",
    "ZAWADI",
)
_LAST = (
    "SONGOK",
    "WANJIKU",
    "OCHIENG",
    "MUTUA",
    "HASSAN",
    "CHEBET",
    "KAMAU",
    "ATIENO",
    "BARASA",
    "NJERI",
)

Kind = Literal["c2b", "b2c", "b2b", "reversal"]
Status = Literal[
    "Initiated", "Authorized", "Completed", "Cancelled", "Declined", "Expired", "Pending Authorized"
]


@dataclass
class Wallet:
    """One person's M-PESA."""

    msisdn: str
    name: str
    pin: str = PIN
    balance: Decimal = _OPENING
    registered: bool = True
    locked: bool = False
    habit: Habit | None = None
    wrong_pins: int = 0
    sim_changed: datetime | None = None
    day: date | None = None
    moved: Decimal = Decimal(0)
    """KES that moved on that day, in or out."""

    @property
    def public_name(self) -> str:
        return f"{self.msisdn} - {self.name}"

    @property
    def first_name(self) -> str:
        return self.name.split(" ", maxsplit=1)[0]

    def moved_on(self, day: date) -> Decimal:
        return self.moved if self.day == day else Decimal(0)

    def count(self, amount: Decimal, day: date) -> None:
        self.moved = self.moved_on(day) + amount
        self.day = day


@dataclass
class Organisation:
    """A shortcode and its accounts."""

    shortcode: str
    name: str
    accounts: dict[str, Decimal] = field(
        default_factory=lambda: dict.fromkeys(ACCOUNTS, Decimal("0.00"))
    )
    confirmation_url: str = ""
    validation_url: str = ""
    on_silence: str = ""
    """`Completed` or `Cancelled`: what becomes of a payment when nobody answers the validation."""
    version: Literal["v1", "v2"] = "v2"

    @property
    def public_name(self) -> str:
        return f"{self.shortcode} - {self.name}"


@dataclass
class Transaction:
    """One movement of money, or the attempt."""

    receipt: str
    kind: Kind
    shortcode: str
    msisdn: str
    amount: Decimal
    initiated: datetime
    reason: str
    account: str = ""
    """What the payer typed as their account number."""
    originator: str = ""
    conversation: str = ""
    status: Status = "Initiated"
    code: str = ""
    completed: datetime | None = None
    charge: Decimal = Decimal("0.00")
    account_of: str = ""
    """The account of the shortcode that it took from or gave to."""
    reversed_by: str = ""
    linked: str = ""
    """The receipt that this one takes back."""
    details: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a shortcode's statement."""

    shortcode: str
    account: str
    transaction: Transaction
    at: datetime
    details: str
    change: Decimal
    balance: Decimal
    other_party: str
    reason: str


class Book:
    """Who has what; whoever touches it holds `lock`."""

    def __init__(self, organisations: Iterable[Organisation], seed: int | None = None) -> None:
        self.lock = threading.RLock()
        self.random = Random(seed)  # noqa: S311 -- for ids that a test can have again
        self.ids = wire.Ids(self.random)
        self.organisations = {each.shortcode: each for each in organisations}
        self.wallets: dict[str, Wallet] = {}
        self.transactions: dict[str, Transaction] = {}
        self.lines: list[Line] = []
        self.done: Callable[[Transaction], None] = lambda _: None
        """Told of every transaction that moved money."""
        self._by_originator: dict[str, Transaction] = {}
        self._by_conversation: dict[str, Transaction] = {}

    def wallet(self, msisdn: str) -> Wallet:
        """The wallet of a number; everybody has one."""
        if msisdn not in self.wallets:
            first, last = _FIRST[int(msisdn[-1])], _LAST[int(msisdn[-2])]
            self.wallets[msisdn] = Wallet(msisdn, f"{first} {last}")
        return self.wallets[msisdn]

    def forget_people(self) -> None:
        """Let everybody be again as they are from the first time that they are spoken of."""
        with self.lock:
            self.wallets.clear()

    def name_of(self, shortcode: str) -> str:
        """What is said of a shortcode, whether or not there is one."""
        found = self.organisations.get(shortcode)
        return shortcode if found is None else found.public_name

    def add(self, transaction: Transaction) -> None:
        """Write a transaction down, whatever will become of it."""
        self.transactions[transaction.receipt] = transaction
        if transaction.originator:
            self._by_originator[transaction.originator] = transaction
        if transaction.conversation:
            self._by_conversation[transaction.conversation] = transaction

    def find(self, *, receipt: str = "", originator: str = "") -> Transaction | None:
        """Find one by its receipt, or else by an id of either side."""
        if receipt:
            return self.transactions.get(receipt)
        return self._by_originator.get(originator) or self._by_conversation.get(originator)

    def check_pin(self, wallet: Wallet, pin: str) -> str:
        """Try a PIN: `0`, or the code that it ends with; three wrong ones lock the wallet."""
        if wallet.locked:
            return "8006"
        if pin != wallet.pin:
            wallet.wrong_pins += 1
            wallet.locked = wallet.wrong_pins >= _WRONG_MAX
            return "2001"
        wallet.wrong_pins = 0
        return "0"

    def collect(
        self, transaction: Transaction, *, into: str, balance_max: Decimal | None, at: datetime
    ) -> str:
        """Move money from a person to a shortcode; the answer is the result code."""
        wallet = self.wallet(transaction.msisdn)
        organisation = self.organisations[transaction.shortcode]
        amount = transaction.amount
        after = organisation.accounts[into] + amount
        code = "0"
        if amount > _ONE_MAX:
            code = "3"
        elif wallet.moved_on(at.date()) + amount > _DAY_MAX:
            code = "4"
        elif balance_max is not None and after > balance_max:
            code = "8"
        elif amount > wallet.balance:
            code = "1"
        if code == "0":
            wallet.balance -= amount
            wallet.count(amount, at.date())
            words = f"Pay Bill from {wallet.public_name} Acc. {transaction.account}"
            self._finish(transaction, at)
            self._write(transaction, into, amount, words, wallet.public_name)
        else:
            self.refuse(transaction, code, at)
        return code

    def pay(self, transaction: Transaction, *, at: datetime) -> str:
        """Move money from a shortcode to a person; the answer is the result code."""
        wallet = self.wallet(transaction.msisdn)
        organisation = self.organisations[transaction.shortcode]
        amount = transaction.amount
        code = "0"
        if amount < _PAY_MIN:
            code = "2"
        elif amount > _ONE_MAX:
            code = "3"
        elif not wallet.registered:
            code = "2040"
        elif amount > organisation.accounts[UTILITY]:
            code = "1"
        elif wallet.moved_on(at.date()) + amount > _DAY_MAX:
            code = "4"
        elif wallet.balance + amount > _WALLET_MAX:
            code = "8"
        if code == "0":
            wallet.balance += amount
            wallet.count(amount, at.date())
            charge = Decimal(next(fee for most, fee in _TARIFF if amount <= most))
            transaction.charge = wire.two(charge)
            words = (
                f"{transaction.reason} to {wallet.public_name}."
                f" Original conversation ID is {transaction.originator}"
            )
            self._finish(transaction, at)
            self._write(transaction, UTILITY, -amount, words, wallet.public_name)
            if charge:
                words = f"Fee For B2C Payment to {wallet.public_name}"
                self._write(transaction, CHARGES, -charge, words, wallet.public_name)
        else:
            self.refuse(transaction, code, at)
        return code

    def give_back(self, transaction: Transaction, of: Transaction, *, at: datetime) -> str:
        """Reverse what a person paid, or a part of it; the answer is the result code."""
        organisation = self.organisations[transaction.shortcode]
        account = of.account_of
        if transaction.amount > organisation.accounts[account]:
            self.refuse(transaction, "1", at)
            return "1"
        wallet = self.wallet(transaction.msisdn)
        wallet.balance += transaction.amount
        of.reversed_by, transaction.linked = transaction.receipt, of.receipt
        transaction.account_of = account
        words = f"Reversal of {of.receipt} to {wallet.public_name}"
        self._finish(transaction, at)
        self._write(transaction, account, -transaction.amount, words, wallet.public_name)
        return "0"

    def shift(
        self, transaction: Transaction, *, debit: str, to: Organisation, credit: str, at: datetime
    ) -> str:
        """Move money of an organisation to another, or to another account of its own."""
        organisation = self.organisations[transaction.shortcode]
        if transaction.amount > organisation.accounts[debit]:
            self.refuse(transaction, "1", at)
            return "1"
        self._finish(transaction, at)
        words = f"{transaction.reason} to {to.public_name}"
        self._write(transaction, debit, -transaction.amount, words, to.public_name)
        words = f"{transaction.reason} from {organisation.public_name}"
        self._write(
            transaction,
            credit,
            transaction.amount,
            words,
            organisation.public_name,
            organisation=to,
        )
        return "0"

    def refuse(self, transaction: Transaction, code: str, at: datetime) -> None:
        """End a transaction that moved nothing."""
        transaction.code = code
        transaction.completed = at
        transaction.status = {"1032": "Cancelled", "1037": "Expired", "1019": "Expired"}.get(  # type: ignore[assignment]  # these are statuses
            code, "Declined"
        )

    def total(self) -> Decimal:
        """All the money there is, on both sides; charges are Safaricom's."""
        of_people = sum((each.balance for each in self.wallets.values()), Decimal(0))
        return of_people + sum(
            (
                balance
                for each in self.organisations.values()
                for name, balance in each.accounts.items()
                if name != CHARGES
            ),
            Decimal(0),
        )

    def balances(self, organisation: Organisation) -> str:
        """Say every account as the balance API does."""
        return "&".join(
            f"{name}|KES|{balance:.2f}|{balance:.2f}|0.00|0.00"
            for name, balance in organisation.accounts.items()
        )

    def _finish(self, transaction: Transaction, at: datetime) -> None:
        transaction.code, transaction.status, transaction.completed = "0", "Completed", at
        self.done(transaction)

    def _write(
        self,
        transaction: Transaction,
        account: str,
        change: Decimal,
        words: str,
        other_party: str,
        *,
        organisation: Organisation | None = None,
    ) -> None:
        of = organisation or self.organisations[transaction.shortcode]
        of.accounts[account] += change
        transaction.details = transaction.details or words
        transaction.account_of = transaction.account_of or account
        self.lines.append(
            Line(
                shortcode=of.shortcode,
                account=account,
                transaction=transaction,
                at=transaction.completed or transaction.initiated,
                details=words,
                change=change,
                balance=of.accounts[account],
                other_party=other_party,
                reason=transaction.reason,
            )
        )
