"""
What one may ask and have undone: transaction status, account balance, reversal.

Each is acknowledged under ids of its own and answered by a result. That a result says 0 means that
the question was answered; what became of the transaction stands in its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from sandbox.daraja import wire
from sandbox.daraja.asked import Asked, dressed, reference, told
from sandbox.daraja.book import Book, Transaction
from sandbox.daraja.callbacks import Callbacks
from sandbox.daraja.credentials import Initiators
from sandbox.daraja.faults import Script
from sandbox.daraja.fields import Fields
from sandbox.daraja.spoiling import Letter
from sandbox.daraja.terms import House
from sandbox.errands import Errands

_REVERSED = "R000001"
_NEVER_WAS = "R000002"

_CAME_FROM = {
    "status": "transactionstatusresults",
    "balance": "abresults",
    "reversal": "reversalresults",
    "b2b": "b2bresults",
}

Answer = Callable[[], Mapping[str, object]]


class Questions:
    """Takes what is answered later, and answers it."""

    def __init__(
        self,
        *,
        book: Book,
        house: House,
        callbacks: Callbacks,
        errands: Errands,
        initiators: Initiators,
    ) -> None:
        self.book = book
        self._house = house
        self._callbacks = callbacks
        self._errands = errands
        self._initiators = initiators

    def status(self, fields: Fields, script: Script) -> dict[str, object]:
        """Take a question about one transaction, by its receipt or by an id of either side."""
        asked = self._asked(fields, "TransactionStatusQuery")
        receipt = fields.raw("TransactionID")
        originator = fields.raw("OriginalConversationID")
        if not receipt and not originator:
            raise wire.invalid("TransactionID")
        shortcode = fields.shortcode("PartyA")
        fields.one_of("IdentifierType", "1", "2", "4")
        return self.answer_later(
            "status",
            asked,
            shortcode,
            script,
            partial(self._status, asked, script, receipt, originator),
        )

    def balance(self, fields: Fields, script: Script) -> dict[str, object]:
        """Take the question what the accounts of a shortcode hold."""
        asked = self._asked(fields, "AccountBalance")
        shortcode = fields.shortcode("PartyA")
        fields.one_of("IdentifierType", "1", "2", "4")
        answer = partial(self._balance, asked, shortcode)
        return self.answer_later("balance", asked, shortcode, script, answer)

    def reverse(self, fields: Fields, script: Script) -> dict[str, object]:
        """Take the wish that what a person paid, or a part of it, be given back."""
        asked = self._asked(fields, "TransactionReversal")
        receipt = fields.text("TransactionID", 20)
        amount = wire.two(fields.amount())
        shortcode = fields.shortcode("ReceiverParty")
        fields.one_of("RecieverIdentifierType", "11")  # spelt so on the wire

        def answer() -> Mapping[str, object]:
            at = wire.now()
            of = self.book.find(receipt=receipt)
            reversal = Transaction(
                receipt=self.book.ids.receipt(at),
                kind="reversal",
                shortcode=shortcode,
                msisdn="" if of is None else of.msisdn,
                amount=amount,
                initiated=at,
                reason="Organization Reversal via API",
                originator=asked.originator,
                conversation=asked.conversation,
            )
            self.book.add(reversal)
            return self._reversal(asked, reversal, of)

        return self.answer_later("reversal", asked, shortcode, script, answer)

    def answer_later(
        self, kind: str, asked: Asked, shortcode: str, script: Script, answer: Answer
    ) -> dict[str, object]:
        """Acknowledge, and let the answer be made under the book's lock when it is due."""

        def made() -> Letter:
            with self.book.lock:
                code = script.outcome or self._initiators.judged(asked.initiator, asked.credential)
                body = answer() if code == "0" else self.answer(kind, asked, code, [])
            return Letter(kind, asked.result_url, body, shortcode, asked.timeout_url)

        if script.callback is not None and script.callback.kind == "first":
            self._callbacks.post(made())
        else:
            self._errands.later(
                self._house.terms.result_after,
                lambda: self._callbacks.send(made(), script.callback),
            )
        return asked.ack()

    def answer(
        self,
        kind: str,
        asked: Asked,
        code: str,
        parameters: list[tuple[str, object]],
        *,
        words: str | None = None,
        receipt: str | None = None,
        about: object = None,
    ) -> Mapping[str, object]:
        """
        Build a result.

        Args:
            kind: what was asked for.
            asked: by whom, and under which ids.
            code: what became of it.
            parameters: what there is to tell.
            words: the code in words, if they are not the usual ones.
            receipt: of what moved; one that ends in zeros if nothing did.
            about: the `ReferenceItem`, if it is not the usual one.

        """
        quirks = self._house.terms.quirks
        return wire.result(
            code=code,
            words=words or (told(code).removesuffix(".") if kind == "balance" else told(code)),
            originator=asked.originator,
            conversation=asked.conversation,
            transaction=receipt or self.book.ids.dummy(wire.now()),
            parameters=dressed(parameters, quirks, self.book.random),
            reference=about or reference(_CAME_FROM[kind], quirks),
            as_strings=kind == "balance",
        )

    def _asked(self, fields: Fields, command: str) -> Asked:
        return Asked.read(fields, self.book.ids, commands=(command,))

    def _status(
        self, asked: Asked, script: Script, receipt: str, originator: str
    ) -> Mapping[str, object]:
        found = self.book.find(receipt=receipt, originator=originator)
        if found is None or script.fate == "not-found":
            terms = self._house.terms
            return self.answer("status", asked, terms.not_found, [], words=terms.not_found_words)
        return self.answer(
            "status",
            asked,
            "0",
            self._parameters(found, script.fate or found.status),
            about={"Key": "Occasion"},
        )

    def _parameters(self, of: Transaction, status: str) -> list[tuple[str, object]]:
        quirks = self._house.terms.quirks
        organisation = self.book.name_of(of.shortcode)
        person = self.book.wallet(of.msisdn).public_name if of.msisdn else organisation
        debit, credit = (person, organisation) if of.kind == "c2b" else (organisation, person)
        credit_key = "DebitPartyName" if quirks.doubled_debit_party else "CreditPartyName"
        at = of.completed or of.initiated
        charged = f"Fee For B2C Payment|KES|{of.charge:.2f}" if of.charge else None
        return [
            ("DebitPartyName", debit),
            (credit_key, credit),
            ("OriginatorConversationID", of.originator or None),
            ("InitiatedTime", wire.stamp(of.initiated)),
            ("DebitAccountType", "MMF Account For Customer" if of.kind == "c2b" else of.account_of),
            ("DebitPartyCharges", charged),
            ("TransactionReason", None),
            ("ReasonType", of.reason),
            ("TransactionStatus", status),
            ("FinalisedTime", wire.stamp(at)),
            ("Amount", f"{of.amount.normalize():f}"),
            ("ConversationID", of.conversation or None),
            ("ReceiptNo", of.receipt),
        ]

    def _balance(self, asked: Asked, shortcode: str) -> Mapping[str, object]:
        organisation = self.book.organisations.get(shortcode)
        if organisation is None:
            return self.answer("balance", asked, "21", [])
        parameters: list[tuple[str, object]] = [
            ("AccountBalance", self.book.balances(organisation)),
            ("BOCompletedTime", wire.stamp(wire.now())),
        ]
        return self.answer("balance", asked, "0", parameters)

    def _reversal(
        self, asked: Asked, reversal: Transaction, of: Transaction | None
    ) -> Mapping[str, object]:
        at = reversal.initiated
        code = "0"
        if (
            of is None
            or of.kind != "c2b"
            or of.status != "Completed"
            or of.shortcode != reversal.shortcode
            or of.amount < reversal.amount
        ):
            code = _NEVER_WAS
        elif of.reversed_by:
            code = _REVERSED
        if code != "0" or of is None:
            self.book.refuse(reversal, code, at)
            return self.answer("reversal", asked, code, [])
        if (code := self.book.give_back(reversal, of, at=at)) != "0":
            return self.answer("reversal", asked, code, [])
        organisation = self.book.organisations[reversal.shortcode]
        held = f"{organisation.accounts[of.account_of]:.2f}"
        parameters: list[tuple[str, object]] = [
            ("DebitAccountBalance", f"{of.account_of}|KES|{held}|{held}|0.00|0.00"),
            ("Amount", reversal.amount),
            ("TransCompletedTime", int(wire.stamp(at))),
            ("OriginalTransactionID", of.receipt),
            ("Charge", reversal.charge),
            ("CreditPartyPublicName", self.book.wallet(of.msisdn).public_name),
            ("DebitPartyPublicName", organisation.public_name),
        ]
        return self.answer("reversal", asked, "0", parameters, receipt=reversal.receipt)
