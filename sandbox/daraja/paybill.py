"""
C2B: addresses are registered, people pay a paybill, we are asked first and told afterwards.

A payment by prompt is confirmed too, under the receipt that its callback has: where addresses are
registered, one movement of money is told twice.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial

from sandbox.daraja import wire
from sandbox.daraja.book import Book, Organisation, Transaction, Wallet
from sandbox.daraja.callbacks import Callbacks
from sandbox.daraja.faults import NONE, Faults, Script
from sandbox.daraja.fields import Fields
from sandbox.daraja.spoiling import Letter
from sandbox.daraja.terms import House
from sandbox.daraja.wire import Refusal
from sandbox.errands import Errands

_REJECTED = frozenset(f"C2B000{number}" for number in range(11, 17))


class Paybill:
    """What happens between people's phones, a paybill and its addresses."""

    def __init__(
        self,
        *,
        book: Book,
        house: House,
        callbacks: Callbacks,
        errands: Errands,
        faults: Faults,
    ) -> None:
        self._book = book
        self._house = house
        self._callbacks = callbacks
        self._errands = errands
        self._faults = faults

    def register(self, fields: Fields, _: Script, *, version: str) -> dict[str, object]:
        """Take the two addresses of a shortcode."""
        shortcode = fields.shortcode("ShortCode")
        on_silence = fields.one_of("ResponseType", "Completed", "Cancelled")
        confirmation = fields.url("ConfirmationURL")
        validation = fields.url("ValidationURL")
        with self._book.lock:
            organisation = self._book.organisations.get(shortcode)
            if organisation is None:
                raise wire.invalid("ShortCode")
            if organisation.confirmation_url and self._house.terms.register_once:
                raise Refusal(500, "500.003.1001", "Urls are already registered")
            organisation.on_silence = on_silence
            organisation.confirmation_url = confirmation
            organisation.validation_url = validation
            organisation.version = "v1" if version == "v1" else "v2"
        return self._said("Success")

    def forget(self) -> None:
        """Know no address of anybody's: what they are paid is told to nobody."""
        with self._book.lock:
            for organisation in self._book.organisations.values():
                organisation.confirmation_url = organisation.validation_url = ""

    def simulate(self, fields: Fields, script: Script) -> dict[str, object]:
        """Pay as `Msisdn`, which the sandbox alone can be asked to do."""
        shortcode = fields.shortcode("ShortCode")
        fields.one_of("CommandID", "CustomerPayBillOnline", "CustomerBuyGoodsOnline")
        amount = fields.amount()
        msisdn = fields.msisdn("Msisdn")
        account = fields.raw("BillRefNumber")[:40]
        if shortcode not in self._book.organisations:
            raise wire.invalid("ShortCode")
        self.pay(msisdn, shortcode, account, str(amount), script)
        return self._said(wire.ACCEPTED)

    def pay(
        self, msisdn: str, shortcode: str, account: str, amount: str, script: Script = NONE
    ) -> Transaction:
        """Let a person pay from the menu of their own M-PESA; it is carried out a little later."""
        at = wire.now()
        with self._book.lock:
            transaction = Transaction(
                receipt=self._book.ids.receipt(at),
                kind="c2b",
                shortcode=shortcode,
                msisdn=msisdn,
                amount=wire.two(wire.money(amount)),
                initiated=at,
                reason="Pay Bill",
                account=account,
            )
            self._book.add(transaction)
        self._errands.later(0, partial(self._carry_out, transaction, script))
        return transaction

    def confirm(
        self,
        transaction: Transaction,
        *,
        by_prompt: bool = False,
        script: Script = NONE,
        ours: str = "",
    ) -> None:
        """Tell a registered shortcode of what it has got."""
        organisation = self._book.organisations[transaction.shortcode]
        if not organisation.confirmation_url:
            return
        told = self._faults.take("confirmation", transaction.msisdn)
        spoilt = told.callback or (None if by_prompt else script.callback)
        with self._book.lock:
            body = self._body(transaction, organisation, ours=ours)
        self._callbacks.send(
            Letter("confirmation", organisation.confirmation_url, body, organisation.shortcode),
            spoilt,
        )

    def _carry_out(self, transaction: Transaction, script: Script) -> None:
        organisation = self._book.organisations[transaction.shortcode]
        ours = ""
        if self._house.terms.validation and organisation.validation_url:
            accepted, ours = self._validated(transaction, organisation)
            if not accepted:
                with self._book.lock:
                    self._book.refuse(transaction, "1032", wire.now())
                return
        terms = self._house.terms
        with self._book.lock:
            code = self._book.collect(
                transaction, into=terms.collects_in, balance_max=terms.balance_max, at=wire.now()
            )
        if code == "0":
            self.confirm(transaction, script=script, ours=ours)

    def _validated(self, transaction: Transaction, organisation: Organisation) -> tuple[bool, str]:
        """Ask whether the payment is wanted; and what we call it, if we say."""
        with self._book.lock:
            body = self._body(transaction, organisation, blank=True)
        said = self._callbacks.ask(
            Letter("validation", organisation.validation_url, body, organisation.shortcode)
        )
        try:
            answer = json.loads(said or "")
            code = str(answer["ResultCode"])
        except (ValueError, KeyError, TypeError):
            return organisation.on_silence == "Completed", ""
        if code == "0":
            return True, str(answer.get("ThirdPartyTransID") or "")
        return code not in _REJECTED and organisation.on_silence == "Completed", ""

    def _body(
        self,
        transaction: Transaction,
        organisation: Organisation,
        *,
        ours: str = "",
        blank: bool = False,
    ) -> dict[str, object]:
        wallet = self._book.wallet(transaction.msisdn)
        balance = organisation.accounts[self._house.terms.collects_in]
        return {
            "TransactionType": "Pay Bill",
            "TransID": transaction.receipt,
            "TransTime": wire.stamp(transaction.completed or transaction.initiated),
            "TransAmount": f"{transaction.amount:.2f}",
            "BusinessShortCode": organisation.shortcode,
            "BillRefNumber": transaction.account,
            "InvoiceNumber": "",
            "OrgAccountBalance": "" if blank else f"{balance:.2f}",
            "ThirdPartyTransID": ours,
            "MSISDN": _veiled(wallet, organisation.version),
            "FirstName": wallet.first_name,
            "MiddleName": "",
            "LastName": "",
        }

    def _said(self, words: str) -> dict[str, object]:
        return {
            "OriginatorCoversationID": self._book.ids.request(),  # spelt so on the wire
            "ResponseCode": "0",
            "ResponseDescription": words,
        }


def _veiled(wallet: Wallet, version: str) -> str:
    """What is told of a payer's number: its hash in v1, its ends in v2."""
    if version == "v1":
        return hashlib.sha256(wallet.msisdn.encode()).hexdigest()
    return f"{wallet.msisdn[:4]} ***** {wallet.msisdn[-3:]}"
