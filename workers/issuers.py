"""
Sign-ins that were handed in, exchanged at the issuer's for whom it knows.
"""

from __future__ import annotations

from functools import partial

import structlog

from core.access import issuers
from core.db import transact
from workers.errors import CallFailed
from workers.oidc import NotVouched
from workers.resources import current

log = structlog.get_logger(__name__)

EXCHANGE = "workers.issuers.exchange"


def exchange(**_: object) -> None:
    """Exchange every code that was handed in, once: a second time it is worth none."""
    have = current()
    issuer = have.issuer
    if issuer is None:
        return
    while True:
        take = partial(issuers.take, chest=have.chest, now=have.clock())
        if (handed := transact(have.databases, take)) is None:
            return
        identity = None
        try:
            identity = issuer.identity_of(handed)
        except (NotVouched, CallFailed) as error:
            log.warning("issuer.not_vouched", error=type(error).__name__, why=str(error))
        record = partial(
            issuers.record,
            sign_in=handed.id,
            issuer=issuer.name,
            identity=identity,
            now=have.clock(),
        )
        transact(have.databases, record)
