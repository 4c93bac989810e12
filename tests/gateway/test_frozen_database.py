"""A PostgreSQL that is frozen says nothing, so nothing but our own patience ends a wait for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from processes import until
from web_under_test import Web, opened

CALLERS = 20
FAILED = (
    "END Something went wrong. Your money is safe. Please try again.\n"
    "Hitilafu imetokea. Pesa zako ziko salama. Tafadhali jaribu tena."
)


@pytest.fixture
def web(house, tmp_path) -> Iterator[Web]:
    with opened(house, tmp_path) as web:
        yield web


def test_every_hop_is_answered_and_the_process_stays_alive(web):
    for number in range(CALLERS):
        assert web.hop(f"before-{number}")[0].startswith("CON Kabambe. Balance")
    with web.frozen(web.postgres):
        with ThreadPoolExecutor(CALLERS) as hands:
            hops = [hands.submit(web.hop, f"frozen-{number}") for number in range(CALLERS)]
            time.sleep(1.5)
            assert web.live() < 4
            answers = [hop.result() for hop in hops]
        assert {said for said, _ in answers} == {FAILED}
        assert max(seconds for _, seconds in answers) <= 8.5
        began = time.monotonic()
        assert requests.get(f"{web.url}/ready", timeout=10).status_code == 503
        told = requests.post(
            f"{web.url}/sms/africastalking/sandbox/inbound",
            data={"id": "1", "from": "+254712000001", "text": "hello"},
            timeout=20,
        )
        assert told.status_code == 503, "so that the provider repeats it"
        assert time.monotonic() - began < 10
    assert web.hop("after")[0].startswith("CON Kabambe. Balance")


def test_a_customer_whose_order_is_in_doubt_is_not_told_to_try_again(web):
    """The order is committed while nobody can say so."""
    web.hop("doubt"), web.hop("doubt", "1"), web.hop("doubt", "1*0712000002")
    assert "Enter PIN" in web.hop("doubt", "1*0712000002*500")[0]
    freeze_at_commit = (
        "CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_sleep(7); RETURN NULL; END $$;"
        " CREATE CONSTRAINT TRIGGER stall AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION stall()"
    )
    web.bank.run(freeze_at_commit)
    said, seconds = web.hop("doubt", "1*0712000002*500*4071")
    assert said.startswith("END We did not hear in time whether that was done.")
    assert seconds <= 8.5
    assert web.hop("doubt", "1*0712000002*500*4071")[0] == said
    until(lambda: web.bank.one("SELECT count(*) FROM orders") == 1)
