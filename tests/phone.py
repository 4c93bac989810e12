"""
A feature phone, and the person who holds it.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from core.money import Money, kes
from core.orders import Kind
from menus import networks
from menus.gsm7 import septets

_sessions = count(1)


@dataclass
class Phone:
    """A handset. Every screen it is shown is checked against the air interface."""

    house: Any
    msisdn: str
    session_id: str = ""
    text: str = ""
    screen: str = ""
    body: str = ""
    label: str = ""
    network: str = "63902"
    on_the_line: bool = False
    transcript: list[str] = field(default_factory=list)

    def dial(self, code: str = "*384#") -> Phone:
        """Dial a service code, long after any other call; what follows it is dialled ahead."""
        self.house.forget_calls(self.msisdn)
        return self.redials(code)

    def redials(self, code: str = "*384#") -> Phone:
        """Dial right after the last call."""
        self.session_id = f"ATUid_{next(_sessions):032x}"
        self.text = code.removeprefix("*384").removeprefix("*").removesuffix("#")
        return self._hop(code)

    def types(self, *answers: str) -> Phone:
        for answer in answers:
            assert self.on_the_line, f"the session has ended:{self._story()}"
            self.text = f"{self.text}*{answer}" if self.text else answer
            self._hop(answer)
        return self

    def again(self) -> Phone:
        """Let the network repeat the last hop; the answer is the same to the byte."""
        before = self.body
        self._hop("(again)")
        assert self.body == before, self._story()
        return self

    def hangs_up(self) -> None:
        self.on_the_line = False

    def sees(self, screen: str) -> Phone:
        assert self.on_the_line, self._story()
        assert self.screen == textwrap.dedent(screen).strip(), self._story()
        return self

    def ends_with(self, screen: str) -> Phone:
        assert not self.on_the_line, self._story()
        seen = _without_reference(self.screen)
        assert seen == textwrap.dedent(screen).strip(), self._story()
        return self

    def received(self, *messages: str) -> None:
        """Say which SMS this number has got, in order, references aside."""
        got = [_without_reference(each["message"]) for each in self.house.messages(self.msisdn)]
        assert got == [" ".join(message.split()) for message in messages], got

    def _hop(self, said: str) -> Phone:
        reply = self.house.client.post(
            "/ussd/africastalking/sandbox",
            data={
                "sessionId": self.session_id,
                "serviceCode": "*384#",
                "phoneNumber": self.msisdn,
                "networkCode": self.network,
                "text": self.text,
            },
        )
        assert reply.status_code == 200, reply.text
        assert reply.mimetype == "text/plain"
        self.body = reply.text
        verb, self.screen = reply.text.split(" ", 1)
        self.on_the_line = {"CON": True, "END": False}[verb]
        self.transcript += [f"> {said}", self.screen, ""]
        assert septets(reply.text) <= networks.of(self.network).septets_max, self._story()
        self.label = reply.headers["at-ussd-hop-metadata"]
        return self

    def _story(self) -> str:
        return "\n" + "\n".join(self.transcript)


@dataclass
class Person:
    phone: Phone

    @property
    def balance(self) -> Money:
        return kes(self.phone.house.bank.balance_of(self.phone.msisdn))


# Of a kind of order, and of a deposit.
FIRST_LETTERS = {kind.value[0].upper() for kind in Kind} | {"D"}


def _without_reference(text: str) -> str:
    """References and seals are random: each becomes a word, so that a dialogue can be read."""
    text = re.sub(r"\b(Seal|Muhuri) [0-9A-Z]{16}\b", r"\1 SEAL", text)
    return "\n".join(
        " ".join("REF" if _is_reference(word) else word for word in line.split(" "))
        for line in text.split("\n")
    )


def _is_reference(word: str) -> bool:
    return len(word) == 10 and word[0] in FIRST_LETTERS and word.isalnum() and word.isupper()
