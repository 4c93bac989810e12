"""
What is said of the sandbox's doors is so: every address that is told of is there.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from standin import CODE, TOKEN

from sandbox.country import create_app
from sandbox.daraja import control, doors, faults
from sandbox.daraja.faults import PRESETS, Answer, Callback, read

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text()


@pytest.fixture(scope="module")
def rules():
    app = create_app("http://127.0.0.1:9", CODE, TOKEN)
    return {rule.rule for rule in app.url_map.iter_rules()}


def test_the_page_names_addresses_that_are_there(rules):
    named = set(re.findall(r"`(/(?:africastalking|daraja|rates)[\w/]*)`", DOCS))
    assert len(named) > 10
    assert named <= rules


def test_the_tables_of_the_modules_name_every_door_of_safaricom(rules):
    ours = {rule.removeprefix("/daraja") for rule in rules if rule.startswith("/daraja/")}
    ours -= {rule for rule in ours if "any(" in rule}
    told = doors.__doc__ + re.sub(r"`/", "`/control/", control.__doc__)
    for version in ("registerurl", "paymentrequest"):
        told = told.replace(f"v2/…`, `/{version}", version)
    for rule in ours:
        plain = re.sub(r"<[^>]+>", "<", rule)
        short = re.sub(r"/v(\d)/\w+$", r"/v\1/…", rule)
        found = any(each in re.sub(r"<[^>]+>", "<", told) for each in (plain, short))
        assert found, rule


def test_the_page_and_the_module_name_every_kind_of_fault():
    told = faults.__doc__
    for kind in (Answer, Callback):
        for word in kind.model_fields["kind"].annotation.__args__:
            assert f"`{word}`" in told, word


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_script(name):
    assert read({"preset": name}).model_dump(exclude_defaults=True) or name == "none"
