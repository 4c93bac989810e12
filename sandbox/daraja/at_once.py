"""What Daraja answers at once: a QR code, the payments of two days, when a SIM was changed."""

from __future__ import annotations

import base64
import io
import uuid
from datetime import datetime, timedelta

import segno

from sandbox.daraja import wire
from sandbox.daraja.book import Book
from sandbox.daraja.faults import Script
from sandbox.daraja.fields import Fields

_PULLED = timedelta(hours=48)
_PAGE = 100
_CODES = ("BG", "WA", "PB", "SM", "SB")


class AtOnce:
    """Answers in the same breath; nothing is called back."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._pulling: set[str] = set()

    def picture(self, fields: Fields, _: Script) -> dict[str, object]:
        """Draw a QR code that an M-PESA app can pay; no amount leaves it to the payer."""
        name = fields.text("MerchantName", 100)
        number = fields.text("RefNo", 50)
        amount = fields.matching("Amount", "[0-9]{1,9}")
        kind = fields.one_of("TrxCode", *_CODES)
        payee = fields.matching("CPI", "[0-9]{5,12}")
        size = int(fields.matching("Size", "[1-9][0-9]{1,3}"))
        code = segno.make_qr(f"{kind}|{payee}|{amount}|{number}|{name}", error="m")
        scale = max(1, size // code.symbol_size()[0])
        drawn = io.BytesIO()
        code.save(drawn, kind="png", scale=scale)
        return {
            "ResponseCode": "00",
            "RequestID": self._book.ids.request(),
            "ResponseDescription": "QR Code Successfully Generated.",
            "QRCode": base64.b64encode(drawn.getvalue()).decode(),
        }

    def register_pull(self, fields: Fields, _: Script) -> dict[str, object]:
        """Let a shortcode ask for its payments; once is enough."""
        shortcode = fields.shortcode("ShortCode")
        fields.one_of("RequestType", "Pull")
        fields.matching("NominatedNumber", "(0|254)[17][0-9]{8}")
        fields.url("CallBackURL")
        known = shortcode in self._pulling
        self._pulling.add(shortcode)
        return {
            "ResponseRefID": str(uuid.uuid4()),
            "ResponseStatus": "1001" if known else "1000",
            "ShortCode": shortcode,
            "ResponseDescription": "Shortcode already Registered"
            if known
            else "Shortcode Registered Successfully",
        }

    def pull(self, fields: Fields, _: Script) -> dict[str, object]:
        """List what was paid to a shortcode in a period, of the last two days at most."""
        shortcode = fields.shortcode("ShortCode")
        start, end = _moment(fields, "StartDate"), _moment(fields, "EndDate")
        offset = int(fields.matching("OffSetValue", "[0-9]{1,6}"))
        start = max(start, wire.now() - _PULLED)
        if shortcode not in self._book.organisations:
            raise wire.invalid("ShortCode")
        with self._book.lock:
            found = [
                {
                    "transactionId": each.receipt,
                    "trxDate": each.completed.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "msisdn": int(each.msisdn),
                    "sender": self._book.wallet(each.msisdn).name,
                    "transactiontype": "c2b-pay-bill-debit",
                    "billreference": each.account,
                    "amount": f"{each.amount.normalize():f}",
                    "organizationname": self._book.organisations[shortcode].name,
                }
                for each in self._book.transactions.values()
                if each.kind == "c2b"
                and each.status == "Completed"
                and each.shortcode == shortcode
                and each.completed is not None
                and start <= each.completed <= end
            ]
        page = found[offset : offset + _PAGE]
        return {
            "ResponseRefID": str(uuid.uuid4()),
            "ResponseCode": "1000" if page else "1001",
            "ResponseMessage": "Success" if page else "No transactions",
            "Response": [page],
        }

    def sim_change(self, fields: Fields, _: Script) -> dict[str, object]:
        """Tell when a number's SIM was last changed; 1900 is not in three months."""
        msisdn = fields.msisdn("customerNumber")
        with self._book.lock:
            changed = self._book.wallet(msisdn).sim_changed
        return {
            "requestRefID": self._book.ids.request(),
            "responseCode": "200",
            "responseDesc": "Success",
            "lastSwapDate": "01-01-1900 00:00" if changed is None else f"{changed:%d-%m-%Y %H:%M}",
        }


def _moment(fields: Fields, name: str) -> datetime:
    """A time in Nairobi; the documentation's own `10:10:000` is one."""
    said = fields.matching(name, r"\d{4}-\d\d-\d\d \d{1,2}:\d\d:\d{2,3}")
    date, _, clock = said.partition(" ")
    hour, minute, second = clock.split(":")
    try:
        year, month, day = map(int, date.split("-"))
        return datetime(
            year, month, day, int(hour), int(minute), int(second[:2]), tzinfo=wire.NAIROBI
        )
    except ValueError:
        raise wire.invalid(name) from None
