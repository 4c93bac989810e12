"""A phone that writes SMS to us, and the person who reads the answers."""

from __future__ import annotations

import re

from phone import _without_reference


class Handset:
    """A phone that writes and reads SMS."""

    def __init__(self, house, number) -> None:
        self.house = house
        self.number = number
        self.read = len(house.messages(number))
        self.written = 0

    def writes(self, said, *, date=None, letter=None):
        """Send an SMS, and let everybody do what there is to do."""
        self.written += 1
        date = date or self.house.clock()
        form = {
            "id": letter or f"{self.number}-{self.written}",
            "from": self.number,
            "to": "384",
            "text": said,
            "date": date.strftime("%Y-%m-%d %H:%M:%S"),
        }
        answer = self.house.client.post("/sms/africastalking/sandbox/inbound", data=form)
        assert answer.status_code == 200
        self.house.send_messages()
        self.house.ring()
        return self

    def news(self):
        """The SMS that came since the last look."""
        got = [each["message"] for each in self.house.messages(self.number)]
        news, self.read = got[self.read :], len(got)
        return news

    def hears(self, *expected):
        """Say which SMS came, references and codes aside."""
        news = self.news()
        self.code = next(iter(re.findall(r"\b[0-9]{6}\b", " ".join(news))), None)
        said = [_without_reference(each) for each in news]
        assert [re.sub(r"\b[0-9]{6}\b", "CODE", each) for each in said] == list(expected)
        return self
