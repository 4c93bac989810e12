"""`/api/openapi.json`, and `/api/docs`: the description, and Swagger UI from files of our own."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any, Final

from apiflask import APIBlueprint, APIFlask
from flask import Response, abort, jsonify, send_from_directory
from swagger_ui_bundle import swagger_ui_path

from gateway.api.access import public

_FILES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
# Swagger UI writes styles into its elements, and its pictures into its styles.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kabambe for programs</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="stylesheet" href="/api/docs/small.css">
<link rel="icon" type="image/png" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/swagger-ui-standalone-preset.js"></script>
<script src="/api/docs/begin.js"></script>
</body>
</html>
"""
_BEGIN: Final = """SwaggerUIBundle({
  url: "/api/docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "BaseLayout",
});
"""
# Swagger UI squeezes what stands side by side until words are a letter wide.
_SMALL: Final = """@media (max-width: 640px) {
  .swagger-ui .wrapper, .swagger-ui .scheme-container .schemes { padding: 0 12px; }
  .swagger-ui .opblock-tag { flex-wrap: wrap; padding: 10px 0; }
  .swagger-ui .opblock-tag small { flex: 1 0 100%; order: 1; padding: 4px 0 0; }
  .swagger-ui .opblock-tag > div { display: none; }
  .swagger-ui .opblock-tag > .expand-operation { margin-left: auto; }
  .swagger-ui .opblock .opblock-summary-control { flex-wrap: wrap; min-width: 0; }
  .swagger-ui .opblock .opblock-summary-method { min-width: 62px; padding: 6px 0; }
  .swagger-ui .opblock .opblock-summary-path { flex: 1 1 0; max-width: none; font-size: 14px;
    word-break: normal; overflow-wrap: anywhere; }
  .swagger-ui .opblock .opblock-summary-description { flex: 1 0 100%; order: 1; padding: 6px 0 0; }
  .swagger-ui .opblock-section-header { flex-wrap: wrap; gap: 6px; padding: 8px 12px; }
  .swagger-ui .responses-inner, .swagger-ui .table-container { padding: 12px; }
  .swagger-ui .parameters > thead, .swagger-ui .responses-table > thead { display: none; }
  .swagger-ui .parameters > tbody, .swagger-ui .responses-table > tbody,
  .swagger-ui .parameters > tbody > tr, .swagger-ui .responses-table > tbody > tr,
  .swagger-ui .parameters > tbody > tr > td, .swagger-ui .responses-table > tbody > tr > td {
    display: block; width: auto; max-width: 100%; overflow-x: auto; }
  .swagger-ui .parameters-col_description input { max-width: 100%; }
  .swagger-ui .btn.authorize { white-space: nowrap; }
  .swagger-ui .btn.authorize span { float: none; padding: 0 8px 0 0; }
}
"""
_LASTING_SECONDS: Final = 86_400


def door(app: APIFlask) -> APIBlueprint:
    """Hang the pages."""
    door = APIBlueprint("pages", __name__, url_prefix="/api", enable_openapi=False)
    described = cache(lambda: app.spec)

    @door.get("/openapi.json")
    @public
    def openapi() -> Response:
        return jsonify(described())

    @door.get("/docs")
    @public
    def docs() -> Response:
        answer = Response(_PAGE, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = _POLICY
        return answer

    @door.get("/docs/begin.js")
    @public
    def begin() -> Response:
        return Response(_BEGIN, mimetype="text/javascript")

    @door.get("/docs/small.css")
    @public
    def small() -> Response:
        return Response(_SMALL, mimetype="text/css")

    @door.get("/docs/openapi.json")
    @public
    def for_swagger_ui() -> Response:
        return jsonify(as_of_3_0(described()))

    @door.get("/docs/<name>")
    @public
    def file(name: str) -> Response:
        if name not in _FILES:
            abort(404)
        answer = send_from_directory(swagger_ui_path, name, mimetype=_FILES[name])
        answer.cache_control.public, answer.cache_control.max_age = True, _LASTING_SECONDS
        return answer

    return door


def as_of_3_0(described: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """
    The description in OpenAPI 3.0, which is what Swagger UI 4 can draw.

    What differs in what we say: a value that may be null, examples, and constants.
    """
    older = _older(deepcopy(described))
    older["openapi"] = "3.0.3"
    return older


def _older(node: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(node, list):
        return [_older(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {name: _older(value) for name, value in node.items()}
    if isinstance(kinds := made.get("anyOf"), list) and {"type": "null"} in kinds:
        left = [kind for kind in kinds if kind != {"type": "null"}]
        del made["anyOf"]
        made |= {"nullable": True} | (left[0] if len(left) == 1 else {"anyOf": left})
    if isinstance(examples := made.get("examples"), list) and examples:
        del made["examples"]
        made["example"] = examples[0]  # without one Swagger UI makes letters up
    if "const" in made:
        made["enum"] = [made.pop("const")]
    return made
