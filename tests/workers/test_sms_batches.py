"""What an answer about several numbers is taken for, and what credit there is."""

from __future__ import annotations

import json

import pytest
from sms_provider import KEY, TEXT, answer, body, clients, failure, provided, recipient

from core.money import kes
from workers.errors import Blocked, CallFailed, Rejected, Unknown, Unreachable
from workers.sms import Receipt

NUMBERS = [f"+25471200000{n}" for n in range(4)]


@pytest.fixture
def provider():
    with provided() as provider:
        yield provider


@pytest.fixture
def client(provider):
    with clients(provider.url) as make:
        yield make()


def entry(n, code=101, **more):
    return recipient(code, **({"number": NUMBERS[n], "messageId": f"ATPid_{n}"} | more))


class TestManyNumbers:
    def test_go_in_one_request(self, provider, client):
        provider.script.append(answer(content=body(*(entry(n) for n in range(4)))))
        told = client.send_many(to=NUMBERS, text=TEXT)
        [(path, _, form)] = provider.requests
        assert (path, form["to"]) == ("/version1/messaging", ",".join(NUMBERS))
        assert (form["message"], form["from"], form["enqueue"]) == (TEXT, "KABAMBE", "1")
        assert told == {
            number: Receipt(f"ATPid_{n}", "Sent", None, "KES 0.8000", kes(80))
            for n, number in enumerate(NUMBERS)
        }

    def test_are_found_in_whatever_order_they_come(self, provider, client):
        provider.script.append(answer(content=body(*(entry(n) for n in (2, 0, 3, 1)))))
        told = client.send_many(to=NUMBERS, text=TEXT)
        assert [told[number].provider_id for number in NUMBERS] == [f"ATPid_{n}" for n in range(4)]

    def test_have_an_outcome_each(self, provider, client):
        entries = [entry(0), entry(1, 403), entry(2, 405), entry(3, 500)]
        provider.script.append(answer(content=body(*entries)))
        told = client.send_many(to=NUMBERS, text=TEXT)
        kinds = [type(told[number]) for number in NUMBERS]
        assert kinds == [Receipt, Rejected, Blocked, Unreachable]

    @pytest.mark.parametrize(
        "entries",
        [
            [entry(0)],
            [entry(0), entry(1), entry(1)],
            [entry(0), "101", None, 7],
            [entry(0), recipient(101, number=NUMBERS[1].strip("+"))],
            [entry(0), entry(1, messageId="None")],
            [entry(0), entry(1, 999)],
            [entry(0), recipient(101, number="+254712XXX001")],
        ],
    )
    def test_of_which_one_is_not_told_of_is_unknown(self, provider, client, entries):
        provider.script.append(answer(content=body(*entries)))
        told = client.send_many(to=NUMBERS[:2], text=TEXT)
        assert isinstance(told[NUMBERS[0]], Receipt)
        assert isinstance(told[NUMBERS[1]], Unknown)

    @pytest.mark.parametrize(
        ("step", "kind"),
        [
            (answer(401, b"The supplied authentication is invalid"), Blocked),
            (answer(429, b""), Unreachable),
            (answer(504, b""), Unknown),
            (answer(content=b"OK"), Unknown),
            (answer(content=body(message="InvalidSenderId")), Blocked),
            (answer(content=b'{"SMSMessageData":{"Message":"x","Recipients":{}}}'), Unknown),
        ],
    )
    def test_share_what_is_said_of_all(self, provider, client, step, kind):
        provider.script.append(step)
        with pytest.raises(CallFailed) as caught:
            client.send_many(to=NUMBERS, text=TEXT)
        assert type(caught.value) is kind

    def test_one_of_which_is_none_are_not_sent_to(self, provider, client):
        with pytest.raises(Rejected):
            client.send_many(to=[*NUMBERS, "0712000009"], text=TEXT)
        assert provider.requests == []

    def test_no_two_of_which_are_the_same(self, provider, client):
        with pytest.raises(AssertionError):
            client.send_many(to=[NUMBERS[0]] * 2, text=TEXT)
        assert provider.requests == []


def test_the_shared_sender_has_no_name(provider, client):
    client.send(to=NUMBERS[0], text=TEXT, as_shared=True)
    assert "from" not in provider.requests[0][2]
    assert client.has_sender_id


class TestCredit:
    @pytest.mark.parametrize(
        ("told", "credit"),
        [
            ("KES 1785.50", kes(1785_50)),
            ("KES 0", kes(0)),
            ("KES -3.2", kes(-3_20)),
            ("KES 12.3456", kes(12_34)),
        ],
    )
    def test_is_told_in_shillings(self, provider, client, told, credit):
        provider.script.append(answer(200, json.dumps({"userData": {"balance": told}}).encode()))
        assert client.credit() == credit
        [(path, headers, _)] = provider.requests
        assert path == "/version1/user?username=kabambe"
        assert headers["apiKey"] == KEY

    @pytest.mark.parametrize(
        ("status", "content"),
        [
            (200, b'{"userData":{"balance":"UGX 5000"}}'),
            (200, b'{"userData":{"balance":1785.5}}'),
            (200, b'{"userData":{"balance":"KES \xd9\xa3"}}'),
            (200, b'{"userData":null}'),
            (200, b"The supplied authentication is invalid"),
            (401, b"The supplied authentication is invalid"),
            (500, b""),
        ],
    )
    def test_that_is_not_told_is_not_guessed(self, provider, client, status, content):
        provider.script.append(answer(status, content))
        with pytest.raises(CallFailed):
            client.credit()


def test_an_error_about_many_holds_no_number_text_or_key(provider, client):
    provider.script.append(answer(400, f"{KEY} {TEXT} {NUMBERS[0]}".encode()))
    said = repr(failure(client))
    assert not [word for word in (KEY, TEXT, NUMBERS[0]) if word in said]
