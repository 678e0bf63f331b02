"""The lab's DNS: authoritative servers for root, TLD and zones, the validating resolver, and the forger."""

import os
import socket
import threading
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.zone

from lab import process, signer, world

TTL = 300
SERVERS = {"root": world.ROOT_SERVER, "tld": world.TLD_SERVER, "zones": world.ZONE_SERVER}
BROKEN_DS = {
    "wrong": "12345 13 2 " + "00" * 32,
    "unknown": "12345 250 2 " + "00" * 32,
}


class Authority:
    """One Knot server: serves signed zones exactly as the lab made them."""

    def __init__(self, name: str, address: str, port: int, folder: Path):
        self.address, self.port = address, port
        self.folder = folder / name
        (self.folder / "run").mkdir(parents=True)
        self.zones: dict[str, dns.zone.Zone] = {}
        self.name = name
        self.server: process.Server | None = None

    def publish(self, zones: dict[str, dns.zone.Zone]):
        """Adds or replaces zones, and returns when all are served."""
        self.zones |= zones
        for name, zone in zones.items():
            zone.to_file(str(self.folder / f"{name}zone"), relativize=False)
        lines = [
            "server:",
            f'  rundir: "{self.folder}/run"',
            f"  listen: {self.address}@{self.port}",
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1",
            "log:\n  - target: stderr\n    any: info",
            "database:", f'  storage: "{self.folder}/run"',
            "template:\n  - id: default", f'    storage: "{self.folder}"',
            "    journal-content: none\n    zonefile-load: whole\n    semantic-checks: off",
            "zone:",
            *(f'  - domain: "{name}"\n    file: "{name}zone"' for name in self.zones),
        ]
        configuration = self.folder / "knot.conf"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if self.server is None:
            command = [process.program("knotd"), "-c", configuration]
            self.server = process.Server(f"knotd ({self.name})", command, self.folder / "log")
        else:
            self.server.child.send_signal(1)
        self.server.wait_ready(lambda: all(self._serves(name) for name in zones))

    def _serves(self, name: str) -> bool:
        ask = dns.message.make_query(name, "SOA")
        try:
            answer = dns.query.udp(ask, self.address, port=self.port, timeout=0.2).answer
        except (OSError, dns.exception.Timeout):
            return False
        return bool(answer) and answer[0][0].serial == self.zones[name].find_rdataset(self.zones[name].origin, "SOA")[0].serial


class Resolver:
    """Unbound, with the lab's root key as its only trust anchor."""

    def __init__(self, address: str, port: int, folder: Path, anchor: str, upstream_port: int):
        self.address, self.port, self.upstream_port = address, port, upstream_port
        self.folder = folder / "resolver"
        self.folder.mkdir(parents=True)
        self.control = self.folder / "control"
        (self.folder / "hints").write_text(f". 3600 NS ns.lab.\nns.lab. 3600 A {world.ROOT_SERVER}\n", encoding="utf-8")
        lines = [
            "server:",
            f'  directory: "{self.folder}"\n  chroot: ""\n  username: ""\n  pidfile: ""\n  use-syslog: no',
            f"  interface: {address}@{port}\n  access-control: 127.0.0.0/8 allow\n  num-threads: 1",
            "  do-not-query-localhost: no\n  root-hints: hints\n  module-config: \"validator iterator\"",
            f'  trust-anchor: ". DS {anchor}"\n  val-log-level: 2\n  ede: yes\n  val-bogus-ttl: 1\n  val-sig-skew-min: 0\n  val-sig-skew-max: 0',
            "  aggressive-nsec: no\n  infra-keep-probing: yes\n  infra-host-ttl: 1\n  verbosity: 1",
            *([] if upstream_port == 53 else [f"  outgoing-range: 512\n  do-ip6: no"]),
            f'remote-control:\n  control-enable: yes\n  control-interface: "{self.control}"\n  control-use-cert: no',
        ]
        configuration = self.folder / "unbound.conf"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.server = process.Server(
            "unbound", [process.program("unbound"), "-d", "-c", configuration], self.folder / "log"
        )
        self.server.wait_ready(self.control.exists)
        self.stub(".", world.ROOT_SERVER)
        self.stub("example.", world.TLD_SERVER)

    def stub(self, zone: str, address: str):
        """On high ports a referral cannot be followed (it has no port): the resolver is told where a zone is."""
        if self.upstream_port != 53:
            self.command(f"stub_add {zone} {address}@{self.upstream_port}")

    def command(self, line: str) -> str:
        """One command as unbound-control(8) would send it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.control))
            connection.sendall(f"UBCT1 {line}\n".encode())
            answer = b""
            while more := connection.recv(65536):
                answer += more
        if answer.startswith(b"error"):
            raise process.Failed(f"unbound, {line}: {answer.decode()}")
        return answer.decode()

    def forget(self, *zones: str):
        """Empties the cache for zones, as if their TTLs had passed."""
        for zone in zones:
            self.command(f"flush_zone {zone}")
        self.command("flush_infra all")

    def ask(self, name: str, kind: str) -> dns.message.Message:
        """Asks as a client does, with AD and DO."""
        query = dns.message.make_query(name, kind, want_dnssec=True)
        query.flags |= dns.flags.AD
        return dns.query.udp(query, self.address, port=self.port, timeout=10)


class Forger:
    """An attacker between resolver and name server: passes questions on and changes chosen answers."""

    def __init__(self, address: str, port: int, upstream_port: int):
        self.rules: dict[tuple[dns.name.Name, int], str] = {}
        self.port = upstream_port
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.tcp = socket.create_server((address, port))
        for loop in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=loop, daemon=True).start()

    def add(self, zone: str, forge: world.Forge):
        """From now on this answer is forged."""
        name = dns.name.from_text(forge.name, dns.name.from_text(zone))
        self.rules[name, dns.rdatatype.from_text(forge.type)] = forge.action

    def _answer(self, wire: bytes, ask) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        action = self.rules.get((question.name, question.rdtype))
        if action == "drop":
            return None
        if action in dns.rcode.Rcode.__members__:
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.AA
            reply.set_rcode(dns.rcode.Rcode[action])
            return reply.to_wire()
        reply = ask(query, world.ZONE_SERVER, port=self.port, timeout=3)
        if action:
            forged = dns.rrset.from_text(question.name, TTL, "IN", question.rdtype, action)
            kept = [r for r in reply.answer if r.rdtype != question.rdtype]
            reply.answer = [forged, *kept]
            reply.additional = []
        return reply.to_wire()

    def _serve_udp(self):
        while True:
            wire, client = self.udp.recvfrom(65536)
            try:
                reply = self._answer(wire, dns.query.udp)
            except (OSError, dns.exception.DNSException):
                continue
            if reply:
                self.udp.sendto(reply, client)

    def _serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            with connection:
                connection.settimeout(3)
                try:
                    stream = connection.makefile("rwb")
                    reply = self._answer(stream.read(int.from_bytes(stream.read(2), "big")), dns.query.tcp)
                    if reply:
                        stream.write(len(reply).to_bytes(2, "big") + reply)
                        stream.flush()
                except (OSError, dns.exception.DNSException):
                    continue


class Internet:
    """Root, TLD and zones with their chain of trust, and everything that answers for them."""

    def __init__(self, folder: Path, port: int = 53):
        self.folder, self.port = folder / "dns", port
        self.keys: dict[str, signer.Key] = {}
        self.delegations: dict[str, str] = {}
        self.serial = 0
        self.servers = {name: Authority(name, address, port, self.folder) for name, address in SERVERS.items()}
        self.forger = Forger(world.FORGER, port, port)
        root = f"@ NS ns.lab.\nns.lab. A {world.ROOT_SERVER}\nexample. NS ns.nic.example.\n"
        root += f"ns.nic.example. A {world.TLD_SERVER}\nexample. DS {self._key('example.').ds('example.')}\n"
        self.servers["root"].publish({".": self._signed(".", root)})
        self.resolver = Resolver(world.RESOLVER, port, self.folder, self._key(".").ds("."), port)

    def publish(self, zones, tlsa):
        """Adds or replaces zones below example.; tlsa(usage, selector, matching, label) fills the <...> in their text."""
        made = {}
        for zone in zones:
            name = f"{zone.name}."
            server = "forger" if zone.forge else "ns"
            text = f"@ NS {server}.host.example.\n" + fill(zone.text, tlsa)
            self.delegations[name] = f"{name} NS {server}.host.example.\n" + self._ds(zone)
            made[name] = self._signed(name, text, zone.spoil) if zone.signed else self._parsed(name, text)
            for forge in zone.forge:
                self.forger.add(name, forge)
        self.servers["zones"].publish(made)
        self._publish_tld()
        for zone in zones:
            self.resolver.stub(f"{zone.name}.", world.FORGER if zone.forge else world.ZONE_SERVER)
        self.resolver.forget(*(["example."] if len(zones) > 3 else [zone.name for zone in zones]))

    def delegate(self, zone: str, hosts: dict[str, list[str]], ds: list[str], ttl: int | None = None):
        """Delegates a zone below example. to servers of its own: their names with their addresses. ttl: of the DS records;
        with one, the resolver keeps what it has in its cache."""
        lines = [f"{zone}. NS {host}" for host in hosts] + [f"{zone}. {ttl or TTL} DS {one}" for one in ds]
        for host, addresses in hosts.items():
            lines += [f"{host} {'AAAA' if ':' in address else 'A'} {address}" for address in addresses]
        self.delegations[f"{zone}."] = "\n".join(lines) + "\n"
        self._publish_tld()
        self.resolver.stub(f"{zone}.", next(iter(hosts.values()))[0])
        if ttl is None:
            self.resolver.forget("example.")

    def _publish_tld(self):
        tld = "@ NS ns.nic.example.\n" + f"ns.nic A {world.TLD_SERVER}\n"
        tld += f"ns.host A {world.ZONE_SERVER}\nforger.host A {world.FORGER}\n" + "".join(self.delegations.values())
        self.servers["tld"].publish({"example.": self._signed("example.", tld)})

    def _key(self, zone: str) -> signer.Key:
        return self.keys.setdefault(zone, signer.Key())

    def _ds(self, zone: world.Zone) -> str:
        ds = zone.ds or ("match" if zone.signed else "absent")
        if ds == "absent":
            return ""
        name = f"{zone.name}."
        return f"{name} DS {BROKEN_DS.get(ds) or self._key(name).ds(name)}\n"

    def _parsed(self, name: str, text: str) -> dns.zone.Zone:
        self.serial += 1
        text = f"@ SOA ns.host.example. hostmaster.example. {self.serial} 3600 600 86400 {TTL}\n{text}"
        text = "\n".join(line.strip() for line in text.splitlines())
        return dns.zone.from_text(f"$TTL {TTL}\n{text}\n", name, relativize=False)

    def _signed(self, name: str, text: str, spoil=()) -> dns.zone.Zone:
        zone = self._parsed(name, text)
        signer.sign(zone, self._key(name), spoil)
        return zone


def fill(text: str, tlsa) -> str:
    """Replaces each <usage selector matching label> by the record data."""
    while "<" in text:
        before, _, rest = text.partition("<")
        inside, _, after = rest.partition(">")
        usage, selector, matching, label = inside.split()
        text = before + tlsa(int(usage), int(selector), int(matching), label) + after
    return text


def free_port() -> int:
    """A port that is free for UDP and TCP on all the lab's DNS addresses (for use without a namespace)."""
    addresses = [*SERVERS.values(), world.FORGER, world.RESOLVER]
    for candidate in range(20000 + os.getpid() % 10000, 32000):
        try:
            for address in addresses:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    with socket.socket(socket.AF_INET, kind) as probe:
                        probe.bind((address, candidate))
            return candidate
        except OSError:
            continue
    raise process.Failed("no free port for the lab's DNS servers")
