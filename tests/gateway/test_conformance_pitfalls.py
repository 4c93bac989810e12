"""
What others have fallen into on USSD, each by HTTP against the running door.

The numbers are those of the provider's contract as we keep it; each case is named by its line.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import leaks
import pytest
import requests
from golden_daraja import C2B
from house_parts import served
from line import HOME, INTERRUPTED, OTIENO, WANJIRU, Line, case
from safaricom import DOOR

from core.money import kes
from menus.gsm7 import septets


@pytest.fixture(scope="module")
def url(built):
    """The doors, served on a socket."""
    with served(built.app) as url:
        yield url


@pytest.fixture
def line(house, url, wanjiru, otieno):
    house.workers_are_there = False
    return Line(house, url)


class TestPitfalls:
    """8"""

    @case("1. split('*')[-1] parsing; replays apply twice; user *; deep dial lost")
    def test_1(self, line, wanjiru, otieno, row):
        line.walk("", "1", "1*0733*000002")
        line.walk("1*0733*000002*0733000002", "1*0733*000002*0733000002*50")
        sent = "1*0733*000002*0733000002*50*4071"
        assert line.hop(sent) == line.hop(sent)
        line.executed()
        assert otieno.balance == kes(50_00)

    @case("2. same choice twice (1*1) mistaken for a duplicate of 1")
    def test_2(self, line, row):
        assert line.walk("", "4").startswith("CON Help")
        assert line.hop("4*4").startswith("CON Fees for sending")

    @case("3. out-of-order late retry: the stored reply of that position, no rewind")
    def test_3(self, line, row):
        first, second = line.hop(""), line.hop("3")
        assert line.hop("3*1").startswith("CON PIN\n1. Change PIN")
        assert (line.hop(""), line.hop("3")) == (first, second)
        assert line.hop("3*1*0") == second

    @case("4. two parallel callbacks for a session")
    def test_4(self, line, house, otieno, row):
        line.walk("", "1", "1*0733000002", "1*0733000002*50")
        with ThreadPoolExecutor(8) as hands:
            said = set(hands.map(line.hop, ["1*0733000002*50*4071"] * 8))
        assert len(said) == 1
        line.executed()
        assert otieno.balance == kes(50_00)
        assert house.bank.one("SELECT count(*) FROM orders") == 1

    @case("5. non-200 or non-CON/END on internal error kills the session: catch-all")
    def test_5(self, line, house, monkeypatch, row):
        line.hop("")
        monkeypatch.setattr("menus.engine.load", lambda *_given: 1 / 0)
        assert line.hop("4").startswith("END Something went wrong. Your money is safe.")
        monkeypatch.setattr(type(house.conversation.sessions), "open", lambda *_a, **_k: 1 / 0)
        assert line.hop("4").startswith("END Sorry, please try again shortly.")

    @case("6. work that can exceed 10 s in the request: the ledger is waited for 2 s at most")
    def test_6(self, line, house, otieno, row):
        line.walk("", "1", "1*0733000002", "1*0733000002*50")
        house.redis.set("kabambe:ledger:alive", 0)
        began = time.monotonic()
        assert line.hop("1*0733000002*50*4071").startswith("END Your request to send KES 50.00")
        assert 1.5 < time.monotonic() - began < 3

    @case("7. PIN leakage: stored text, Redis keys and values, logs, end event")
    def test_7(self, line, house, capfd, row):
        line.walk("", "3", "3*1", "3*1*4071", "3*1*4071*5823", "3*1*4071*5823*5823")
        line.told(input="3*1*4071*5823*5823", lastAppResponse="END 5823", hopsMetadata="5823")
        said = "".join(capfd.readouterr())
        for secret in ("4071", "5823"):
            assert leaks.tables(house.bank, secret) == []
            assert leaks.keys(house.redis, secret) == []
            assert not leaks.tells(said, secret)

    @case(r"8. weak PIN regex: \d matching Unicode digits; [0-9]{4} fullmatch")
    @pytest.mark.parametrize("typed", ["٤٠٧١", "40711", "407", "4071x", "\uff14\uff10\uff17\uff11"])
    def test_8(self, line, otieno, typed, row):
        line.walk("", "1", "1*0733000002", "1*0733000002*50")
        assert line.hop(f"1*0733000002*50*{typed}").startswith("CON A PIN is 4 digits.")
        line.executed()
        assert otieno.balance == kes(0)

    @case("9. Redis keys have a namespace and a TTL, which is refreshed")
    def test_9(self, line, house, row):
        line.walk("", "1")
        ours = [key for key in house.redis.scan_iter() if line.session.encode() in key]
        assert ours == [b"kabambe:ussd:" + line.session.encode()]
        assert all(0 < house.redis.ttl(key) <= 600 for key in house.redis.keys("kabambe:ussd*"))
        house.redis.expire(ours[0], 9)
        line.hop("1*0")
        assert house.redis.ttl(ours[0]) > 200

    @case("10. two simultaneous dials share no state; a session is bound to its caller and code")
    def test_10(self, line, house, url, row):
        other = Line(house, url, "ATUid_" + "0" * 32)
        line.walk("", "4")
        assert other.hop("").splitlines()[0] == "CON Your last call was cut off."
        assert line.hop("4*1").startswith("CON Choose 1")
        assert other.hop("2").startswith(HOME)
        for change in ({"phoneNumber": OTIENO}, {"serviceCode": "*385#"}):
            said = line.hop("4*1*0", **change)
            assert said == f"{INTERRUPTED} Please dial again.\nTafadhali piga tena."

    @case("11. length is checked as rendered; a curly quote in a name does not halve the screen")
    def test_11(self, house, url, row):
        line = Line(house, url)
        said = [
            line.hop(text, phoneNumber="+254720000009")
            for text in (
                "",
                "1",
                "1*Ng\u2019ang\u2019a Wa Thiong\u2019o",
                "1*Ng\u2019ang\u2019a Wa Thiong\u2019o*5823",
            )
        ]
        assert said[2].startswith("CON Ng'ang'a Wa Thiong'o, choose a PIN")
        assert all(septets(each) <= 160 for each in said)

    @case("12. amounts: 0 is back, locale commas, KES 500, leading zeros, Arabic digits")
    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("0", "CON Send money to"),
            ("1,000", "CON Send KES 1,000.00"),
            ("KES 500", "CON Send KES 500.00"),
            ("1000/=", "CON Send KES 1,000.00"),
            ("0.10", "CON The least is"),
            ("007", "CON That is not an amount."),
            ("٣", "CON That is not an amount."),
            ("1e2", "CON That is not an amount."),
            ("19.99", "CON Send KES 19.99"),
        ],
    )
    def test_12(self, line, typed, said, row):
        line.walk("", "1", "1*0733000002")
        assert line.hop(f"1*0733000002*{typed}").startswith(said)

    @case("13. out-of-range menu numbers")
    @pytest.mark.parametrize("typed", ["6", "99", "-1", "0", "1.5", "9" * 70])
    def test_13(self, line, typed, row):
        line.hop("")
        assert line.hop(typed).startswith("CON That is not on the menu.")

    @case("14. a terminal state hit again after END")
    def test_14(self, line, row):
        assert line.walk("", "3", "3*2", "3*2*2").startswith("END ")
        assert line.hop("3*2*2*1").startswith("END This session has ended.")
        assert line.hop("3*2*2*1*1").startswith("END This session has ended.")

    @case("15. no engine is shared across requests: many callers at once")
    def test_15(self, house, url, line, row):
        people = [f"+25471200010{number}" for number in range(8)]
        for number, msisdn in enumerate(people):
            house.register(msisdn, name="Person", balance=f"{number + 1},000")

        def play(number):
            mine = Line(house, url, f"ATUid_{number:032x}")
            said = [
                mine.hop(text, phoneNumber=people[number]) for text in ("", "3", "3*0", "3*0*3")
            ]
            return [said[0].splitlines()[0], said[1].splitlines()[0]]

        with ThreadPoolExecutor(8) as hands:
            heard = list(hands.map(play, range(8)))
        for number, (home, account) in enumerate(heard):
            assert home == f"CON Kabambe. Balance KES {number + 1},000.00"
            assert account == f"CON My account: Person {people[number]}"

    @case("16. duplicate keys, blanks, Content-Type and Content-Length assumptions")
    def test_16(self, line, row):
        body = urlencode(line.fields())
        assert line.raw(f"{body}&text=4").text.startswith(HOME)  # the first counts

        def pieces():
            yield body[:40].encode()
            yield body[40:].encode()

        chunked = line.raw(pieces())
        assert chunked.status_code == 200
        assert chunked.text.startswith(("CON ", "END "))

    @case("17. GET endpoints that list sessions")
    @pytest.mark.parametrize("path", ["", "/sessions", "/events", "/../sessions"])
    def test_17(self, line, path, row):
        assert requests.get(line.url + path, timeout=5).status_code in (404, 405)

    @case("22. the number of an unsigned POST is a claim: it opens nothing to programs")
    def test_22(self, line, url, row):
        assert line.hop("").startswith(HOME)
        for named in (
            {"X-Phone-Number": WANJIRU, "X-MSISDN": WANJIRU},
            {"Authorization": f"Bearer {line.session}"},
            {"Authorization": f"Bearer {WANJIRU}"},
        ):
            answer = requests.get(
                f"{url}/api/v1/wallet",
                params={"phoneNumber": WANJIRU, "sessionId": line.session},
                headers=named,
                timeout=5,
            )
            assert answer.status_code in (400, 401), answer.text
            assert "1,250" not in answer.text

    @case("23. X-Forwarded-For makes nobody somebody else where no proxy is trusted")
    def test_23(self, house, row):
        path, elsewhere = f"/callbacks/d/{DOOR}/c2b/validation", {"REMOTE_ADDR": "203.0.113.7"}
        for claimed in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}):
            answer = house.client.post(path, data=C2B, headers=claimed, environ_base=elsewhere)
            assert answer.status_code == 404
        assert house.client.post(path, data=C2B).status_code == 200, "from an address of theirs"

    @case("25. times of ours are Nairobi's; the aggregator's are UTC, and are not taken for ours")
    def test_25(self, line, house, wanjiru, row):
        line.walk("", "1", "1*0733000002", "1*0733000002*50", "1*0733000002*50*4071")
        line.executed()
        line.told(date="2031-01-01 23:59:59")
        later = Line(house, line.url.partition("/ussd/")[0], "ATUid_later")
        assert (house.clock().hour, house.clock().minute) == (6, 30), "in UTC"
        assert "21/11/26 09:30" in later.walk("", "2", "2*1")

    @case("24. a deploy mid-session: an unknown state falls back to home, not to 500")
    @pytest.mark.parametrize(
        ("was", "is_"),
        [(b"send.Amount", b"send.HowMuch"), (b'"stack"', b'"pile"'), (b'"number"', b'"digits"')],
        ids=["a screen", "the stack", "a field"],
    )
    def test_24(self, line, house, was, is_, row):
        line.walk("", "1", "1*0733000002")
        key = f"kabambe:ussd:{line.session}"
        state = house.redis.hget(key, "state")
        assert was in state
        house.redis.hset(key, "state", state.replace(was, is_))
        house.forget_turns()
        said = line.hop("1*0733000002*500")
        assert said.startswith("CON Our menu has changed. Please choose again.\nKabambe. Balance")
        assert line.hop("1*0733000002*500*4").startswith("CON Help")

    @case("24. a caller who is remembered otherwise than this process does")
    def test_24_person(self, line, house, row):
        line.walk("", "4")
        key = f"kabambe:ussd:{line.session}"
        state = house.redis.hget(key, "state").replace(b'"account_id"', b'"purse_id"')
        house.redis.hset(key, "state", state)
        house.forget_turns()
        assert line.hop("4*1").startswith("CON Choose 1")

    @case("24. in-memory sessions: another process goes on")
    def test_24_memory(self, line, house, row):
        line.walk("", "4")
        with served(house.app) as elsewhere:
            house.forget_turns()
            other = Line(house, elsewhere)
            assert other.hop("4*1").startswith("CON Choose 1")
