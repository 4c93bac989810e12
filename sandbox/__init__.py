"""A whole country on one laptop, for development and tests; nothing above imports it."""

from __future__ import annotations
