"""How the fake provider can be told to treat our account."""

from __future__ import annotations

import pytest
import requests
from standin import KEY


@pytest.fixture
def treat(country):
    url = f"{country.url}/africastalking/account"

    def treat(**terms):
        return requests.put(url, json=terms, timeout=5)

    yield treat
    requests.delete(url, timeout=5)


def codes(answer):
    return [each["statusCode"] for each in answer.json()["SMSMessageData"]["Recipients"]]


def balance(country):
    url = f"{country.url}/africastalking/version1/user"
    given = requests.get(
        url,
        params={"username": "sandbox"},
        headers={"apiKey": KEY, "Accept": "application/json"},
        timeout=5,
    )
    return given.json()["userData"]["balance"]


def test_usually_there_is_credit_for_ever(country, treat):
    country.send()
    assert balance(country) == "KES 1785.50"


def test_credit_is_drawn_on_to_its_end(country, treat):
    treat(balance="1.60")
    answer = country.send(to="+254711000001,+254711000002,+254711000003")
    assert codes(answer) == [101, 101, 405]
    assert answer.json()["SMSMessageData"]["Message"] == "Sent to 2/3 Total Cost: KES 1.6000"
    assert balance(country) == "KES 0.00"
    assert len(country.received()) == 2
    assert codes(country.send()) == [405]


def test_more_than_a_second_holds_is_throttled(country, treat):
    treat(per_second=2, retry_after=7)
    statuses = [country.send().status_code for _ in range(3)]
    assert statuses == [201, 201, 429]
    assert country.send().headers["Retry-After"] == "7"
    assert len(country.received()) == 2


def test_a_batch_counts_by_its_numbers(country, treat):
    treat(per_second=2)
    assert country.send(to="+254711000001,+254711000002,+254711000003").status_code == 429


def test_our_sender_id_can_be_refused_and_the_shared_one_is_not(country, treat):
    treat(sender_refused=True)
    assert country.send(**{"from": "KABAMBE"}).json()["SMSMessageData"]["Recipients"] == []
    assert codes(country.send(**{"from": None})) == [101]


def test_the_first_message_to_each_number_may_end_with_more(country, treat):
    treat(appended="STOP*456*9*5#")
    for _ in range(2):
        country.send(message="Habari")
    assert [each["message"] for each in country.received()] == ["Habari\nSTOP*456*9*5#", "Habari"]


def test_what_nobody_is_treated_like_is_refused(treat):
    answer = treat(balance="much")
    assert (answer.status_code, "balance" in answer.json()["error"]) == (400, True)
    assert treat(colour="red").status_code == 400


def test_it_is_shown(country, treat):
    treat(balance="5", sender_refused=True)
    url = f"{country.url}/africastalking/account"
    assert requests.get(url, timeout=5).json() == {
        "balance": "5",
        "per_second": None,
        "retry_after": None,
        "sender_refused": True,
        "appended": "",
        "tells_parts": False,
    }


def test_recipients_of_one_send_can_fail_apart_and_be_left_out(country):
    country.spoil(kind="recipients", codes={"+254711000001": 406}, left_out=["+254711000003"])
    answer = country.send(to="+254711000001,+254711000002,+254711000003")
    assert codes(answer) == [406, 101]
    assert [each["to"] for each in country.received()] == ["+254711000002", "+254711000003"]
