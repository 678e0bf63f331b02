"""kedge run with a primary of its own: a Knot with a generated configuration, which signs and takes updates."""

import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import pytest

from lab import process
from lab.kedge import Kedge, find, user
from lab.primary import TsigKey
from lab.private import EDGE, PRIMARY, SECONDARY, SERVER, ZONES, Run
from zone_test import Hand

RESOLVER = "127.54.200.53"


@pytest.fixture
def run(lab, build, request):
    """A run that is up; it ends with the test. A parameter is more options."""
    made = Run(lab, build, f"private-{request.node.name}", **getattr(request, "param", {}))
    made.start()
    made.serve()
    yield made
    made.public.stop()
    made.server.stop()


def validates(lab, name: str, address: str) -> bool:
    """Whether the resolver vouches for that address."""
    answer = lab.internet.resolver.ask(name, "A")
    return bool(answer.flags & dns.flags.AD) and address in str(answer.answer)


def test_the_private_primary_signs_and_publishes(lab, run):
    for zone in ZONES:
        run.enter_ds(zone, run.ds(zone))
        assert run.update(zone, "host", 5, "A", "127.0.25.99") == dns.rcode.NOERROR
        process.wait_for(lambda: run.public.ask(f"host.{zone}", "A").answer, 10, "the update is public")
        assert validates(lab, f"host.{zone}", "127.0.25.99")
    key = run.edge.folder / "data" / "authority" / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert SERVER in str(run.public.ask(ZONES[0], "NS").answer)


def test_only_the_generated_key_may_update(run):
    with pytest.raises(dns.tsig.PeerError):
        run.update(ZONES[0], "host", 5, "A", "127.0.25.99", secret="c3RvbGVu")
    with pytest.raises(dns.exception.DNSException):
        list(dns.query.xfr(PRIMARY, ZONES[0], lifetime=5))
    assert not run.public.ask(f"host.{ZONES[0]}", "A").answer


def test_a_restart_keeps_zones_keys_and_records(lab, run):
    before = run.ds(ZONES[0])
    assert run.update(ZONES[0], "kept", 5, "A", "127.0.25.98") == dns.rcode.NOERROR
    assert run.server.stop() == 0
    with pytest.raises(OSError):
        socket.create_connection((PRIMARY, 53), 1)
    run.edge.configure(authority_server=["ns2.private.host.example", SERVER])
    run.start()
    assert run.ds(ZONES[0]) == before
    assert run.edge.log("run").count("event=zone-made") == len(ZONES)
    process.wait_for(lambda: "ns2.private" in str(run.public.ask(ZONES[0], "NS").answer), 10, "the new server's name")
    assert run.public.ask(f"kept.{ZONES[0]}", "A").answer


def test_control_knows_the_zones_by_itself(run):
    edge = run.edge
    known = {zone["zone"]: zone for zone in process.wait_for(lambda: edge.try_json("zone", "list"), 10, "control answers")}
    assert list(known) == ZONES
    assert all(zone["primary"] == f"{PRIMARY}:53" and zone["tsig"] == "kedge" for zone in known.values())
    assert edge.json("edge-group", "show", "default")["addresses"] == [EDGE, "fd00:25::3"]
    edge.cli("zone", "set", ZONES[0], "--ttl", "60")
    assert run.server.stop() == 0
    run.edge.configure(authority_edge_address=[EDGE])
    run.start()
    assert edge.json("zone", "show", ZONES[0])["ttl"] == 60, "what the operator chose stays"
    assert re.search(r"event=edge-address-not-configured address=fd00:25::3 .*--no-address", run.server.text())


def mistaken(lab, build, name, **options):
    """What `kedge run` says of these options; it must end by itself."""
    edge = Kedge(lab, build, name, EDGE, **{
        "authority_private": "yes", "authority_program": shutil.which("knotd"), "authority_zone": ZONES[0],
        "authority_server": SERVER, "authority_edge_address": EDGE, **options})
    return edge.try_cli("run")


@pytest.mark.parametrize("options, says", [
    ({"authority_program": "/nowhere/knotd"}, "authority_program"),
    ({"authority_zone": []}, "authority_zone"),
    ({"authority_edge_address": []}, "authority_edge_address"),
    ({"authority_server": f"ns.{ZONES[0]}"}, "authority_server"),
    ({"authority_include": "/nowhere/knot.conf"}, "authority_include"),
    ({"authority_include": "/etc/hostname"}, "authority_include: Knot refuses"),
    ({"authority_zone": [ZONES[0], ZONES[0].upper()]}, "authority_zone: MX1.PRIVATE.EXAMPLE is named twice"),
    ({"authority_zsk_lifetime": "1min"}, "authority_zsk_lifetime: Knot refuses"),
    ({"authority_ksk_lifetime": "1min"}, "authority_ksk_lifetime: Knot refuses"),
    ({"authority_program": "/bin/true"}, "knotc must be beside knotd"),
])
def test_a_mistake_is_named(lab, build, options, says, request):
    done = mistaken(lab, build, f"mistake-{abs(hash(request.node.name))}", **options)
    assert done.returncode == 78 and says in done.stderr, done.stderr


def test_an_address_that_cannot_be_had_is_named(lab, build):
    address = f"{PRIMARY}:53"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((PRIMARY, 53))
        done = mistaken(lab, build, "mistake-udp", authority_address=address)
    assert done.returncode == 71 and f"authority_address: the private primary cannot listen on {address}" in done.stderr, done.stderr
    assert "another program listens there" in done.stderr
    with socket.create_server((PRIMARY, 53)):
        done = mistaken(lab, build, "mistake-tcp", authority_address=address)
    assert done.returncode == 71 and "another program listens there" in done.stderr, done.stderr
    done = mistaken(lab, build, "mistake-foreign", authority_address="203.0.113.9:53")
    assert done.returncode == 71 and "no interface of this machine has that address" in done.stderr, done.stderr


def test_a_folder_that_cannot_be_made_is_named(lab, build):
    done = mistaken(lab, build, "mistake-folder", data_directory="/proc/kedge")
    assert done.returncode == 71 and "option data_directory" in done.stderr and "/proc/kedge" in done.stderr, done.stderr


NEW = "mx9.private.example"


@pytest.mark.parametrize("run", [{"authority_zone": [*ZONES, NEW]}], indirect=True, ids=["new"])
def test_a_zone_that_the_parent_does_not_know(run):
    def told(what):
        out = run.edge.try_cli("zone", "status", NEW).stdout
        return out if what in out else ""

    out = process.wait_for(lambda: told("the parent does not know the zone: enter its NS records there"), 30,
                           "zone status tells that there is no delegation")
    assert f"{NEW}. DS {run.ds(NEW)} (awaited since 20" in out, out
    run.enter_ds(NEW)
    process.wait_for(lambda: told("the parent has no DS record for the zone"), 30, "zone status tells that the DS record alone is missing")


def ask_denied(run, name: str, kind: str):
    """The public server's denial."""
    return run.public.ask(f"{name}.{ZONES[0]}", kind)


def denial_types(message) -> set[str]:
    return {dns.rdatatype.to_text(rrset.rdtype) for rrset in message.authority}


@pytest.mark.parametrize("run", [{"authority_denial": "nsec"}, {"authority_denial": "nsec3"}], indirect=True, ids=["nsec", "nsec3"])
def test_denials_are_sound(lab, run, build):
    zone, kind = ZONES[0], run.edge.options["authority_denial"].upper()
    run.enter_ds(zone, run.ds(zone))
    assert run.update(zone, "_25._tcp.host", 5, "TLSA", f"3 1 1 {'ab' * 32}") == dns.rcode.NOERROR
    process.wait_for(lambda: run.public.ask(f"_25._tcp.host.{zone}", "TLSA").answer, 10, "the update is public")
    for name, rcode in (("_tcp.host", dns.rcode.NOERROR), ("host", dns.rcode.NOERROR), ("nothing", dns.rcode.NXDOMAIN)):
        for told in (ask_denied(run, name, "TLSA"), lab.internet.resolver.ask(f"{name}.{zone}", "TLSA")):
            assert told.rcode() == rcode and not told.answer, f"{name}: {told}"
            assert {"SOA", kind, "RRSIG"} == denial_types(told), f"{name}: {told}"
        assert told.flags & dns.flags.AD, f"the resolver vouches for the denial of {name}"
    parameters = [str(one) for rrset in run.public.ask(zone, "NSEC3PARAM").answer for one in rrset if rrset.rdtype == 51]
    assert parameters == (["1 0 0 -"] if kind == "NSEC3" else []), "RFC 9276: no iterations, no salt"
    algorithm, name, secret = (run.edge.folder / "data/authority/key").read_text().strip().split(":")
    hand = Hand(build, lab, SimpleNamespace(primary=SimpleNamespace(address=PRIMARY, port=53), zones=ZONES,
                                            key=TsigKey(name, algorithm, secret)))
    seen = hand.observe(("_tcp.host", "TLSA"), ("nothing", "TLSA"))
    hand.close()
    assert seen["everywhere"] == [True, True] and len(seen["servers"]) == 2, seen
    assert all(one["proof"] == "valid" and not one["records"] for server in seen["servers"] for one in server["rrsets"]), seen


def test_the_kind_of_denial_can_be_changed(lab, run):
    run.enter_ds(ZONES[0], run.ds(ZONES[0]))
    assert "NSEC" in denial_types(ask_denied(run, "nothing", "A"))
    assert run.server.stop() == 0
    run.edge.configure(authority_denial="nsec3")
    run.start()
    process.wait_for(lambda: "NSEC3" in denial_types(ask_denied(run, "nothing", "A")), 20, "NSEC3 is public")
    assert lab.internet.resolver.ask(f"nothing.{ZONES[0]}", "A").flags & dns.flags.AD


def test_a_reload_leaves_all_running(run):
    before = children(run)
    process.wait_for(lambda: "event=all-ready" in run.edge.log("run"), 20, "all daemons are ready")
    run.server.child.send_signal(signal.SIGHUP)
    process.wait_for(lambda: run.edge.log("run").count("event=reloaded") == 3, 10, "all have read the configuration again")
    assert children(run) == before and "event=ended" not in run.edge.log("run")


def children(run) -> dict[str, int]:
    """Name -> process, of those that `kedge run` started last."""
    return {name: int(pid) for name, pid in re.findall(r"event=started child=(\S+) pid=(\d+)", run.edge.log("run"))}


def has_private_resolver(run, lab):
    """Options of a private resolver below the lab's root."""
    engine = next(lab.folder.rglob("unbound.conf"))
    anchor, include = run.edge.folder / "root.key", run.edge.folder / "lab.conf"
    anchor.write_text(re.search(r'trust-anchor: "(.*)"', engine.read_text())[1] + "\n")
    include.write_text(f'server:\n  do-not-query-localhost: no\n  root-hints: "{engine.parent / "hints"}"\n')
    return {"resolver": f"{RESOLVER}:53", "resolver_private": "yes", "resolver_program": shutil.which("unbound"),
            "resolver_trust_anchor": anchor, "resolver_include": include}


def test_nobody_keeps_root_and_nobody_is_left_behind(lab, build):
    """Not the servers that read what lies in the user's folders, either, and they have their low ports all the same."""
    made = Run(lab, build, "private-rights")
    made.edge.configure(**has_private_resolver(made, lab))
    made.start()
    pids = children(made)
    assert set(pids) == {"authority", "authority-zones", "kedge-control", "resolver", "kedge-smtpd", "kedge-deliver"}
    try:
        process.wait_for(lambda: "event=all-ready" in made.edge.log("run"), 20, "all daemons are ready")
        wanted = {str(pwd.getpwnam(user()).pw_uid)}
        for name, pid in pids.items():
            status = Path(f"/proc/{pid}/status").read_text()
            assert set(re.search(r"^Uid:\t(.*)$", status, re.M)[1].split()) == wanted, name
        query = dns.message.make_query("example", "SOA", want_dnssec=True)
        process.wait_for(lambda: dns.query.udp(query, RESOLVER, timeout=10).flags & dns.flags.AD, 10, "the resolver answers")
    finally:
        made.server.stop(signal.SIGKILL)
    process.wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids.values()), 15, "all are gone")


@pytest.mark.parametrize("name, command, says", [("run", ["kedge-control"], "link that others than root made"),
                                                 ("authority", ["kedge", "run"], "cannot be written by user")])
def test_a_planted_link_is_not_followed(lab, build, name, command, says):
    """Whoever can write into the user's folder must not get another folder from root."""
    planted = Kedge(lab, build, f"planted-{name}", EDGE)
    precious = planted.folder / "precious"
    precious.mkdir()
    (precious / "passwd").write_text("root\n")
    (planted.folder / "data").mkdir()
    shutil.chown(planted.folder / "data", user())
    (planted.folder / "data" / name).symlink_to(precious)
    planted.configure(run_directory=planted.folder / "data/run", authority_private="yes", authority_program=shutil.which("knotd"),
                      authority_zone=ZONES[0], authority_server=SERVER, authority_edge_address=EDGE)
    owner = precious.stat().st_uid
    words = [find(build, command[0]), *command[1:], "--config", planted.configuration]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 71 and says in done.stderr, done.stderr
    assert precious.stat().st_uid == owner
