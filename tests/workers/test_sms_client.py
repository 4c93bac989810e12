"""
What Africa's Talking's answers are taken for, beside what the official package takes them for.
"""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from africastalking.Service import AfricasTalkingException
from sms_provider import (
    KEY,
    TEXT,
    TO,
    answer,
    body,
    clients,
    failure,
    packaged,
    provided,
    raw,
    recipient,
)

from core.money import kes
from workers.errors import Blocked, Rejected, Unknown, Unreachable
from workers.sms import Receipt


@pytest.fixture
def provider():
    with provided() as provider:
        yield provider


@pytest.fixture
def client(provider):
    with clients(provider.url) as make:
        yield make


@pytest.fixture
def package(provider):
    return packaged(provider.url)


# ------------------------------------------------- the package's defects, and what is made of them


def test_what_is_sent(provider, client):
    assert client().send(to=TO, text=TEXT) == Receipt(
        "ATPid_1", "Sent", None, "KES 0.8000", kes(80)
    )
    ((path, headers, form),) = provider.requests
    assert path == "/version1/messaging"
    assert form == {
        "username": "kabambe",
        "to": TO,
        "message": TEXT,
        "bulkSMSMode": "1",
        "from": "KABAMBE",
        "enqueue": "1",
    }
    assert headers["Accept"] == "application/json"
    assert headers["apiKey"] == KEY
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_no_sender_id_leaves_the_field_out(provider, client):
    client(sender_id=None).send(to=TO, text=TEXT)
    assert "from" not in provider.requests[0][2]


def test_twenty_messages_take_one_connection(provider, package, client):
    for _ in range(20):
        package.send(TEXT, [TO])
    assert provider.connections == 20
    sender = client()
    for _ in range(20):
        sender.send(to=TO, text=TEXT)
    assert provider.connections == 21


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("application/json; charset=utf-8", "utf-8"),
        ("application/json;charset=UTF-16", "utf-16"),
        ("application/json; charset=iso-8859-1", "latin-1"),
        ("text/plain", "utf-8"),
    ],
)
def test_json_is_parsed_whatever_it_is_called(provider, package, client, content_type, charset):
    content = body(recipient(messageParts=2, note="é")).decode()
    content = content.replace("\\u00e9", "é").encode(charset)
    provider.script += [answer(content=content, content_type=content_type)] * 2
    assert isinstance(package.send(TEXT, [TO]), str)
    assert client().send(to=TO, text=TEXT) == Receipt("ATPid_1", "Sent", 2, "KES 0.8000", kes(80))


def test_a_refusal_is_known_by_its_status(provider, package, client):
    refusal = answer(401, b"The supplied authentication is invalid", "text/plain")
    provider.script += [refusal, refusal]
    with pytest.raises(AfricasTalkingException) as caught:
        package.send(TEXT, [TO])
    assert "401" not in repr(caught.value)
    assert vars(caught.value) == {}
    refused = failure(client())
    assert isinstance(refused, Blocked)
    assert refused.code == "BadKey"
    assert "401" in str(refused)


def test_queueing_is_always_asked_for(provider, package, client):
    package.send(TEXT, [TO], enqueue=False)
    client().send(to=TO, text=TEXT)
    assert [form.get("enqueue") for _, _, form in provider.requests] == [None, "1"]


@pytest.mark.parametrize("number", ["+25471", "+" + "2" * 22, TO + "\n"])
def test_a_wrong_number_is_not_sent_to(provider, package, client, number):
    package.send(TEXT, [number])
    assert len(provider.requests) == 1
    assert failure(client(), to=number).why == "the number is not in E.164"
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    "number", ["", "0712000001", "+0712000001", "+25471200000\u0661", f"{TO},{TO}"]
)
def test_other_wrong_numbers(provider, client, number):
    assert isinstance(failure(client(), to=number), Rejected)
    assert provider.requests == []


def test_a_text_that_cannot_be_encoded_is_refused_at_once(provider, client):
    refused = failure(client(), text="Umepokea \ud83d")
    assert isinstance(refused, Rejected)
    assert refused.code == "InvalidText"
    assert provider.requests == []


@pytest.mark.parametrize("message", ["InvalidSenderId", "Sent to 0/1 Total Cost: 0"])
def test_accepted_for_nobody_is_a_refusal(provider, package, client, message):
    provider.script += [answer(content=body(message=message))] * 2
    assert package.send(TEXT, [TO])["SMSMessageData"]["Recipients"] == []
    refused = failure(client())
    if message == "InvalidSenderId":
        assert isinstance(refused, Blocked)
        assert refused.code == "InvalidSenderId"
    else:
        assert isinstance(refused, Rejected)
        assert (refused.alert, refused.code) == (True, "NoRecipients")


def test_a_refused_recipient_is_no_success(provider, package, client):
    provider.script += [answer(content=body(recipient(405, messageId="None", cost="0")))] * 2
    assert package.send(TEXT, [TO])["SMSMessageData"]["Recipients"][0]["statusCode"] == 405
    refused = failure(client())
    assert str(refused) == "405 InsufficientBalance"
    assert refused.code == "InsufficientBalance"


@pytest.mark.parametrize(
    ("code", "outcome", "alert"),
    [
        (401, Rejected, True),
        (402, Blocked, None),
        (403, Rejected, False),
        (404, Rejected, False),
        (405, Blocked, None),
        (406, Rejected, False),
        (407, Rejected, False),
        (409, Rejected, False),
        (500, Unreachable, None),
        (501, Unreachable, None),
        (502, Unreachable, None),
        ("406", Rejected, False),
        (0, Unknown, None),
        (103, Unknown, None),
        (408, Unknown, None),
        (503, Unknown, None),
        (999, Unknown, None),
        (None, Unknown, None),
        (True, Unknown, None),
        (101.0, Unknown, None),
        ("Success", Unknown, None),
        ([101], Unknown, None),
    ],
)
def test_a_recipients_status_code(provider, client, code, outcome, alert):
    provider.script.append(answer(content=body(recipient(code, messageId="None", cost="0"))))
    failed = failure(client())
    assert type(failed) is outcome
    assert getattr(failed, "alert", None) == alert
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("code", "status"), [(100, "Processed"), (101, "Sent"), (102, "Queued"), ("102", "Queued")]
)
def test_a_success(provider, client, code, status):
    provider.script.append(answer(200, body(recipient(code, messageParts=1, cost=None))))
    assert client().send(to=TO, text=TEXT) == Receipt("ATPid_1", status, parts=1)


@pytest.mark.parametrize("parts", [0, -1, "many", 1.5, True, None, [2]])
def test_parts_that_are_no_number_are_left_out(provider, client, parts):
    provider.script.append(answer(content=body(recipient(messageParts=parts))))
    assert client().send(to=TO, text=TEXT).parts is None


@pytest.mark.parametrize(
    ("cost", "kept", "money"),
    [
        ("KES 0.8000", True, kes(80)),
        ("KES 1", True, kes(100)),
        ("KES 12.5", True, kes(1250)),
        ("KES 0.0000", True, kes(0)),
        ("KES 0.8550", True, None),  # a fraction of a cent: rounding is not ours to decide
        ("UGX 20.0000", True, None),
        ("0", True, None),
        ("KES 1e3", True, None),
        ("KES \u0663", False, None),
        ("KES 1\x00", False, None),
        ("", False, None),
        ("9" * 33, False, None),
        (0.8, False, None),
        (None, False, None),
    ],
)
def test_what_it_cost(provider, client, cost, kept, money):
    provider.script.append(answer(content=body(recipient(cost=cost))))
    receipt = client().send(to=TO, text=TEXT)
    assert receipt.cost == (cost if kept else None)
    assert receipt.cost_kes == money


@pytest.mark.parametrize(
    "provider_id", [None, "", "None", 17, "x" * 129, "a\x00", "a\ud800", "a b", "a\n", "é"]
)
def test_a_success_without_an_id_we_can_keep_is_unknown(provider, client, provider_id):
    provider.script.append(answer(content=body(recipient(messageId=provider_id))))
    assert type(failure(client())) is Unknown


@pytest.mark.parametrize(
    ("status", "outcome", "alert"),
    [
        *((status, Rejected, True) for status in (400, 403, 404, 405, 413)),
        *((status, Blocked, None) for status in (301, 307, 308, 401, 402)),
        *((status, Unreachable, None) for status in (408, 425, 429, 500, 501, 502, 503, 599)),
        *((status, Unknown, None) for status in (204, 302, 303, 304, 504, 600, 999)),
    ],
)
def test_an_http_status(provider, client, status, outcome, alert):
    provider.script.append(raw(b"HTTP/1.1 %d X\r\nLocation: /version1/user\r\n\r\n" % status))
    failed = failure(client())
    assert type(failed) is outcome
    assert getattr(failed, "alert", None) == alert
    assert str(status) in str(failed)
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, "BadUrl"),
        (400, "BadRequest"),
        (401, "BadKey"),
        (402, "InsufficientBalance"),
        (404, "BadRequest"),
    ],
)
def test_a_refusal_has_a_word_of_ours(provider, client, status, code):
    provider.script.append(answer(status, b"The supplied authentication is invalid"))
    assert failure(client()).code == code


@pytest.mark.parametrize("status", [302, 303, 304, 600])
def test_an_odd_status_is_not_made_good_by_its_body(provider, client, status):
    head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n"
    content = body(recipient())
    provider.script.append(raw(head % (status, len(content)) + content))
    assert type(failure(client())) is Unknown


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("86400", 3600),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("\u0663", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2020 00:00:00 +99999999999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 3600),
    ],
)
def test_how_long_to_wait(provider, client, asked, seconds):
    head = f"HTTP/1.1 429 X\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n"
    provider.script.append(raw(head.encode()))
    assert failure(client()).retry_after_seconds == seconds


def test_how_long_to_wait_by_the_clock(provider, client):
    provider.script += [
        answer(503, Retry_After=formatdate(time.time() + 60, usegmt=True)),
        answer(503, Retry_After=formatdate(time.time() - 60, usegmt=True)),
    ]
    sender = client()
    assert 50 < failure(sender).retry_after_seconds <= 60
    assert failure(sender).retry_after_seconds == 0
    assert provider.connections == 1  # a refusal keeps its connection


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"OK",
        b"\xff\xfe\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"SMSMessageData":null}',
        b'{"SMSMessageData":{"Message":"x"}}',
        b'{"SMSMessageData":{"Message":"x","Recipients":null}}',
        b'{"SMSMessageData":{"Message":"x","Recipients":{"statusCode":101}}}',
        b'{"SMSMessageData":{"Message":"x","Recipients":["101"]}}',
        body(recipient(), recipient()),
        body(recipient())[:-1],
        b"[" * 60_000,
        b'{"SMSMessageData":' + b"9" * 5_000 + b"}",
        b"The supplied authentication is invalid",
    ],
)
def test_a_success_that_cannot_be_read_is_unknown(provider, client, content):
    provider.script.append(answer(content=content))
    assert type(failure(client())) is Unknown


def test_an_endless_body_is_not_read(provider, package, client):
    size = 4 * 1024 * 1024
    padded = body(recipient(padding="x" * size))
    provider.script += [answer(content=padded)] * 2
    assert len(package.send(TEXT, [TO])["SMSMessageData"]["Recipients"][0]["padding"]) == size
    sender = client()
    assert type(failure(sender)) is Unknown
    sender.send(to=TO, text=TEXT)
    assert provider.connections == 3  # what was left of it is not taken for the next answer
