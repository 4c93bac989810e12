"""Writes `docs/openapi.json` anew: `./run openapi`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = ROOT / "docs/openapi.json"


def written(described: Any) -> str:
    """A description as the file has it."""
    return json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Describe an app that nobody is connected to."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from house_under_test import unconnected  # noqa: PLC0415 - found by the line above

    with tempfile.TemporaryDirectory() as folder:
        FILE.write_text(written(unconnected(Path(folder)).spec))


if __name__ == "__main__":
    main()
