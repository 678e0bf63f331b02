"""What the gate may count on: addresses that cannot be reached, hosts with TLSA records of their own, zones that lose
their last host."""

import subprocess

import pytest

from lab import authority, kedge, namespace, process

ADDRESS, TTL = "127.0.25.86", 2


class Hosted:
    """An edge, its key group g1, and an MX zone on a primary with one public secondary."""

    def __init__(self, lab, build, name: str, *words, **options):
        namespace.add_address(ADDRESS)
        self.name, self.zone = name, f"mx-{name}.example"
        self.managed = authority.ManagedZones(lab, "knot", self.zone, ttl=1)
        self.secondary = self.managed.secondaries[0]
        self.edge = kedge.Kedge(lab, build, name, ADDRESS, zone_interval="500ms", edge_name=f"edge.{name}.example", **options)
        self.edge.start()
        self.tsig = self.edge.folder / "tsig"
        self.tsig.write_text(f"{self.managed.key.algorithm}:{self.managed.key.name}:{self.managed.key.secret}\n", encoding="utf-8")
        self.edge.cli("edge-group", "add", "here", "--address", ADDRESS)
        process.wait_for(lambda: self.edge.json("edge", "list"), 10, "the edge has made itself known")
        self.edge.cli("edge", "set", f"edge.{name}.example", "--edge-group", "here")
        self.edge.cli("zone", "add", self.zone, "--primary", f"{self.managed.primary.address}:53", "--tsig-file", self.tsig,
                      "--edge-group", "here", "--ttl", f"{TTL}s", "--address-ttl", f"{TTL}s", *words)
        self.edge.cli("key", "add", "--group", "g1")
        self.edge.cli("tenant", "add", "acme")

    def host(self, *domains: str) -> list[str]:
        """Accepts domains with DANE; their MX hosts."""
        self.edge.cli("domain", "add", *domains, "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--dane")
        return [self.edge.json("domain", "show", domain)["mx_host"] for domain in domains]

    def keys(self) -> dict[str, str]:
        """State -> digest of the group's keys; the newest of a state."""
        return {key["state"]: key["spki_sha256"] for key in self.group()["keys"]}

    def group(self) -> dict:
        """What is said of the group."""
        shown = self.edge.json("key", "show", "g1")
        return shown[0] if isinstance(shown, list) else shown

    def awaits(self, what: str, part: str = "", seconds: float = 30) -> str:
        """Waits until the gate awaits that, of somebody with that in its name, and returns who that is."""
        def look():
            waiting = self.group()["waiting"] or {}
            subject = waiting.get("by") or ""
            return subject or "nobody" if waiting.get("what") == what and part in subject else None

        try:
            return process.wait_for(look, seconds, f"the gate awaits {what} of {part!r}")
        except process.Failed as why:
            raise process.Failed(f"{why}; it says {self.group()['waiting']}, alarms {self.group()['alarms']}") from None

    def wait_ready(self, seconds: float = 40) -> str:
        """Waits until a next key is ready; its digest."""
        try:
            return process.wait_for(lambda: self.keys().get("ready"), seconds, "the next key is ready")
        except process.Failed as why:
            raise process.Failed(f"{why}; {self.keys()}, the gate says {self.group()['waiting']}") from None

    def roll(self):
        """Rolls to the next key and waits until it is active."""
        ready = self.wait_ready()
        self.edge.cli("key", "roll", "g1")
        process.wait_for(lambda: self.keys().get("active") == ready, 40, "the next key is active")

    def server(self, family: str) -> dict:
        """The secondary in `zone status`, at its address of that family."""
        status = self.edge.try_cli("zone", "status", self.zone, "--json")
        servers = kedge.json.loads(status.stdout)["zones"][0].get("servers", [])
        return next((s for s in servers if s["server"].startswith("secondary") and (":" in s["address"][:5] or "[" in s["address"])
                     == (family == "ipv6")), {})

    def stop(self):
        self.edge.stop()
        self.managed.stop()


@pytest.fixture
def make(lab, build):
    """Makes hosted zones, which end with the test."""
    made = []

    def one(name: str, *words, **options) -> Hosted:
        made.append(Hosted(lab, build, name, *words, **options))
        return made[-1]

    yield one
    for hosted in made:
        hosted.stop()


def test_an_address_without_a_route_holds_until_the_operator_leaves_it_out(make):
    hosted = make("family")
    hosted.host("family-a.example")
    hosted.wait_ready()
    before = hosted.keys()["active"]
    subprocess.run(["ip", "address", "del", f"{hosted.secondary.addresses[1]}/128", "dev", "lo"], check=True)
    hosted.awaits("server-silent", hosted.secondary.addresses[1])
    hosted.edge.cli("key", "roll", "g1")
    seen = process.wait_for(lambda: hosted.server("ipv6").get("state") == "no-route" and hosted.server("ipv6"), 10, "no route")
    assert not seen["left_out"] and "zone_unreachable_family" in seen["why"], seen
    assert hosted.keys()["active"] == before

    hosted.edge.configure(zone_unreachable_family="ipv4")
    hosted.edge.restart("control")
    hosted.awaits("server-silent", hosted.secondary.addresses[1])

    hosted.edge.configure(zone_unreachable_family="ipv6")
    hosted.edge.restart("control")
    process.wait_for(lambda: hosted.keys()["active"] != before, 40, "the next key is active")
    seen = hosted.server("ipv6")
    assert seen["state"] == "no-route" and seen["left_out"] and not hosted.server("ipv4")["left_out"], seen
    text = hosted.edge.try_cli("zone", "status", hosted.zone).stdout
    assert "left out, as zone_unreachable_family says" in text, text
    text = hosted.edge.try_cli("zone", "verify", hosted.zone).stdout
    assert "left out, as zone_unreachable_family says" in text and f"{hosted.zone}: good" in text, text

    # Another address of the same name must answer: the name stands for one server.
    hosted.secondary.pause()
    hosted.awaits("server-silent", hosted.secondary.addresses[0])
    assert not hosted.server("ipv6")["left_out"]
    hosted.secondary.resume()
    process.wait_for(lambda: hosted.server("ipv6").get("left_out"), 20, "it answers again")
