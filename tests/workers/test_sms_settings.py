"""
What the SMS client is made from: its settings alone, and nothing that the package shares.
"""

from __future__ import annotations

import subprocess
import sys
import threading

import africastalking
import pytest
import requests
from africastalking.SMS import SMSService
from sms_provider import KEY, TEXT, TO, clients, dead_url, failure, packaged, provided

from workers.errors import Unreachable
from workers.sms.africastalking import TIMEOUTS, AfricasTalking


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


def test_the_url_is_the_settings_and_not_the_user_names(provider, client):
    assert SMSService("sandbox", KEY)._make_url("") != SMSService("Sandbox", KEY)._make_url("")
    for username in ("sandbox", "Sandbox", "kabambe"):
        client(provider.url + "/africastalking/", username=username).send(to=TO, text=TEXT)
    assert {path for path, _, _ in provider.requests} == {"/africastalking/version1/messaging"}


def test_two_accounts_do_not_share_globals(provider, client, monkeypatch):
    for name in [name for name, value in vars(africastalking).items() if value is None]:
        monkeypatch.setattr(africastalking, name, None)
    senders = [client(username="first"), client(username="second")]
    assert africastalking.SMS is None
    africastalking.initialize("first", KEY)
    africastalking.initialize("second", KEY)
    assert africastalking.SMS._username == "second"
    for sender in senders:
        sender.send(to=TO, text=TEXT)
    assert [form["username"] for _, _, form in provider.requests] == ["first", "second"]


def test_an_error_reaches_the_caller_and_no_lost_thread(package, client, monkeypatch):
    lost, called = [], []
    monkeypatch.setattr(threading, "excepthook", lambda args: lost.append(args.exc_type))
    package._baseUrl = dead_url()
    package.send(TEXT, [TO], callback=lambda *args: called.append(args)).join()
    assert lost == [requests.ConnectionError]
    assert called == []
    threads = threading.active_count()
    assert type(failure(client(package._baseUrl))) is Unreachable
    assert threading.active_count() == threads
    assert len(lost) == 1


@pytest.mark.parametrize("key", ["", "two words", "atsk_\n", "atsk_é"])
def test_a_key_that_cannot_be_sent_is_refused_at_once(key):
    with pytest.raises(ValueError, match="visible ASCII") as caught:
        AfricasTalking(username="kabambe", api_key=key, url="http://127.0.0.1", sender_id=None)
    assert key == "" or key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "api.africastalking.com", "ftp://host", "https://", "http:/x"])
def test_a_url_that_cannot_be_called_is_refused_at_once(url):
    with pytest.raises(ValueError, match=r"must look like https://api\.africastalking\.com"):
        AfricasTalking(username="kabambe", api_key=KEY, url=url, sender_id=None)


def test_the_whole_call_ends_well_within_a_job():
    assert TIMEOUTS == (3.05, 9.0)


def test_the_packages_mock_library_is_not_brought_along():
    """`responses`, which the package requires, replaces the transport of every session."""
    said = "import sys, workers.sms.africastalking; print('responses' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", said], capture_output=True, check=True, text=True)
    assert ran.stdout == "False\n"
