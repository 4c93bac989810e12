"""Sign in with an issuer of identities: its word is worth a code, to who asked for it, once."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from bank import PIN
from issuer import begins, finishes, opened
from smartphone import Smartphone, refused

from sandbox.oidc import FAULTS


@pytest.fixture
def signing(house):
    """A house that knows an issuer."""
    with opened(house) as (browser, app):
        yield SimpleNamespace(browser=browser, house=house, app=app)


@pytest.fixture
def app(signing, wanjiru) -> Smartphone:
    """Wanjiru's, who is logged in by phone."""
    return Smartphone(signing.house, app=signing.app).logs_in()


@pytest.fixture
def stranger(signing) -> Smartphone:
    return Smartphone(signing.house, app=signing.app)


def links(signing, app, who="wanjiru"):
    begun = begins(app, "/link", pin=PIN)
    back = signing.browser.comes_back(begun["authorization_url"], who)
    return finishes(app, begun, back, "/link")


def signs_in(signing, app, who="wanjiru"):
    begun = begins(app)
    return finishes(app, begun, signing.browser.comes_back(begun["authorization_url"], who))


class TestSignIn:
    def test_who_has_linked_is_in_by_the_issuers_word_and_the_pin(self, signing, app, stranger):
        assert links(signing, app).status_code == 204
        told = signs_in(signing, stranger)
        assert told.status_code == 200, told.json
        given = {"ticket": told.json["ticket"], "device": "Tablet"}
        refused(stranger.post("/auth/login", pin="9174", **given), 403, "wrong-pin")
        assert stranger.keeps(stranger.post("/auth/login", pin=PIN, **given), 200).is_in()
        assert stranger.get("/me").json["phone"] == "+254712000001"

    def test_its_owner_is_told_and_it_is_audited(self, signing, app):
        links(signing, app)
        assert app.heard(
            "Since 21/11/26 09:30 somebody can log in to Kabambe with an account of Sandbox and"
            " your PIN. If that was not you, change your PIN."
        )
        (row,) = signing.house.bank.rows(
            "SELECT actor, detail ->> 'identity' AS identity FROM audit_log"
            " WHERE action = 'issuer-linked'"
        )
        assert tuple(row) == ("+254712000001", "sandbox|wanjiru")

    def test_who_has_not_linked_is_not(self, signing, app, stranger):
        links(signing, app)
        refused(signs_in(signing, stranger, "otieno"), 404, "not-linked")

    def test_a_ticket_of_the_issuers_opens_no_account(self, signing, app, stranger):
        links(signing, app)
        ticket = signs_in(signing, stranger).json["ticket"]
        given = {"name": "W W", "pin": PIN, "device": "Tablet", "terms": "2026-11"}
        refused(stranger.post("/auth/register", ticket=ticket, **given), 409, "ticket-over")

    def test_no_more_once_it_is_unlinked(self, signing, app, stranger):
        links(signing, app)
        assert app.delete("/auth/google/link").status_code == 204
        refused(signs_in(signing, stranger), 404, "not-linked")
        refused(app.delete("/auth/google/link"), 404, "not-linked")

    def test_one_account_there_is_one_here(self, signing, app, otieno):
        links(signing, app)
        other = Smartphone(signing.house, otieno.phone.msisdn, app=signing.app).logs_in()
        refused(links(signing, other), 409, "already-linked")
        refused(links(signing, app, "otieno"), 409, "already-linked")

    def test_linking_wants_the_pin(self, app):
        refused(app.post("/auth/google/link", pin="9174"), 403, "wrong-pin")

    def test_where_there_is_no_issuer_it_is_said(self, house):
        refused(Smartphone(house).post("/auth/google"), 404, "no-issuer")


class TestTheAddress:
    def test_carries_a_challenge_and_nothing_that_finishes(self, stranger):
        begun = begins(stranger)
        asked = parse_qs(urlsplit(begun["authorization_url"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert len(asked["code_challenge"][0]) == 43
        assert len(asked["nonce"][0]) == len(asked["state"][0]) == 43
        assert begun["attempt"].removeprefix("si_") not in begun["authorization_url"]

    def test_nothing_that_is_kept_finishes_it(self, signing, stranger):
        begun = begins(stranger)
        back = signing.browser.comes_back(begun["authorization_url"])
        asked = parse_qs(urlsplit(begun["authorization_url"]).query)
        (row,) = signing.house.bank.rows("SELECT CAST(s AS text) AS said FROM sign_ins s")
        for secret in (begun["attempt"], back["state"], back["code"], asked["nonce"][0]):
            assert secret not in row.said


class TestSomebodyElsesAnswer:
    """State: an answer is good for the attempt it belongs to, and for who has that."""

    def test_does_not_finish_mine_and_ends_it(self, signing, app, stranger):
        links(signing, app)
        thief = Smartphone(signing.house, app=signing.app)
        theirs = begins(thief)
        slipped = signing.browser.comes_back(theirs["authorization_url"], "otieno")
        mine = begins(stranger)
        refused(finishes(stranger, mine, slipped), 403, "sign-in-refused")
        back = signing.browser.comes_back(mine["authorization_url"])
        refused(finishes(stranger, mine, back), 409, "sign-in-over")

    def test_a_code_of_another_attempt_with_my_state(self, signing, app, stranger):
        """The challenge: a code that was stolen is worth nothing without its verifier."""
        links(signing, app)
        victim, thief = begins(app), begins(stranger)
        stolen = signing.browser.comes_back(victim["authorization_url"])
        own = signing.browser.comes_back(thief["authorization_url"], "otieno")
        mixed = own | {"code": stolen["code"]}
        refused(finishes(stranger, thief, mixed), 403, "sign-in-refused")

    def test_another_issuers_is_refused(self, signing, stranger):
        begun = begins(stranger)
        back = signing.browser.comes_back(begun["authorization_url"])
        mixed = back | {"iss": "https://evil.example"}
        refused(finishes(stranger, begun, mixed), 403, "sign-in-refused")

    def test_a_link_is_finished_by_who_began_it(self, signing, app, otieno):
        other = Smartphone(signing.house, otieno.phone.msisdn, app=signing.app).logs_in()
        begun = begins(other, "/link", pin=PIN)
        back = signing.browser.comes_back(begun["authorization_url"])
        refused(finishes(app, begun, back, "/link"), 403, "sign-in-refused")
        assert signing.house.bank.one("SELECT count(*) FROM links") == 0

    def test_a_log_in_links_nothing_and_a_link_logs_nobody_in(self, signing, app, stranger):
        begun = begins(stranger)
        back = signing.browser.comes_back(begun["authorization_url"])
        refused(finishes(app, begun, back, "/link"), 403, "sign-in-refused")
        begun = begins(app, "/link", pin=PIN)
        back = signing.browser.comes_back(begun["authorization_url"])
        refused(finishes(stranger, begun, back), 403, "sign-in-refused")
        assert signing.house.bank.one("SELECT count(*) FROM links") == 0


class TestOnce:
    def test_an_answer_is_good_once(self, signing, app, stranger):
        links(signing, app)
        begun = begins(stranger)
        back = signing.browser.comes_back(begun["authorization_url"])
        assert finishes(stranger, begun, back).status_code == 200
        refused(finishes(stranger, begun, back), 409, "sign-in-over")

    def test_a_code_is_not_good_in_another_attempt(self, signing, app, stranger):
        links(signing, app)
        begun = begins(stranger)
        back = signing.browser.comes_back(begun["authorization_url"])
        finishes(stranger, begun, back)
        again = begins(stranger)
        state = parse_qs(urlsplit(again["authorization_url"]).query)["state"][0]
        refused(finishes(stranger, again, back | {"state": state}), 403, "sign-in-refused")

    def test_it_takes_ten_minutes_at_most(self, signing, stranger):
        begun = begins(stranger)
        back = signing.browser.comes_back(begun["authorization_url"])
        signing.house.clock.passes(minutes=10)
        refused(finishes(stranger, begun, back), 409, "sign-in-over")

    def test_what_is_no_attempt(self, signing, stranger):
        back = {"state": "x", "code": "y"}
        refused(finishes(stranger, {"attempt": "si_0"}, back), 409, "sign-in-over")


class TestAnIssuerThatIsWrong:
    @pytest.mark.parametrize("fault", sorted(FAULTS))
    def test_vouches_for_nobody(self, signing, app, stranger, fault):
        links(signing, app)
        signing.browser.fake.fault = fault
        refused(signs_in(signing, stranger), 403, "sign-in-refused")
        assert signing.house.bank.one("SELECT count(*) FROM tickets WHERE shown = 'issuer'") == 0
        signing.browser.fake.fault = ""
        assert signs_in(signing, stranger).status_code == 200

    def test_is_waited_for_and_asked_again(self, signing, app, stranger, monkeypatch):
        """No worker is there: it is said, and the same answer goes on from there."""
        links(signing, app)
        monkeypatch.setattr("gateway.api.google.WAIT_SECONDS_MAX", 0.1)
        begun = begins(stranger)
        back = signing.browser.comes_back(begun["authorization_url"])
        with monkeypatch.context() as gone:
            gone.setattr(type(signing.house), "work", lambda _house, _name: None)
            late = finishes(stranger, begun, back)
        refused(late, 503, "sign-in-unavailable")
        assert late.headers["Retry-After"]
        assert finishes(stranger, begun, back).status_code == 200


class TestTheSandboxsIssuer:
    def test_sends_nobody_but_to_the_client_it_knows(self, signing, stranger):
        address = begins(stranger)["authorization_url"]
        elsewhere = address.replace("app.example", "evil.example")
        assert requests.get(elsewhere, timeout=5).status_code == 400
