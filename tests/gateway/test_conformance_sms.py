"""
The provider's contract about delivery reports, row by row, by HTTP against the running doors.

Each table is the reference's (africastalking.md §2.2, and §8 where pitfalls are named).
"""

from __future__ import annotations

import pytest
import requests
from house_parts import served

from core import messages
from core.outbox import Event, Fact, stage

# §2.2: every status, and where it leaves a message that was sent.
STATUSES = {
    "Sent": "sent",
    "Submitted": "sent",
    "Buffered": "sent",
    "Success": "delivered",
    "Failed": "failed",
    "Rejected": "failed",
    "AbsentSubscriber": "failed",
    "Expired": "failed",
}
# §2.2: every reason, which only Rejected and Failed carry; both spellings of one.
REASONS = [
    "InsufficientCredit",
    "InvalidLinkId",
    "UserIsInactive",
    "UserInBlackList",
    "UserAccountSuspended",
    "NotNetworkSubcriber",
    "NotNetworkSubscriber",
    "UserNotSubscribedToProduct",
    "UserDoesNotExist",
    "DeliveryFailure",
    "DoNotDisturbRejection",
]
# Words nobody has documented, or not yet.
UNDOCUMENTED = ["Lingering", "sent", "SUCCESS", "DeliveredToTerminal", "x" * 5_000, "Ujumbe \u00f1"]


@pytest.fixture(scope="module")
def door(built):
    with served(built.app) as url:
        yield f"{url}/sms/africastalking/sandbox/delivery"


@pytest.fixture
def tell(house, door):
    """Post a report as the provider does, and let it be understood."""

    def tell(status, message="ATXid_1", **more):
        form = {
            "id": message,
            "status": status,
            "phoneNumber": "+254712000001",
            "networkCode": "63902",
            "retryCount": "0",
        }
        answer = requests.post(door, data=form | more, timeout=5)
        house.send_messages()
        return answer.status_code

    return tell


def claim(house):
    """Claim a message, whose answer is still out."""
    with house.databases["worker"].begin() as session:
        fact = Fact(Event.PIN_CHANGED, "+254712000001", "en", {"at": house.clock().isoformat()})
        stage(session, facts=[fact], now=house.clock())
    [(outbox_id,)] = house.bank.rows("SELECT max(id) FROM outbox")
    with house.databases["worker"].begin() as session:
        return messages.begin(session, outbox_id=outbox_id, now=house.clock())


def answer(house, message, provider_id="ATXid_1"):
    """Let the send call return."""
    with house.databases["worker"].begin() as session:
        messages.sent(
            session,
            message=message,
            provider_id=provider_id,
            parts=1,
            cost="KES 0.8000",
            now=house.clock(),
        )


def state(house):
    [found] = house.bank.rows("SELECT state, why FROM messages")
    return found


@pytest.mark.parametrize(("status", "reached"), STATUSES.items(), ids=list(STATUSES))
class TestStatus:
    def test_moves_a_sent_message(self, house, tell, status, reached):
        answer(house, claim(house))
        assert tell(status) == 200
        assert state(house)[0] == reached

    def test_before_the_send_call_returns(self, house, tell, status, reached):
        """§8, 19: a report may come before the id of its message is stored."""
        message = claim(house)
        assert tell(status) == 200
        assert state(house)[0] == "sending"
        answer(house, message)
        assert state(house)[0] == reached

    def test_doubled_is_as_once(self, house, tell, status, reached):
        answer(house, claim(house))
        assert [tell(status) for _ in range(3)] == [200] * 3
        assert state(house)[0] == reached
        assert house.bank.one("SELECT count(*) FROM inbox") == 1

    @pytest.mark.parametrize("later", STATUSES)
    def test_then_any_other_never_goes_back(self, house, tell, status, reached, later):
        """rapidpro #551: success first, failure later; and the other way round."""
        answer(house, claim(house))
        tell(status)
        tell(later)
        rank = ["sent", "failed", "delivered"]
        furthest = max(reached, STATUSES[later], key=rank.index)
        assert state(house)[0] == furthest


@pytest.mark.parametrize("status", ["Failed", "Rejected"])
@pytest.mark.parametrize("reason", REASONS)
def test_a_failure_reason_is_kept(house, tell, status, reason):
    answer(house, claim(house))
    assert tell(status, failureReason=reason) == 200
    assert state(house) == ("failed", reason)


@pytest.mark.parametrize("status", UNDOCUMENTED, ids=lambda status: status[:20])
class TestAStatusNobodyKnows:
    def test_is_answered_200_and_kept_and_moves_nothing_back(self, house, tell, status):
        """§8, 19: a 400 is repeated for hours."""
        answer(house, claim(house))
        assert tell(status) == 200
        assert state(house) == ("sent", None)
        [(kept,)] = house.bank.rows("SELECT status FROM delivery_reports")
        assert kept == status[:100]
        assert house.bank.one("SELECT count(*) FROM inbox WHERE done_at IS NULL") == 0

    def test_does_not_undo_a_delivery(self, house, tell, status):
        answer(house, claim(house))
        tell("Success")
        tell(status)
        assert state(house)[0] == "delivered"

    def test_is_followed_by_one_that_is_known(self, house, tell, status):
        answer(house, claim(house))
        tell(status)
        tell("Success")
        assert state(house)[0] == "delivered"


class TestOddReports:
    def test_of_nobodys_message_is_kept(self, house, tell):
        assert tell("Success", message="ATXid_nobody") == 200
        assert house.bank.rows("SELECT provider_id, state FROM delivery_reports") == [
            ("ATXid_nobody", "delivered")
        ]

    @pytest.mark.parametrize("missing", [{"id": ""}, {"status": ""}], ids=str)
    def test_that_says_nothing_is_acknowledged(self, house, tell, missing):
        assert tell(**({"status": "Success"} | missing)) == 200
        assert house.bank.one("SELECT count(*) FROM delivery_reports") == 0

    def test_eleven_hours_after_it_was_sent(self, house, tell):
        """node issue 162: `Sent` for eleven hours."""
        answer(house, claim(house))
        tell("Sent")
        house.clock.passes(hours=11)
        tell("Success")
        assert state(house)[0] == "delivered"

    @pytest.mark.parametrize(
        "field", ["networkCode", "phoneNumber", "retryCount"], ids=lambda field: f"no {field}"
    )
    def test_that_lacks_what_we_do_not_need(self, house, door, field):
        answer(house, claim(house))
        form = {"id": "ATXid_1", "status": "Success", "phoneNumber": "+254712000001"}
        form.pop(field, None)
        assert requests.post(door, data=form, timeout=5).status_code == 200
        house.send_messages()
        assert state(house)[0] == "delivered"

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=UTF-8",
            "application/x-www-form-urlencoded;charset=utf-8",
        ],
    )
    def test_whatever_its_content_type_says_of_a_charset(self, house, door, content_type):
        answer(house, claim(house))
        body = "id=ATXid_1&status=Success&phoneNumber=%2B254712000001"
        headers = {"Content-Type": content_type}
        assert requests.post(door, data=body, headers=headers, timeout=5).status_code == 200
        house.send_messages()
        assert state(house)[0] == "delivered"

    def test_from_who_does_not_know_the_word(self, house, door):
        answer(house, claim(house))
        form = {"id": "ATXid_1", "status": "Success"}
        wrong = door.replace("/sandbox/", "/guess/")
        assert requests.post(wrong, data=form, timeout=5).status_code == 404
        assert state(house)[0] == "sent"
