"""Managed zones in the lab: an update at the hidden primary becomes visible, and validates, at the public secondaries."""

import dns.flags
import dns.rdatatype
import pytest

from lab import authority, primary, process


@pytest.fixture(params=list(primary.ENGINES))
def managed(request, lab):
    """Two zones on one primary with two secondaries."""
    zones = [f"{name}.{request.param}.example" for name in ("one", "two")]
    made = authority.ManagedZones(lab, request.param, *zones, secondaries=2)
    yield made
    made.stop()


def validated(lab, name: str, kind: str) -> list[str]:
    """The records that the validating resolver vouches for."""
    answer = lab.internet.resolver.ask(name, kind)
    found = [r for r in answer.answer if r.rdtype == dns.rdatatype.from_text(kind)]
    return sorted(one.to_text() for rrset in found for one in rrset) if answer.flags & dns.flags.AD else []


def test_an_update_is_visible_and_validates_on_the_secondaries(lab, managed):
    for zone, address in zip(managed.zones, ("127.0.25.77", "127.0.25.78")):
        assert not validated(lab, f"host.{zone}", "A")
        managed.update(zone, ("add", "host", 60, "A", address), ("add", "_25._tcp.host", 60, "CNAME", "_dane.g1"),
                       ("add", "_dane.g1", 60, "TLSA", "3 1 1 " + "ab" * 32))
    managed.wait_level()
    for zone, address in zip(managed.zones, ("127.0.25.77", "127.0.25.78")):
        lab.internet.resolver.forget(zone)
        assert validated(lab, f"host.{zone}", "A") == [address]
        assert validated(lab, f"_25._tcp.host.{zone}", "TLSA") == ["3 1 1 " + "ab" * 32]
        for secondary in managed.secondaries:
            assert len(secondary.ask(f"host.{zone}", "A").answer) == 2, "the record and its signature"
        assert managed.primary.transfer(zone)[dns.name.from_text(f"host.{zone}")]
