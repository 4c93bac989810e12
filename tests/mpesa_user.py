"""Somebody with M-Pesa: what their phone there does, and what both houses tell them by SMS."""

from __future__ import annotations

from phone import _without_reference
from rail import Rail
from safaricom import until

from workers.mpesa import sweeping

NUMBERS = ("+254712000001", "+254733000002", "+254711000003")


class MpesaUser:
    """Lets Safaricom and our hands do what there is to do, and reads what comes of it."""

    def __init__(self, house) -> None:
        self.house = house
        self.safaricom = house.safaricom
        self.rail = Rail(house)
        house.safaricom.begin()
        for number in NUMBERS:
            house.safaricom.phone(number, balance="5000.00")

    @property
    def letters(self) -> int:
        """What Safaricom has told us."""
        return self.house.bank.one("SELECT count(*) FROM inbox WHERE provider = 'mpesa'")

    def answers(self, *, letters=1) -> None:
        """Some seconds pass, in which M-Pesa is asked and answers."""
        before = self.letters
        self.house.clock.passes(seconds=3)
        self.house.safaricom_works()
        until(lambda: self.letters >= before + letters)
        self.house.safaricom_works()

    def is_silent(self, *, seconds: float = 3) -> None:
        """As many seconds pass, and nothing is heard of M-Pesa but what it is asked."""
        self.house.clock.passes(seconds=seconds)
        self.house.safaricom_works()
        sweeping.sweep()

    @property
    def receipt(self) -> str:
        """M-Pesa's code of what happened last."""
        return self.safaricom.transactions()[-1]["receipt"]

    def hears(self, person, *messages: str) -> None:
        """Say which SMS of ours somebody has got, M-Pesa's code as CODE."""
        codes = {each["receipt"] for each in self.safaricom.transactions()}
        got = []
        for each in self.house.messages(person.phone.msisdn):
            said = each["message"]
            for code in codes:
                said = said.replace(code, "CODE")
            got.append(_without_reference(said))
        assert got == list(messages), got

    def shown(self, person) -> str:
        """What is on somebody's screen, M-Pesa's code as CODE."""
        return _without_reference(person.phone.screen.replace(self.receipt, "CODE"))


def first_line(phone) -> str:
    return _without_reference(phone.screen).splitlines()[0]
