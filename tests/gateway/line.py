"""
The aggregator's side of one USSD session, on the wire: forms posted to doors that are served.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
import requests

from menus.gsm7 import septets

AMINA, WANJIRU, OTIENO = "+254711000003", "+254712000001", "+254733000002"
FORM = "application/x-www-form-urlencoded"
HOME = "CON Kabambe. Balance KES 1,250.00"
INTERRUPTED = "END This session was interrupted."
UNREAD = "END Sorry, the network sent us something we do not understand."


class Line:
    """What the aggregator does for one session."""

    def __init__(self, house, url, session="ATUid_e9d0662dea3f3db658e79d9b62f7900c") -> None:
        self.house, self.url, self.session = house, f"{url}/ussd/africastalking/sandbox", session

    def fields(self, text="", **change):
        return {
            "phoneNumber": WANJIRU,
            "serviceCode": "*384*70421#",
            "text": text,
            "sessionId": self.session,
            "networkCode": "99999",
        } | change

    def raw(self, body, content_type=FORM, **headers):
        told = {"User-Agent": "at-ussd-api/1.0", "Content-Type": content_type} | headers
        return requests.post(self.url, data=body, headers=told, timeout=12)

    def hop(self, text="", **change) -> str:
        fields = {
            key: value for key, value in self.fields(text, **change).items() if value is not None
        }
        answer = self.raw(urlencode(fields))
        assert answer.status_code == 200
        assert answer.text.startswith(("CON ", "END "))
        assert septets(answer.text) <= 182
        return answer.text

    def executed(self) -> None:
        """Let the ledger do what was ordered; its worker wants the test's own thread."""
        self.house.workers_are_there = True
        self.house.ring()
        self.house.workers_are_there = False

    def walk(self, *texts) -> str:
        for text in texts:
            said = self.hop(text)
        return said

    def told(self, **change):
        """The end of the session, told."""
        fields = {
            "durationInMillis": "192",
            "phoneNumber": WANJIRU,
            "errorMessage": "",
            "serviceCode": "*384*70421#",
            "lastAppResponse": "CON Kabambe",
            "hopsMetadata": "",
            "hopsCount": "1",
            "status": "Incomplete",
            "sessionId": self.session,
            "cost": "0.00",
            "date": "2026-10-09 12:17:37",
            "networkCode": "99999",
            "input": "",
        } | change
        answer = requests.post(f"{self.url}/events", data=fields, timeout=12)
        assert answer.status_code == 200
        return self.house.bank.rows("SELECT form FROM inbox")


def case(text):
    """A case called as the contract has it."""
    return pytest.mark.parametrize("row", [text], ids=[text])
