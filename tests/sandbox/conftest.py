"""
A country for each test: the fake provider, and a stand-in for our web that it calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from standin import CODE, KEY, PACE, TOKEN, Country, StandIn, served

from sandbox.country import create_app


@pytest.fixture
def country(request) -> Iterator[Country]:
    pace = getattr(request, "param", PACE)
    web = StandIn()
    with ExitStack() as stack:
        web_url = stack.enter_context(served(web.app()))
        app = create_app(web_url, CODE, TOKEN, api_key=KEY, sender_id="KABAMBE", pace=pace)
        url = stack.enter_context(served(app))
        stack.callback(app.extensions["courier"].close)
        yield Country(url, web)
