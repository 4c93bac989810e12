"""
The environment as the sandbox sees it.

The product's processes read theirs through core/settings.py; the sandbox runs before those exist
and makes their environment, so it has this door of its own.
"""

from __future__ import annotations

import os


def everything() -> dict[str, str]:
    """A copy of the whole environment, to hand to a child."""
    return dict(os.environ)  # noqa: TID251 - see the module's own words


def variable(name: str) -> str:
    """One variable without surrounding blanks; empty when it is not set."""
    return os.environ.get(name, "").strip()  # noqa: TID251 - see the module's own words
