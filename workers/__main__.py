"""
`python -m workers {ledger,sms,mpesa,webhooks,issuers,relay}`: the workers' composition root.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from redis import Redis
from sqlalchemy.exc import SQLAlchemyError

from core import db, logs
from core.at_rest import Chest
from core.money import kes
from core.otp_codes import OtpKey
from core.seal import Anchor, Sealer
from core.seal_notes import Signer
from core.seal_outside import Outside
from core.settings import load
from core.sms_orders import Bounds
from workers import composing, ledger, resources, strikes
from workers.bell import Bell
from workers.caller import Caller
from workers.ledger import Heartbeat
from workers.pace import Pace
from workers.queues import Name, queue, serve
from workers.rail_accounts import rails_of
from workers.rates import RateFeed
from workers.relay import Relay
from workers.resources import Resources
from workers.ringing import Bells
from workers.sealing import Sealing
from workers.sms.africastalking import AfricasTalking

log = structlog.get_logger(__name__)


def now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


def main(argv: Sequence[str]) -> int:
    """Run one worker until it is told to stop."""
    parser = argparse.ArgumentParser(prog="workers", description=__doc__)
    parser.add_argument("worker", choices=[*Name, "relay"])
    chosen = parser.parse_args(argv).worker
    logs.configure()
    settings = load()
    databases = db.connect(settings.database_url.get_secret_value(), role=db.WORKER)
    redis = Redis.from_url(
        settings.redis_url.get_secret_value(), socket_connect_timeout=2, health_check_interval=15
    )
    strikes.watch(databases, redis)
    outside = Outside(settings.seal.folder)
    if chosen == "relay":
        signer = Signer(settings.seal.origin, settings.seal.key.get_secret_value())
        sealing = Sealing(Sealer(databases, signer, outside, now))
        _run_relay(Relay(databases, redis, now, has_mpesa=settings.mpesa is not None), sealing)
        return 0
    name = Name(chosen)
    account = settings.africastalking
    mpesa = settings.mpesa if name is Name.MPESA else None
    if name is Name.MPESA and mpesa is None:
        log.warning("mpesa.not_configured")  # it waits: settings are read at start
    have = Resources(
        databases=databases,
        clock=now,
        bell=Bell(redis, queue(Name.LEDGER, redis), waiting_max=1),
        sender=AfricasTalking(
            username=account.username,
            api_key=account.api_key.get_secret_value(),
            url=str(account.url),
            sender_id=account.sender_id,
        ),
        rates=RateFeed(str(settings.rates.url)) if settings.rates.url else None,
        anchor=Anchor(outside),
        pace=Pace(redis, now, per_second=account.per_second),
        credit_least=kes(account.credit_least * 100),
        otp_key=OtpKey(settings.otp_key.get_secret_value()),
        by_sms=Bounds(
            unconfirmed=kes(settings.sms_orders.unconfirmed_max * 100),
            day=kes(settings.sms_orders.day_max * 100),
        ),
        issuer=None if settings.oidc is None else composing.issuer_of(settings.oidc, now),
        rails=rails_of(settings.paystack, settings.flutterwave),
        mpesa=None if mpesa is None else composing.line_of(mpesa, redis, now),
        heard=Bells(redis, queue(Name.MPESA, redis)).heard,
        chest=Chest(settings.at_rest_key.get_secret_value()),
        webhooks=Caller(loopback=settings.webhooks.loopback),
    )
    resources.install(have)
    if name is Name.LEDGER:
        _run_ledger(have, redis)
    else:
        serve(name, redis)
    return 0


def _run_ledger(have: Resources, redis: Redis) -> None:
    try:
        ledger.execute()  # whatever was placed while nobody was here; its bell may be lost
    except SQLAlchemyError as error:  # the relay rings again once the database is back
        log.warning("ledger.first_look_failed", error=type(error).__name__)
    heartbeat = Heartbeat(have)
    heartbeat.start()
    try:
        serve(Name.LEDGER, redis)
    finally:
        heartbeat.stop()


def _run_relay(relay: Relay, sealing: Sealing) -> None:
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: relay.stop())
    sealing.start()
    try:
        relay.run()
    finally:
        sealing.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
