"""Settings: all that is missing is told at once, and no secret is shown or guessable."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.settings import Settings, load

GOOD = {
    "DATABASE_URL": "postgresql://kabambe:s3cr3t-of-the-database@db/kabambe",
    "REDIS_URL": "redis://:s3cr3t-of-redis@redis/0",
    "KABAMBE_RATES__URL": "https://rates.example/feed",
    "KABAMBE_PIN_PEPPER": "p3pp3r-0123456789-pEpPeR",
    "KABAMBE_TURN_KEY": "turn5-0123456789-tUrNs",
    "KABAMBE_SEAL__ORIGIN": "log.kabambe.example",
    "KABAMBE_SEAL__KEY": "b3VyLW93bi0zMi1ieXRlcy1vZi1jaGFuY2UtZm9yIG0=",
    "KABAMBE_SEAL__FOLDER": "/var/lib/kabambe/log",
    "KABAMBE_VOUCHER_KEY": "vouch-0123456789-vOuCh",
    "KABAMBE_OTP_KEY": "onetm-0123456789-oNeTm",
    "KABAMBE_AT_REST_KEY": "atrst-0123456789-aTrSt",
    "KABAMBE_API__PUBLIC_URL": "https://kabambe.example",
    "KABAMBE_API__SIGNING_KEYS": "k1:b25lLWtleS1vZi0zMi1ieXRlcy10by1zaWduLXdpdGg=",
    "KABAMBE_AFRICASTALKING__USERNAME": "kabambe",
    "KABAMBE_AFRICASTALKING__API_KEY": "atsk_0123456789-aPiKeY",
    "KABAMBE_AFRICASTALKING__CALLBACK_TOKEN": "c4llb4ck-0123456789-cAlLs",
}
SECRETS = [
    name
    for name in GOOD
    if name.startswith("KABAMBE")
    and not name.endswith(("USERNAME", "URL", "ORIGIN", "FOLDER", "SEAL__KEY", "SIGNING_KEYS"))
]


@pytest.fixture
def environment(monkeypatch):
    """An environment with nothing of ours in it but what a test gives it."""

    def give(**words: str) -> None:
        for name in [
            *GOOD,
            "KABAMBE_ENVIRONMENT",
            "KABAMBE_USSD__SESSION_TTL_SECONDS",
            "KABAMBE_AFRICASTALKING__SENDER_ID",
            "KABAMBE_AFRICASTALKING__URL",
        ]:
            monkeypatch.delenv(name, raising=False)
        for name, word in words.items():
            monkeypatch.setenv(name, word)

    return give


def test_production_is_the_default(environment):
    environment(**GOOD)
    assert Settings().environment == "production"


def test_everything_missing_is_told_at_once(environment):
    environment()
    with pytest.raises(SystemExit) as missing:
        load()
    told = {line.removesuffix(" is missing") for line in str(missing.value).splitlines()[1:]}
    assert told == set(GOOD) - {"KABAMBE_RATES__URL"}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("word", ["sandbox-pin-pepper", "sandbox", "short", "", "ab" * 20])
def test_production_refuses_a_development_secret_by_name(environment, name, word):
    environment(**GOOD | {name: word})
    with pytest.raises(SystemExit) as refused:
        load()
    assert name in str(refused.value)
    for secret in [GOOD[each] for each in SECRETS]:
        assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("KABAMBE_AFRICASTALKING__USERNAME", "sandbox"),
        ("KABAMBE_AFRICASTALKING__USERNAME", ""),
        ("KABAMBE_AFRICASTALKING__URL", "http://api.africastalking.com"),
        ("KABAMBE_AFRICASTALKING__CALLBACK_TOKEN", "0123456789/abcdef?gh"),
        ("KABAMBE_RATES__URL", "http://rates.example/feed"),
        ("KABAMBE_TURN_KEY", GOOD["KABAMBE_PIN_PEPPER"]),
    ],
)
def test_production_refuses_what_is_fit_for_the_sandbox_only(environment, name, word):
    environment(**GOOD | {name: word})
    with pytest.raises(SystemExit, match=name):
        load()


@pytest.mark.parametrize("name", ["DATABASE_URL", *SECRETS])
def test_an_error_about_one_setting_shows_no_other(environment, name):
    """Nor the end of one, as pydantic's own words would."""
    environment(**{each: word for each, word in GOOD.items() if each != name})
    with pytest.raises(SystemExit) as refused:
        load()
    with pytest.raises(ValidationError) as bare:
        Settings()
    for words in (str(refused.value), str(bare.value)):
        assert not any(GOOD[each][-6:] in words for each in SECRETS)


def test_an_empty_sender_is_none(environment):
    environment(**GOOD, KABAMBE_AFRICASTALKING__SENDER_ID="")
    assert load().africastalking.sender_id is None


def test_the_sandbox_takes_its_own_secrets(environment):
    environment(**GOOD | dict.fromkeys(SECRETS, "sandbox"), KABAMBE_ENVIRONMENT="sandbox")
    assert Settings().environment == "sandbox"


def test_no_secret_is_shown(environment):
    environment(**GOOD)
    shown = f"{Settings()!r} {Settings()}"
    for name in [*SECRETS, "DATABASE_URL", "REDIS_URL"]:
        assert GOOD[name] not in shown
    assert "s3cr3t" not in shown


def test_they_cannot_be_changed(environment):
    environment(**GOOD)
    with pytest.raises(ValidationError):
        Settings().environment = "sandbox"


@pytest.mark.parametrize("word", ["", "short", "sandbox", "x" * 44, "AAAA" * 11])
def test_the_logs_key_must_be_one(environment, word):
    environment(**GOOD | {"KABAMBE_SEAL__KEY": word})
    with pytest.raises(SystemExit, match="32 random bytes") as refused:
        load()
    assert "KABAMBE_SEAL__KEY" in str(refused.value)
    assert not word or word not in str(refused.value)
