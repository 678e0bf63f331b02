"""What bench/hosting measures on: signed MX zones on a private Knot with a public secondary, edges that share one
control, and customers whose MX records lead to them."""

import hashlib
import json
import math
import os
import smtplib
import ssl
import subprocess
import time
from datetime import datetime
from pathlib import Path

import dns.flags
import dns.message
import dns.query
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench import account
from bench.tools import Failed
from lab import authority, kedge, namespace, primary, process

EDGES = ["127.0.25.95", "127.0.25.96", "127.0.25.97"]
CUSTOMERS = "customers.example"
CUSTOMER_SERVER = "127.54.200.1"
FLOOR_SERVER = "127.54.201.1"
CAPACITY = 5000
PORTION = 100000  # names in one call: a file has at most 8 MiB
FLOOR_ZONES = PORTION // CAPACITY
MADE_BY_SIGNER = {"RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY"}


class SlowKnot(primary.Knot):
    """Knot with zones so large that the first signing takes long, and fills more of the journal than is usual."""

    journal = "8G"

    def start(self):
        self.launch()
        self.is_new = False
        self.server.wait_ready(lambda: all(self.serves_signed(zone) for zone in self.plan.text), 3600)


class Hosted:
    """The whole: `edges` are Kedge's, the first one with the control that all of them use."""

    def __init__(self, lab, build: Path, domains: int, say):
        self.lab, self.domains, self.say = lab, domains, say
        self.patience = max(600, domains // 50)
        self.zones = [f"mx-k{i}.example" for i in range(math.ceil((domains + 1) / CAPACITY))]
        self.ttl = max(2, len(self.zones) // 10)  # a look at so many zones must not last longer
        self.managed = authority.ManagedZones(lab, "knot", *self.zones, ttl=self.ttl)
        for address in EDGES:
            namespace.add_address(address)
        self.edge = kedge.Kedge(lab, build, "hosting", EDGES[0], zone_interval="1s", edge_name=self.edge_name(0))
        others = [self.edge.another(f"hosting-edge{i}", EDGES[i], edge_name=self.edge_name(i)) for i in range(1, len(EDGES))]
        self.edges = [self.edge, *others]
        self.customers = None
        self._set_up()

    @staticmethod
    def edge_name(i: int) -> str:
        return f"edge{i}.kedge.example"

    def _set_up(self):
        cli = self.edge.cli
        self.edge.start("control", "smtpd")
        for edge in self.edges[1:]:
            edge.start("smtpd")
        cli("edge-group", "add", "here", *(word for address in EDGES for word in ("--address", address)))
        process.wait_for(lambda: len(self.edge.json("edge", "list")) == len(EDGES), 20, "all edges have made themselves known")
        for i in range(len(EDGES)):
            cli("edge", "set", self.edge_name(i), "--edge-group", "here")
        tsig = self.edge.folder / "tsig"
        tsig.write_text(f"{self.managed.key.algorithm}:{self.managed.key.name}:{self.managed.key.secret}\n", encoding="utf-8")
        for zone in self.zones:
            cli("zone", "add", zone, "--primary", f"{self.managed.primary.address}:{self.managed.primary.port}", "--tsig-file", tsig,
                "--edge-group", "here", "--ttl", self.ttl, "--capacity", CAPACITY)
        cli("tenant", "add", "acme")
        cli("key", "add", "--group", "g1")
        process.wait_for(lambda: self.key("active"), 120, "the first key is active")

    def control(self) -> int:
        return self.edge.servers["control"].child.pid

    def long_cli(self, *words, out: Path | None = None) -> tuple[int, float, float]:
        """A command that may take as long as it takes, its output in a file: status, seconds, MiB of memory."""
        program = kedge.find(self.edge.build, "kedge")
        start = time.monotonic()
        memory = 0.0
        with open(out or os.devnull, "wb") as stdout:
            child = subprocess.Popen([program, "--config", self.edge.configuration, *map(str, words)], stdout=stdout)
            while child.poll() is None:
                memory = account.peak_mib(child.pid) or memory
                time.sleep(min(max(0.005, (time.monotonic() - start) / 100), 0.1))
        return child.returncode, time.monotonic() - start, memory

    def must_cli(self, *words, out: Path | None = None) -> float:
        status, seconds, _ = self.long_cli(*words, out=out)
        if status:
            raise Failed(f"kedge {' '.join(map(str, words))}: status {status}")
        return seconds

    @staticmethod
    def customer(i: int) -> str:
        return f"customer{i:07}.{CUSTOMERS}"

    def add(self, *words) -> float:
        return self.must_cli("domain", "add", *words, "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--dane")

    def add_all(self) -> float:
        """All domains, in as few calls as a file may be large."""
        seconds, names = 0.0, self.edge.folder / "names"
        for first in range(0, self.domains, PORTION):
            end = min(first + PORTION, self.domains)
            names.write_text("".join(f"{self.customer(i)}\n" for i in range(first, end)), encoding="utf-8")
            seconds += self.add("--file", names)
            self.say(f"{end} domains added")
        return seconds

    def look_seconds(self) -> float:
        """From the end of one look of the gate to that of the next, on average of some."""
        def looked() -> float:
            at = self.edge.json("key", "show", "g1")["looked"]
            return datetime.fromisoformat(at).timestamp()
        times = [looked()]
        while len(times) < 6:
            now = process.wait_for(lambda: (at := looked()) > times[-1] and at, 120, "the gate looks")
            times.append(now)
        return (times[-1] - times[0]) / (len(times) - 1)

    def wait_level(self):
        """Until no zone is behind; what is still to do is told now and then."""
        start = told = time.monotonic()
        while (status := self.edge.try_cli("zone", "status", "--json")).returncode:
            now = time.monotonic()
            if now - start > self.patience:
                raise Failed(f"after {now - start:.0f} s not all zones are level: kedge zone status: {status.stderr}{status.stdout[:4000]}")
            if now - told > 30:
                told = now
                zones = json.loads(status.stdout)["zones"] if status.stdout else []
                self.say(f"{sum(not zone['good'] for zone in zones)} of {len(zones)} zones are behind")
            time.sleep(max(0.1, (now - start) / 100))

    def key(self, state: str):
        return next((k for k in self.edge.json("key", "show", "g1")["keys"] if k["state"] == state), None)

    def mx_hosts(self, file: Path):
        """(domain, MX host) of `kedge domain list --json` in a file, which may be too long to be read at once."""
        domain = None
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.strip().rstrip(",").partition(": ")
                if key == '"domain"':
                    domain = value.strip('"')
                elif key == '"mx_host"':
                    yield domain, value.strip('"')

    def everywhere(self, name: str) -> bool:
        """Every server shows the name's address, and the resolver vouches for it."""
        for server in [self.managed.primary, *self.managed.secondaries]:
            if not dns.query.udp(dns.message.make_query(name, "A"), server.address, 2, server.port).answer:
                return False
        self.lab.internet.resolver.forget(name.partition(".")[2])
        kind, asked = ("TLSA", f"_25._tcp.{name}") if name.startswith("h") else ("A", name)
        reply = self.lab.internet.resolver.ask(asked, kind)
        return bool(reply.answer) and bool(reply.flags & dns.flags.AD)

    def published(self, host: str) -> set[str]:
        """The digests of the host's TLSA records on all public servers."""
        found = set()
        for server in self.managed.secondaries:
            query = dns.message.make_query(f"_25._tcp.{host}", "TLSA")
            for rrset in dns.query.udp_with_fallback(query, server.address, 2, server.port)[0].answer:
                found |= {one.cert.hex() for one in rrset if rrset.rdtype == dns.rdatatype.TLSA}
        return found

    def publish_customers(self, pairs):
        """A signed zone with the customers' MX records: [(domain, MX host)]."""
        folder = self.lab.folder / "customers"
        text = [f"$ORIGIN {CUSTOMERS}.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns.{CUSTOMERS}.host.example.\n"]
        text += [f"{domain}. MX 10 {host}.\n" for domain, host in pairs]
        plan = primary.Plan({CUSTOMERS: "".join(text)}, primary.TsigKey(), [], 300)
        self.customers = SlowKnot(folder, CUSTOMER_SERVER, self.lab.dns_port, plan)
        self.customers.start()
        self.lab.internet.delegate(CUSTOMERS, {f"ns.{CUSTOMERS}.host.example.": [CUSTOMER_SERVER]}, self.customers.ds(CUSTOMERS))

    def bare_signing(self) -> float:
        """Seconds in which a Knot of the same configuration loads the records that are in the zones now, unsigned, and
        has signed them all; of more than FLOOR_ZONES zones, reckoned from the first ones."""
        zones = self.zones[:FLOOR_ZONES]
        dump = self.lab.folder / "dump"
        dump.mkdir(mode=0o777)
        knot = self.managed.primary
        process.once(process.program("knotc"), "-b", "-s", knot.folder / "run" / "knot.sock", "zone-flush", *zones, "+outdir", dump)
        plan = primary.Plan({zone: _unsigned(dump / f"{zone}.zone") for zone in zones}, self.managed.key, [], self.ttl)
        bare = SlowKnot(self.lab.folder / "bare", FLOOR_SERVER, self.lab.dns_port, plan)
        start = time.monotonic()
        bare.start()
        seconds = time.monotonic() - start
        bare.stop()
        return seconds * len(self.zones) / len(zones)

    def stop(self):
        for edge in self.edges[::-1]:
            edge.stop()
        if self.customers:
            self.customers.stop()
        self.managed.stop()


def _unsigned(file: Path) -> str:
    """A zone file without what the signer made."""
    if not file.exists():
        raise Failed(f"knotc zone-flush has not written {file}: there are {[one.name for one in file.parent.iterdir()]}")
    kept = []
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            if not MADE_BY_SIGNER & set(line.split(None, 4)[:4]):
                kept.append(line)
    return "".join(kept)


def key_shown(address: str, port: int, name: str) -> str | None:
    """The digest of the public key that an edge shows to a client which asks for this name; None when it does not get
    that far."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with smtplib.SMTP(address, port, "client.example", 5) as client:
            client.ehlo()
            if client.docmd("STARTTLS")[0] != 220:
                return None
            with context.wrap_socket(client.sock, server_hostname=name) as tls:
                client.sock, client.file = None, None
                certificate = x509.load_der_x509_certificate(tls.getpeercert(True))
    except (OSError, smtplib.SMTPException):
        return None
    return hashlib.sha256(certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
