"""
A country for each test: the fake provider, and a stand-in for our web that it calls.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from house import running
from launched import Run
from merchant import Ears, Merchant
from playwright.sync_api import Browser, Page, expect, sync_playwright
from standin import CODE, KEY, PACE, TOKEN, Country, StandIn, served

from sandbox.country import create_app
from sandbox.daraja.terms import Terms


@pytest.fixture
def country(request) -> Iterator[Country]:
    pace = getattr(request, "param", PACE)
    web = StandIn()
    with ExitStack() as stack:
        web_url = stack.enter_context(served(web.app()))
        app = create_app(web_url, CODE, TOKEN, api_key=KEY, sender_id="KABAMBE", pace=pace)
        url = stack.enter_context(served(app))
        for name in ("courier", "safaricom"):
            stack.callback(app.extensions[name].close)
        yield Country(url, web)


QUICK = Terms(answer_after=0.01, callback_after=0.01, result_after=0.01)
"""Safaricom in a hurry; a prompt that nobody answers is for a test to ignore."""


@pytest.fixture
def merchant() -> Iterator[Merchant]:
    """An organisation at Safaricom's, which hears every callback."""
    ears = Ears()
    with ExitStack() as stack:
        ears_url = stack.enter_context(served(ears.app()))
        app = create_app(ears_url, CODE, TOKEN, pace=PACE, terms=QUICK)
        url = stack.enter_context(served(app))
        for name in ("courier", "safaricom"):
            stack.callback(app.extensions[name].close)
        yield Merchant(url, ears_url, ears)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the installed Chromium, once."""
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if found is None:
        pytest.skip("no Chromium or Chrome is installed")
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses root otherwise
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., Page]]:
    """Open the phone page; afterwards, nothing may have gone wrong inside it."""
    problems: list[str] = []
    with ExitStack() as stack:

        def open_it(url: str, *, width: int = 1440, height: int = 860, without: str = "") -> Page:
            context = browser.new_context(viewport={"width": width, "height": height})
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(5_000)
            page.on("pageerror", lambda error: problems.append(str(error)))
            if without:
                page.route(without, lambda route: route.fulfill(status=503))
            else:  # a refused stream is told on the console, and is meant to be
                page.on(
                    "console",
                    lambda said: problems.append(said.text) if said.type == "error" else None,
                )
            page.goto(url)
            expect(page.locator(".link.live")).to_be_visible()
            return page

        yield open_it
    assert problems == []


@pytest.fixture(scope="session")
def stack(tmp_path_factory) -> Iterator[str]:
    """Run the whole house for the tests that click through it; gives the sandbox's URL."""
    with running(tmp_path_factory.mktemp("house")) as url:
        yield url


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    """Start `./run`s and leave none."""
    started: list[Run] = []

    def start(*arguments: object, **more: object) -> Run:
        started.append(Run(*arguments, **more))
        return started[-1]

    yield start
    for one in started:
        one.clean_up()
