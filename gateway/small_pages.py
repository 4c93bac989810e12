"""Pages of ours that need no script and nothing from elsewhere: how they look, and are guarded."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from flask import Response, render_template
from markupsafe import Markup

_STYLE: Final = """
:root { --ink: #14221b; --quiet: #55645c; --ground: #f4f7f5; --card: #fff; --line: #d9e2dc;
  --green: #0a7a43; }
@media (prefers-color-scheme: dark) { :root { --ink: #eef5f0; --quiet: #a7b8ae;
  --ground: #0e1512; --card: #17211c; --line: #2a3830; --green: #5fd39a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); }
main { margin: 0 auto; padding: 1.25rem 1rem; }
h1 { line-height: 1.25; margin: 0; }
section, .over { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
"""


class SmallPage:
    """
    A template of ours with its style.

    Args:
        template: Its file; it extends `page.html`.
        style: CSS, besides what all of them have.
        headers: What else is said with it, such as how long it may be kept.
    """

    def __init__(self, template: str, style: str, headers: dict[str, str]) -> None:
        self._template = template
        self._style = Markup(_STYLE + style)  # noqa: S704 - ours
        hashed = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self._headers = {
            "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{hashed}';"
            " frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            **headers,
        }

    def drawn(self, **given: object) -> str:
        """Fill the template."""
        return render_template(self._template, style=self._style, **given)

    def answer(self, drawn: str, *, status: int = 200) -> Response:
        """Answer with what was drawn."""
        return Response(drawn, status, self._headers, mimetype="text/html")
