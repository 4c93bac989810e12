"""The doors by HTTP: what is let in, what is kept of it, and that it is always answered."""

from __future__ import annotations

from typing import ClassVar

import leaks
import pytest

from core import codes, db
from core.seal_outside import Outside
from gateway import Doors, create_app

HOP = {
    "sessionId": "ATUid_1",
    "phoneNumber": "+254712000001",
    "serviceCode": "*384#",
    "networkCode": "63902",
    "text": "",
}
USSD = "/ussd/africastalking/sandbox"
NOT_UNDERSTOOD = (
    "END Sorry, the network sent us something we do not understand.\n"
    "Samahani, mtandao umetutumia tusichoelewa."
)


@pytest.mark.parametrize(
    "door",
    [
        "/ussd/africastalking/{}",
        "/ussd/africastalking/{}/events",
        "/sms/africastalking/{}/inbound",
        "/sms/africastalking/{}/delivery",
        "/sms/africastalking/{}/optout",
    ],
)
def test_a_wrong_token_finds_nothing(house, door):
    for token in ("wrong", "sandbo", "sandboxx", "SANDBOX", "ñ"):
        assert house.client.post(door.format(token), data=HOP).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"sessionId": ""},
        {"sessionId": "a b"},
        {"sessionId": "a:b"},
        {"sessionId": "x" * 129},
        {"phoneNumber": ""},
        {"phoneNumber": "hello"},
        {"phoneNumber": "+0712"},
        {"serviceCode": ""},
        {"serviceCode": "384"},
        {"text": "1" * 2001},
        {"text": None},
        {"sessionId": None},
    ],
    ids=str,
)
def test_what_is_no_hop_is_answered_in_words(house, change):
    form = {name: value for name, value in (HOP | change).items() if value is not None}
    reply = house.client.post(USSD, data=form)
    assert (reply.status_code, reply.text) == (200, NOT_UNDERSTOOD)


def test_a_body_too_large_or_of_another_type_is_answered_in_words(house):
    assert house.client.post(USSD, data=HOP | {"text": "1" * 20_000}).text == NOT_UNDERSTOOD
    assert house.client.post(USSD, json=HOP).text == NOT_UNDERSTOOD
    assert house.client.post(USSD, data=b"\x00\xff", content_type="x/y").text == NOT_UNDERSTOOD


def test_forms_as_the_network_sends_them(house, wanjiru):
    home = "CON Kabambe. Balance"
    content = "application/x-www-form-urlencoded; charset=UTF-8"
    body = "text=&sessionId=ATUid_2&phoneNumber=%2B254712000001&serviceCode=%2A384%23&networkCode=1"
    assert house.client.post(USSD, data=body, content_type=content).text.startswith(home)
    without_plus = HOP | {"phoneNumber": "254712000001", "sessionId": "ATUid_3"}
    assert house.client.post(USSD, data=without_plus).text.startswith(home)
    suffixed = HOP | {"serviceCode": "*384*70421#", "sessionId": "ATUid_4"}
    assert house.client.post(USSD, data=suffixed).text.startswith(home)


def test_empty_answers_and_stars_are_answers_that_are_refused(house, wanjiru):
    house.client.post(USSD, data=HOP)
    replies = [
        house.client.post(USSD, data=HOP | {"text": text}).text
        for text in ("3", "3*", "3**", "3***1", "3***1*1")
    ]
    assert [reply.splitlines()[0] for reply in replies] == [
        "CON My account: Wanjiru +254712000001",
        "CON That is not on the menu.",
        "CON That is not on the menu.",
        "CON PIN",
        "CON Enter your PIN now:",
    ]


def test_the_answer_is_plain_text(house, wanjiru):
    reply = house.client.post(USSD, data=HOP)
    assert reply.mimetype == "text/plain"
    assert house.client.get(USSD).status_code == 404


VOUCHER = "72442521421420026374"


class TestTheEndOfASession:
    FORM: ClassVar = {
        "sessionId": "ATUid_1",
        "input": "1*0733000002*500*4071",
        "status": "Success",
        "cost": "0.00",
        "lastAppResponse": "END Sent",
        "phoneNumber": "+254712000001",
    }

    def test_is_kept_once_without_what_was_typed(self, house, capfd):
        for _ in range(2):
            reply = house.client.post(f"{USSD}/events", data=self.FORM)
            assert reply.status_code == 200
        [(form, done)] = house.bank.rows("SELECT form, done_at IS NOT NULL FROM inbox")
        assert form["input"] == "21 characters"
        assert form["status"] == "Success"
        assert done
        assert "4071" not in str(form)
        assert not leaks.tells("".join(capfd.readouterr()), "4071")

    def test_forged_does_not_disturb_a_session(self, house, wanjiru):
        house.client.post(USSD, data=HOP)
        house.client.post(f"{USSD}/events", data=self.FORM)
        assert house.client.post(USSD, data=HOP | {"text": "3"}).text.startswith("CON My account")

    def test_that_names_no_session_is_acknowledged(self, house):
        assert house.client.post(f"{USSD}/events", data={}).status_code == 200
        assert house.bank.one("SELECT count(*) FROM inbox") == 0


class TestSmsDoors:
    def post(self, house, kind, **form):
        return house.client.post(f"/sms/africastalking/sandbox/{kind}", data=form).status_code

    @pytest.mark.parametrize(
        "code", [VOUCHER, "7244 2521 4214 2002 6374", "72442-52142-14200-26374"]
    )
    def test_a_vouchers_code_is_not_kept(self, house, code):
        form = {"id": "m1", "from": "+254712000001", "text": f"Voucher {code} of +254712000001"}
        assert self.post(house, "inbound", **form) == 200
        [(kept,)] = house.bank.rows("SELECT form FROM inbox")
        hashed = codes.mention(house.conversation.veil.hash(VOUCHER))
        assert kept["text"] == f"Voucher {hashed} of +254712000001"

    @pytest.mark.parametrize(
        "code", [VOUCHER[:-1], VOUCHER + "4", VOUCHER[:-1] + "5", f"{VOUCHER[:-5]} 6374"]
    )
    def test_nor_is_one_with_a_slip_in_it(self, house, code):
        text = f"{code} for 0712000001, wallet number 3840000000014"
        assert self.post(house, "inbound", **{"id": "m1", "from": "+254712000001", "text": text})
        [(kept,)] = house.bank.rows("SELECT form FROM inbox")
        assert VOUCHER[:10] not in kept["text"]
        assert kept["text"].endswith("[code] for 0712000001, wallet number 3840000000014")

    def test_an_inbound_message_is_kept_once_and_answered_once(self, house, wanjiru):
        form = {"id": "m1", "from": "+254712000001", "to": "384", "text": "My PIN is 4071, ok?"}
        assert self.post(house, "inbound", **form, date="2017-05-03T06:04:45Z") == 200
        assert self.post(house, "inbound", **form, date="2017-05-03 06:04:45") == 200
        [(kept,)] = house.bank.rows("SELECT form FROM inbox")
        assert kept["text"] == "My PIN is ****, ok?"
        house.send_messages()  # understood, and its answer staged
        wanjiru.phone.received(
            "Never send your PIN by SMS. We kept none of your SMS's 4 digits and moved no money."
            " If they were your PIN, dial *384# and change it."
        )

    def test_delivery_reports_only_move_a_message_forward(self, house, wanjiru, otieno):
        wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
        house.send_messages()
        ids = [each for (each,) in house.bank.rows("SELECT provider_id FROM messages ORDER BY id")]
        for status in ("Success", "Sent", "NeverHeardOf", "Success"):
            assert self.post(house, "delivery", id=ids[0], status=status) == 200
        self.post(house, "delivery", id=ids[1], status="Failed", failureReason="UserIsInactive")
        house.send_messages()
        states = house.bank.rows("SELECT state, why FROM messages ORDER BY id")
        assert states == [("delivered", None), ("failed", "UserIsInactive")]

    def test_a_report_that_overtakes_its_message_is_applied(self, house, wanjiru, otieno):
        assert self.post(house, "delivery", id="ATXid_early", status="Success") == 200
        house.send_messages()
        assert house.bank.rows("SELECT state FROM delivery_reports") == [("delivered",)]

    def test_an_opt_out_is_remembered_and_receipts_go_on(self, house, wanjiru, otieno):
        for _ in range(2):
            self.post(house, "optout", senderId="KABAMBE", phoneNumber="+254733000002")
        wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
        assert len(house.messages("+254733000002")) == 1
        assert house.bank.one("SELECT count(*) FROM opt_outs WHERE NOT has_come_back") == 1

    def test_what_is_not_understood_is_acknowledged_and_not_kept(self, house):
        for kind in ("inbound", "delivery", "optout"):
            assert self.post(house, kind) == 200
        assert self.post(house, "other", id="1") == 404
        assert house.bank.one("SELECT count(*) FROM inbox") == 0


class TestHealth:
    def test_live_and_ready(self, house, wanjiru, otieno):
        assert house.client.get("/live").json == {"status": "ok"}
        house.workers_are_there = False
        wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
        house.clock.passes(seconds=7)
        ready = house.client.get("/ready")
        assert ready.status_code == 200
        assert ready.json["oldest_order_seconds"] == 7.0
        assert ready.json["oldest_outbox_seconds"] == 0.0
        assert (ready.json["postgres"], ready.json["redis"]) == ("ok", "ok")

    def test_not_ready_without_postgres_or_redis(self, house):
        nowhere = db.connect("postgresql://nobody@127.0.0.1:9/none")
        app = create_app(
            databases=nowhere,
            conversation=house.conversation,
            clock=house.clock,
            doors=Doors(africastalking="x"),
            redis_answers=lambda: False,
            outside=Outside(house.outside),
            api=house.api,
        )
        ready = app.test_client().get("/ready")
        assert ready.status_code == 503
        assert ready.json == {"postgres": "down", "redis": "down", "status": "not ready"}
        assert app.test_client().get("/live").status_code == 200
        nowhere.kw["bind"].dispose()


def test_a_hop_that_blows_up_tells_no_pin(house, wanjiru, otieno, capfd):
    """The database fails while the PIN is in every frame of the traceback."""
    wanjiru.phone.dial().types("1", "0733000002", "500")
    house.bank.run("ALTER TABLE pins RENAME TO lost_pins")
    try:
        wanjiru.phone.types("4071")
    finally:
        house.bank.run("ALTER TABLE lost_pins RENAME TO pins")
    assert wanjiru.phone.screen == "Something went wrong. Your money is safe. Please try again."
    said = "".join(capfd.readouterr())
    assert "ussd.database_failed" in said
    assert not leaks.tells(said, "4071")
