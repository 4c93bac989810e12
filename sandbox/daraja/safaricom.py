"""All of the fake Safaricom, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.africastalking.messages import Messages
from sandbox.daraja import certificate
from sandbox.daraja.book import UTILITY, Book, Organisation
from sandbox.daraja.callbacks import Callbacks
from sandbox.daraja.certificate import Key
from sandbox.daraja.credentials import Initiators
from sandbox.daraja.faults import Faults
from sandbox.daraja.gate import Gate, Login
from sandbox.daraja.paybill import Paybill
from sandbox.daraja.payouts import Payouts
from sandbox.daraja.prompts import Prompts
from sandbox.daraja.record import Record
from sandbox.daraja.terms import House, Terms
from sandbox.errands import Errands

_THREADS = 8


@dataclass(frozen=True)
class Contract:
    """
    What an organisation and Safaricom have agreed upon, with the sandbox's values.

    Args:
        shortcode: the paybill, which prompts and pays out too.
        name: what payers see.
        passkey: what the passwords of pushes are made with.
        payer: another shortcode, which only pays out.
        till: a till under the paybill.
        float_kes: what each of them has on its utility account at first.
        login: the app's key and secret.
        initiator: an operator of the API.
        password: theirs.
        passwords: of further operators.

    """

    shortcode: str = "174379"
    name: str = "KABAMBE"
    passkey: str = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
    payer: str = "600992"
    till: str = "5074379"
    float_kes: Decimal = Decimal("5000000.00")
    login: Login = field(
        default_factory=lambda: Login("sandbox-consumer-key", "sandbox-consumer-secret")
    )
    initiator: str = "testapi"
    password: str = "Safaricom999!*!"  # noqa: S105 -- the published one of the sandbox
    passwords: Mapping[str, str] = field(default_factory=dict)


class Safaricom:
    """
    The provider as a whole; its parts are what the doors are hung on.

    Args:
        contract: with whom it deals, and how they prove who they are.
        key: what credentials are encrypted to; one of this process's own when None.
        terms: how it usually treats us.
        messages: where people's SMS arrive.
        in_session: whether a number, in E.164, is in a USSD session just now.

    """

    def __init__(
        self,
        contract: Contract,
        *,
        key: Key | None = None,
        terms: Terms | None = None,
        messages: Messages | None = None,
        in_session: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.contract = contract
        self.key = key or certificate.of_this_process()
        self.messages = messages
        self.house = House(terms or Terms())
        self.faults = Faults()
        self.record = Record()
        self.errands = Errands("safaricom", threads=_THREADS)
        organisations = [
            Organisation(contract.shortcode, contract.name),
            Organisation(contract.payer, contract.name),
        ]
        for each in organisations:
            each.accounts[UTILITY] = contract.float_kes
        self.book = Book(organisations)
        self.callbacks = Callbacks(self.errands, self.house, self.record)
        self.initiators = Initiators(
            self.key, {contract.initiator: contract.password, **contract.passwords}
        )
        self.gate = Gate(contract.login, self.house, self.faults, self.record, self.book.ids)
        self.paybill = Paybill(
            book=self.book,
            house=self.house,
            callbacks=self.callbacks,
            errands=self.errands,
            faults=self.faults,
        )
        self.prompts = Prompts(
            book=self.book,
            house=self.house,
            callbacks=self.callbacks,
            errands=self.errands,
            paybill=self.paybill,
            passkeys={contract.shortcode: contract.passkey},
            tills={contract.till: contract.shortcode},
            in_session=in_session,
        )
        self.payouts = Payouts(
            book=self.book,
            house=self.house,
            callbacks=self.callbacks,
            errands=self.errands,
            initiators=self.initiators,
        )

    def close(self) -> None:
        """Drop what is still due and let the threads end."""
        self.errands.close()
