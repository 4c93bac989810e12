"""
Every operation is as its description says, whatever is sent: against the running server.

It is served over a socket, and callers are logged in as they are in life.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import schemathesis
from colleague import logged_in
from currencies import tell_rates
from house_parts import served
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from gateway.api.edge import KEY

# What is well formed may be refused: a number of nobody's, an amount of nothing.
REFUSALS = ["2xx", "400", "401", "403", "404", "409", "422", "503"]
EXAMPLES = 10
# Where PINs are tried out until none is right for a while.
OWN = "^/api/v1/(auth|api-keys|devices|me|totp)"
# What staff alone may do; it is asked as somebody of theirs.
STAFFS = "^/api/v1/admin/"
# After it nobody is known.
ENDS = "/logout$"
NOT_ENDS = "(?<!/logout)$"


def config(bearer: str) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "headers": {"Authorization": f"Bearer {bearer}"},
            "generation": {"max-examples": EXAMPLES, "deterministic": True, "no-shrink": True},
            "phases": {"stateful": {"enabled": False}},
            "checks": {"positive_data_acceptance": {"expected-statuses": REFUSALS}},
            "seed": 1,
        }
    )


class WithKeysOfTheirOwn:
    """Our app, to programs that draw one key for all they do: a key names one request."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.numbers = itertools.count()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if KEY.fullmatch(environ.get("HTTP_IDEMPOTENCY_KEY", "")):
            environ["HTTP_IDEMPOTENCY_KEY"] = f"drawn-{next(self.numbers):08}"
        return self.app(environ, start_response)


def looked_at(schema: Any) -> tuple[dict[str, set[int]], dict[str, list[str]]]:
    """What each operation answered with, and what was wrong with it."""
    answered: dict[str, set[int]] = {}
    wrong: dict[str, list[str]] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            wrong.setdefault(str(event.label), []).append(repr(event))
        if isinstance(event, events.ScenarioFinished):
            label = str(event.label)
            answered.setdefault(label, set()).update(
                sent.response.status_code
                for sent in event.recorder.interactions.values()
                if sent.response is not None
            )
            if event.status in (Status.FAILURE, Status.ERROR):
                wrong.setdefault(label, []).extend(_told(event.recorder))
    return answered, wrong


def _told(recorder: Any) -> list[str]:
    """What failed, and what was sent."""
    told = []
    for case, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                sent = recorder.interactions.get(case)
                body = sent.request.body if sent else None
                told.append(
                    f"{check.name}: {check.failure_info.failure.title}"
                    f" {check.failure_info.failure.message} <- "
                    f"{sent and sent.request.method} {sent and sent.request.uri} {body!r}"
                    f" -> {sent and sent.response and sent.response.status_code}"
                    f" {sent and sent.response and sent.response.content!r}"
                )
    return told


@pytest.mark.timeout(300)
def test_every_operation_is_as_it_is_described(house, otieno):
    wanjiru = house.register("+254712000001", name="Wanjiru", balance="90,000")
    house.opens_till(wanjiru.phone.msisdn)
    tell_rates(house, USDKES=("129", "131"), EURUSD=("1.08", "1.09"), BTCUSD=("90000", "90100"))
    tell_rates(house, GBPUSD=("1.3", "1.31"), USDTUSD=("0.99", "1.01"), USDNGN=("1500", "1510"))
    with house.ledger_elsewhere(), served(WithKeysOfTheirOwn(house.app)) as url:
        hers, theirs = (
            schemathesis.openapi.from_url(f"{url}/api/openapi.json", config=config(bearer))
            for bearer in (house.logged_in(wanjiru.phone.msisdn), logged_in(house, "kamau").bearer)
        )
        own = hers.exclude(path_regex=STAFFS)
        answered: dict[str, set[int]] = {}
        wrong: dict[str, list[str]] = {}
        for some in (
            own.exclude(path_regex=OWN),
            own.include(path_regex=OWN).exclude(path_regex=ENDS),
            own.include(path_regex=ENDS),
            theirs.include(path_regex=STAFFS).exclude(path_regex=ENDS),
            theirs.include(path_regex=STAFFS).exclude(path_regex=NOT_ENDS),
        ):
            answers, faults = looked_at(some)
            answered |= answers
            wrong |= faults
    assert not wrong, "\n".join(f"{label}: {each}" for label in wrong for each in wrong[label][:3])
    needs = {
        f"{method.upper()} {path}": operation.get("x-needs")
        for path, operations in house.app.spec["paths"].items()
        for method, operation in operations.items()
    }
    assert set(answered) == set(needs)
    assert 201 in answered["POST /api/v1/transfers"], "no money was moved"
    assert 200 in answered["GET /api/v1/merchants/me"], "she has no shop"
    for label, statuses in answered.items():
        permitted = statuses - {401, 405, 415}
        assert permitted, f"nobody came past the door of {label}: {statuses}"
        if "/admin/" in label and not label.endswith("/login"):
            assert 403 not in statuses, f"somebody of the staff was stopped at {label}"
