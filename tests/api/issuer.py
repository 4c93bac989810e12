"""
An issuer of identities at work: the sandbox's, told what time it is by the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from flask import Flask
from house_parts import served
from smartphone import Smartphone

from gateway.api.edge import Issuer
from sandbox import oidc
from workers import oidc as asking
from workers import queues, resources
from workers.queues import Name

BACK = "https://app.example/signed-in"


@dataclass
class Browser:
    """Goes where an app sends it, is somebody there, and comes back."""

    fake: oidc.Issuer
    url: str

    def comes_back(self, address: str, who: str = "wanjiru") -> dict[str, str]:
        """What an app is told when somebody has chosen who they are."""
        went = urlsplit(address)
        assert went.netloc == urlsplit(self.url).netloc
        page = requests.get(address, timeout=5)
        assert f"Continue as {who}" in page.text
        there = requests.get(
            f"{self.url}/authorize/{who}?{went.query}", timeout=5, allow_redirects=False
        )
        back = there.headers["Location"]
        assert back.startswith(f"{BACK}?"), back
        return dict(parse_qsl(urlsplit(back).query))


@contextmanager
def opened(house: Any) -> Iterator[tuple[Browser, Flask]]:
    """Let there be an issuer, a worker that asks it, and doors that know of it."""
    fake = oidc.Issuer(redirect_url=BACK, clock=lambda: house.clock().timestamp())
    country = Flask("issuer")
    country.register_blueprint(oidc.create_blueprint(fake))
    with served(country) as at:
        url = f"{at}/oidc"
        asked = asking.Issuer(
            url,
            client_id=fake.client_id,
            client_secret=fake.client_secret,
            redirect_url=BACK,
            clock=house.clock,
        )
        had = resources.current()
        resources.install(replace(had, issuer=asked))

        def ring() -> None:
            line = queues.queue(Name.ISSUERS, house.redis)
            queues.enqueue(line, "workers.issuers.exchange")
            house.work(Name.ISSUERS)

        known = Issuer(
            name=url,
            called="Sandbox",
            authorization_url=f"{url}/authorize",
            client_id=fake.client_id,
            redirect_url=BACK,
            ring=ring,
        )
        try:
            with house.limited(issuer=known) as client:
                yield Browser(fake, url), client.application
        finally:
            resources.install(had)
            asked.close()


def begins(app: Smartphone, path: str = "", **words: Any) -> dict[str, str]:
    answer = app.post(f"/auth/google{path}", **words)
    assert answer.status_code == 201, answer.json
    return answer.json


def finishes(app: Smartphone, begun: dict[str, str], back: dict[str, str], path: str = ""):
    return app.post(f"/auth/google{path}/finish", attempt=begun["attempt"], **back)
