"""
B2B: from a shortcode to another, or between its own accounts.

`BusinessPayToBulk` moves what a paybill has to the utility account of a shortcode that pays out;
`BusinessTransferFromMMFToUtility` moves a shortcode's working account to its utility account.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sandbox.daraja import wire
from sandbox.daraja.asked import Asked
from sandbox.daraja.book import UTILITY, WORKING, Organisation, Transaction
from sandbox.daraja.faults import Script
from sandbox.daraja.fields import Fields
from sandbox.daraja.questions import Questions
from sandbox.daraja.terms import House

_REASONS = {
    "BusinessPayToBulk": "Business Pay To Bulk",
    "BusinessPayBill": "Business Pay Bill",
    "BusinessBuyGoods": "Business Buy Goods",
    "BusinessTransferFromMMFToUtility": "Business Transfer From MMF To Utility",
}
_NO_SUCH_PARTY = "2006"


class Transfers:
    """Moves money between shortcodes; acknowledged and answered as a question is."""

    def __init__(self, questions: Questions, house: House) -> None:
        self._questions = questions
        self._book = questions.book
        self._house = house

    def request(self, fields: Fields, script: Script) -> dict[str, object]:
        """Take a request."""
        asked = Asked.read(fields, self._book.ids, commands=_REASONS)
        for name in ("SenderIdentifierType", "RecieverIdentifierType"):  # spelt so on the wire
            fields.one_of(name, "2", "4")
        amount = wire.two(fields.amount())
        debit, credit = fields.shortcode("PartyA"), fields.shortcode("PartyB")
        account = fields.text("AccountReference", 13, least=0)
        return self._questions.answer_later(
            "b2b",
            asked,
            debit,
            script,
            lambda: self._carry_out(asked, amount, debit, credit, account),
        )

    def _carry_out(
        self, asked: Asked, amount: Decimal, debit: str, credit: str, account: str
    ) -> Mapping[str, object]:
        at, book = wire.now(), self._book
        transaction = Transaction(
            receipt=book.ids.receipt(at),
            kind="b2b",
            shortcode=debit,
            msisdn="",
            amount=amount,
            initiated=at,
            reason=_REASONS[asked.command],
            account=account,
            originator=asked.originator,
            conversation=asked.conversation,
        )
        book.add(transaction)
        giver, taker = book.organisations.get(debit), book.organisations.get(credit)
        if giver is None or taker is None:
            book.refuse(transaction, _NO_SUCH_PARTY, at)
            return self._questions.answer("b2b", asked, _NO_SUCH_PARTY, [])
        source = WORKING
        if asked.command != "BusinessTransferFromMMFToUtility":
            source = self._house.terms.collects_in
        code = book.shift(transaction, debit=source, to=taker, credit=UTILITY, at=at)
        if code != "0":
            return self._questions.answer("b2b", asked, code, [])
        about = [
            {"Key": "BillReferenceNumber", "Value": account},
            wire.came_from("b2bresults"),
        ]
        parameters = self._parameters(transaction, giver, taker)
        return self._questions.answer(
            "b2b", asked, "0", parameters, receipt=transaction.receipt, about=about
        )

    def _parameters(
        self, transaction: Transaction, giver: Organisation, taker: Organisation
    ) -> list[tuple[str, object]]:
        left = giver.accounts[transaction.account_of]
        basic = (
            "{Amount={CurrencyCode=KES, "
            f"MinimumAmount={int(left * 100)}, BasicAmount={left:.2f}}}}}"
        )
        return [
            ("DebitAccountBalance", basic),
            ("Amount", f"{transaction.amount:.2f}"),
            (
                "DebitPartyAffectedAccountBalance",
                f"{transaction.account_of}|KES|{left:.2f}|{left:.2f}|0.00|0.00",
            ),
            ("TransCompletedTime", wire.stamp(transaction.completed or transaction.initiated)),
            ("DebitPartyCharges", ""),
            ("ReceiverPartyPublicName", taker.public_name),
            ("Currency", "KES"),
            ("InitiatorAccountCurrentBalance", basic),
        ]
