"""Yesterday's backup of the database is put back after a rollover: the edge goes on serving what the zone promises."""

import hashlib
import shutil
import sqlite3
import ssl
import subprocess
import threading

import dns.message
import dns.query
import pytest

from lab import authority, kedge, namespace, process

ADDRESS = "127.0.25.85"
TTL = 2
DOMAIN = "restored.example"
EDGE = "edge1.restored-host.example"


@pytest.fixture
def hosted(world_lab, build):
    """An edge with a managed zone on two secondaries, a key that the gate has made active, and a domain with DANE."""
    namespace.add_address(ADDRESS)
    managed = authority.ManagedZones(world_lab, "knot", "mx-restored.example", secondaries=2, ttl=TTL)
    edge = kedge.Kedge(world_lab, build, "restored", ADDRESS, zone_interval="500ms", edge_name=EDGE)
    edge.managed, edge.zone = managed, managed.zones[0]
    edge.start()
    tsig = edge.folder / "tsig"
    tsig.write_text(f"{managed.key.algorithm}:{managed.key.name}:{managed.key.secret}\n", encoding="utf-8")
    edge.cli("edge-group", "add", "here", "--address", ADDRESS)
    process.wait_for(lambda: edge.json("edge", "list"), 20, "the edge has made itself known")
    edge.cli("edge", "set", EDGE, "--edge-group", "here")
    edge.cli("zone", "add", edge.zone, "--primary", f"{managed.primary.address}:{managed.primary.port}", "--tsig-file", tsig,
             "--edge-group", "here", "--ttl", f"{TTL}s")
    edge.cli("key", "add", "--group", "g1")
    edge.cli("tenant", "add", "acme")
    edge.cli("domain", "add", DOMAIN, "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--dane")
    yield edge
    edge.stop()
    managed.stop()


def key(edge):
    """The key set as `kedge key show` has it."""
    return edge.json("key", "show", "g1")


def in_state(edge, state):
    """SPKI digests of the keys in a state."""
    return [one["spki_sha256"] for one in key(edge)["keys"] if one["state"] == state]


def served(edge, name):
    """The digest of the key that a client is shown."""
    done = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"{ADDRESS}:{edge.lab.smtp_port}", "-servername", name],
                          input="QUIT\r\n", capture_output=True, text=True, timeout=30)
    begin = done.stdout.find("-----BEGIN CERTIFICATE")
    assert begin >= 0, done.stdout + done.stderr
    told = subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=done.stdout[begin:], capture_output=True, text=True, check=True)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(told.stdout.replace("PUBLIC KEY", "CERTIFICATE"))).hexdigest()


def published(edge):
    """Server -> digests in its RRset of the group, from the primary and all secondaries."""
    found = {}
    for server in (edge.managed.primary, *edge.managed.secondaries):
        query = dns.message.make_query(f"_dane.g1.{edge.zone}", "TLSA")
        answer = dns.query.tcp(query, server.address, port=server.port, timeout=20)
        found[server.name] = {one.to_text().split()[3] for rrset in answer.answer for one in rrset}
    return found


class Watch:
    """Shakes hands and reads the RRset from every server, over and over; remembers what did not match."""

    def __init__(self, edge, name):
        self.edge, self.name, self.over = edge, name, threading.Event()
        self.bad, self.shown, self.rounds = [], [], 0
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _run(self):
        while not self.over.is_set():
            try:
                digest, records = served(self.edge, self.name), published(self.edge)
            except Exception as why:  # pylint: disable=broad-exception-caught  # whatever it is, the test must tell
                self.bad.append(repr(why))
                return
            self.rounds += 1
            if digest not in self.shown:
                self.shown.append(digest)
            self.bad += [f"{digest} is served, and {server} has {sorted(has)}" for server, has in records.items() if digest not in has]


def roll(edge):
    """A whole rollover, in two halves: yields the digest of the key before it, then that of the key after it."""
    [old] = process.wait_for(lambda: in_state(edge, "active"), 90, "the first key is active")
    process.wait_for(lambda: in_state(edge, "ready"), 90, "the next key is ready")
    yield old
    edge.cli("key", "roll", "g1")
    process.wait_for(lambda: in_state(edge, "active") not in ([], [old]), 90, "the next key is active")
    process.wait_for(lambda: not in_state(edge, "retiring"), 90, "the old key is gone")
    process.wait_for(lambda: all(old not in has for has in published(edge).values()), 60, "no server shows the old key")
    [new] = in_state(edge, "active")
    yield new


def alarms(edge):
    """What `kedge key list` says is awaited in doubt."""
    [one] = [one for one in edge.json("key", "list") if one["group"] == "g1"]
    return {alarm["what"] for alarm in one["alarms"]}


def test_a_backup_from_before_a_rollover(hosted):
    edge, steps = hosted, roll(hosted)
    old = next(steps)
    backup = edge.folder / "backup.db"
    with sqlite3.connect(edge.folder / "data/kedge.db") as live, sqlite3.connect(backup) as copy:
        live.backup(copy)
    new = next(steps)
    name = edge.json("domain", "show", DOMAIN)["mx_host"]
    process.wait_for(lambda: served(edge, name) == new, 30, "the new key is served")

    with Watch(edge, name) as watch:
        edge.stop("control")
        database = edge.folder / "data/kedge.db"
        for left in ("-wal", "-shm"):
            database.with_name(database.name + left).unlink(missing_ok=True)
        shutil.copyfile(backup, database)  # keeps owner and mode
        edge.start("control")
        process.wait_for(lambda: alarms(edge) & {"edge-ahead", "record-unknown"}, 60, "the alarm is shown")
        held = watch.rounds + 5
        process.wait_for(lambda: watch.rounds >= held or watch.bad, 60, "the watcher goes on")
        assert not watch.bad, watch.bad[:3]
        assert served(edge, name) == new, "the restored database made the edge serve another key"
        assert "database-restored" in edge.log("control")

        process.wait_for(lambda: edge.try_cli("key", "accept", "g1", "--yes").returncode == 0, 60, "what is live is accepted")
        process.wait_for(lambda: in_state(edge, "active") == [new], 60, "the database calls the new key active")
        process.wait_for(lambda: not alarms(edge), 90, "no alarm is left")
        process.wait_for(lambda: in_state(edge, "ready"), 120, "rollovers go on: there is a next key")
        edge.cli("key", "roll", "g1")
        process.wait_for(lambda: in_state(edge, "active") not in ([], [new]), 90, "and it is promoted")
    assert not watch.bad, watch.bad[:3]
    assert watch.rounds > 10 and old not in watch.shown, (watch.rounds, watch.shown)
