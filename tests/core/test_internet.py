"""Where webhooks may lead: the public internet, where whoever names an address could go, too."""

from __future__ import annotations

import pytest

from core import internet, webhooks
from core.webhooks import InvalidWebhook

OURS = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1",
    "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:a9fe:a9fe", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
    "fe80::1", "fe80::1%eth0", "2a00::1%1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "3fff::1", "100::1", "5f00::1", "4000::1",
]  # fmt: skip
THEIRS = ["8.8.8.8", "1.1.1.1", "196.201.214.200", "172.32.0.1", "2606:4700::1111", "2c0f:fb50::1"]
NO_ADDRESS = [
    "",
    "localhost",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "0177.0.0.1",
    "8.8.8.8 ",
    "\uff18.8.8.8",
]


@pytest.mark.parametrize("address", [*OURS, *NO_ADDRESS])
def test_what_is_not_on_the_public_internet_is_not_called(address):
    assert not internet.is_public(address)


@pytest.mark.parametrize("address", THEIRS)
def test_what_is_on_it_is_called(address):
    assert internet.is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/kabambe",
        "https://shop.example.com:8443/kabambe?shop=1",
        "https://xn--caf-dma.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
    ],
)
def test_an_address_that_we_call(url):
    assert webhooks.check(url, loopback=False).geturl() == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example.com",
        "http://shop.example.com/",
        "ftp://shop.example.com/",
        "file:///etc/passwd",
        "gopher://shop.example.com/",
        "https:///kabambe",
        "https://shop.example.com:22/",
        "https://shop.example.com:6379/",
        "https://shop.example.com:0/",
        "https://shop.example.com:99999/",
        "https://user:word@shop.example.com/",
        "https://shop.example.com@127.0.0.1/",
        "https://shop.example.com#@127.0.0.1/",
        "https://shop.example.com/#here",
        "https://shop.example.com\\@127.0.0.1/",
        "https://shop.example.com/a b",
        "https://shop.example.com/\r\nHost: metadata",
        "https://shop.example.com/\x00",
        "https://shöp.example.com/",
        "https://localhost/",
        "https://metadata/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://shop.example.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1%25eth0]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[not-an-address]/",
        "https://-shop.example.com/",
        "https://shop..example.com/",
        "https://shop.example.com./",
        "https://" + "a" * 490 + ".com/",
    ],
)
def test_an_address_that_we_do_not(url):
    with pytest.raises(InvalidWebhook):
        webhooks.check(url, loopback=False)


def test_this_machine_is_called_in_the_sandbox_alone():
    for url in ("http://127.0.0.1:8001/hooks", "http://[::1]:8001/hooks", "https://127.0.0.1:1/"):
        assert webhooks.check(url, loopback=True)
        with pytest.raises(InvalidWebhook):
            webhooks.check(url, loopback=False)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/", "http://localhost/"]
)
def test_and_even_there_nobody_elses(url):
    with pytest.raises(InvalidWebhook):
        webhooks.check(url, loopback=True)
