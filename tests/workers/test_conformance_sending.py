"""
The provider's contract about sending, row by row, against a provider that speaks real HTTP.

Each table is the reference's (africastalking.md §2.1, and §8 where pitfalls are named). A row is
judged by what it does to a receipt: whether it is sent again, and whether the person has it once.
"""

from __future__ import annotations

import pytest
import requests
from processes import until
from sms_provider import TEXT, TO, clients

from core.outbox import Event, Fact, stage
from workers import messages
from workers.errors import Unreachable
from workers.sms.africastalking import AfricasTalking
from workers.transport import Timeouts

# What becomes of a receipt: its state at once, whether it is tried again, how often it arrives once
# the provider is well, and the word it is known by.
TAKEN, AGAIN, NEVER, MENDED, DOUBT = "sent", "again", "rejected", "mended", "unknown"

# §2.1: every statusCode a recipient may have.
CODES = {
    100: TAKEN,  # Processed
    101: TAKEN,  # Sent
    102: TAKEN,  # Queued
    401: NEVER,  # RiskHold
    402: MENDED,  # InvalidSenderId: from the shared sender at once, and no message is lost
    403: NEVER,  # InvalidPhoneNumber
    404: NEVER,  # UnsupportedNumberType
    405: MENDED,  # InsufficientBalance: waits for credit
    406: NEVER,  # UserInBlacklist
    407: NEVER,  # CouldNotRoute
    409: NEVER,  # DoNotDisturbRejection
    500: AGAIN,  # InternalServerError
    501: AGAIN,  # GatewayError
    502: AGAIN,  # RejectedByGateway
}
# §2.1: what an HTTP answer as a whole means.
HTTP = [
    ("401 in plain text", {"kind": "http", "status": 401}, MENDED),
    ("429", {"kind": "http", "status": 429}, AGAIN),
    ("500", {"kind": "http", "status": 500}, AGAIN),
    ("502 of a proxy, in HTML", {"kind": "html"}, AGAIN),
    ("503", {"kind": "http", "status": 503}, AGAIN),
    ("504: what stands before it gave up", {"kind": "accept-http", "status": 504}, DOUBT),
    ("400", {"kind": "http", "status": 400}, NEVER),
    ("201 and InvalidSenderId", {"kind": "empty"}, MENDED),
    ("201 and no recipients", {"kind": "empty", "message": "Sent to 0/1"}, NEVER),
    ("201 in a charset", {"kind": "charset"}, TAKEN),
    ("201 cut off in the middle", {"kind": "malformed"}, DOUBT),
    ("a reset after it was accepted", {"kind": "accept-reset"}, DOUBT),
    ("a reset before, which nobody can tell from one after", {"kind": "reset"}, DOUBT),
]


def pay(wanjiru):
    wanjiru.phone.dial().types("1", "0733000002", "50", "4071")


def received(house, person):
    url = f"{house.country_url}/africastalking/messages"
    return requests.get(url, params={"to": person.phone.msisdn}, timeout=5).json()


def judge(house, wanjiru, otieno, fault, expected):
    """Let one receipt meet a fault for a while, and the provider be well afterwards."""
    house.fault(next=1_000, **fault)
    pay(wanjiru)
    for _ in range(3):
        house.send_messages()
        house.clock.passes(seconds=61)
    states = {state for (state,) in house.bank.rows("SELECT state FROM messages")}
    assert states == {{AGAIN: "queued", MENDED: "queued"}.get(expected, expected)}
    arrived = [len(received(house, each)) for each in (wanjiru, otieno)]
    requests.delete(f"{house.country_url}/africastalking/faults", timeout=5)
    for _ in range(4):
        house.clock.passes(minutes=2)
        house.send_messages()
    states = {state for (state,) in house.bank.rows("SELECT state FROM messages")}
    assert states == {{AGAIN: "sent", MENDED: "sent"}.get(expected, expected)}
    later = [len(received(house, each)) for each in (wanjiru, otieno)]
    if expected in (AGAIN, MENDED):
        assert (arrived, later) == ([0, 0], [1, 1])
    else:
        assert arrived == later
        assert max(later) <= 1


@pytest.mark.parametrize(("code", "expected"), CODES.items(), ids=str)
def test_a_status_code(house, wanjiru, otieno, code, expected):
    judge(house, wanjiru, otieno, {"kind": "recipient", "code": code}, expected)


@pytest.mark.parametrize(
    ("fault", "expected"), [row[1:] for row in HTTP], ids=[row[0] for row in HTTP]
)
def test_an_http_answer(house, wanjiru, otieno, fault, expected):
    judge(house, wanjiru, otieno, fault, expected)


class TestTimeouts:
    """A read timeout says nothing; a connection that nobody took says that nothing went."""

    @pytest.mark.parametrize("kind", ["stall", "accept-stall"])
    def test_of_reading_is_unknown_and_never_sent_again(self, house, wanjiru, otieno, kind):
        sender = AfricasTalking(
            username="sandbox",
            api_key="sandbox-api-key",
            url=f"{house.country_url}/africastalking",
            sender_id="KABAMBE",
            timeouts=Timeouts(connect_seconds=1, read_seconds=0.2),
        )
        usual = messages.current().sender
        object.__setattr__(messages.current(), "sender", sender)
        try:
            house.fault(next=2, kind=kind, seconds=0.8)
            pay(wanjiru)
            house.send_messages()
            found = house.bank.rows("SELECT state, why FROM messages")
            assert {state for state, _ in found} == {"unknown"}
            for _ in range(3):
                house.clock.passes(minutes=5)
                house.send_messages()
            people = (wanjiru, otieno)
            until(lambda: all(received(house, each) for each in people))  # it was only slow
            assert [len(received(house, each)) for each in people] == [1, 1]
            assert house.bank.rows("SELECT DISTINCT tries FROM messages") == [(1,)]
        finally:
            object.__setattr__(messages.current(), "sender", usual)
            sender.close()

    def test_of_connecting_is_sent_again(self):
        with clients("http://127.0.0.1:9") as make, pytest.raises(Unreachable):
            make(timeouts=Timeouts(0.2, 0.2)).send(to=TO, text=TEXT)


class TestPitfall18:
    """§8, 18: what the official package gets wrong."""

    def test_the_name_sandbox_in_any_case_is_a_name(self, house):
        for username in ("sandbox", "Sandbox"):
            sender = AfricasTalking(
                username=username,
                api_key="sandbox-api-key",
                url=f"{house.country_url}/africastalking",
                sender_id=None,
            )
            try:
                if username == "sandbox":
                    assert sender.send(to=TO, text=TEXT).status == "Sent"
                else:
                    with pytest.raises(Exception, match="401"):
                        sender.send(to=TO, text=TEXT)
            finally:
                sender.close()

    def test_one_connection_serves_many_sends(self, house, wanjiru, otieno):
        pool = messages.current().sender._api.transport.session.adapters["http://"].poolmanager

        def made() -> int:
            return sum(pool.pools[key].num_connections for key in pool.pools.keys())  # noqa: SIM118

        before = made()
        for _ in range(12):
            pay(wanjiru)
        house.send_messages()
        assert house.bank.one("SELECT count(*) FROM messages WHERE state = 'sent'") == 24
        assert made() - before <= messages.HANDS


class TestPitfall21:
    """§8, 21: the opt-out words that the provider appends may make a second part of a message."""

    WORDS = "STOP*456*9*5#"

    def test_what_it_comes_to_is_kept_as_the_provider_tells_it(self, house, wanjiru, otieno):
        house.account(appended=self.WORDS * 4, tells_parts=True)
        pay(wanjiru)
        house.send_messages()
        found = house.bank.rows("SELECT DISTINCT parts, cost FROM messages")
        assert found == [(2, "KES 1.6000")]
        pay(wanjiru)
        house.send_messages()  # these are no longer the first
        found = house.bank.rows("SELECT parts, cost FROM messages WHERE id > 2")
        assert found == [(1, "KES 0.8000")] * 2

    @pytest.mark.parametrize(("length", "parts"), [(136, 1), (160, 2)])
    def test_news_that_staff_are_not_warned_of_stays_in_one(self, house, wanjiru, length, parts):
        house.account(appended=self.WORDS, tells_parts=True)
        fact = Fact(Event.ANNOUNCED, wanjiru.phone.msisdn, "en", {"said": "a" * length})
        with house.databases["worker"].begin() as session:
            stage(session, facts=[fact], now=house.clock())
        house.send_messages()
        assert house.bank.rows("SELECT parts FROM messages") == [(parts,)]

    def test_parts_and_cost_are_kept_as_the_provider_tells_them(self, house, wanjiru, otieno):
        pay(wanjiru)
        house.send_messages()
        found = house.bank.rows("SELECT DISTINCT parts, cost FROM messages")
        assert found == [(1, "KES 0.8000")]
