"""Managed zones in the lab: an update at the hidden primary becomes visible, and validates, at the public secondaries."""

import dataclasses
import subprocess
import sys

import dns.exception
import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import pytest
from nested import HOME, environment

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


def test_a_restarted_primary_knows_what_was_updated(lab, managed):
    zone = managed.zones[0]
    managed.update(zone, ("add", "host", 60, "A", "127.0.25.77"))
    serial = managed.primary.serial(zone)
    managed.primary.restart()
    assert managed.primary.ask(f"host.{zone}", "A").answer and managed.primary.serial(zone) >= serial
    managed.update(zone, ("delete", "host", "A"))
    managed.wait_level()
    assert not managed.secondaries[1].ask(f"host.{zone}", "A").answer


def test_nobody_without_the_key_changes_or_copies_a_zone(lab, managed):
    zone = managed.zones[0]
    theirs = primary.TsigKey()
    ours, managed.primary.plan = managed.primary.plan, dataclasses.replace(managed.primary.plan, key=theirs)
    with pytest.raises((process.Failed, dns.tsig.PeerError)):
        managed.update(zone, ("add", "host", 60, "A", "127.0.25.77"))
    with pytest.raises(dns.exception.DNSException):
        managed.primary.transfer(zone)
    managed.primary.plan = ours
    assert managed.primary.transfer(zone) and not managed.primary.ask(f"host.{zone}", "A").answer


def test_a_secondary_lags_and_catches_up(lab, managed):
    zone, (late, other) = managed.zones[0], managed.secondaries
    late.lag()
    managed.update(zone, ("add", "host", 60, "A", "127.0.25.77"))
    process.wait_for(lambda: other.ask(f"host.{zone}", "A").answer, 10, "the other secondary follows")
    assert not late.ask(f"host.{zone}", "A").answer
    late.catch_up()
    managed.wait_level()
    late.pause()
    with pytest.raises(dns.exception.Timeout):
        late.ask(zone, "SOA", 0.2)
    managed.update(zone, ("delete", "host", "A"))
    late.resume()
    managed.wait_level()


@pytest.mark.parametrize("engine", ["knot", "bind"])
def test_signatures_expire_when_the_primary_is_dead(lab, engine):
    zone = f"short.{engine}.example"
    managed = authority.ManagedZones(lab, engine, zone, ttl=1, lifetime=9)
    assert validated(lab, zone, "SOA")
    managed.primary.stop()
    process.wait_for(lambda: lab.internet.resolver.ask(zone, "SOA").rcode() == dns.rcode.SERVFAIL, 20, "signatures expire")
    managed.primary.start()
    lab.internet.resolver.forget(zone)  # it remembers for a minute that the DNSKEY RRset was bogus
    process.wait_for(lambda: validated(lab, zone, "SOA"), 20, "fresh signatures")
    managed.stop()


def test_managed_zones_on_high_ports():
    program = f"""
import sys
sys.path.insert(0, {str(HOME)!r})
from lab import authority, primary
from lab.lab import Lab
import dns.flags
lab = Lab().up()
for engine in primary.ENGINES:
    managed = authority.ManagedZones(lab, engine, engine + ".example")
    managed.update(engine + ".example", ("add", "host", 60, "A", "127.0.0.9"))
    managed.wait_level()
    assert lab.internet.resolver.ask(f"host.{{engine}}.example", "A").flags & dns.flags.AD, engine
lab.down()
print("held")
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment(KEDGE_LAB_PORTS="1"), text=True,
                          capture_output=True, timeout=60)
    assert (done.stdout, done.returncode) == ("held\n", 0), done.stderr
