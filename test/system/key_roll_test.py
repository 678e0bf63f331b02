"""The private primary rolls its keys: ZSK by itself, KSK with an operator who enters DS records when told to. A validating
resolver looks on all the time."""

import datetime
import json
import re
import threading
import time

import dns.dnssec
import dns.exception
import dns.flags
import dns.rcode
import dns.rdatatype
import pytest

from lab import process, world
from lab.private import EDGE, ZONES, Run

ZONE, DOMAIN, HOST = ZONES[0], "rolling.example", "rolling-example"
DS_TTL = 3
FAST = {"authority_ttl": "2s", "authority_zsk_lifetime": "12s", "authority_ksk_lifetime": "20s", "authority_parent_delay": "2s",
        "authority_propagation_delay": "1s", "zone_interval": "500ms", "edge_name": "edge.rolling.example",
        "edge_probe_interval": "1s"}


class Onlooker(threading.Thread):
    """Asks the validating resolver over and over. Its cache is left alone: what it has is what others may have."""

    def __init__(self, lab, *questions: tuple[str, str]):
        super().__init__(daemon=True)
        self.resolver, self.questions = lab.internet.resolver, questions
        self.over, self.samples, self.bad = threading.Event(), 0, []
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            for name, kind in self.questions:
                try:
                    answer = self.resolver.ask(name, kind)
                except (OSError, dns.exception.DNSException) as why:
                    self.bad.append((time.time(), name, kind, repr(why)))
                    continue
                self.samples += 1
                if answer.rcode() != dns.rcode.NOERROR or not answer.flags & dns.flags.AD:
                    self.bad.append((time.time(), name, kind, dns.rcode.to_text(answer.rcode()), dns.flags.to_text(answer.flags)))

    def stop(self):
        """What it saw; every answer must have been authenticated."""
        self.over.set()
        self.join(20)
        assert not self.bad, f"{len(self.bad)} of {self.samples} answers were not authenticated, e.g. {self.bad[:3]}"
        return self.samples


def keys(run, flags: int) -> set[int]:
    """Tags of the zone's keys as its public server shows them; 257 are KSKs."""
    return {dns.dnssec.key_id(key) for rrset in run.public.ask(ZONE, "DNSKEY").answer if rrset.rdtype == dns.rdatatype.DNSKEY
            for key in rrset if key.flags == flags}


def status(run) -> dict:
    """zone status --json of the zone. It says no for a moment whenever the zone has changed and a secondary follows."""
    return json.loads(run.edge.try_cli("zone", "status", ZONE, "--json").stdout)["zones"][0]


def record(run, todo: str) -> dict | None:
    """The DS record about which zone status says that; None without one."""
    records = (status(run)["delegation"] or {"records": []})["records"]
    return next((one for one in records if one["do"] == todo), None)


def tag(ds: str) -> int:
    return int(ds.split()[0])


def at(run, event: str, ds: str) -> datetime.datetime:
    """When the log says that, about that DS record."""
    line = run.edge.wait_log("run", rf"event={event} zone={re.escape(ZONE)} .*{ds}", 120)
    return datetime.datetime.fromisoformat(re.search(r"time=(\S+)Z", line)[1])


def is_entered(lab) -> bool:
    """Whether the resolver has the DS record as it is now. An answer that was on its way may come after the cache was
    emptied, and stay for long."""
    lab.internet.resolver.forget("example.")
    return any(rrset.rdtype == dns.rdatatype.DS and rrset.ttl <= DS_TTL for rrset in lab.internet.resolver.ask(ZONE, "DS").answer)


@pytest.fixture
def run(lab, build, request):
    """A run whose keys live for seconds, with its DS record entered."""
    made = Run(lab, build, f"rolling-{request.node.name}", **FAST)
    made.start()
    made.serve()
    made.enter_ds(ZONE, made.ds(ZONE), ttl=DS_TTL)
    process.wait_for(lambda: is_entered(lab), 30, "the resolver has forgotten what it had of the zone before it was there")
    at(made, "zone-ksk-took-over", made.ds(ZONE))
    yield made
    made.public.stop()
    made.server.stop()


def host_a_domain(run):
    """A domain with DANE in the zone, and keys that the gate moves."""
    edge = run.edge
    process.wait_for(lambda: edge.try_json("edge", "list"), 20, "the edge has made itself known")
    for zone in ZONES:
        edge.cli("zone", "set", zone, "--ttl", "2s", "--address-ttl", "2s")
    edge.cli("zone", "set", ZONES[1], "--open", "no")
    edge.cli("key", "add", "--group", "g1")
    edge.cli("tenant", "add", "acme")
    edge.cli("domain", "add", DOMAIN, "--tenant", "acme", "--mailbox-host", f"lmtp:{world.MAILBOXES}:24", "--dane")
    process.wait_for(lambda: len(tlsa(run)) == 2, 60, "the gate has published the first key and the next one")


def tlsa(run) -> frozenset:
    """The digests that the zone's public server promises for the domain's MX host."""
    answer = run.public.ask(f"_dane.g1.{ZONE}", "TLSA").answer
    return frozenset(one.cert for rrset in answer if rrset.rdtype == dns.rdatatype.TLSA for one in rrset)


def test_both_keys_roll_and_the_zone_is_always_valid(lab, run):
    host_a_domain(run)
    old_ds, zsk = run.ds(ZONE), keys(run, 256)
    name = f"{HOST}.{ZONE}"
    process.wait_for(lambda: lab.internet.resolver.ask(f"_25._tcp.{name}", "TLSA").answer, 20, "the resolver has the TLSA records")
    onlooker = Onlooker(lab, (f"_25._tcp.{name}", "TLSA"), (name, "A"), (f"_tcp.{name}", "TLSA"), (ZONE, "DNSKEY"))
    process.wait_for(lambda: keys(run, 256).isdisjoint(zsk), 60, "the first ZSK is gone")
    promised = tlsa(run)
    assert run.edge.try_cli("key", "roll", "g1").returncode == 0

    enter = process.wait_for(lambda: record(run, "enter"), 120, "zone status tells which DS record to enter")
    new_ds, since = enter["ds"], enter["since"]
    assert since and tag(new_ds) != tag(old_ds) and {tag(old_ds), tag(new_ds)} == keys(run, 257)
    told = run.edge.try_cli("zone", "status", ZONE).stdout
    assert f"enter at the parent, and leave what is there: {ZONE}. DS {new_ds} (awaited since {since})" in told, told
    process.wait_for(lambda: status(run)["good"], 20, "the zone is called good: mail is in no danger while a DS record is awaited")
    at(run, "zone-ds-awaited", new_ds)
    run.enter_ds(ZONE, old_ds, new_ds, ttl=DS_TTL)

    waited = at(run, "zone-ksk-took-over", new_ds) - at(run, "zone-ds-seen", new_ds)
    assert waited.total_seconds() >= 2, "the old KSK has to stay for authority_parent_delay after the new DS record was seen"
    process.wait_for(lambda: tag(old_ds) not in keys(run, 257), 20, "the old KSK is gone")
    gone = process.wait_for(lambda: record(run, "remove"), 20, "zone status tells which DS record may be removed")
    assert gone["ds"] == old_ds and f"may be removed at the parent: {ZONE}. DS {old_ds}" in run.edge.try_cli("zone", "status", ZONE).stdout
    run.enter_ds(ZONE, new_ds, ttl=DS_TTL)
    process.wait_for(lambda: record(run, "remove") is None, 20, "nothing is left to be removed")
    process.wait_for(lambda: len(tlsa(run) - promised) == 1 and promised - tlsa(run), 60,
                     "the gate has moved on: the next key is served, the one before is gone")
    assert onlooker.stop() > 100


def test_without_the_new_ds_record_the_old_key_stays(lab, run):
    old_ds = run.ds(ZONE)
    onlooker = Onlooker(lab, (ZONE, "SOA"), (ZONE, "DNSKEY"))
    enter = process.wait_for(lambda: record(run, "enter"), 120, "zone status tells which DS record to enter")
    wrong = f"{tag(enter['ds'])} 13 2 {'AB' * 32}"
    run.enter_ds(ZONE, old_ds, wrong, ttl=DS_TTL)  # a slip of the operator: right tag, wrong digest
    process.wait_for(lambda: any(one["ds"] == wrong for one in status(run)["delegation"]["records"]), 20, "the slip is seen")
    assert run.server.stop() == 0
    run.start()
    process.wait_for(lambda: run.edge.try_json("zone", "list"), 20, "control answers")
    again = process.wait_for(lambda: record(run, "enter"), 20, "the same DS record is still awaited")
    assert again == enter, "it is awaited since the same moment, also after a restart"
    time.sleep(2 * DS_TTL + 25)  # longer than a KSK lives, and than all that is waited after a DS record was seen
    assert keys(run, 257) == {tag(old_ds), tag(enter["ds"])}
    assert record(run, "enter") == enter and record(run, "remove") is None
    assert not re.search(rf"event=zone-(ds-seen|ksk-took-over) zone={re.escape(ZONE)} .*{enter['ds']}", run.edge.log("run"))
    assert onlooker.stop() > 50
