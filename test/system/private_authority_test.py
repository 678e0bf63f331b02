"""kedge run with a primary of its own: a Knot with a generated configuration, which signs and takes updates."""

import shutil
import socket
import stat

import dns.exception
import dns.query
import dns.rcode
import dns.tsig
import pytest

from lab import process
from lab.kedge import Kedge
from lab.private import EDGE, PRIMARY, SECONDARY, SERVER, ZONES, Run

@pytest.fixture
def run(lab, build, request):
    """A run that is up; it ends with the test."""
    made = Run(lab, build, f"private-{request.node.name}")
    made.start()
    made.public.start()
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


@pytest.mark.parametrize("options, says", [
    ({"authority_program": "/nowhere/knotd"}, "authority_program"),
    ({"authority_zone": []}, "authority_zone"),
    ({"authority_edge_address": []}, "authority_edge_address"),
    ({"authority_server": f"ns.{ZONES[0]}"}, "authority_server"),
    ({"authority_include": "/nowhere/knot.conf"}, "authority_include"),
])
def test_a_mistake_is_named(lab, build, tmp_path, options, says, request):
    edge = Kedge(lab, build, f"mistake-{abs(hash(request.node.name))}", EDGE, authority_private="yes",
                 authority_program=shutil.which("knotd"), authority_zone=ZONES[0], authority_server=SERVER,
                 authority_edge_address=EDGE)
    edge.configure(**options)
    done = edge.try_cli("run")
    assert done.returncode == 78 and says in done.stderr, done.stderr
