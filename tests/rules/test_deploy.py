"""What goes to production: the image, the compose file, the server, the list of variables."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import get_args

import pytest
import yaml
from gunicorn.config import KNOWN_SETTINGS
from pydantic import BaseModel

from core.settings import Settings

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
COMPOSE = (REPOSITORY / "deploy" / "compose.yaml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "kabambe"}

EXAMPLE = dict(
    line.split("=", 1)
    for line in (REPOSITORY / ".env.example").read_text().splitlines()
    if line and not line.startswith("#")
)

# A setting, or a password of the stores.
SECRET = re.compile(r"(PEPPER|_KEY|TOKEN|PASSWORD|SECRET|PASSKEY|SECRET_HASH)$")
# Whom we may do without: where nothing of the account is given, there is none.
OPTIONAL = re.compile(r"KABAMBE_(MPESA|OIDC|PAYSTACK|FLUTTERWAVE)__")


def variables(model: type[BaseModel] = Settings, prefix: str = "KABAMBE_") -> set[str]:
    """Every variable that the settings read."""
    names = set()
    for name, field in model.model_fields.items():
        models = [
            each
            for each in (field.annotation, *get_args(field.annotation))
            if isinstance(each, type) and issubclass(each, BaseModel)
        ]
        if models:
            names |= variables(models[0], f"{prefix}{name.upper()}__")
        elif field.validation_alias is not None:
            names |= set(field.validation_alias.choices)
        else:
            names.add(f"{prefix}{name.upper()}")
    return names


def instructions(word):
    return re.findall(rf"^{word}\s+(.+)$", INSTRUCTIONS, flags=re.MULTILINE)


class TestImage:
    def test_it_runs_as_nobody_in_particular(self):
        assert instructions("USER")[-1] not in {"root", "0"}
        assert INSTRUCTIONS.rindex("\nUSER") < INSTRUCTIONS.rindex("\nCMD")

    def test_it_takes_wheels_by_their_hashes_before_it_takes_code(self):
        (install,) = [line for line in instructions("RUN") if "pip install" in line]
        assert "--require-hashes" in install
        assert "--only-binary :all:" in install
        assert INSTRUCTIONS.index("pip install") < INSTRUCTIONS.index("COPY core/")

    def test_its_health_is_asked_at_live(self):
        (check,) = instructions("HEALTHCHECK")
        assert "/live" in check
        assert "timeout" in check

    def test_everything_it_copies_is_there_and_let_in(self):
        let_in = re.findall(r"^!(.+)$", (REPOSITORY / ".dockerignore").read_text(), re.MULTILINE)
        for line in instructions("COPY"):
            for source in line.split()[:-1]:
                assert (REPOSITORY / source).exists(), source
                assert source.rstrip("/") in let_in, source

    def test_no_secret_and_no_sandbox_is_in_it(self):
        for line in instructions("ENV") + instructions("ARG"):
            assert not [word for word in line.split() if SECRET.search(word.partition("=")[0])]
        assert "sandbox" not in INSTRUCTIONS


class TestCompose:
    def test_the_whole_house_is_there(self):
        commands = {name: service.get("command") for name, service in OURS.items()}
        assert commands == {
            "web": None,
            "worker-ledger": ["python", "-m", "workers", "ledger"],
            "worker-sms": ["python", "-m", "workers", "sms"],
            "worker-issuers": ["python", "-m", "workers", "issuers"],
            "worker-webhooks": ["python", "-m", "workers", "webhooks"],
            "worker-mpesa": ["python", "-m", "workers", "mpesa"],
            "worker-rails": ["python", "-m", "workers", "rails"],
            "relay": ["python", "-m", "workers", "relay"],
            "migrate": ["alembic", "upgrade", "head"],
        }
        assert set(SERVICES) - set(OURS) == {"postgres", "redis"}

    @pytest.mark.parametrize("name", sorted(set(OURS) - {"migrate"}))
    def test_nothing_starts_before_the_migration_and_redis(self, name):
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
        assert waits["redis"]["condition"] == "service_healthy"

    @pytest.mark.parametrize("name", ["postgres", "redis"])
    def test_the_stores_say_when_they_are_ready_and_are_not_reached_from_outside(self, name):
        assert SERVICES[name]["healthcheck"]["test"]
        assert "ports" not in SERVICES[name]

    def test_no_secret_has_a_value_or_a_default(self):
        for service in SERVICES.values():
            for name, value in service.get("environment", {}).items():
                if OPTIONAL.match(name) and SECRET.search(name):
                    assert re.fullmatch(r"\$\{\w+:-\}", value), name
                elif SECRET.search(name):
                    assert re.fullmatch(r"\$\{\w+:\?\}", value), name
        for name in re.findall(r"\$\{(\w+)", COMPOSE):
            if SECRET.search(name) and not OPTIONAL.match(name):
                assert f"${{{name}:?}}" in COMPOSE
                assert f"${{{name}:-" not in COMPOSE

    @pytest.mark.parametrize("name", sorted(OURS))
    def test_every_setting_reaches_every_process(self, name):
        assert set(SERVICES[name]["environment"]) == variables()

    @pytest.mark.parametrize("name", sorted(OURS))
    def test_our_processes_have_no_more_than_they_need(self, name):
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]

    def test_one_long_job_holds_up_no_code(self):
        assert SERVICES["worker-ledger"]["deploy"]["replicas"] > 1
        assert SERVICES["worker-sms"]["deploy"]["replicas"] > 1
        assert SERVICES["worker-mpesa"]["deploy"]["replicas"] > 1
        assert SERVICES["worker-rails"]["deploy"]["replicas"] > 1


class TestVariables:
    def test_each_is_in_the_example(self):
        asked = set(re.findall(r"\$\{(\w+)", COMPOSE))
        assert set(EXAMPLE) == variables() | asked | {"PORT", "WEB_HOST"}

    def test_no_secret_has_a_value_there(self):
        assert not [name for name, value in EXAMPLE.items() if SECRET.search(name) and value]


class TestServer:
    @pytest.fixture
    def settings(self, monkeypatch):
        monkeypatch.delenv("WEB_HOST", raising=False)
        monkeypatch.setenv("PORT", "8123")
        return runpy.run_path(str(REPOSITORY / "deploy" / "gunicorn.conf.py"))

    def test_it_listens_on_this_machine_where_port_says(self, settings):
        assert settings["bind"] == "127.0.0.1:8123"

    def test_it_listens_wider_only_when_told(self, monkeypatch):
        monkeypatch.setenv("WEB_HOST", "0.0.0.0")
        monkeypatch.delenv("PORT", raising=False)
        settings = runpy.run_path(str(REPOSITORY / "deploy" / "gunicorn.conf.py"))
        assert settings["bind"] == "0.0.0.0:8000"

    def test_no_address_is_logged_and_no_control_socket_is_opened(self, settings):
        assert settings["accesslog"] is None
        assert settings["control_socket_disable"] is True

    def test_every_setting_is_one_that_gunicorn_knows(self, settings):
        ours = {name for name in settings if not name.startswith("_") and name.islower()}
        imported = {"os", "importlib", "annotations"}
        assert ours - imported <= {setting.name for setting in KNOWN_SETTINGS}
