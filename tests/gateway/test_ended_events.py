"""What is told of a session's end is kept and counted; nothing else comes of it."""

from __future__ import annotations

import pytest

EVENTS = "/ussd/africastalking/sandbox/events"


def end(house, session, **fields):
    form = {
        "date": "2026-11-21 06:31:00",
        "sessionId": session,
        "serviceCode": "*384#",
        "networkCode": "63902",
        "phoneNumber": "+254712000001",
        "status": "Incomplete",
        "cost": "KES 0.10",
        "durationInMillis": "192",
        "hopsCount": "3",
        "hopsMetadata": "home.Home|send.Recipient",
        "input": "1*0733000002*4071",
        "lastAppResponse": "CON Enter PIN",
        "errorMessage": "",
    }
    reply = house.client.post(EVENTS, data=form | fields)
    assert reply.status_code == 200
    return house.bank.rows("SELECT form FROM inbox WHERE kind = 'ussd-ended'")


@pytest.mark.parametrize("status", ["Success", "Incomplete", "Failed"])
def test_a_forged_end_ends_nobodys_session(house, wanjiru, otieno, status):
    phone = wanjiru.phone.dial().types("1", "0733000002", "100")
    end(house, phone.session_id, status=status)
    phone.types("4071")
    assert phone.screen.startswith("Sent KES 100.00 to Otieno.")


def test_an_error_is_kept_without_a_digit_and_cut(house):
    error = "App did not respond to 1*0733000002*500*4071 at \u0664\u0660\0"
    ((form,),) = end(house, "ATUid_1", errorMessage=error + "x" * 3000)
    assert form["errorMessage"].startswith("App did not respond to ***********")
    assert not any(char.isdigit() for char in form["errorMessage"])
    assert len(form["errorMessage"]) <= 200


def test_it_is_kept_once_and_without_what_was_typed(house, wanjiru):
    end(house, "ATUid_1")
    ((form,),) = end(house, "ATUid_1", status="Success")
    assert form["status"] == "Incomplete"
    assert "4071" not in str(form)
    assert "lastAppResponse" not in form
