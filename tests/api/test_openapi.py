"""The description of the API is a file, so that no change of it goes unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openapi_file import FILE, written

from core import errors
from gateway import problems
from gateway.api.description import routes

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_served_is_what_the_file_says(house):
    """If the change is meant: `./run openapi` writes the file anew."""
    assert written(house.app.spec) == FILE.read_text(), "./run openapi"
    assert house.client.get("/api/openapi.json").json == json.loads(FILE.read_text())


def test_every_route_is_described_and_says_who_may_call(house):
    described = {
        (path, method)
        for path, operations in house.app.spec["paths"].items()
        for method in operations
    }
    assert described == {(path, method) for path, method, _view in routes(house.app)}
    assert len(described) > 20
    for rule in house.app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1"):
            assert hasattr(house.app.view_functions[rule.endpoint], "need"), rule


def test_every_operation_has_a_name_a_summary_and_a_tag(house):
    spec = house.app.spec
    operations = [
        operation for operations in spec["paths"].values() for operation in operations.values()
    ]
    tags = {each["name"] for each in spec["tags"]}
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        assert operation["summary"].endswith("."), operation["operationId"]
        [tag] = operation["tags"]
        assert tag in tags
    assert all(each.get("description") for each in spec["tags"])


@pytest.mark.parametrize("problem", problems.OF_HTTP, ids=lambda problem: problem.code)
def test_every_problem_of_http_has_its_place_in_the_docs(problem):
    told = (ROOT / "docs/problems.md").read_text().partition("# What programs alone are told")[2]
    row = f"| `{problem.code}` | {problem.status.value} | {problem.title} |"
    assert row in told
    assert problem.code not in {error.code for error in errors.leaves()}


@pytest.mark.parametrize("error", [*errors.leaves()], ids=lambda error: error.code)
def test_every_refusal_has_a_status_and_a_title(error):
    assert 400 <= problems.status_of(error) < 600
    assert problems.title_of(error).endswith(".")


class TestSwaggerUi:
    def test_has_all_its_files_from_us(self, house):
        page = house.client.get("/api/docs")
        assert "http" not in page.text.replace("http-equiv", "")
        policy = page.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        for name in (
            "swagger-ui.css",
            "small.css",
            "swagger-ui-bundle.js",
            "begin.js",
            "openapi.json",
        ):
            with house.client.get(f"/api/docs/{name}") as answer:
                assert answer.status_code == 200
        assert house.client.get("/api/docs/index.html").status_code == 404
        assert house.client.get("/api/docs/..%2f__init__.py").status_code == 404

    def test_is_shown_a_description_that_it_can_draw(self, house):
        older = house.client.get("/api/docs/openapi.json").json
        assert older["openapi"] == "3.0.3"
        assert '{"type": "null"}' not in json.dumps(older)
        value = older["components"]["schemas"]["Amount"]["properties"]["value"]
        assert (value["example"], "examples" in value) == ("500.00", False)
        assert list(older["paths"]) == list(house.app.spec["paths"])
