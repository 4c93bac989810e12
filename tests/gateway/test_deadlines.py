"""
Whatever stops, hangs or freezes: every hop is answered in words before the network hangs up.

What is gone is known at once: a second. What hangs is given up on, all of one hop's waits together
within 8.5 s, as the aggregator cuts the line after ten.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest
from web_under_test import Web

from menus.gsm7 import septets

AT_ONCE, IN_TIME = 1.0, 8.5
BUSY = "END Sorry, please try again shortly.\nSamahani, jaribu tena baadaye kidogo."
EITHER = (
    "END Something went wrong. Your money is safe. Please try again.\n"
    "Hitilafu imetokea. Pesa zako ziko salama. Tafadhali jaribu tena."
)
HITILAFU = "END Hitilafu imetokea. Pesa zako ziko salama. Tafadhali jaribu tena."
SHAKA = "END Hatujajua kwa wakati kama hilo limefanyika."
RECEIVED = "END Ombi lako la kutuma KES 10.00 kwa Otieno limepokelewa."
HELP = "CON Msaada"
AMINA, OTIENO = "+254712000001", "+254733000002"
# What each kind of hop has typed, and what it types: a dial, a navigation, a look, a confirmation.
HOPS = {
    "dial": ([], ""),
    "walk": ([""], "4"),
    "look": (["", "1", "1*0733000002"], "1*0733000002*10"),
    "confirm": (["", "1", "1*0733000002", "1*0733000002*10"], "1*0733000002*10*4071"),
}
_numbers = count()


@pytest.fixture(scope="module")
def web(built, tmp_path_factory) -> Iterator[Web]:
    web = Web(built, tmp_path_factory.mktemp("web"))
    try:
        web.opens(AMINA, name="Amina", language="sw")
        web.opens(OTIENO, name="Otieno")
        yield web
    finally:
        web.close()


@pytest.fixture(autouse=True)
def nobody_was_cut_off(web):
    yield
    web.redis.flushdb()
    web.bank.run("UPDATE pins SET wrong_tries = 0, locked_until = NULL")


def begun(web, kind: str) -> tuple[str, str]:
    """A session that has come to the hop in question: its id, and what that hop says."""
    session = f"ATUid_{kind}_{next(_numbers)}"
    texts, text = HOPS[kind]
    for each in texts:
        said, _ = web.hop(session, each, msisdn=AMINA)
        assert said.startswith("CON "), said
    return session, text


def answered(web, failure, kinds=tuple(HOPS)) -> dict[str, tuple[str, float]]:
    """What each kind of hop is answered, all of them at once, while something fails."""
    sessions = {kind: begun(web, kind) for kind in kinds}
    with failure, ThreadPoolExecutor(len(sessions)) as hands:
        asked = {
            # Of who dials for the first time nobody knows the language.
            kind: hands.submit(web.hop, session, text, msisdn=OTIENO if kind == "dial" else AMINA)
            for kind, (session, text) in sessions.items()
        }
        answers = {kind: hop.result() for kind, hop in asked.items()}
    for kind, (said, seconds) in answers.items():
        measured(kind, said, seconds)
        assert septets(said) <= 160
    return answers


def measured(kind: str, said: str, seconds: float) -> None:
    """For whoever asks to see the figures (`-rP`)."""
    sys.stdout.write(f"{kind}: {seconds:.2f} s: {said.splitlines()[0]}\n")


def words(answers) -> dict[str, str]:
    return {kind: said for kind, (said, _) in answers.items()}


def slowest(answers) -> float:
    return max(seconds for _, seconds in answers.values())


class TestRedis:
    def test_stopped(self, web):
        answers = answered(web, web.stopped(web.valkey))
        assert words(answers) == dict.fromkeys(HOPS, BUSY)
        assert slowest(answers) < AT_ONCE
        assert web.hop("after-redis", msisdn=OTIENO)[0].startswith("CON Kabambe.")

    def test_frozen(self, web):
        answers = answered(web, web.frozen(web.valkey))
        assert words(answers) == dict.fromkeys(HOPS, BUSY)
        assert slowest(answers) < IN_TIME

    def test_frozen_after_the_order_was_kept(self, web):
        """Nobody hears the bell, the turn is not kept; what was ordered is said all the same."""
        before = web.bank.balance_of(AMINA)
        with slow_commits(web, seconds=1.5):
            answers = answered(web, frozen_after(web, web.valkey, seconds=0.7), ["confirm"])
        assert answers["confirm"][0].startswith(RECEIVED)
        assert slowest(answers) < IN_TIME
        # The next call does not begin where money would be sent again.
        assert web.hop("next", msisdn=AMINA)[0].startswith(
            "CON Ombi lako la mwisho linashughulikiwa."
        )
        assert web.bank.balance_of(AMINA) == before


class TestPostgres:
    def test_stopped(self, web):
        answers = answered(web, web.stopped(web.postgres))
        assert words(answers).pop("walk").startswith(HELP)
        assert words(answers) | {"walk": HELP} == {
            "dial": EITHER,
            "walk": HELP,
            "look": HITILAFU,
            "confirm": HITILAFU,
        }
        assert slowest(answers) < AT_ONCE
        assert web.hop("after-postgres", msisdn=OTIENO)[0].startswith("CON Kabambe.")

    def test_frozen(self, web):
        answers = answered(web, web.frozen(web.postgres))
        assert answers["walk"][0].startswith(HELP)
        assert answers["walk"][1] < AT_ONCE
        assert answers["dial"][0] == EITHER
        assert answers["look"][0] == answers["confirm"][0] == HITILAFU
        assert slowest(answers) < IN_TIME

    @pytest.mark.parametrize(
        ("lock", "hung"),
        [
            ("LOCK TABLE subscribers, accounts, pins, orders", ["dial", "look", "confirm"]),
            ("SELECT * FROM pins FOR UPDATE", ["confirm"]),
        ],
        ids=["tables", "a row"],
    )
    def test_hung_on_a_lock(self, web, lock, hung):
        answers = answered(web, web.locked(lock))
        assert answers["walk"][0].startswith(HELP)
        assert {kind: said for kind, said in words(answers).items() if kind in hung} == {
            kind: EITHER if kind == "dial" else HITILAFU for kind in hung
        }
        assert slowest(answers) < IN_TIME

    def test_frozen_who_dials_again_hears_it_in_their_language(self, web):
        begun(web, "look")
        with web.frozen(web.postgres):
            said, seconds = web.hop("again", msisdn=AMINA)
        assert said == HITILAFU
        assert seconds < IN_TIME

    def test_hung_once_the_order_is_kept_nobody_is_told_to_try_again(self, web):
        """The door waits for the ledger; then it cannot read what became of the order."""
        web.redis.set("kabambe:ledger:alive", 0)
        orders = "LOCK TABLE orders"
        before = web.bank.one("SELECT count(*) FROM orders")
        answers = answered(web, locked_after(web, orders, seconds=0.8), ["confirm"])
        assert answers["confirm"][0].startswith(SHAKA)
        assert slowest(answers) < IN_TIME
        assert web.bank.one("SELECT count(*) FROM orders") == before + 1
        assert web.hop("next", msisdn=AMINA)[0].startswith(
            "CON Ombi lako la mwisho linashughulikiwa."
        )

    def test_hung_while_the_order_is_committed(self, web):
        """Nobody knows; until somebody does, the next call neither offers nor denies it."""
        with slow_commits(web, seconds=7.5):
            answers = answered(web, nothing(), ["confirm"])
            assert answers["confirm"][0].startswith(SHAKA)
            assert slowest(answers) < IN_TIME
            told, _ = web.hop("next", msisdn=AMINA)
        assert told.startswith(
            ("CON Hatujui bado kama ombi", "CON Ombi lako la mwisho linashughulikiwa.")
        )


class TestTogether:
    def test_a_lease_that_another_hop_holds(self, web):
        session, text = begun(web, "walk")
        web.redis.hset(f"kabambe:ussd:{session}", "until", int(time.time() * 1000) + 60_000)
        said, seconds = web.hop(session, text, msisdn=AMINA)
        measured("hop", said, seconds)
        assert said == BUSY
        assert seconds < IN_TIME

    def test_waits_do_not_add_up(self, web):
        """A lease that is let go late, then a database that says nothing, then no Redis either."""
        session, text = begun(web, "look")
        key = f"kabambe:ussd:{session}"
        web.redis.hset(key, "until", int(time.time() * 1000) + 60_000)
        release = threading.Timer(5.0, web.redis.hset, (key, "until", 0))
        release.start()
        with web.frozen(web.postgres), frozen_after(web, web.valkey, seconds=5.3):
            said, seconds = web.hop(session, text, msisdn=AMINA)
        release.join()
        measured("hop", said, seconds)
        assert said == HITILAFU
        assert seconds < IN_TIME

    def test_both_frozen(self, web):
        with web.frozen(web.postgres), frozen_after(web, web.valkey, seconds=0.5):
            said, seconds = web.hop("both", msisdn=OTIENO)
        measured("hop", said, seconds)
        assert said == EITHER
        assert seconds < IN_TIME


class TestWorkers:
    def test_stopped(self, web):
        answers = answered(web, nothing(), ["confirm"])
        assert answers["confirm"][0].startswith(RECEIVED)
        assert slowest(answers) < AT_ONCE

    def test_gone_while_they_are_waited_for(self, web):
        web.redis.set("kabambe:ledger:alive", 0)
        answers = answered(web, nothing(), ["confirm"])
        assert answers["confirm"][0].startswith(RECEIVED)
        assert 1.5 < slowest(answers) < 3


@contextmanager
def nothing() -> Iterator[None]:
    yield


@contextmanager
def frozen_after(web, engine, *, seconds: float) -> Iterator[None]:
    """Freeze an engine a moment into the block."""
    with _after(seconds, web.frozen(engine)):
        yield


@contextmanager
def locked_after(web, what: str, *, seconds: float) -> Iterator[None]:
    """Lock a moment into the block."""
    with _after(seconds, web.locked(what)):
        yield


@contextmanager
def _after(seconds: float, failure) -> Iterator[None]:
    timer = threading.Timer(seconds, failure.__enter__)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        failure.__exit__(None, None, None)


@contextmanager
def slow_commits(web, *, seconds: float) -> Iterator[None]:
    """Let the commit of an order take its time."""
    web.bank.run(
        "CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" PERFORM pg_sleep({seconds}); RETURN NULL; END $$;"
        " CREATE CONSTRAINT TRIGGER stall AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION stall()"
    )
    try:
        yield
    finally:
        web.bank.run("DROP TRIGGER stall ON orders; DROP FUNCTION stall")
