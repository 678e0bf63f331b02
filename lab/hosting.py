"""A hosting set-up beside the lab's edge: an edge with a signed MX zone, a key group, and a customer's domain."""

from lab import authority, namespace, process, world
from lab.kedge import Kedge

EDGE, OLD = "127.0.25.40", "127.0.25.41"
ZONE, DOMAIN = "mx-tour.example", "tour.example"
TTL = 2
ASKED_TTL, LOW_TTL = 30, 3  # what is entered may be lower than what is asked for


class Hosting:
    """Needs the namespace. `panel` is what the customer enters at the DNS provider."""

    def __init__(self, lab, build):
        self.lab = lab
        for address in (EDGE, OLD):
            namespace.add_address(address)
        self.managed = authority.ManagedZones(lab, "knot", ZONE, secondaries=2, ttl=TTL)
        self.edge = Kedge(lab, build, "tour", EDGE, zone_interval="500ms", edge_name="edge.tour-host.example")
        self.edge.start()
        self._provision()
        lab.sink(f"old.{DOMAIN}", OLD, None)
        self.panel(LOW_TTL, f"10 old.{DOMAIN}.")
        self.sent = 0

    def _provision(self):
        edge, key, primary = self.edge, self.managed.key, self.managed.primary
        tsig = edge.folder / "tsig"
        tsig.write_text(f"{key.algorithm}:{key.name}:{key.secret}\n", encoding="utf-8")
        edge.cli("edge-group", "add", "here", "--address", EDGE)
        process.wait_for(lambda: edge.json("edge", "list"), 5, "the edge has made itself known")
        edge.cli("edge", "set", "edge.tour-host.example", "--edge-group", "here")
        edge.cli("zone", "add", ZONE, "--primary", f"{primary.address}:{primary.port}", "--tsig-file", tsig,
                 "--edge-group", "here", "--ttl", f"{TTL}s", "--address-ttl", f"{TTL}s")
        edge.cli("key", "add", "--group", "g1")
        edge.cli("tenant", "add", "acme")
        edge.cli("domain", "add", DOMAIN, "--tenant", "acme", "--mailbox-host", f"lmtp:{world.MAILBOXES}:{self.lab.lmtp_port}",
                 "--recipients", "any")
        edge.cli("domain", "dnssec", "disable", DOMAIN)

    def panel(self, ttl: int, *mx: str):
        """The customer's MX records from now on."""
        self.lab.add_zone(DOMAIN, "".join(f"@ {ttl} MX {one}\n" for one in mx) + f"old A {OLD}\n")

    def reaches(self, step: str, turn: str, seconds: float = 40) -> dict:
        """Asks `kedge domain switch` until it stands at that step."""
        def look():
            self.lab.internet.resolver.forget(ZONE)
            view = self.edge.json("domain", "switch", DOMAIN, "--low-ttl", ASKED_TTL)
            return view if (view["name"], view["turn"]) == (step, turn) else None

        return process.wait_for(look, seconds, f"the switch of {DOMAIN} stands at {step}, {turn}")

    def key_served(self) -> str:
        """The digest of what the edge last told control that it serves."""
        return ",".join(sorted(str(one["pair"]) for one in self.edge.json("edge", "show", "edge.tour-host.example")["serves"]))

    def send(self):
        """One more message from Postfix."""
        self.sent += 1
        self.lab.provider.send("bob@dane.example", f"m{self.sent}@{DOMAIN}", subject=f"number {self.sent}")

    def arrived(self) -> int:
        """How many of them are at the mailbox host or at the old host."""
        places = (self.lab.mailboxes, self.lab.sinks[f"old.{DOMAIN}"])
        return sum(r.endswith("@" + DOMAIN) for place in places for m in list(place.messages) for r in m.recipients)
