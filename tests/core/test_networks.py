"""Where somebody calls from, as it is counted."""

from __future__ import annotations

import pytest

from core import networks


@pytest.mark.parametrize(
    ("address", "home", "site"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("unix", "unix", "unix"),
        ("", "", ""),
    ],
)
def test_a_home_is_counted_whole(address, home, site):
    assert (networks.home(address), networks.site(address)) == (home, site)
    assert networks.is_homes_own(address) is (":" in home)
