"""An edge and the keys that control gives it: it serves them by algorithm, says what it serves, and looks at itself."""

import hashlib
import json
import socket
import ssl
import subprocess
import time

import pytest

from lab import authority, kedge, namespace, process

ADDRESS, ADDRESS6 = "127.0.25.81", "fd00:25::81"
TTL = 2
DOMAIN = "probed.example"


def control(hosted, verb, **arguments):
    """A verb of the control socket, as a program calls it."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(60)
        caller.connect(str(hosted.folder / "data/run/control.sock"))
        caller.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
        for line in caller.makefile():
            answer = json.loads(line)
            if "ok" in answer:
                assert answer["ok"], answer
                return answer["result"]
    raise AssertionError("control hung up")


@pytest.fixture(scope="module")
def hosted(world_lab, build):
    """An edge with a managed zone, a key of each algorithm that the gate has made active, and a domain with DANE."""
    for address in (ADDRESS, ADDRESS6):
        namespace.add_address(address)
    managed = authority.ManagedZones(world_lab, "knot", "mx-probed.example", ttl=TTL)
    listen = [f"{ADDRESS}:{world_lab.smtp_port}", f"[{ADDRESS6}]:{world_lab.smtp_port}"]
    edge = kedge.Kedge(world_lab, build, "hosted", ADDRESS, listen=listen, edge_probe_interval="1s", zone_interval="500ms",
                       edge_name="edge1.kedge.example")
    edge.managed, edge.zone = managed, managed.zones[0]
    edge.start()
    tsig = edge.folder / "tsig"
    tsig.write_text(f"{managed.key.algorithm}:{managed.key.name}:{managed.key.secret}\n", encoding="utf-8")
    edge.cli("edge-group", "add", "here", "--address", ADDRESS, "--address", ADDRESS6)
    process.wait_for(lambda: edge.json("edge", "list"), 5, "the edge has made itself known")
    edge.cli("edge", "set", "edge1.kedge.example", "--edge-group", "here")
    edge.cli("zone", "add", edge.zone, "--primary", f"{managed.primary.address}:{managed.primary.port}", "--tsig-file", tsig,
             "--edge-group", "here", "--ttl", f"{TTL}s")
    control(edge, "key.add", group="g1", rsa=True)
    edge.cli("tenant", "add", "acme")
    edge.cli("domain", "add", DOMAIN, "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--dane")
    yield edge
    edge.stop()
    managed.stop()


def mx_host(edge):
    return edge.json("domain", "show", DOMAIN)["mx_host"]


def serves(edge):
    """Algorithm -> pair, as the edge has told control."""
    shown = edge.json("edge", "show", "edge1.kedge.example")["serves"]
    return {one["algorithm"]: one["pair"] for one in shown}


def pairs(edge):
    """All pairs that it has told control."""
    return [one["pair"] for one in edge.json("edge", "show", "edge1.kedge.example")["serves"]]


def spki(edge, name, algorithm, address=ADDRESS):
    """The digest of the key that a client which knows one algorithm alone is shown."""
    sigalgs = {"ecdsa": "ECDSA+SHA256", "rsa": "rsa_pss_rsae_sha256"}[algorithm]
    where = f"[{address}]:25" if ":" in address else f"{address}:25"
    done = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-connect", where, "-servername", name, "-sigalgs", sigalgs],
                          input="QUIT\r\n", capture_output=True, text=True, timeout=20)
    begin = done.stdout.index("-----BEGIN CERTIFICATE")
    pem = done.stdout[begin:]
    key = subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=pem, capture_output=True, text=True, check=True).stdout
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(key.replace("PUBLIC KEY", "CERTIFICATE"))).hexdigest()


def tlsa(edge, name):
    """The digests that the resolver vouches for."""
    answer = edge.lab.internet.resolver.ask(f"_25._tcp.{name}", "TLSA")
    return {one.to_text().split()[3] for rrset in answer.answer for one in rrset if rrset.rdtype == 52}


def test_each_client_gets_the_algorithm_that_it_knows(hosted):
    process.wait_for(lambda: set(serves(hosted)) == {"ecdsa", "rsa"}, 60, "the edge serves both keys and has said so")
    name = mx_host(hosted)
    for address in (ADDRESS, ADDRESS6):
        shown = {algorithm: spki(hosted, name, algorithm, address) for algorithm in ("ecdsa", "rsa")}
        assert len(set(shown.values())) == 2
        process.wait_for(lambda: set(shown.values()) <= tlsa(hosted, name), 20, "TLSA records promise both")


def probes(edge):
    """(address, algorithm) -> good, of the last round that control heard of."""
    shown = edge.json("edge", "show", "edge1.kedge.example")["probes"]
    return {(one["address"], one["algorithm"]): one["good"] for one in shown}


def test_it_looks_at_itself_and_alarms(hosted):
    process.wait_for(lambda: set(serves(hosted)) == {"ecdsa", "rsa"}, 60, "the edge serves both keys")
    every = {(where, algorithm) for where in (f"{ADDRESS}:25", f"[{ADDRESS6}]:25") for algorithm in ("ecdsa", "rsa")}
    process.wait_for(lambda: probes(hosted) == dict.fromkeys(every, True), 20, "every address and algorithm is good")

    # Somebody replaces the records of one key behind our back while control is away.
    rsa = spki(hosted, mx_host(hosted), "rsa")
    hosted.stop("control")
    before = len(hosted.log("smtpd"))
    hosted.managed.update(hosted.zone, ("delete", "_dane.g1", "TLSA", f"3 1 1 {rsa}"))
    hosted.managed.wait_level()
    hosted.lab.internet.resolver.forget(hosted.zone)
    alarm = process.wait_for(lambda: [line for line in hosted.log("smtpd")[before:].splitlines() if "event=edge-probe-bad" in line],
                             15, "the alarm")
    assert all("algorithm=rsa" in line and "matches the RSA certificate" in line for line in alarm), alarm
    started = time.monotonic()
    with socket.create_connection((ADDRESS, 25), 10) as client:  # nobody who sends mail notices that control is away
        assert client.recv(100).startswith(b"220")
    assert time.monotonic() - started < 1

    hosted.start("control")  # its keeper mends the zone
    process.wait_for(lambda: "event=edge-probe-over" in hosted.log("smtpd")[before:], 30, "all is well again")
    process.wait_for(lambda: probes(hosted) == dict.fromkeys(every, True), 30, "and control has heard so")


def test_control_comes_and_goes(hosted):
    process.wait_for(lambda: set(serves(hosted)) == {"ecdsa", "rsa"}, 60, "the edge serves both keys")
    before = len(hosted.log("smtpd"))
    hosted.stop("control")
    try:
        process.wait_for(lambda: "event=control-away verb=edge.confirm" in hosted.log("smtpd")[before:], 20, "smtpd has noticed")
        time.sleep(2)
        assert hosted.log("smtpd")[before:].count("event=control-away verb=edge.confirm") == 1  # said once
    finally:
        hosted.start("control")
    process.wait_for(lambda: "event=control-back verb=edge.confirm" in hosted.log("smtpd")[before:], 5, "the edge confirms again at once")


class Session:
    """A connection to the edge, as far as STARTTLS or beyond."""

    def __init__(self):
        self.socket = socket.create_connection((ADDRESS, 25), 10)
        self.say()
        assert self.say(b"EHLO client.example").startswith(b"250")
        assert self.say(b"STARTTLS").startswith(b"220")

    def say(self, line=b"") -> bytes:
        """Sends a line, and reads what is said then."""
        if line:
            self.socket.sendall(line + b"\r\n")
        return self.socket.recv(4096)

    def shake_hands(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        return self


def test_a_rollover_under_open_sessions(hosted):
    process.wait_for(lambda: set(serves(hosted)) == {"ecdsa", "rsa"}, 60, "the edge serves both keys")
    name, old = mx_host(hosted), serves(hosted)["ecdsa"]
    process.wait_for(lambda: len(tlsa(hosted, name)) >= 3, 60, "a next key is published")
    shown = spki(hosted, name, "ecdsa")
    running = Session().shake_hands(name)
    waiting = Session()  # its handshake has begun, and its client takes its time

    control(hosted, "key.roll", key="g1")
    process.wait_for(lambda: spki(hosted, name, "ecdsa") != shown, 60, "the next key is served")
    assert spki(hosted, name, "ecdsa") in tlsa(hosted, name)
    time.sleep(1)
    assert old in pairs(hosted) and len(pairs(hosted)) >= 3  # as long as somebody might be shown it
    assert shown in tlsa(hosted, name)

    waiting.shake_hands(name)
    gone = time.monotonic()
    process.wait_for(lambda: old not in pairs(hosted), 5, "the old key is no longer served")
    assert time.monotonic() - gone < 2
    for session in (running, waiting):  # nobody was thrown out
        assert session.say(b"EHLO client.example").startswith(b"250")
        session.socket.close()
