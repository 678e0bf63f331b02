"""The hidden primary of managed zones: Knot, BIND or PowerDNS, which signs by itself (ECDSA P-256, NSEC), takes
dynamic updates and gives transfers, both to whoever has the TSIG key."""

import base64
import dataclasses
import os
import signal
import socket
from pathlib import Path

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import dns.zone

from lab import namespace, process


@dataclasses.dataclass(frozen=True)
class TsigKey:
    """Who has it may change and transfer the zones. The secret is in base64, as every configuration file wants it."""

    name: str = "kedge"
    algorithm: str = "hmac-sha256"
    secret: str = dataclasses.field(default_factory=lambda: base64.b64encode(os.urandom(32)).decode())

    def ring(self) -> dict:
        """The key for dnspython."""
        return {dns.name.from_text(self.name): dns.tsig.Key(self.name, self.secret, self.algorithm)}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a primary is to do. text: the records of a new zone by its name; notify: (address, port) of secondaries;
    ttl: of DNSKEY; lifetime: of signatures in seconds, None: the engine's own choice (PowerDNS knows no other)."""

    text: dict[str, str]
    key: TsigKey
    notify: list[tuple[str, int]]
    ttl: int
    lifetime: int | None = None


class NameServer:
    """A name server that can be stopped, paused and asked."""

    def __init__(self, name: str, folder: Path, address: str, port: int):
        self.name, self.folder, self.address, self.port = name, folder, address, port
        self.server: process.Server | None = None
        self.folder.mkdir(parents=True)

    def run(self, *command):
        """Starts the program; it must stay in the foreground."""
        self.server = process.Server(self.name, list(command), self.folder / "log")

    def stop(self, how=signal.SIGTERM):
        """Ends it; start() may follow."""
        self.server.stop(how)

    def restart(self):
        """Ends and starts it; what was updated must still be there."""
        self.stop()
        self.start()

    def pause(self):
        """From now on it does not answer: SIGSTOP."""
        self.server.child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.server.child.pid, os.WSTOPPED)  # all its threads

    def resume(self):
        """Goes on after pause()."""
        self.server.child.send_signal(signal.SIGCONT)

    def ask(self, name: str, kind: str, timeout: float = 2) -> dns.message.Message:
        """What it says, with signatures, to somebody without a key."""
        query = dns.message.make_query(name, kind, want_dnssec=True)
        query.flags &= ~dns.flags.RD
        return dns.query.udp_with_fallback(query, self.address, timeout=timeout, port=self.port)[0]

    def _soa(self, zone: str) -> list[dns.rrset.RRset]:
        try:
            return self.ask(zone, "SOA", 0.3).answer
        except (OSError, dns.exception.DNSException):  # one that is still starting says strange things, too
            return []

    def serial(self, zone: str) -> int | None:
        """The SOA serial that it serves; None when it serves none."""
        return next((r[0].serial for r in self._soa(zone) if r.rdtype == dns.rdatatype.SOA), None)

    def serves_signed(self, zone: str) -> bool:
        """Whether it serves the zone with signatures."""
        return {r.rdtype for r in self._soa(zone)} >= {dns.rdatatype.SOA, dns.rdatatype.RRSIG}


class Primary(NameServer):
    """What the three engines have in common."""

    def __init__(self, folder: Path, address: str, port: int, plan: Plan):
        super().__init__(type(self).__name__.lower(), folder, address, port)
        self.plan = plan
        self.is_new = True
        for zone, text in plan.text.items():
            (self.folder / f"{zone}.zone").write_text(text, encoding="utf-8")

    @staticmethod
    def address_for(number: int, port: int) -> tuple[str, int]:
        """Where the primary of the lab's managed zones with that number listens."""
        return f"127.54.{number}.1", port

    def start(self):
        """Starts it and waits until it serves all zones signed. The first start takes the zones from files, later ones
        go on from what the server kept."""
        self.launch()
        self.is_new = False
        self.server.wait_ready(lambda: all(self.serves_signed(zone) for zone in self.plan.text), 20)

    def launch(self):
        """Configures and runs the engine."""
        raise NotImplementedError

    def ds(self, zone: str) -> list[str]:
        """The DS records that the parent needs."""
        keys = next(r for r in self.ask(zone, "DNSKEY").answer if r.rdtype == dns.rdatatype.DNSKEY)
        return [dns.dnssec.make_ds(keys.name, key, "SHA256").to_text() for key in keys if key.flags & dns.dnssec.Flag.SEP]

    def update(self, zone: str, *changes: tuple) -> dns.message.Message:
        """One DNS UPDATE. Changes are ("add", name, ttl, type, data), ("delete", name[, type[, data]]) or
        ("replace", name, ttl, type, data), names relative to the zone. PowerDNS 4.7 with LMDB says yes to the deletion
        of a whole name and does nothing."""
        message = dns.update.Update(zone, keyring=self.plan.key.ring())
        for verb, *words in changes:
            getattr(message, verb)(*words)
        answer = dns.query.tcp(message, self.address, timeout=20, port=self.port)
        if answer.rcode():
            raise process.Failed(f"{self.name} refused an update of {zone}: {dns.rcode.to_text(answer.rcode())}")
        return answer

    def transfer(self, zone: str) -> dns.zone.Zone:
        """The whole zone by AXFR."""
        answers = dns.query.xfr(self.address, zone, port=self.port, lifetime=20, relativize=False,
                                 keyring=self.plan.key.ring())
        return dns.zone.from_xfr(answers, relativize=False)


class Knot(Primary):
    """Knot DNS, as it should be run for zones fed by updates: everything in the journal, no zone file."""

    journal = "100M"  # of a zone

    def freeze(self):
        """From now on it takes no updates."""
        self._control("zone-freeze")

    def thaw(self):
        """Takes updates again, and those that came meanwhile."""
        self._control("zone-thaw")

    def _control(self, *words):
        process.once(process.program("knotc"), "-b", "-s", self.folder / "run" / "knot.sock", *words, *self.plan.text)

    def launch(self):
        key, ttl, lifetime = self.plan.key, self.plan.ttl, self.plan.lifetime
        (self.folder / "run").mkdir(exist_ok=True)
        policy = [] if lifetime is None else [
            f"rrsig-lifetime: {lifetime}", f"rrsig-refresh: {lifetime // 3}", "rrsig-pre-refresh: 0",
            f"zone-max-ttl: {ttl}", "propagation-delay: 0"]
        remotes = [f"  - id: s{i}\n    address: {address}@{port}" for i, (address, port) in enumerate(self.plan.notify)]
        (self.folder / "conf").write_text("\n".join([
            "server:", f'  rundir: "{self.folder}/run"', f"  listen: {self.address}@{self.port}",
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1",
            "log:\n  - target: stderr\n    any: info",
            "database:", f'  storage: "{self.folder}/run"',
            f"key:\n  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {key.secret}",
            *(["remote:", *remotes] if remotes else []),
            f"acl:\n  - id: holder\n    key: {key.name}\n    action: [update, transfer]",
            f"policy:\n  - id: lab\n    algorithm: ecdsap256sha256\n    dnskey-ttl: {ttl}",
            *(f"    {line}" for line in policy),
            "template:\n  - id: default", f'    storage: "{self.folder}"',
            "    acl: holder",
            *([f"    notify: [{', '.join(f's{i}' for i in range(len(remotes)))}]"] if remotes else []),
            "    dnssec-signing: on\n    dnssec-policy: lab\n    journal-content: all",
            f"    journal-max-usage: {self.journal}",
            f"    zonefile-sync: -1\n    zonefile-load: {'whole' if self.is_new else 'none'}",
            "zone:",
            *(f'  - domain: "{zone}"\n    file: "{zone}.zone"' for zone in self.plan.text),
        ]) + "\n", encoding="utf-8")
        self.run(process.program("knotd"), "-c", self.folder / "conf")


class Bind(Primary):
    """BIND with a signing policy on a dynamic zone."""

    @staticmethod
    def address_for(number: int, port: int) -> tuple[str, int]:
        """BIND listens only on addresses that an interface has: without a namespace that is one."""
        if not namespace.inside():
            return "127.0.0.1", free_port()
        address, _ = Primary.address_for(number, port)
        namespace.add_address(address)
        return address, port

    def launch(self):
        key, ttl, lifetime = self.plan.key, self.plan.ttl, self.plan.lifetime
        policy = "" if lifetime is None else (
            f"signatures-jitter PT0S; signatures-validity PT{lifetime}S; signatures-validity-dnskey PT{lifetime}S; "
            f"signatures-refresh PT{lifetime // 3}S; max-zone-ttl PT{ttl}S; ")
        notify = " ".join(f"{address} port {port};" for address, port in self.plan.notify)
        update = f'allow-update {{ key "{key.name}"; }};'
        (self.folder / "conf").write_text("\n".join([
            f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};',
            f'dnssec-policy "lab" {{ keys {{ csk lifetime unlimited algorithm ecdsap256sha256; }}; dnskey-ttl {ttl}; {policy}}};',
            f'options {{ directory "{self.folder}"; pid-file none; lock-file none; session-keyfile none; ',
            f"  listen-on port {self.port} {{ {self.address}; }}; listen-on-v6 {{ none; }}; dnssec-validation no;",
            f"  recursion no; notify explicit; notify-delay 0; also-notify {{ {notify} }};",
            f'  allow-transfer {{ key "{key.name}"; }};',
            "};",
            "controls { };",
            *(f'zone "{zone}" {{ type primary; file "{zone}.zone"; dnssec-policy "lab"; inline-signing no; {update} }};'
              for zone in self.plan.text),
        ]) + "\n", encoding="utf-8")
        self.run(process.program("named"), "-g", "-n", "1", "-c", self.folder / "conf")


class PowerDns(Primary):
    """PowerDNS, which signs when it is asked, with its database in LMDB."""

    def launch(self):
        modules = process.find_folder("usr/lib/*/pdns")
        (self.folder / "pdns.conf").write_text("\n".join([
            f"launch=lmdb\nmodule-dir={modules}\nlmdb-filename={self.folder}/lmdb\nlmdb-shards=1",
            f"local-address={self.address}\nlocal-port={self.port}\nsocket-dir={self.folder}",
            "daemon=no\nguardian=no\ndisable-syslog=yes\nloglevel=5\nsecurity-poll-suffix=",
            "primary=yes\nxfr-cycle-interval=1\nonly-notify=",
            f"also-notify={','.join(f'{address}:{port}' for address, port in self.plan.notify)}",
            "dnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8,::1,fd00::/8\nallow-axfr-ips=",
            "default-ksk-algorithm=ecdsa256\ndefault-zsk-algorithm=",
            "cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\nreceiver-threads=1",
        ]) + "\n", encoding="utf-8")
        if self.is_new:
            self._import()
        self.run(process.program("pdns_server"), f"--config-dir={self.folder}")

    def _import(self):
        key = self.plan.key
        self._util("import-tsig-key", key.name, key.algorithm, key.secret)
        for zone in self.plan.text:
            self._util("load-zone", zone, self.folder / f"{zone}.zone")
            self._util("set-kind", zone, "primary")
            self._util("secure-zone", zone)
            self._util("activate-tsig-key", zone, key.name, "primary")
            self._util("set-meta", zone, "TSIG-ALLOW-DNSUPDATE", key.name)
            self._util("set-meta", zone, "NOTIFY-DNSUPDATE", "1")

    def _util(self, *words):
        process.once(process.program("pdnsutil"), f"--config-dir={self.folder}", *words)


ENGINES = {"knot": Knot, "bind": Bind, "powerdns": PowerDns}


def free_port() -> int:
    """A port that is free on 127.0.0.1 for UDP and TCP."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as udp:
        stream.bind(("127.0.0.1", 0))
        udp.bind(stream.getsockname())
        return stream.getsockname()[1]
