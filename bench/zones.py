"""Signed zones for the delivery rows, an authoritative server for them and a validating resolver.

One zone, really signed by Knot: `domains` names with an MX record that points to one of eight hosts, each host with
an address and a TLSA 3 1 1 record of the sink's key. One domain's host promises another key: mail for it must never
arrive, which proves in every run that the system under test verifies. A second zone is signed by a key that the
resolver's trust anchor does not know, so it is bogus. Unbound starts anew before each measurement, its cache cold.
"""

import hashlib
import subprocess
import time
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.tools import Failed
from lab import namespace, process

ZONE = "bench.example"
BOGUS = "bogus.example"
AUTHORITY = "127.0.53.1"
HOSTS = [f"127.0.25.{i}" for i in range(1, 9)]
IMPOSTOR = "impostor." + ZONE

KNOT = """
server:
  listen: {authority}@53
  rundir: {dir}
database:
  storage: {dir}
log:
  - target: stderr
    any: error
policy:
  - id: sign
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: {dir}
    file: "%s.zone"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    dnssec-signing: on
    dnssec-policy: sign
zone:
  - domain: {zone}
  - domain: {bogus}
"""

# The sizes that a mail system needs; the rest are Unbound's defaults. Addresses in 127.0.0.0/8 must be asked.
UNBOUND = """
server:
  interface: {resolver}
  port: 53
  username: ""
  chroot: ""
  directory: "{dir}"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-not-query-localhost: no
  num-threads: 1
  outgoing-range: 4096
  num-queries-per-thread: 4096
  msg-cache-size: 256m
  rrset-cache-size: 512m
  module-config: "validator iterator"
  trust-anchor: "{anchor}"
  trust-anchor: "{wrong_anchor}"
remote-control:
  control-enable: no
stub-zone:
  name: "{zone}"
  stub-addr: {authority}
stub-zone:
  name: "{bogus}"
  stub-addr: {authority}
"""


def digest(certificate: Path) -> str:
    """The certificate association data of TLSA 3 1 1 (RFC 6698 section 2.1)."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _zone_text(domains: int, tlsa: str) -> str:
    lines = [f"$ORIGIN {ZONE}.", "$TTL 3600", "@ SOA ns admin 1 3600 600 86400 300", "@ NS ns", f"ns A {AUTHORITY}",
             "impostor MX 10 wrong", f"wrong A {HOSTS[0]}", f"_25._tcp.wrong TLSA 3 1 1 {'00' * 32}"]
    for i, address in enumerate(HOSTS):
        lines += [f"mx{i} A {address}", f"_25._tcp.mx{i} TLSA 3 1 1 {tlsa}"]
    lines += [f"d{i} MX 10 mx{i % len(HOSTS)}" for i in range(domains)]
    return "\n".join(lines) + "\n"


class Zones:
    """The running servers."""

    def __init__(self, work: Path, domains: int, certificate: Path):
        self.dir = work / "dns"
        self.dir.mkdir()
        (self.dir / f"{ZONE}.zone").write_text(_zone_text(domains, digest(certificate)), encoding="ascii")
        (self.dir / f"{BOGUS}.zone").write_text(
            f"$ORIGIN {BOGUS}.\n$TTL 3600\n@ SOA ns admin 1 3600 600 86400 300\n@ NS ns\n@ A 127.0.0.1\n"
            f"ns A {AUTHORITY}\n", encoding="ascii")
        conf = self.dir / "knot.conf"
        conf.write_text(KNOT.format(dir=self.dir, authority=AUTHORITY, zone=ZONE, bogus=BOGUS), encoding="ascii")
        self.knot = process.Server("knotd", ["knotd", "-c", conf], self.dir / "knot.log")
        self._await(AUTHORITY, f"d0.{ZONE}", "RRSIG")
        anchor = self._anchor()
        wrong = f"{BOGUS}. DS " + " ".join(anchor.split()[2:])
        (self.dir / "unbound.conf").write_text(
            UNBOUND.format(dir=self.dir, authority=AUTHORITY, resolver=namespace.RESOLVER, zone=ZONE, bogus=BOGUS,
                           anchor=anchor, wrong_anchor=wrong), encoding="ascii")
        self.unbound = None

    def _anchor(self) -> str:
        done = subprocess.run(["keymgr", "-c", self.dir / "knot.conf", ZONE, "ds"], text=True,
                              capture_output=True, check=True)
        sha256 = [line for line in done.stdout.splitlines() if line.split()[4] == "2"]
        return sha256[0]

    @staticmethod
    def _await(server: str, name: str, wanted: str):
        query = dns.message.make_query(name, "MX", want_dnssec=True)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                answer = dns.query.udp(query, server, timeout=1)
            except (dns.exception.Timeout, OSError):
                time.sleep(0.05)
                continue
            if wanted == "AD" and answer.flags & dns.flags.AD:
                return
            if wanted == "RRSIG" and any(s.rdtype == dns.rdatatype.RRSIG for s in answer.answer):
                return
            time.sleep(0.05)
        raise Failed(f"{server} gives no {wanted} for {name}")

    def restart_resolver(self):
        """A resolver with a cold cache, known to validate."""
        self._stop_resolver()
        self.unbound = process.Server("unbound", ["unbound", "-d", "-c", self.dir / "unbound.conf"],
                                      self.dir / "unbound.log")
        self._await(namespace.RESOLVER, ZONE, "AD")
        refused = dns.query.udp(dns.message.make_query(BOGUS, "A", want_dnssec=True), namespace.RESOLVER, timeout=10)
        if refused.rcode() != dns.rcode.SERVFAIL:
            raise Failed(f"the resolver does not refuse the bogus zone: {dns.rcode.to_text(refused.rcode())}")

    def _stop_resolver(self):
        if self.unbound:
            self.unbound.stop()
            self.unbound = None

    def stop(self):
        self._stop_resolver()
        self.knot.stop()
