"""All of the fake Safaricom, put together."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.africastalking.messages import Messages
from sandbox.daraja import certificate
from sandbox.daraja.at_once import AtOnce
from sandbox.daraja.book import UTILITY, Book, Organisation
from sandbox.daraja.callbacks import Callbacks
from sandbox.daraja.certificate import Key
from sandbox.daraja.contract import Contract
from sandbox.daraja.credentials import Initiators
from sandbox.daraja.faults import Faults
from sandbox.daraja.gate import Gate
from sandbox.daraja.paybill import Paybill
from sandbox.daraja.payouts import Payouts
from sandbox.daraja.prompts import Prompts
from sandbox.daraja.questions import Questions
from sandbox.daraja.record import Record
from sandbox.daraja.terms import House, Terms
from sandbox.daraja.texts import Texts
from sandbox.daraja.transfers import Transfers
from sandbox.errands import Errands

_THREADS = 8


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
        if messages is not None:
            self.book.done = Texts(self.book, self.house, messages).tell
        self.callbacks = Callbacks(self.errands, self.house, self.record)
        self.initiators = Initiators(self.key, {contract.initiator: contract.password})
        self.gate = Gate(contract, self.house, self.faults, self.record, self.book.ids)
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
        self.questions = Questions(
            book=self.book,
            house=self.house,
            callbacks=self.callbacks,
            errands=self.errands,
            initiators=self.initiators,
        )
        self.transfers = Transfers(self.questions, self.house)
        self.at_once = AtOnce(self.book)
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
