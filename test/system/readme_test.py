"""A new user who does what README's "Hosting" says, and nothing else: addresses and TLSA records must be public in the end."""

import re
import shlex
import shutil
from pathlib import Path

import dns.flags
import dns.rdatatype
import pytest

from lab import authority, process, world
from lab.kedge import Kedge
from lab.private import EDGE, PRIMARY, SECONDARY, SERVER, Run

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def lines(section: str) -> list[str]:
    """The indented lines of a section, without their comments."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [line.split("#")[0].strip() for line in text.splitlines() if line.startswith("    ")]


def commands(section: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in lines(section) if re.match(r"kedge (?!config)", line)]


def put(words, places: dict[str, str]) -> list[str]:
    """README's names and addresses, as they are in the lab."""
    out = []
    for word in words:
        for there, here in places.items():
            word = word.replace(there, here)
        out.append(word)
    return out


def follow(edge, chosen, places):
    """Types them; `switch` says no as long as something is left to do."""
    for words in chosen:
        done = edge.try_cli(*put(words, places))
        assert done.returncode == 0 or words[:2] in (["domain", "switch"], ["zone", "status"]), f"{words}: {done.stdout}{done.stderr}"


def first(section: str, *verbs: tuple[str, str]):
    return [words for words in commands(section) if tuple(words[:2]) in verbs]


def is_public(edge, ask, zone: str) -> bool:
    """The MX host has the edge's address and the switch goes on from there."""
    host = (edge.try_json("domain", "show", "acme.example") or {}).get("mx_host", "")
    if not host.endswith(zone):
        return False
    addresses = [one.address for rrset in ask(host, "A").answer if rrset.rdtype == dns.rdatatype.A for one in rrset]
    return addresses == [EDGE]


def check(edge, ask, zone):
    process.wait_for(lambda: is_public(edge, ask, zone), 60, "the MX host of acme.example has its address on the public server")
    assert [one["edge_group"] for one in edge.json("edge", "list")] == ["default"]
    shown = edge.json("edge-group", "show", "default")
    assert shown["addresses"] == [EDGE] and shown["edges"] and shown["zones"] == [zone], shown
    edge.cli("domain", "dane", "enable", "acme.example")
    process.wait_for(lambda: ask(f"_dane.g1.{zone}", "TLSA").answer, 60, "the gate has published the first key")
    process.wait_for(lambda: edge.json("edge", "show", edge.json("edge", "list")[0]["edge"])["probes"], 60,
                     "the edge dials the addresses that senders see")


PLACES = {"192.0.2.25": EDGE, "lmtp:[192.0.2.10]:24": f"lmtp:{world.MAILBOXES}:24", "192.0.2.0/24": "192.0.2.0/24"}


def test_a_primary_of_ones_own(lab, build):
    managed = authority.ManagedZones(lab, "knot", "mx-readme.example")
    edge = Kedge(lab, build, "readme-own", EDGE, zone_interval="500ms", edge_probe_interval="1s", edge_name="edge.readme.example")
    edge.start()
    tsig = edge.folder / "tsig"
    tsig.write_text(f"{managed.key.algorithm}:{managed.key.name}:{managed.key.secret}\n", encoding="utf-8")
    places = PLACES | {"mx.provider.example": "mx-readme.example", "/etc/kedge/tsig": str(tsig),
                       "192.0.2.53:53": f"{managed.primary.address}:{managed.primary.port}"}
    process.wait_for(lambda: edge.json("edge", "list"), 20, "the edge has made itself known")
    follow(edge, first("Set it up for real", ("tenant", "add"), ("domain", "add")), places)
    own = commands("Hosting")
    follow(edge, own[:own.index(["domain", "switch", "acme.example"]) + 1], places)
    check(edge, managed.secondaries[0].ask, "mx-readme.example")
    edge.stop()
    managed.stop()


def test_a_private_primary(lab, build):
    zone = "mx-readme2.example"
    places = PLACES | {"mx.provider.example": zone, "ns1.provider.example": SERVER, "192.0.2.53:53": f"{PRIMARY}:53",
                       "192.0.2.54:53": f"{SECONDARY}:53"}
    options = dict(line.split(" = ") for line in put(lines("Hosting"), places) if line.startswith("authority_"))
    assert options["authority_private"] == "yes"
    run = Run(lab, build, "readme-private", **options, authority_program=shutil.which("knotd"), zone_interval="500ms",
              edge_probe_interval="1s")
    run.start([zone])
    run.serve([zone])
    own = commands("Hosting")
    own = own[own.index(["zone", "status"]):]
    process.wait_for(lambda: run.edge.try_json("edge", "list"), 20, "the edge has made itself known")
    entered = process.wait_for(lambda: re.search(rf"{zone}\. DS (\S+ 13 2 \S+)", run.edge.try_cli("zone", "status").stdout), 30,
                               "zone status names the DS record")
    run.enter_ds(zone, entered[1])
    follow(run.edge, first("Set it up for real", ("tenant", "add"), ("domain", "add")), places)
    follow(run.edge, own, places)
    check(run.edge, run.public.ask, zone)
    run.public.stop()
    run.server.stop()
