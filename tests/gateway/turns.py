"""Hops as the aggregator posts them, one text after another."""

from __future__ import annotations

from dataclasses import replace

from menus.conversation import Conversation
from menus.sessions import RedisSessions

SESSION = "ATUid_00000000000000000000000000000abc"
DIAL_AGAIN = "END This session was interrupted. Please dial again.\nTafadhali piga tena."


def hop(house, text, *, session=SESSION, msisdn="+254712000001", code="*384#"):
    form = {"sessionId": session, "phoneNumber": msisdn, "serviceCode": code, "text": text}
    reply = house.client.post("/ussd/africastalking/sandbox", data=form | {"networkCode": "63902"})
    assert reply.status_code == 200
    return reply.text


def elsewhere(house) -> Conversation:
    """Another process of the web, which remembers what it answers itself."""
    sessions = RedisSessions(house.redis, key="test-key", ttl_seconds=300)
    return replace(house.conversation, sessions=sessions)
