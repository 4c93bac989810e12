"""What earlier revisions said, for one that replaces a part of it or brings it back."""

from __future__ import annotations

from types import ModuleType

from alembic import op


def earlier(name: str) -> ModuleType:
    """
    Find an earlier revision's module, while another one runs.

    Raises:
        CommandError: There is none of this name.
    """
    script = op.get_context().script
    assert script is not None
    found = script.get_revision(name)
    assert found is not None
    return found.module
