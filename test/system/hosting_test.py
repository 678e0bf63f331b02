"""Rollovers in the lab while Postfix sends all the time and takes DANE or nothing: not one deferral, with TTLs of two seconds.

KEDGE_ROLLS says how many rollovers (tools/check --long: many); the first five are one of each kind.
"""

import hashlib
import itertools
import os
import random
import smtplib
import ssl
import subprocess
import threading

import dns.exception
import dns.flags
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lab import authority, doorman, flow, kedge, process

PUBLIC, EDGE, SENDER, MAILBOXES = ["127.0.25.60", "fd00:25::60"], "127.0.25.62", "127.0.25.63", "127.0.24.63"
ZONES = ["mx1-rolls.example", "mx2-rolls.example"]
DOMAINS = ["one-rolls.example", "two-rolls.example", "three-rolls.example", "four-rolls.example"]
RSA_ONLY = "four-rolls.example"  # the sender is shown the RSA certificate there
TTL = 2
ROLLS = int(os.environ.get("KEDGE_ROLLS", "5"))
HOOK = authority.__file__.replace("lab/authority.py", "share/deploy-hook")
SEED = random.randrange(1 << 32)


class Hosting:
    """Two MX zones, a public address of each family, four domains; key group `made` (ECDSA, RSA beside it) and key group `bought`, whose
    certificates come from a CA that is published, too."""

    def __init__(self, lab, build):
        self.lab, self.serial = lab, itertools.count(1)
        self.managed = authority.ManagedZones(lab, "knot", *ZONES, secondaries=2, ttl=TTL)
        doorman.Doorman(PUBLIC, 25, (EDGE, 25))
        self.edge = kedge.Kedge(lab, build, "rolls", EDGE, zone_interval="500ms", edge_probe_interval="2s",
                                edge_name="edge.rolls.example", hostname="edge.rolls.example")
        self.edge.start()
        lab.identity("ca-rolls", authority=True)
        self._provision()
        self.hosts = {domain: self.edge.json("domain", "show", domain)["mx_host"] for domain in DOMAINS}
        for domain, host in self.hosts.items():
            lab.add_zone(domain, f"@ MX 10 {host}.")
        for group in ("made", "bought"):
            process.wait_for(lambda group=group: self.is_settled(group), 60, f"the first keys of {group} are served")
        process.wait_for(lambda: all(self.view(domain)[1] for domain in DOMAINS), 20, "TLSA records validate")
        self.flow = flow.Flow(lab, SENDER, MAILBOXES, [RSA_ONLY])

    def _provision(self):
        edge, key, primary = self.edge, self.managed.key, self.managed.primary
        tsig = edge.folder / "tsig"
        tsig.write_text(f"{key.algorithm}:{key.name}:{key.secret}\n", encoding="utf-8")
        edge.cli("edge-group", "add", "here", *(word for address in PUBLIC for word in ("--address", address)))
        process.wait_for(lambda: edge.json("edge", "list"), 5, "the edge has made itself known")
        edge.cli("edge", "set", "edge.rolls.example", "--edge-group", "here")
        for zone in ZONES:
            edge.cli("zone", "add", zone, "--primary", f"{primary.address}:{primary.port}", "--tsig-file", tsig, "--edge-group",
                     "here", "--ttl", f"{TTL}s", "--address-ttl", f"{TTL}s")
        edge.cli("tenant", "add", "acme")
        edge.cli("key", "add", "--group", "made", "--rsa")
        self._add_domain(RSA_ONLY)  # while there is one group, domains get that one
        first = self.bought("ca")
        edge.cli("key", "add", "--group", "bought", "--cert", first.chain_file, "--key", first.key_file, "--ta")
        for domain in DOMAINS:
            if domain != RSA_ONLY:
                self._add_domain(domain)

    def _add_domain(self, domain: str):
        self.edge.cli("domain", "add", domain, "--tenant", "acme", "--mailbox-host", f"lmtp:{MAILBOXES}:{self.lab.lmtp_port}",
                      "--recipients", "any", "--dane", "--zone", ZONES[DOMAINS.index(domain) % 2])

    def bought(self, ca: str, key=None):
        """A new certificate of that CA for all MX hosts."""
        names, issuer = [f"*.{zone}" for zone in ZONES], self.lab.identities[ca]
        self.newest = self.lab.identity(f"bought{next(self.serial)}", names, issuer=issuer, key=key)
        return self.newest

    def keys(self, group: str) -> dict:
        """Number -> key, of those that are not gone."""
        return {key["key"]: key for key in self.edge.json("key", "show", group)["keys"] if key["state"] != "gone"}

    def active(self, group: str, algorithm: str) -> int | None:
        """The number of the key that is served."""
        found = [n for n, k in self.keys(group).items() if (k["algorithm"], k["state"]) == (algorithm, "active")]
        return found[0] if found else None

    def is_settled(self, group: str) -> bool:
        """Whether it serves all that it should, and nothing of it rolls."""
        wanted = ("ecdsa", "rsa") if group == "made" else ("ecdsa",)
        states = [key["state"] for key in self.keys(group).values()]
        return all(self.active(group, one) for one in wanted) and "retiring" not in states

    def view(self, domain: str):
        """What a sender knows of the domain's MX host now: (records as tuples, whether they validate, TTL that is left)."""
        answer = self.lab.internet.resolver.ask(f"_25._tcp.{self.hosts[domain]}", "TLSA")
        rrset = next((one for one in answer.answer if one.rdtype == 52), [])
        records = {(r.usage, r.selector, r.mtype, r.cert.hex()) for r in rrset}
        return records, bool(records and answer.flags & dns.flags.AD), rrset.ttl if rrset else None


@pytest.fixture(scope="module")
def hosting(world_lab, build):
    """All of it, up until the end of this file."""
    made = Hosting(world_lab, build)
    yield made
    made.edge.stop()
    made.flow.postfix.stop()
    made.managed.stop()


def chain_at(host: str, algorithm: str) -> list[bytes]:
    """The chain that a sender is shown there, as DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if algorithm == "rsa":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aRSA")
    with smtplib.SMTP(PUBLIC[0], 25, "witness.example", 20) as client:
        client._host = host  # the name that is asked for in the handshake
        client.starttls(context=context)
        return [one.public_bytes(2) for one in client.sock._sslobj.get_unverified_chain()]  # pylint: disable=protected-access


def digests_of(chain: list[bytes]) -> set[tuple]:
    """The records that match the chain: of its own key, and of a CA in it."""
    keys = [x509.load_der_x509_certificate(der).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo) for der in chain]
    return {(3 if i == 0 else 2, 1, 1, hashlib.sha256(key).hexdigest()) for i, key in enumerate(keys)}


class Witness:
    """Does all the time what a sender does, and looks closer: each combination of usage, selector and matching type that the
    resolver shows must match the chain by itself. Counts answers that came out of the cache, and those that were out of date."""

    def __init__(self, hosting):
        self.hosting, self.over = hosting, threading.Event()
        self.looks = self.cached = self.stale = 0
        self.wrong: list[str] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        """Looks no more."""
        self.over.set()
        self.thread.join()

    def _run(self):
        targets = [(domain, "ecdsa") for domain in DOMAINS] + [(RSA_ONLY, "rsa")]
        for domain, algorithm in itertools.cycle(targets):
            if self.over.wait(0.1):
                return
            try:
                self._look(domain, algorithm)
            except (OSError, smtplib.SMTPException, dns.exception.DNSException):
                pass  # it was restarted just then; what senders make of that is in Postfix's books

    def _look(self, domain: str, algorithm: str):
        host = self.hosting.hosts[domain]
        records, secure, ttl = self.hosting.view(domain)
        true = self.hosting.managed.primary.ask(f"_25._tcp.{host}", "TLSA")
        live = {(r.usage, r.selector, r.mtype, r.cert.hex()) for one in true.answer if one.rdtype == 52 for r in one}
        chain = digests_of(chain_at(host, algorithm))
        self.looks += 1
        self.cached += ttl is not None and ttl < TTL
        self.stale += bool(live) and records != live
        for kind in sorted({record[:3] for record in records}):
            if not chain & {record for record in records if record[:3] == kind}:
                self.wrong.append(f"{host}: no {kind} record matches its {algorithm} chain; "
                                  f"records {sorted(records)}, chain {sorted(chain)}")
        if not secure:
            self.wrong.append(f"{host}: its TLSA records do not validate")


def begin(hosting, what: str, group: str, algorithm: str) -> int:
    """Starts a rollover; the number of the key that is on its way out."""
    edge, before = hosting.edge, hosting.active(group, algorithm)
    if what == "roll":
        edge.cli("key", "roll", group, "--algorithm", algorithm)
    elif what == "emergency":
        edge.cli("key", "emergency", group, "--id", before, "--yes")
    else:
        issuer = hosting.keys(group)[before]["issuer"]
        key = hosting.newest.key if what == "recertification" else None
        new = hosting.bought("ca" if "ca-rolls" in issuer else "ca-rolls", key)
        environment = {"PATH": f"{kedge.find(edge.build, 'kedge').parent}:/usr/bin:/bin", "KEDGE_CONFIG": str(edge.configuration)}
        def is_staged() -> bool:
            """A key that goes back to a CA which it left a moment ago has to wait, and is told so."""
            done = subprocess.run([HOOK, group, new.chain_file, new.key_file], env=environment, capture_output=True, text=True)
            assert done.returncode == 0 or "in again when two TTLs are over" in done.stderr, f"{what} of {group}: {done.stderr}"
            return done.returncode == 0
        process.wait_for(is_staged, 60, f"{what} of {group} is taken")
    return before


def finish(hosting, what: str, group: str, algorithm: str, disturb):
    """One complete rollover: until the old key is gone and another one is served. `disturb` is done while the old one retires."""
    old = begin(hosting, what, group, algorithm)
    process.wait_for(lambda: hosting.keys(group).get(old, {}).get("state") != "active", 90,
                     f"{what} of {group}, {algorithm}: key {old} is no longer served")
    disturb()
    process.wait_for(lambda: old not in hosting.keys(group) and hosting.active(group, algorithm), 90,
                     f"{what} of {group}, {algorithm}: key {old} is gone")
    assert hosting.active(group, algorithm) != old


def plan(number: int):
    """(what, group, algorithm) and what is restarted meanwhile. The first five are one of each kind; then as it comes. A renewal
    brings a new key and another CA, a recertification another CA for the same key."""
    fixed = [("roll", "made", "ecdsa", "control"), ("roll", "made", "rsa", "smtpd"), ("emergency", "made", "ecdsa", ""),
             ("renewal", "bought", "ecdsa", "reload"), ("recertification", "bought", "ecdsa", "")]
    yield from fixed[:number]
    chance = random.Random(SEED)
    for _ in range(number - len(fixed)):
        yield *chance.choice(fixed)[:3], chance.choice(["", "", "control", "smtpd", "reload"])


def disturbance(hosting, which: str):
    """What an operator does in the middle of a roll."""
    if which == "reload":
        hosting.edge.reload()
    elif which:
        hosting.edge.restart(which)


def edge_side(hosting, group: str) -> str:
    """What happened to the group's keys, for whoever has to find out why mail was deferred."""
    return hosting.edge.cli("key", "timeline", group) + hosting.edge.cli("key", "show", group)


def test_rollovers_under_constant_mail(hosting):
    """Rollovers one after the other; no message waits, and each connection is verified."""
    mail = hosting.flow
    resolver = hosting.lab.internet.resolver
    resolver.command("set_option log-replies: yes")
    mail.start(DOMAINS)
    witness = Witness(hosting)
    for what, group, algorithm, which in plan(ROLLS):
        finish(hosting, what, group, algorithm, lambda which=which: disturbance(hosting, which))
        trouble = mail.books().trouble()
        assert not trouble, f"{what} of {group}, {algorithm} (seed {SEED}): {trouble}\n{edge_side(hosting, group)}"
    mail.stop()
    mail.wait_settled()
    process.wait_for(lambda: sum(mail.arrived().values()) >= len(mail.recipients), 20, "all messages are at the mailbox host")
    witness.stop()
    resolver.command("set_option log-replies: no")

    books = mail.books()
    assert not books.trouble(), f"seed {SEED}: {books.trouble()}"
    assert dict(books.sent) == dict.fromkeys(mail.recipients, 1)
    assert all(f"[{address}]:25" in mail.postfix.log() for address in PUBLIC), "mail came to each address"
    assert dict(mail.arrived()) == dict.fromkeys(mail.recipients, 1), "each message arrives once"
    assert not witness.wrong, "\n".join(witness.wrong)
    assert witness.looks and witness.cached and witness.stale, vars(witness)
    replies = [line.split()[-3:] for line in resolver.server.text().splitlines() if "-rolls.example. TLSA IN NOERROR" in line]
    fresh = sum(from_cache == "0" for _, from_cache, _ in replies)
    assert replies and fresh < len(replies), "the resolver's cache was used"
    print(f"{ROLLS} rollovers, {len(mail.recipients)} messages; TLSA answers: {len(replies)}, {fresh} of them not from the cache; "
          f"the witness saw {witness.looks}, {witness.stale} of them out of date")


def test_what_the_books_say_when_it_goes_wrong(hosting):
    """The measuring itself: somebody replaces the TLSA records behind our back, and then takes them away."""
    mail, edge = hosting.flow, hosting.edge
    group = "_dane.made"
    zone = ZONES[DOMAINS.index(RSA_ONLY) % 2]
    edge.stop("control")
    try:
        for change in (("replace", group, TTL, "TLSA", "3 1 1 " + "ab" * 32), ("delete", group, "TLSA")):
            hosting.managed.update(zone, change)
            hosting.managed.wait_level()
            process.wait_for(lambda: not hosting.view(RSA_ONLY)[0] & digests_of(chain_at(hosting.hosts[RSA_ONLY], "rsa")), 20,
                             "the resolver shows other records")
            before = len(mail.books().deferred)
            witness = Witness(hosting)
            mail.start([RSA_ONLY])
            process.wait_for(lambda before=before: len(mail.books().deferred) > before, 30, "Postfix defers")
            process.wait_for(lambda witness=witness: witness.wrong, 30, "the witness sees it, too")
            mail.stop()
            witness.stop()
    finally:
        edge.start("control")

    def delivered():
        mail.postfix.flush()
        return len(mail.books().sent) == len(mail.recipients)

    process.wait_for(delivered, 60, "control publishes the records again, and what was deferred is delivered")
    assert not mail.books().unverified and not mail.books().bounced
