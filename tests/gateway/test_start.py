"""The web starts quickly: what its workers are made of is imported once, before they are."""

from __future__ import annotations

import json
import subprocess
import sys

from sandbox import product

START = """
import json, runpy, sys
runpy.run_path("deploy/gunicorn.conf.py")["when_ready"](None)
before = set(sys.modules)
import wsgi
print(json.dumps({"before": sorted(before), "after": sorted(set(sys.modules) - before)}))
"""


def test_nothing_of_ours_is_imported_by_each_worker_and_no_pdf_writer_by_any():
    # The engines are nowhere: nothing is connected before the first call.
    environment = product.environment(product.Ports(1, 2), "postgresql://x@/x", "redis://x:1/0")
    ran = subprocess.run(
        [sys.executable, "-c", START], env=environment, capture_output=True, check=True, timeout=60
    )
    imported = json.loads(ran.stdout)
    ours = ("core", "gateway", "menus", "workers", "sqlalchemy", "flask", "redis", "pydantic")
    assert [each for each in imported["after"] if each.split(".")[0] in ours] == []
    assert "fpdf" not in {*imported["before"], *imported["after"]}
