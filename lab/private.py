"""`kedge run` with a private primary of the MX zones, as an operator has it: a public secondary beside it, a parent whose
DS records are entered by hand."""

import re
import shutil

import dns.query
import dns.tsigkeyring
import dns.update

from lab import authority, process
from lab.kedge import Kedge, find

PRIMARY, SECONDARY, EDGE = "127.54.200.1", "127.54.200.11", "127.0.25.3"
SERVER = "ns.private.host.example"
ZONES = ["mx1.private.example", "mx2.private.example"]


class Run:
    """`kedge run` with a private primary, and the operator's public server beside it."""

    def __init__(self, lab, build, name, **options):
        self.lab = lab
        self.edge = Kedge(lab, build, name, EDGE, **{
            "authority_private": "yes", "authority_program": shutil.which("knotd"), "authority_address": f"{PRIMARY}:53",
            "authority_zone": ZONES, "authority_server": SERVER, "authority_secondary": f"{SECONDARY}:53",
            "authority_edge_address": [EDGE, "fd00:25::3"], **options})
        self.public = authority.Secondary("public", self.edge.folder / "public", [SECONDARY], 53)
        self.server = None

    def serve(self, zones=tuple(ZONES)):
        """Starts the public server."""
        self.public.follow((PRIMARY, 53), None, zones)
        self.public.start()

    def start(self, zones=tuple(ZONES)):
        """Starts it, and waits until all zones are there."""
        begin = len(self.edge.log("run"))
        command = [find(self.edge.build, "kedge"), "--config", self.edge.configuration, "run"]
        self.server = process.Server("kedge run", command, self.edge.log_file("run"))
        self.server.wait_ready(lambda: all(f"zone-ds zone={zone}" in self.edge.log("run")[begin:] for zone in zones), 20)

    def ds(self, zone: str) -> str:
        """The DS record that the log tells to enter at the parent."""
        return re.findall(rf'event=zone-ds zone={zone} ds="(.*)"', self.edge.log("run"))[-1]

    def update(self, zone: str, *words, secret: str | None = None) -> int:
        """A dynamic update with the key that was generated; returns the rcode."""
        file = self.edge.folder / "data" / "authority" / "key"
        algorithm, name, ours = file.read_text().strip().split(":")
        message = dns.update.Update(zone, keyring=dns.tsigkeyring.from_text({name: secret or ours}), keyalgorithm=algorithm)
        message.add(*words)
        return dns.query.tcp(message, PRIMARY, timeout=10).rcode()

    def enter_ds(self, zone: str, *ds: str, ttl: int | None = None):
        """What the operator enters at the parent: these DS records from now on. With a TTL the resolver has to notice by
        itself; otherwise its cache is emptied."""
        self.lab.internet.delegate(zone, {f"{SERVER}.": [SECONDARY]}, list(ds), ttl)
