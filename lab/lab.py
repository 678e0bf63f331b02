"""The lab as a whole: Lab().up() and it is all there."""

import dataclasses
import signal
import tempfile
from pathlib import Path

from lab import namespace, packages, process, world
from lab.attacker import Attacker
from lab.exim import Exim
from lab.internet import Internet, free_port
from lab.kedge import Kedge, find
from lab.pki import Identity
from lab.postfix import Postfix
from lab.sink import Sink

PROVIDER_DOMAINS = ["provider.example", "dane.example", "dane4.example", "dane6.example", "alias.example",
                    "unsigned-mx.example", "second-best.example", "bogus.example", "expired.example", "forged.example"]
LMTP_PORT = 24


class Lab:
    """A running lab. In the namespace it uses ports 53 and 25; outside, high ports and no Postfix or Exim."""

    def __init__(self):
        if namespace.inside():
            self.folder, self.dns_port, self.smtp_port = Path("/run/lab"), 53, 25
        else:
            packages.tree()
            self.temporary = tempfile.TemporaryDirectory(prefix="kedge-lab-")
            self.folder, self.dns_port = Path(self.temporary.name), free_port()
            self.smtp_port = self.dns_port + 1
        self.lmtp_port = LMTP_PORT if namespace.inside() else self.smtp_port + 1
        self.identities: dict[str, Identity] = {}
        self.sinks: dict[str, Sink] = {}
        self.attackers: dict[str, Attacker] = {}
        self.provider: Postfix | None = None
        self.exim: Exim | None = None

    def up(self) -> "Lab":
        """Builds everything; returns itself when all servers answer."""
        for label, (names, issuer) in world.IDENTITIES.items():
            self.identity(label, names, issuer=self.identities.get(issuer), authority=not names)
        self.internet = Internet(self.folder, self.dns_port)
        self.add_zones(*world.ZONES)
        self.mailboxes = Sink(world.MAILBOXES, self.lmtp_port, "mailboxes.example", lmtp=True)
        self.provider_mailboxes = Sink(world.PROVIDER_MAILBOXES, self.lmtp_port, "mailboxes.provider.example", lmtp=True)
        for host in world.HOSTS:
            self.sink(host.name, host.address, host.identity)
        for attack in world.ATTACKS:
            target = (attack.target, self.smtp_port)
            self.attackers[attack.how] = Attacker(attack.address, self.smtp_port, attack.how, target,
                                                  self.identities["attacker"])
        if namespace.inside():
            self._start_peers()
        else:
            self.sink("mx.provider.example", world.PROVIDER, "provider")
        return self

    def _start_peers(self):
        for address in (world.EDGE6, world.PROVIDER, world.PROVIDER6, world.EXIM):
            namespace.add_address(address)
        self.provider = Postfix(
            self.folder / "provider", "mx.provider.example", [world.PROVIDER, world.PROVIDER6], PROVIDER_DOMAINS,
            self.identities["provider"], (world.PROVIDER_MAILBOXES, LMTP_PORT),
        )
        self.provider.start()
        if not namespace.one_user():
            self.exim = Exim(self.folder / "exim", world.EXIM)

    def identity(self, label: str, names=(), **options) -> Identity:
        """Makes a key and a certificate, for use as <... label> in zones and as a host's identity."""
        self.identities[label] = Identity(self.folder / "pki", label, names, **options)
        return self.identities[label]

    def tlsa(self, usage: int, selector: int, matching: int, label: str) -> str:
        """The TLSA record data for an identity."""
        return self.identities[label].tlsa(usage, selector, matching)

    def add_zones(self, *zones: world.Zone):
        """Adds or replaces zones below example.; the resolver forgets what it knew of them."""
        self.internet.publish(zones if namespace.inside() else [self._on_high_ports(zone) for zone in zones], self.tlsa)

    def add_zone(self, name: str, text: str, **options):
        """Adds or replaces one zone; options as in world.Zone."""
        self.add_zones(world.Zone(name, text, **options))

    def sink(self, name: str, address: str, identity: str | None, **options) -> Sink:
        """Starts a mail server on an address of its own."""
        if namespace.inside():
            namespace.add_address(address)
        self.sinks[name] = Sink(address, self.smtp_port, name, self.identities.get(identity), **options)
        return self.sinks[name]

    def clear(self):
        """Makes all sinks and attackers forget what they saw and what they were told to do."""
        for part in [*self.sinks.values(), *self.attackers.values(), self.mailboxes, self.provider_mailboxes]:
            part.clear()

    def edge6(self) -> list[str]:
        """Our IPv6 listening addresses; none outside the namespace."""
        return [f"[{world.EDGE6}]:{self.smtp_port}"] if namespace.inside() else []

    def edge(self, build: Path) -> Kedge:
        """Starts Kedge from a build folder: two tenants' domains, the lab's key, and who may send through it."""
        edge = Kedge(self, build)
        edge.start()
        edge.provision()
        (self.folder / "environment").write_text(
            f"export KEDGE_CONFIG={edge.configuration} PATH={find(edge.build, 'kedge').parent}:$PATH\n", encoding="utf-8")
        return edge

    def describe(self) -> str:
        """What is running where, and how to look at it."""
        return "\n".join([
            "The lab is up.",
            f"  resolver (validates)  {world.RESOLVER} port {self.dns_port}",
            f"  mail servers          port {self.smtp_port} of the addresses in the zones: lab/lab world",
            f"  logs and spools       {self.folder}",
            "  try                   dig @" + world.RESOLVER + f" -p {self.dns_port} +dnssec dane.example MX",
        ])

    def wait_for_interrupt(self):
        """Stays up until Ctrl-C or SIGTERM."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()

    def down(self):
        """Ends every server. In the namespace the kernel would do it too."""
        for server in process.RUNNING[::-1]:
            server.stop(seconds=3)
        if not namespace.inside():
            self.temporary.cleanup()

    def _on_high_ports(self, zone: world.Zone) -> world.Zone:
        """Outside the namespace TLSA records are for another port, and there is no IPv6 address but ::1."""
        text = "\n".join(line for line in zone.text.splitlines() if " fd00:" not in line)
        return dataclasses.replace(
            zone,
            text=self._port_in(text),
            spoil=tuple(dataclasses.replace(s, name=self._port_in(s.name)) for s in zone.spoil),
            forge=tuple(dataclasses.replace(f, name=self._port_in(f.name)) for f in zone.forge),
        )

    def _port_in(self, text: str) -> str:
        return text.replace("_25._tcp", f"_{self.smtp_port}._tcp")
