"""
`python -m bench ussd [--quick]`: prints one JSON object a figure; ends non-zero on a missed goal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench import ussd


def main(argv: Sequence[str]) -> int:
    """Run a benchmark."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("what", choices=["ussd"])
    parser.add_argument("--quick", action="store_true", help="short rounds: a check, no measure")
    chosen = parser.parse_args(argv)
    return ussd.run(seconds=0.5 if chosen.quick else 3.0, rounds=1 if chosen.quick else 5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
