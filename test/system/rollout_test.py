"""A rollout over real mail: a wave is held while mail comes in, and undone when senders turn away at its MX host."""

import gzip
import json
import re
import signal
import smtplib
import ssl
import time
from datetime import datetime, timedelta, timezone

import pytest

from lab import authority, kedge, namespace, process, world

ZONE = "waves.ours.example"


@pytest.fixture
def hosted(edge, domain):
    """An accepted domain with an MX host in a signed zone, and no DANE. Nobody answers at the zone's primary: what is published
    is not what this is about."""
    edge.cli("edge-group", "add", "waves", "--address", edge.address)
    edge.cli("zone", "add", ZONE, "--primary", "127.0.0.1:1", "--edge-group", "waves")
    edge.cli("zone", "set", ZONE, "--open", "yes")
    edge.try_cli("key", "add", "--group", "waves")
    edge.cli("domain", "add", domain, "--tenant", "acme", "--mailbox-host", "smtp:127.0.0.1:1", "--recipients", "any", "--zone", ZONE,
             "--tag", "waves")
    yield edge
    edge.try_cli("rollout", "back", "spring", "--wave", "1")
    process.wait_for(lambda: not shown(edge, "domain", "show", domain)["dane"], 20, "DANE is off again")
    edge.cli("domain", "remove", domain)
    edge.cli("zone", "set", ZONE, "--open", "no")


def shown(edge, *words):
    return json.loads(edge.cli(*words, "--json"))


def until(edge, state: str, name: str = "spring", meanwhile=lambda: None):
    """Waits for the rollout's state; gives its status."""
    def reached():
        meanwhile()
        now = shown(edge, "rollout", "status", name)
        return now if now["state"] == state else None

    try:
        return process.wait_for(reached, 60, f"the rollout is {state}")
    except process.Failed as why:
        raise process.Failed(f"{why}: {edge.cli('rollout', 'status', name)}") from None


def leave_after_the_handshake(edge, host):
    """What a sender does whom TLSA records promise another key: shakes hands with the MX host, and leaves."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(edge.address, edge.lab.smtp_port, "sender.example", 20) as client:
        client._host = host  # the name that is asked for in the handshake
        client.starttls(context=context)


def refuse_in_the_handshake(edge, host):
    """What others do: they break the handshake off, with an alert that says why."""
    with smtplib.SMTP(edge.address, edge.lab.smtp_port, "sender.example", 20) as client:
        client._host = host
        with pytest.raises(ssl.SSLCertVerificationError):
            client.starttls(context=ssl.create_default_context())


@pytest.mark.parametrize("domain, turn_away", [
    ("waves.example", leave_after_the_handshake),
    ("waves2.example", refuse_in_the_handshake),
])
def test_a_wave_that_goes_bad_undoes_itself(lab, hosted, domain, turn_away):
    host = shown(hosted, "domain", "show", domain)["mx_host"]
    hosted.cli("rollout", "plan", "spring", "--tag", "waves", "--hold", "1h", "--least", "3")
    assert not shown(hosted, "domain", "show", domain)["dane"]
    hosted.cli("rollout", "start", "spring")
    process.wait_for(lambda: shown(hosted, "domain", "show", domain)["dane"], 20, "the wave has begun")
    for _ in range(5):
        turn_away(hosted, host)
    status = until(hosted, "halted")
    assert status["cause"] == "failures" and status["moved"] == 0, status
    assert not shown(hosted, "domain", "show", domain)["dane"]
    said = hosted.cli("rollout", "status", "spring")
    assert said.startswith("rollout spring is halted: a wave went bad") and "  because more mail is deferred or turned away" in said
    assert "wave 1  domains 1  undone, " in said, said
    assert "event=rollout-bad" in hosted.log("control") and "event=rollout-undone" in hosted.log("control")


def take_report(edge, folder, identity: str, good: int, failures: dict, domain: str, host: str):
    """A report of Company-X about the hours around now, taken from a file as its mail would bring it."""
    begin, end = (f"{datetime.now(timezone.utc) + timedelta(hours=h):%Y-%m-%dT%H:%M:%SZ}" for h in (-12, 12))
    content = {
        "organization-name": "Company-X", "report-id": identity, "contact-info": "tlsrpt@company-x.example",
        "date-range": {"start-datetime": begin, "end-datetime": end},
        "policies": [{
            "policy": {"policy-type": "tlsa", "policy-string": ["3 1 1 00"], "policy-domain": domain},
            "summary": {"total-successful-session-count": good, "total-failure-session-count": sum(failures.values())},
            "failure-details": [{"result-type": r, "receiving-mx-hostname": host, "failed-session-count": n} for r, n in failures.items()],
        }]}
    file = folder / f"{identity}.json.gz"
    file.write_bytes(gzip.compress(json.dumps(content).encode()))
    edge.cli("report", "take", file)


@pytest.mark.parametrize("domain", ["waves3.example"])
def test_a_wave_of_which_others_report_failures_undoes_itself(lab, hosted, domain, tmp_path):
    host = shown(hosted, "domain", "show", domain)["mx_host"]
    hosted.cli("rollout", "plan", "spring", "--tag", "waves", "--hold", "1h")
    hosted.cli("rollout", "start", "spring")
    process.wait_for(lambda: shown(hosted, "domain", "show", domain)["dane"], 20, "the wave has begun")
    take_report(hosted, tmp_path, f"{time.time_ns()}-good", 200, {"validation-failure": 2}, host, host)

    def counted():
        told = shown(hosted, "rollout", "status", "spring")["progress"][0]["reports"]
        return told if told["good"] else None

    told = process.wait_for(counted, 20, "the report counts for the wave")
    assert (told["good"], told["bad"]) == (200, 2), told
    assert shown(hosted, "rollout", "status", "spring")["state"] == "running", "a good report undoes nothing"
    take_report(hosted, tmp_path, f"{time.time_ns()}-bad", 20, {"validation-failure": 8, "tlsa-invalid": 31}, domain, host)
    status = until(hosted, "halted")
    assert status["cause"] == "reports" and "Company-X: tlsa-invalid, 31 sessions" in status["because"], status
    assert not shown(hosted, "domain", "show", domain)["dane"]
    said = hosted.cli("rollout", "status", "spring")
    assert "before; most by Company-X: tlsa-invalid, 31 sessions" in said, said
    assert "TLS reports: 220 sessions good, 41 bad; before: 0 good, 0 bad" in said, said


class Real:
    """An edge with an MX zone of its own, and a domain whose mail comes from Postfix. Its own look at itself is switched off: what
    it learns, it learns from senders."""

    name, address, zone, domain, ttl = "waves", "127.0.25.64", "mx-waves.example", "real-waves.example", 2
    probe_interval = "0"

    def __init__(self, lab, build):
        self.lab, self.sent = lab, 0
        namespace.add_address(self.address)
        self.managed = authority.ManagedZones(lab, "knot", self.zone, secondaries=2, ttl=self.ttl)
        self.edge = edge = kedge.Kedge(lab, build, self.name, self.address, zone_interval="500ms", edge_probe_interval=self.probe_interval,
                                       edge_name="edge.waves.example", hostname="edge.waves.example")
        edge.start()
        key, primary, tsig = self.managed.key, self.managed.primary, edge.folder / "tsig"
        tsig.write_text(f"{key.algorithm}:{key.name}:{key.secret}\n", encoding="utf-8")
        edge.cli("edge-group", "add", "here", "--address", self.address)
        process.wait_for(lambda: edge.json("edge", "list"), 5, "the edge has made itself known")
        edge.cli("edge", "set", "edge.waves.example", "--edge-group", "here")
        edge.cli("zone", "add", self.zone, "--primary", f"{primary.address}:{primary.port}", "--tsig-file", tsig, "--edge-group",
                 "here", "--ttl", f"{self.ttl}s", "--address-ttl", f"{self.ttl}s")
        edge.cli("key", "add", "--group", "g1")
        edge.cli("tenant", "add", "acme")
        edge.cli("domain", "add", self.domain, "--tenant", "acme", "--mailbox-host", f"lmtp:{world.MAILBOXES}:{lab.lmtp_port}",
                 "--recipients", "any")
        self.host = edge.json("domain", "show", self.domain)["mx_host"]
        lab.add_zone(self.domain, f"@ MX 10 {self.host}.\n")

    def send(self):
        """One more message from Postfix."""
        self.sent += 1
        self.lab.provider.send("bob@dane.example", f"m{self.sent}@{self.domain}")

    def arrived(self) -> int:
        """How many of them are at the mailbox host."""
        return sum(r.endswith("@" + self.domain) for m in list(self.lab.mailboxes.messages) for r in m.recipients)

    def flows(self):
        """All that was sent arrives, also what waited."""
        def all_there():
            self.lab.provider.flush()
            return self.arrived() == self.sent

        process.wait_for(all_there, 150, "every message arrives")  # Postfix keeps TLSA records for up to 100 s

    def tlsa(self) -> str:
        """What senders are told."""
        return str(self.lab.internet.resolver.ask(f"_25._tcp.{self.host}", "TLSA").answer)

    def deferred(self) -> list[str]:
        """Postfix's lines about messages that it could not deliver."""
        return re.findall(rf"^.*to=<m[0-9]+@{self.domain}>.*status=deferred.*$", self.lab.provider.log(), re.M)

    def lie(self):
        """Somebody replaces the TLSA records at the primary while control is not looking. They are mended soon, but the resolver
        asked just then, and who asks it may keep what it says for long."""
        control = self.edge.servers["control"].child
        control.send_signal(signal.SIGSTOP)
        try:
            self.managed.update(self.zone, ("replace", "_dane.g1", 3600, "TLSA", "3 1 1 " + "ab" * 32))
            self.managed.wait_level()
            self.lab.internet.resolver.forget(self.zone)
            assert "3 1 1" not in self.tlsa() or "ab" * 32 in self.tlsa()  # nothing at all: the wave was undone meanwhile
        finally:
            control.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def real(world_lab, build):
    """That edge, up until the end of this file."""
    made = Real(world_lab, build)
    yield made
    made.edge.stop()
    made.managed.stop()


def test_postfix_meets_wrong_tlsa_records(lab, real):
    """Postfix delivers before the wave and in it; then it must not, the wave is undone, and it delivers all that waited."""
    edge = real.edge
    process.wait_for(lambda: lab.internet.resolver.ask(real.host, "A").answer, 30, "the MX host is published")
    for _ in range(3):
        real.send()
    real.flows()
    edge.cli("rollout", "plan", "autumn", "--hold", "1h", "--least", "3")
    edge.cli("rollout", "start", "autumn")
    process.wait_for(lambda: "3 1 1" in real.tlsa(), 30, "the wave's TLSA records are published")
    for _ in range(3):
        real.send()
    real.flows()
    lab.provider.wait_log(f"Verified TLS connection established to {real.host}")
    assert not real.deferred() and edge.json("rollout", "status", "autumn")["state"] == "running"

    def wrong():
        real.lie()
        real.send()
        lab.provider.flush()
        time.sleep(0.5)

    status = until(edge, "halted", "autumn", wrong)
    assert status["cause"] == "failures" and status["moved"] == 0, status
    assert all("Server certificate not verified" in line for line in real.deferred()) and real.deferred()
    assert not edge.json("domain", "show", real.domain)["dane"]
    assert "event=rollout-bad" in edge.log("control")
    process.wait_for(lambda: not lab.internet.resolver.ask(f"_25._tcp.{real.host}", "TLSA").answer, 30,
                     "senders are told of no TLSA records any more")
    real.send()
    real.flows()


class Watched(Real):
    """The same with an edge that looks at itself all the time."""

    name, address, zone, domain, probe_interval = "watched", "127.0.25.65", "mx-watched.example", "watched-waves.example", "1s"

    def probes(self) -> dict[str, str]:
        """What it found at its MX host in the last round: kind and reason."""
        return {one["kind"]: one["reason"] for one in self.edge.json("edge", "show", "edge.waves.example")["probes"]}


@pytest.fixture
def watched(world_lab, build):
    """That edge."""
    made = Watched(world_lab, build)
    yield made
    made.edge.stop()
    made.managed.stop()


def test_what_the_edge_does_not_see_undoes_nothing(lab, watched):
    """Its resolver has just denied the TLSA records, and fails in the middle of the wave: that is awaited."""
    edge, resolver = watched.edge, lab.internet.resolver
    process.wait_for(lambda: resolver.ask(watched.host, "A").answer, 30, "the MX host is published")
    assert not resolver.ask(f"_25._tcp.{watched.host}", "TLSA").answer, "a denial, which the cache keeps"
    edge.cli("rollout", "plan", "summer", "--hold", "6s")
    edge.cli("rollout", "start", "summer")
    process.wait_for(lambda: "good" in watched.probes(), 30, "the edge sees what senders see")
    resolver.command(f"local_zone {watched.zone}. always_refuse")
    try:
        process.wait_for(lambda: "unseen" in watched.probes(), 30, "the edge sees nothing any more")
        process.wait_for(lambda: shown(edge, "rollout", "status", "summer")["cause"] != "holding", 10, "it waits")
        time.sleep(3)  # some rounds more
        status = shown(edge, "rollout", "status", "summer")
        assert status["state"] == "running" and status["cause"] in ("probes-awaited", "gate"), status
        if status["cause"] == "probes-awaited":
            assert f"; edge.waves.example, at {watched.host}: its A records: the question was refused" in status["because"], status
    finally:
        resolver.command(f"local_zone_remove {watched.zone}.")
    status = until(edge, "done", "summer")
    assert status["progress"][0]["bad"] == 0, "its own look at itself is no sender that turns away"
    assert "3 1 1" in watched.tlsa() and "event=rollout-undone" not in edge.log("control")
