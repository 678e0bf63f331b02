"""Publishing and verifying against real authoritative servers: the same tests with Knot, BIND and PowerDNS as the signing
primary, each with two secondaries that follow it by NOTIFY and IXFR or AXFR."""

import json
import socket
import subprocess
import time

import dns.name
import dns.rdata
import dns.rdatatype
import pytest
from evidence_test import Hosted

from lab import authority, namespace, primary, process, world

TTL = 5
UNSIGNED = "did not sign this"  # PowerDNS does not say what it minds about a signature


class Hand:
    """test/oracle/zone_hand: the module zone, without a control daemon."""

    def __init__(self, build, lab, managed):
        self.child = subprocess.Popen([build / "test/oracle/zone_hand"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True, env=process.environ())
        self.primary = f"{managed.primary.address}:{managed.primary.port}"
        self.zone, self.key = managed.zones[0], managed.key
        self.resolver = f"{world.RESOLVER}:{lab.dns_port}"

    def __call__(self, verb: str, **values) -> dict:
        asked = {"verb": verb, "zone": self.zone, "primary": self.primary, "key": self.key.name, "ms": 60000,
                 "algorithm": self.key.algorithm, "secret": self.key.secret, "resolver": self.resolver} | values
        self.child.stdin.write(json.dumps(asked) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, "zone_hand died"
        return json.loads(line)

    def change(self, op: str, owner: str, kind: str, data: str, ttl: int = TTL) -> dict:
        """A change; an owner that does not end in a dot is below the zone."""
        owner = owner[:-1] if owner.endswith(".") else f"{owner}.{self.zone}"
        rdata = dns.rdata.from_text("IN", kind, data)
        return {"op": op, "owner": owner, "ttl": ttl, "type": int(rdata.rdtype), "rdata": rdata.to_wire().hex()}

    def publish(self, *changes: dict, **values) -> dict:
        return self("publish", changes=list(changes), **values)

    def read(self) -> list[str]:
        """What the zone has, as lines."""
        out = self("read")
        assert out["error"] == "ok", out
        return out["records"]

    def observe(self, *questions: tuple[str, str], **values) -> dict:
        """What all servers say."""
        return self("observe", questions=[{"name": f"{name}.{self.zone}", "type": int(dns.rdatatype.from_text(kind))}
                                          for name, kind in questions], **values)

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(10) == 0


@pytest.fixture(scope="module", params=sorted(primary.ENGINES))
def managed(request, world_lab):
    """One zone on a primary and two secondaries."""
    made = authority.ManagedZones(world_lab, request.param, f"mx-{request.param}.kedge.example", secondaries=2, ttl=TTL)
    yield made
    made.stop()


@pytest.fixture
def hand(build, world_lab, managed):
    """A new process for each test, and what it left is taken away."""
    hand = Hand(build, world_lab, managed)
    yield hand
    left = [line.split(" ", 4) for line in hand.read()]
    hand.publish(*(hand.change("remove", owner, kind, data) for owner, _, _, kind, data in left if is_ours(owner)))
    hand.close()


def is_ours(owner: str) -> bool:
    """By the names of these tests."""
    return any(label.startswith(("host", "_dane")) for label in owner.split("."))


def tlsa(digit: str) -> str:
    return f"3 1 1 {digit * 64}"


def lines(hand, part: str) -> list[str]:
    return [line for line in hand.read() if part in line]


def wait_everywhere(hand, *questions, seconds=15) -> dict:
    """Until every server shows the same valid records."""
    seen = {}

    def everywhere():
        seen.update(hand.observe(*questions))
        return all(seen["everywhere"])

    process.wait_for(everywhere, seconds, "every server shows it")
    return seen


def test_add_change_remove(hand, managed):
    out = hand.publish(hand.change("add", "host1", "A", "192.0.2.1"), hand.change("add", "host1", "AAAA", "2001:db8::1"),
                       hand.change("add", "_25._tcp.host1", "CNAME", f"_dane.g1.{hand.zone}."),
                       hand.change("add", "_dane.g1", "TLSA", tlsa("a")))
    assert (out["error"], out["sent"], out["updates"], out["refused"]) == ("ok", 4, 1, [])
    assert lines(hand, "_dane.g1.mx") == [f"_25._tcp.host1.{hand.zone}. {TTL} IN CNAME _dane.g1.{hand.zone}.",
                                          f"_dane.g1.{hand.zone}. {TTL} IN TLSA {tlsa('a')}"]
    questions = [("host1", "A"), ("host1", "AAAA"), ("_25._tcp.host1", "TLSA"), ("_dane.g1", "TLSA"), ("host9", "A")]
    seen = wait_everywhere(hand, *questions)
    addresses = 2 if namespace.inside() else 1
    assert seen["secure"] and not seen["unknown"] and len(seen["servers"]) == 1 + 2 * addresses
    for server in seen["servers"]:
        assert [s["proof"] for s in server["rrsets"]] == ["valid"] * 5
        assert [len(s["records"]) for s in server["rrsets"]] == [1, 1, 1, 1, 0]
        assert all(s["expires_ms"] > time.time() * 1000 for s in server["rrsets"][:4])
    assert seen["gate"].count([f"{hand.primary} for {hand.zone}", "secure", 1]) == 4

    # One name's records change together, TTL included: nobody sees a set without one that matches.
    out = hand.publish(hand.change("remove", "_dane.g1", "TLSA", tlsa("a")),
                       hand.change("add", "_dane.g1", "TLSA", tlsa("a"), 7), hand.change("add", "_dane.g1", "TLSA", tlsa("b"), 7))
    assert (out["error"], out["sent"], out["updates"]) == ("ok", 3, 1)
    assert lines(hand, f"_dane.g1.{hand.zone}. 7") == [f"_dane.g1.{hand.zone}. 7 IN TLSA {tlsa(d)}" for d in "ab"]
    seen = wait_everywhere(hand, ("_dane.g1", "TLSA"))
    assert [s["rrsets"][0]["ttl"] for s in seen["servers"]] == [7] * len(seen["servers"])

    # An alias becomes records of its own, in one message.
    out = hand.publish(hand.change("add", "_25._tcp.host1", "TLSA", tlsa("c")),
                       hand.change("remove", "_25._tcp.host1", "CNAME", f"_dane.g1.{hand.zone}."))
    assert (out["error"], out["updates"]) == ("ok", 1)
    assert lines(hand, "_25._tcp.host1") == [f"_25._tcp.host1.{hand.zone}. {TTL} IN TLSA {tlsa('c')}"]

    # Removing what is not there, and adding what is, is no error; neither is doing it twice.
    change = [hand.change("remove", "host1", "A", "192.0.2.1"), hand.change("remove", "host7", "A", "192.0.2.1"),
              hand.change("add", "host1", "AAAA", "2001:db8::1")]
    assert [hand.publish(*change)["error"] for _ in range(2)] == ["ok", "ok"]
    wait_everywhere(hand, ("host1", "A"), ("host1", "AAAA"))
    assert [line.split()[3] for line in lines(hand, "host1.mx") if line.startswith("host1")] == ["AAAA"]


def test_thousands_at_once(hand, managed):
    count = 3000
    changes = [c for i in range(count) for c in (hand.change("add", f"host{i}", "A", f"10.0.{i // 250}.{i % 250 + 1}"),
                                                 hand.change("add", f"host{i}", "AAAA", f"2001:db8::{i + 1:x}"),
                                                 hand.change("add", f"_25._tcp.host{i}", "CNAME", f"_dane.g1.{hand.zone}."))]
    out = hand.publish(*changes)
    assert (out["error"], out["sent"], out["refused"]) == ("ok", 3 * count, [])
    assert 3 <= out["updates"] <= 20
    print(f"{managed.primary.name}: {count} hosts added in {out['ms']} ms, {out['updates']} updates")
    out = hand("read")
    ours = [line for line in out["records"] if is_ours(line.split()[0])]
    assert len(ours) == 3 * count
    print(f"{managed.primary.name}: {len(out['records'])} records read back in {out['ms']} ms")
    seen = wait_everywhere(hand, ("host0", "A"), (f"host{count - 1}", "AAAA"), (f"_25._tcp.host{count // 2}", "TLSA"), seconds=60)
    assert all(s["state"] == "good" for s in seen["servers"])
    out = hand.publish(*({**c, "op": "remove"} for c in changes))
    assert (out["error"], out["sent"]) == ("ok", 3 * count)
    assert not [line for line in hand.read() if is_ours(line.split()[0])]


def test_one_bad_record_holds_back_nobody(hand, managed):
    """What no server would take, and what this one refuses: a second CNAME, an SOA at another name, ..."""
    good = [hand.change("add", f"host{i}", "A", "192.0.2.1") for i in range(300)]
    bad = [hand.change("add", "host.other.example.", "A", "192.0.2.1"), hand.change("add", "host..x", "A", "192.0.2.1"),
           {**hand.change("add", "hostbad", "A", "192.0.2.1"), "rdata": "7f"}]
    out = hand.publish(*good[:100], bad[0], *good[100:200], *bad[1:], *good[200:])
    assert (out["error"], out["sent"], out["updates"]) == ("ok", 300, 1)
    assert [i for i, _ in out["refused"]] == [100, 201, 202]
    assert "NOTZONE" in out["refused"][0][1]
    assert len(lines(hand, "192.0.2.1")) == 300


def test_what_the_primary_refuses_is_found_and_the_rest_goes_out(hand, managed):
    """A record of a type and a form that we do not know, and the server does."""
    def spoiled(name):  # an MX record of one octet, said to be of type LOC: servers know that this is none
        return {"op": "add", "owner": f"{name}.{hand.zone}", "ttl": TTL, "type": 29, "rdata": "00"}
    good = [hand.change("add", f"host{i}", "A", "192.0.2.2") for i in range(200)]
    out = hand.publish(*good[:50], spoiled("host-loc1"), *good[50:120], spoiled("host-loc2"), *good[120:])
    if out["refused"] == [] and out["error"] == "ok":
        pytest.fail(f"{managed.primary.name} takes anything")
    assert (out["error"], out["sent"]) == ("ok", 200), out
    assert [i for i, _ in out["refused"]] == [50, 121]
    assert all("refuses the update" in why for _, why in out["refused"])
    assert len(lines(hand, "192.0.2.2")) == 200
    print(f"{managed.primary.name}: {out['updates']} updates for 200 good and 2 bad records: {out['refused'][0][1]}")


def test_foreign_records_are_read_back_and_stay(hand, managed):
    managed.update(hand.zone, ("add", "www", 60, "A", "192.0.2.80"), ("add", "@", 60, "TXT", '"hello world"'),
                   ("add", "mail", 60, "MX", "10 www"))
    before = [line for line in hand.read() if not is_ours(line.split()[0])]
    assert f"www.{hand.zone}. 60 IN A 192.0.2.80" in before
    assert f'{hand.zone}. 60 IN TXT "hello world"' in before
    assert f"mail.{hand.zone}. 60 IN MX 10 www.{hand.zone}." in before
    assert not [line for line in before if line.split()[3] in ("RRSIG", "NSEC", "NSEC3")]
    assert {"SOA", "NS", "DNSKEY"} <= {line.split()[3] for line in before}
    hand.publish(hand.change("add", "host1", "A", "192.0.2.1"))
    hand.publish(hand.change("remove", "host1", "A", "192.0.2.1"))
    after = [line for line in hand.read() if not is_ours(line.split()[0])]
    assert [line for line in after if " SOA " not in line] == [line for line in before if " SOA " not in line]
    managed.update(hand.zone, ("delete", "www", "A"), ("delete", "@", "TXT"), ("delete", "mail", "MX"))


def test_nothing_comes_beside_an_alias(hand, managed):
    """RFC 2136 3.4.2.2: most servers say NOERROR and do nothing, so what is in the way must be seen before."""
    alias, records, text = f"_dane.g1.{hand.zone}.", tlsa("a"), '"in the way"'
    hand.publish(hand.change("add", "_25._tcp.host1", "TXT", text), hand.change("add", "_25._tcp.host2", "CNAME", alias))
    before = lines(hand, "_25._tcp.host")
    out = hand.publish(hand.change("add", "_25._tcp.host1", "CNAME", alias), hand.change("add", "_25._tcp.host2", "TLSA", records))
    print(f"{managed.primary.name}: {out}")
    assert lines(hand, "_25._tcp.host") == before and len(before) == 2
    hand.publish(hand.change("remove", "_25._tcp.host1", "TXT", text))


def test_an_alias_replaces_another(hand):
    """Without a removal: Knot sees the signature of an alias that goes in the same message, and adds none, with NOERROR."""
    hand.publish(hand.change("add", "host1", "A", "192.0.2.1"))
    for group, ttl in [("g1", 5), ("g1", 9), ("g1", 5), ("g2", 5), ("g1", 9)]:
        out = hand.publish(hand.change("add", "_25._tcp.host1", "CNAME", f"_dane.{group}.{hand.zone}.", ttl))
        assert (out["error"], out["sent"], out["refused"]) == ("ok", 1, [])
        assert lines(hand, "_25._tcp.host1") == [f"_25._tcp.host1.{hand.zone}. {ttl} IN CNAME _dane.{group}.{hand.zone}."]


def test_a_name_turns_from_records_to_an_alias_and_back(hand, managed):
    """For the same reason an alias that takes the place of records is said twice."""
    alias, records = ("CNAME", f"_dane.g1.{hand.zone}."), ("TLSA", tlsa("a"))

    def turn(old, new):
        return hand.publish(hand.change("remove", "_25._tcp.host1", *old), hand.change("add", "_25._tcp.host1", *new))
    hand.publish(hand.change("add", "_25._tcp.host1", *records), hand.change("add", "host1", "A", "192.0.2.1"))
    out = turn(records, alias)
    assert (out["error"], out["sent"], out["updates"], out["refused"]) == ("ok", 2, 1, [])
    print(f"{managed.primary.name}: after the first message: {lines(hand, '_25._tcp.host1')}")
    hand.publish(hand.change("add", "_25._tcp.host1", *alias))
    assert [line.split()[3] for line in lines(hand, "_25._tcp.host1")] == ["CNAME"]
    turn(alias, records)
    assert [line.split()[3] for line in lines(hand, "_25._tcp.host1")] == ["TLSA"]


def by_name(seen: dict) -> dict:
    """Servers by their first label and address family."""
    return {f"{s['name'].split('.')[0]}{'/6' if s['address'].startswith('[') else ''}": s for s in seen["servers"]}


def test_a_secondary_that_lags_is_seen(hand, managed):
    wait_everywhere(hand, ("host1", "A"))
    managed.secondaries[0].lag()
    hand.publish(hand.change("add", "host1", "A", "192.0.2.1"))

    def one_lags():
        servers = by_name(hand.observe(("host1", "A")))
        return servers["secondary0"]["lags"] and not servers["secondary1"]["lags"]
    process.wait_for(one_lags, 15, "the other secondary follows")
    seen = hand.observe(("host1", "A"))
    assert seen["everywhere"] == [False]
    assert "secondary0" in seen["why"] and "lags" in seen["why"] and "secondary1" not in seen["why"]
    assert by_name(seen)["secondary0"]["rrsets"][0]["records"] == []
    assert {tuple(row[1:]) for row in seen["gate"]} == {("secure", 0), ("secure", 1)}
    managed.secondaries[0].catch_up()
    wait_everywhere(hand, ("host1", "A"))


def test_a_secondary_that_is_down_is_seen(hand, managed):
    hand.publish(hand.change("add", "host1", "A", "192.0.2.1"))
    wait_everywhere(hand, ("host1", "A"))
    for down, up in [("stop", "start"), ("pause", "resume")]:
        getattr(managed.secondaries[1], down)()
        seen = hand.observe(("host1", "A"), ms=6000)
        assert seen["everywhere"] == [False] and seen["ms"] < 7000
        servers = by_name(seen)
        assert {name for name, s in servers.items() if s["state"] == "silent"} == {
            name for name in servers if name.startswith("secondary1")}
        assert [row[1] for row in seen["gate"]].count("silent") == len([n for n in servers if n.startswith("secondary1")])
        assert "secondary1" in seen["why"] and "does not answer" in seen["why"]
        getattr(managed.secondaries[1], up)()
        wait_everywhere(hand, ("host1", "A"))


def test_servers_of_no_use_are_seen(hand, lab):
    for address, state in [(world.TLD_SERVER, "lame"), (world.RESOLVER, "refusing"), ("192.0.2.53", "no-route"),
                           ("127.0.53.99", "silent")]:
        seen = hand.observe(("host1", "A"), primary=f"{address}:{lab.dns_port}", ms=4000)
        other = next(s for s in seen["servers"] if s["name"] == "primary")
        assert other["state"] == state and seen["everywhere"] == [False]
        assert [f"{address}:{lab.dns_port} for {hand.zone}", "silent", 0] in seen["gate"]
    seen = hand.observe(("host1", "A"), zone="nowhere.kedge.example")
    assert "nowhere.kedge.example" in seen["unknown"] and seen["everywhere"] == [False] and not seen["secure"]
    assert ["the servers of nowhere.kedge.example", "silent", 0] in seen["gate"]


def test_a_resolver_that_hangs_is_not_a_silent_server(hand):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        seen = hand.observe(("host1", "A"), resolver=f"127.0.0.1:{deaf.getsockname()[1]}", ms=1500)
    assert by_name(seen)["primary"]["state"] == "good"
    assert hand.zone in seen["unknown"] and seen["everywhere"] == [False] and not seen["secure"]


def test_wrong_keys(hand, managed):
    other = primary.TsigKey()
    change = hand.change("add", "host1", "A", "192.0.2.1")
    for values, words in [({"secret": other.secret}, "another secret"), ({"key": "unknown"}, 'TSIG key unknown'),
                          ({"zone": "other.example"}, "authoritative")]:
        wrong = {**change, "owner": "host1.other.example"} if "zone" in values else change
        out = hand.publish(wrong, **values)
        assert out["error"] == "refused" and out["sent"] == 0 and out["refused"] == [], out
        print(f"{managed.primary.name}: {out['why']}")
        assert (UNSIGNED if managed.primary.name == "powerdns" and "zone" not in values else words) in out["why"]
        out = hand("read", **values)
        assert out["error"] != "ok" and out["records"] == [], out
        print(f"{managed.primary.name}: {out['why']}")
    assert lines(hand, "host1") == []


@pytest.mark.parametrize("skew", [3600, -3600])
def test_a_wrong_clock(hand, managed, skew):
    out = hand.publish(hand.change("add", "host1", "A", "192.0.2.1"), skew=skew)
    assert out["error"] == "refused" and out["sent"] == 0, out
    print(f"{managed.primary.name}: {out['why']}")
    if managed.primary.name == "powerdns":
        assert UNSIGNED in out["why"]
    else:
        assert f"seconds {'behind' if skew > 0 else 'ahead of'}" in out["why"]
        assert abs(int(out["why"].split(" seconds")[0].split()[-1]) - 3600) < 10
    assert lines(hand, "host1") == []


def test_a_primary_that_restarts(hand, managed):
    hand.publish(hand.change("add", "host1", "A", "192.0.2.1"))
    managed.primary.stop()
    start = time.monotonic()
    out = hand.publish(hand.change("add", "host2", "A", "192.0.2.2"), ms=3000)
    assert out["error"] != "ok" and managed.primary.address in out["why"] and time.monotonic() - start < 5
    seen = hand.observe(("host1", "A"), ms=5000)
    assert by_name(seen)["primary"]["state"] == "silent"
    managed.primary.start()
    out = hand.publish(hand.change("add", "host2", "A", "192.0.2.2"))
    assert out["error"] == "ok"
    assert len(lines(hand, "192.0.2.")) == 2
    wait_everywhere(hand, ("host1", "A"), ("host2", "A"))


# ---- with kedge-control


@pytest.fixture
def hosted(request, lab, build):
    """An edge of this name and its MX zone, on the primary whose kind the name ends in."""
    made = Hosted(lab, build, request.param, engine=request.param.split("-")[1])
    yield made
    made.stop()


def shown(hosted, name: str) -> dict[str, int]:
    """Type -> TTL of what the secondary answers for TLSA records at a name of the zone."""
    return {dns.rdatatype.to_text(rrset.rdtype): rrset.ttl for rrset in hosted.secondary.ask(name, "TLSA").answer
            if rrset.rdtype != dns.rdatatype.RRSIG and str(rrset.name) == f"{name}."}


def status(hosted) -> dict:
    return json.loads(hosted.edge.try_cli("zone", "status", hosted.zone, "--json").stdout)["zones"][0]


@pytest.mark.parametrize("hosted", [f"set-{engine}" for engine in sorted(primary.ENGINES)], indirect=True)
def test_a_zone_is_set_otherwise_and_no_host_is_without_records(hosted):
    """Another TTL, records at the hosts, and aliases again. What aliases referred to stays until caches have forgotten them."""
    names = [f"_25._tcp.{host}" for host in hosted.host("set-a.example", "set-b.example")]
    group = f"_dane.g1.{hosted.zone}"
    hosted.wait_ready()

    def wait(what: dict, seconds=20):
        try:
            process.wait_for(lambda: all(shown(hosted, name) == what for name in names), seconds, f"hosts show {what}")
        except process.Failed as why:
            raise process.Failed(f"{why}: {[shown(hosted, name) for name in names]}, {status(hosted)}") from None

    wait({"CNAME": 2})
    hosted.edge.cli("zone", "set", hosted.zone, "--ttl", "3s")
    wait({"CNAME": 3})
    hosted.edge.cli("zone", "set", hosted.zone, "--tlsa", "host")
    wait({"TLSA": 3})
    assert shown(hosted, group) == {"TLSA": 3}
    process.wait_for(lambda: not shown(hosted, group), 20, "what aliases referred to goes")
    wait({"TLSA": 3}, 1)
    hosted.edge.cli("zone", "set", hosted.zone, "--tlsa", "alias")
    wait({"CNAME": 3})
    assert shown(hosted, group) == {"TLSA": 3}
    process.wait_for(lambda: status(hosted)["state"] == "level", 20, "the zone is level")


@pytest.mark.parametrize("hosted", ["hold-bind"], indirect=True)
def test_what_is_refused_holds_back_no_later_change(hosted):
    first, = hosted.host("set-first.example")
    process.wait_for(lambda: shown(hosted, f"_25._tcp.{first}"), 40, "the first host has its alias")
    with hosted.shut_out(first):
        hosted.edge.cli("domain", "dane", "disable", "set-first.example")

        process.wait_for(lambda: status(hosted)["failures"] >= 5, 60, "it was tried in vain, and waits for 16 seconds")
        assert status(hosted)["state"] == "refused"
        second, = hosted.host("set-second.example")
        process.wait_for(lambda: shown(hosted, f"_25._tcp.{second}"), 6, "the second host has its alias")
        assert shown(hosted, f"_25._tcp.{first}")
    hosted.edge.cli("zone", "publish", hosted.zone)
    process.wait_for(lambda: not shown(hosted, f"_25._tcp.{first}"), 10, "what was refused is done")
