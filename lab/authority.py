"""Managed zones, as an operator has them: a hidden primary that signs and takes updates (see primary), public
secondaries that the zone's NS records name, and the DS record in the parent, so that the resolver validates it all."""

import itertools
from pathlib import Path

from lab import namespace, primary, process
from lab.primary import NameServer, Plan, TsigKey

NUMBERS = itertools.count(1)


class Secondary(NameServer):
    """A public server: Knot, which follows a primary by NOTIFY and IXFR or AXFR. It listens on all its addresses."""

    def __init__(self, name: str, folder: Path, addresses: list[str], port: int):
        super().__init__(name, folder, addresses[0], port)
        self.addresses = addresses

    def follow(self, source: tuple[str, int], key: TsigKey | None, zones):
        """What it is a secondary of; before start(). Without a key the primary knows it by its addresses."""
        (self.folder / "run").mkdir()
        keys = [] if key is None else [f"key:\n  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {key.secret}"]
        signed = [] if key is None else [f"  - id: signed\n    key: {key.name}\n    action: notify"]  # as PowerDNS does it
        (self.folder / "conf").write_text("\n".join([
            "server:", f'  rundir: "{self.folder}/run"',
            f"  listen: [{', '.join(f'{address}@{self.port}' for address in self.addresses)}]",
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1",
            "log:\n  - target: stderr\n    any: info",
            "database:", f'  storage: "{self.folder}/run"',
            *keys,
            f"remote:\n  - id: primary\n    address: {source[0]}@{source[1]}\n    via: {self.address}",
            *([f"    key: {key.name}"] if key else []),
            "acl:\n  - id: notify\n    address: 127.0.0.0/8\n    action: notify",
            *signed,
            "template:\n  - id: default", f'    storage: "{self.folder}/run"',
            f"    master: primary\n    acl: [notify{', signed' if key else ''}]\n    zonefile-sync: -1\n    zonefile-load: none",
            "    journal-content: all\n    semantic-checks: off\n    retry-max-interval: 1",
            "zone:",
            *(f'  - domain: "{zone}"' for zone in zones),
        ]) + "\n", encoding="utf-8")
        self.zones = list(zones)

    def start(self, seconds: float = 20):
        """Starts it and waits until it serves all zones."""
        self.run(process.program("knotd"), "-c", self.folder / "conf")
        self.server.wait_ready(lambda: all(self.serves_signed(zone) for zone in self.zones), seconds)

    def lag(self):
        """From now on it serves what it has, and does not follow the primary."""
        for zone in self.zones:
            self._control("zone-freeze", zone)

    def catch_up(self):
        """Follows the primary again, and asks it at once."""
        for zone in self.zones:
            self._control("zone-thaw", zone)
            self._control("zone-refresh", zone)

    def _control(self, *words):
        process.once(process.program("knotc"), "-b", "-s", self.folder / "run" / "knot.sock", *words)


class ManagedZones:
    """Zones below example. on one primary and some secondaries, delegated and vouched for by example.

    Each secondary has an IPv4 address and, in the namespace, an IPv6 address. ttl is that of SOA, NS and DNSKEY and of
    negative answers; lifetime that of signatures (seconds; Knot and BIND).
    """

    def __init__(self, lab, engine: str, *zones: str, secondaries: int = 1, ttl: int = 5, lifetime: int | None = None):
        number = next(NUMBERS)
        self.lab, self.zones, self.key = lab, zones, TsigKey()
        folder = lab.folder / f"managed{number}"
        self.secondaries = [self._secondary(folder, number, i) for i in range(secondaries)]
        hosts = {f"{s.name}.managed{number}.host.example.": s.addresses for s in self.secondaries}
        text = f"$TTL {ttl}\n@ SOA {next(iter(hosts))} hostmaster.example. 1 3600 2 86400 {ttl}\n"
        text += "".join(f"@ NS {host}\n" for host in hosts)
        plan = Plan({zone: f"$ORIGIN {zone}.\n{text}" for zone in zones}, self.key,
                    [(s.address, s.port) for s in self.secondaries], ttl, lifetime)
        made = primary.ENGINES[engine]
        self.primary = made(folder / engine, *made.address_for(number, lab.dns_port), plan)
        self.primary.start()
        for secondary in self.secondaries:
            secondary.follow((self.primary.address, self.primary.port), self.key, zones)
            secondary.start()
        for zone in zones:
            lab.internet.delegate(zone, hosts, self.primary.ds(zone))

    def _secondary(self, folder: Path, number: int, i: int) -> Secondary:
        addresses = [f"127.54.{number}.{11 + i}"]
        if namespace.inside():
            addresses.append(f"fd00:54:{number}::{11 + i}")
            for address in addresses:
                namespace.add_address(address)
        return Secondary(f"secondary{i}", folder / f"secondary{i}", addresses, self.lab.dns_port)

    def update(self, zone: str, *changes: tuple):
        """Changes records at the primary, as in Primary.update; the secondaries follow on their own."""
        self.primary.update(zone, *changes)

    def wait_level(self, seconds: float = 10):
        """Waits until every secondary serves what the primary does."""
        def level():
            return all(s.serial(zone) == self.primary.serial(zone) for s in self.secondaries for zone in self.zones)

        process.wait_for(level, seconds, "the secondaries serve what the primary does")

    def stop(self):
        """Ends all its servers; the delegation stays."""
        for server in [*self.secondaries, self.primary]:
            server.resume()
            server.stop()
