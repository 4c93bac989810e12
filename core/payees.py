"""
Payees: bank accounts and phones that money is paid out to, over rails other than M-Pesa.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from core.errors import Invalid
from core.msisdn import parse

_BANK: Final = re.compile(r"[0-9A-Za-z]{2,12}")
_ACCOUNT: Final = re.compile(r"[0-9]{6,20}")
_NAME_LENGTH_MAX: Final = 60
_SHOWN: Final = 4


@dataclass(eq=False)
class InvalidPayee(Invalid):
    """That is no bank account, or its holder has no name."""


class PayeeKind(StrEnum):
    """Where a payout goes."""

    BANK = "bank"
    MOBILE = "mobile"


@dataclass(frozen=True, slots=True)
class Payee:
    """
    Who is paid out.

    Args:
        kind: A bank account, or a phone's money.
        bank: The bank's code, as the rail lists it; of a phone `mpesa`.
        account: The account's number; of a phone its number in E.164.
        name: The holder's name.
    """

    kind: PayeeKind
    bank: str
    account: str
    name: str

    @classmethod
    def of_bank(cls, *, bank: str, account: str, name: str) -> Self:
        """
        Read a bank account.

        Raises:
            InvalidPayee: It is none.
        """
        if not _BANK.fullmatch(bank) or not _ACCOUNT.fullmatch(account):
            raise InvalidPayee
        return cls(PayeeKind.BANK, bank, account, _named(name))

    @classmethod
    def of_phone(cls, *, msisdn: str, name: str) -> Self:
        """
        Read a phone.

        Raises:
            InvalidMsisdn: It is none.
            InvalidPayee: Its owner has no name.
        """
        return cls(PayeeKind.MOBILE, "mpesa", parse(msisdn), _named(name))

    @classmethod
    def read(cls, written: str) -> Self:
        """Read what `written` wrote."""
        kind, bank, account, name = written.split(":", 3)
        return cls(PayeeKind(kind), bank, account, name)

    @property
    def written(self) -> str:
        """As a withdrawal keeps it: `bank:058:0123456789:Ngozi Eze`."""
        return f"{self.kind}:{self.bank}:{self.account}:{self.name}"

    @property
    def shown(self) -> str:
        """Enough to recognise it by: `Ngozi Eze, 058 ***6789`."""
        return f"{self.name}, {self.bank} ***{self.account[-_SHOWN:]}"


def _named(name: str) -> str:
    tidy = " ".join(name.split())
    if not 1 < len(tidy) <= _NAME_LENGTH_MAX or not tidy.isprintable():
        raise InvalidPayee
    return tidy
