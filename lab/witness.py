"""A witness of DANE from the outside: it asks every server for the TLSA records and shakes hands with every edge, again and
again, and says when what was served would not have been believed by somebody with a cache.

    with Witness(dane_owner, servers, ttl, edges, mx_host) as witness:
        ...
    # leaving it fails when, at any handshake, a version of the records that a cache may have held did not match

A version counts from the moment a server gave it until two TTLs after a server gave it last. Every combination of usage,
selector and matching type in it must match on its own.
"""

import contextlib
import dataclasses
import hashlib
import socket
import ssl
import threading
import time

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CIPHERS = {"ecdsa": "ECDHE+aECDSA", "rsa": "ECDHE+aRSA"}
PATIENCE = 3


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What TLSA records are compared with."""

    whole: bytes
    key: bytes

    @staticmethod
    def read(der: bytes) -> "Certificate":
        """From its DER form."""
        key = x509.load_der_x509_certificate(der).public_key()
        return Certificate(der, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def digest(self, selector: int, matching: int) -> str:
        """The data of a TLSA record for it, in hex."""
        chosen = self.key if selector == 1 else self.whole
        return {0: chosen.hex(), 1: hashlib.sha256(chosen).hexdigest(), 2: hashlib.sha512(chosen).hexdigest()}[matching]


def unmatched(records: frozenset[str], chain: list[Certificate]) -> list[str]:
    """The combinations "usage selector matching" that do not match the chain alone; "no record" when there is none."""
    bad, good = set(), set()
    for record in records:
        usage, selector, matching, data = record.split()
        of = chain[:1] if usage in ("1", "3") else chain[1:]
        hit = any(data == one.digest(int(selector), int(matching)) for one in of)
        (good if hit else bad).add(f"{usage} {selector} {matching}")
    return sorted(bad - good) or ([] if records else ["no record"])


def tlsa_at(address: str, port: int, owner: str) -> frozenset[str] | None:
    """The records that a server gives (none for a denial); None when it says nothing that counts."""
    query = dns.message.make_query(owner, "TLSA", want_dnssec=True)
    query.flags &= ~dns.flags.RD
    try:
        answer = dns.query.udp_with_fallback(query, address, timeout=0.5, port=port)[0]
    except (OSError, dns.exception.DNSException):
        return None
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not answer.flags & dns.flags.AA:
        return None
    return frozenset(r.to_text() for rrset in answer.answer if rrset.rdtype == dns.rdatatype.TLSA for r in rrset)


def chain_of(address: str, port: int, name: str, algorithm: str) -> list[Certificate]:
    """What an SMTP client that knows this algorithm alone is shown after STARTTLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # there the cipher decides about the certificate
    context.set_ciphers(CIPHERS[algorithm])
    with socket.create_connection((address, port), PATIENCE) as connection:
        lines = connection.makefile("rb")
        for command in (b"", b"EHLO witness.example\r\n", b"STARTTLS\r\n"):
            connection.sendall(command)
            line = lines.readline()
            while line[3:4] == b"-":
                line = lines.readline()
            if line[:1] != b"2":
                raise OSError(f"the edge says {line!r}")
        with context.wrap_socket(connection, server_hostname=name) as session:
            inner = session._sslobj  # pylint: disable=protected-access  # Python 3.13 makes this public
            return [Certificate.read(ssl.PEM_cert_to_DER_cert(one.public_bytes())) for one in inner.get_unverified_chain()]


class Untrue(AssertionError):
    """Somebody would have refused what was served, or nothing was looked at."""


class Witness:
    """servers: (address, port) by name; edges: (address, port) by name; ttl: the largest in force, in seconds."""

    def __init__(self, owner: str, servers: dict, ttl: float, edges: dict, name: str, algorithms=("ecdsa",)):
        self.owner, self.servers, self.ttl, self.edges, self.name = owner, servers, ttl, edges, name
        self.algorithms = algorithms
        self.given: dict[tuple, float] = {}  # (server, records) -> when it was last given
        self.seen: list[tuple] = []  # (when, server or (edge, algorithm), records or digest of the key)
        self.untrue: list[str] = []
        self.handshakes = self.rounds = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None:
            self.check()

    def stop(self):
        """It looks no more."""
        self._end.set()
        self._thread.join()

    def _run(self):
        while not self._end.wait(0.05):
            try:
                self.look()
            except Exception as why:  # pylint: disable=broad-except  # a witness that died must not look like a content one
                self.untrue.append(f"the witness itself fails: {why!r}")
                return

    def look(self):
        """One round: all servers, then all edges, as a sender does it."""
        for server, (address, port) in self.servers.items():
            records = tlsa_at(address, port, self.owner)
            if records is not None:
                self._note(server, records)
                self.given[server, records] = time.monotonic()
        for edge, (address, port) in self.edges.items():
            for algorithm in self.algorithms:
                with contextlib.suppress(OSError):  # down, or stopped: nothing is served
                    self._judge(edge, algorithm, chain_of(address, port, self.name, algorithm))
        self.rounds += 1

    def _judge(self, edge: str, algorithm: str, chain: list[Certificate]):
        now = time.monotonic()
        self.handshakes += 1
        self._note((edge, algorithm), chain[0].digest(1, 1))
        for (server, records), last in self.given.items():
            bad = unmatched(records, chain) if now - last <= 2 * self.ttl else []
            if bad:
                self.untrue.append(f"{edge} serves {algorithm} key {chain[0].digest(1, 1)[:8]}, and {server} said "
                                   f"{now - last:.1f} s before: {sorted(records)}; unmatched: {', '.join(bad)}")

    def _note(self, who, what):
        self.seen.append((time.monotonic(), who, what))

    def check(self):
        """Fails when anything was untrue, or when nothing was seen."""
        if self.untrue:
            raise Untrue(f"{len(self.untrue)} times; the first: {self.untrue[0]}")
        if not self.handshakes or not self.given:
            raise Untrue(f"the witness saw nothing: {self.handshakes} handshakes, {len(self.given)} versions of the records")

    def views_since(self, when: float) -> dict:
        """Who -> all that was seen there since (time.monotonic())."""
        views: dict = {}
        for at, who, what in list(self.seen):
            if at >= when:
                views.setdefault(who, set()).add(what)
        return views

    def wait_rounds(self, count: int = 2, seconds: float = 60):
        """Until it has looked that often again."""
        goal, deadline = self.rounds + count, time.monotonic() + seconds
        while self.rounds < goal:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise Untrue(f"the witness looks no more; {self.untrue}")
            time.sleep(0.02)
