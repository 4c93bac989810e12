"""The web's composition root: settings, resources, doors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from core import db, logs
from core.codes import Veil
from core.otp_codes import OtpKey
from core.pins import Hasher
from core.seal_outside import Outside
from core.settings import load
from gateway import Doors, composing, create_app, rails
from gateway.callbacks import Callers
from menus.conversation import Conversation
from menus.sessions import RedisSessions, connect
from workers import bell, queues, strikes

THREADS_THAT_MAY_WAIT = 6  # of each process's eight: navigation never stands behind a wait

logs.configure()
settings = load()
databases = db.connect(
    settings.database_url.get_secret_value(),
    role=db.WEB,
    connections_max=THREADS_THAT_MAY_WAIT,
    turn_seconds=0.5,
    breaker=db.wait_in_time(),
)
address = settings.redis_url.get_secret_value()
redis = connect(address)
strikes.watch(databases, redis)
ledger = bell.Bell(
    redis,
    queues.queue(queues.Name.LEDGER, redis),
    waiting_max=THREADS_THAT_MAY_WAIT,
    waiting=connect(address, blocks_seconds=bell.WAIT_SECONDS_MAX),
)


def now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


conversation = Conversation(
    databases=databases,
    sessions=RedisSessions(
        redis,
        key=settings.turn_key.get_secret_value(),
        ttl_seconds=settings.ussd.session_ttl_seconds,
    ),
    clock=now,
    hasher=Hasher(settings.pin_pepper.get_secret_value()),
    veil=Veil(settings.voucher_key.get_secret_value()),
    otp_key=OtpKey(settings.otp_key.get_secret_value()),
    ring=ledger.ring,
    wait=ledger.wait,
    dial_ahead=settings.ussd.dial_ahead,
    has_mpesa=settings.mpesa is not None,
    prompt_delay=timedelta(seconds=settings.mpesa.prompt_delay_seconds if settings.mpesa else 0),
)
outside = Outside(settings.seal.folder)
app = create_app(
    databases=databases,
    conversation=conversation,
    clock=now,
    doors=Doors(
        africastalking=settings.africastalking.callback_token.get_secret_value(),
        rails=rails.signed(settings.paystack, settings.flutterwave),
    ),
    redis_answers=lambda: bell.answers(redis),
    outside=outside,
    safaricom=settings.mpesa
    and Callers(
        token=settings.mpesa.door_token.get_secret_value(),
        addresses=frozenset(map(str, settings.mpesa.addresses)),
        mode=settings.mpesa.allow_list,
        shortcode=settings.mpesa.shortcode,
        accepts_unsure=settings.mpesa.when_unsure == "accept",
    ),
    api=composing.api_of(
        settings,
        conversation=conversation,
        redis=redis,
        outside=outside,
        ring_issuers=partial(
            queues.enqueue,
            queues.queue(queues.Name.ISSUERS, redis),
            "workers.issuers.exchange",
        ),
        ring_staff=partial(
            queues.enqueue, queues.queue(queues.Name.LEDGER, redis), "workers.staff.act"
        ),
    ),
)
