"""The programs of somebody, which are told by webhooks; and what their owner asks of us."""

from __future__ import annotations

import requests
from house_parts import CHEST

from core import webhook_deliveries, webhooks
from core.audit import Actor
from workers.queues import Name

HIS = Actor("+254733000002", "app", "r1")


class Programs:
    """The programs of a shopkeeper, and what he asks of us."""

    def __init__(self, house, shop) -> None:
        self.house, self.msisdn = house, shop.phone.msisdn
        self.secrets = {}

    @property
    def owner(self):
        return self.house.bank.one("SELECT id FROM subscribers WHERE msisdn = :m", m=self.msisdn)

    def add(self, name="till", types=(), path=""):
        url = f"{self.house.country_url}/webhooks/{name}{path}"
        made, secret = self.web(webhooks.add, url=url, description=name, types=types, loopback=True,
                                chest=CHEST, actor=HIS)  # fmt: skip
        self.secrets[name] = secret
        return made

    def web(self, act, **given):
        """Do something as the web does, for the owner."""
        with self.house.databases["web"].begin() as session:
            if "webhook" not in given:
                given["subscriber"] = self.owner
            return act(session, now=self.house.clock(), **given)

    def see(self, code):
        with self.house.databases["web"]() as session:
            return webhooks.find(session, subscriber=self.owner, code=code)

    def log(self, code, state=None):
        with self.house.databases["web"]() as session:
            found = webhook_deliveries.listed(
                session, webhook=self.see(code), count=100, state=state
            )
            return [(each, webhook_deliveries.tried(session, delivery=each)) for each in found]

    def states(self, code):
        return [each.state.value for each, _tried in self.log(code)]

    def fails(self, *faults, name="till"):
        url = f"{self.house.country_url}/webhooks/{name}/faults"
        requests.put(url, json=list(faults), timeout=5).raise_for_status()

    def came(self, name="till"):
        return requests.get(f"{self.house.country_url}/webhooks/{name}", timeout=5).json()

    def call(self):
        """Let the relay ring, and the worker make the calls that are due."""
        self.house.relay.once()
        self.house.work(Name.WEBHOOKS)


def pay(wanjiru, amount="50"):
    """She sends him money, and he is told."""
    wanjiru.phone.dial().types("1", "0733000002", amount, "4071")
