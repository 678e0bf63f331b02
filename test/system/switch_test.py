"""kedge domain switch: a customer's domain moves to its MX host in the signed zone, step by step, and back, while Postfix
sends to it; and the findings that need a zone of our own."""

import json
import re
import signal
import sqlite3
import subprocess
import time

import pytest

from lab import authority, kedge, namespace, process, world
from lab.policies import PolicyServer, policy

EDGE, OLD, WEB = "127.0.44.80", "127.0.44.81", "127.0.44.83"
DOMAIN = "moving.example"
TTL = 2
OLD_TTL, ASKED_TTL, LOW_TTL = 32, 30, 3  # low: what is entered may be lower than what is asked for


class Customer:
    """The domain's zone at its DNS provider, and an edge that hosts the domain."""

    def __init__(self, lab, edge, domain=DOMAIN):
        self.lab, self.edge, self.domain, self.sent = lab, edge, domain, 0
        hop = f"lmtp:{world.MAILBOXES}:{lab.lmtp_port}"
        edge.cli("domain", "add", domain, "--tenant", "acme", "--mailbox-host", hop, "--recipients", "any")
        edge.cli("domain", "dnssec", "disable", domain)

    def enters(self, ttl: int, *mx: str):
        """What the customer types into the panel: the MX records."""
        records = "".join(f"@ {ttl} MX {one}\n" for one in mx)
        self.lab.add_zone(self.domain, f"{records}old A {OLD}\n")

    def switch(self, *words) -> dict:
        """One look."""
        return self.edge.json("domain", "switch", self.domain, "--low-ttl", ASKED_TTL, *words)

    def reaches(self, step: str, turn: str, *words, seconds: float = 60) -> dict:
        """Asks until the switch stands there."""
        last = {}

        def look():
            nonlocal last
            self.lab.internet.resolver.forget("mx-switch.example")
            last = self.switch(*words)
            return (last["name"], last["turn"]) == (step, turn)

        try:
            process.wait_for(look, seconds, f"the switch stands at {step}, {turn}")
        except process.Failed as why:
            raise process.Failed(f"{why}; it says: {last['name']}, {last['turn']}: {last['say']}") from None
        return last

    def mail_flows(self):
        """A message that Postfix sends arrives, at the old host or at ours."""
        self.sent += 1
        recipient = f"m{self.sent}@{self.domain}"
        self.lab.provider.send("a@dane.example", recipient)
        places = (self.lab.sinks["old." + DOMAIN], self.lab.mailboxes)
        process.wait_for(lambda: any(recipient in m.recipients for place in places for m in list(place.messages)), 20,
                         f"mail to {recipient} arrives")


@pytest.fixture(scope="module")
def customer(world_lab, build):
    """A domain whose mail goes to its old host; an edge with an MX zone and a key group."""
    lab = world_lab
    namespace.add_address(EDGE)
    managed = authority.ManagedZones(lab, "knot", "mx-switch.example", secondaries=2, ttl=TTL)
    known = lab.identity("switch-authority", authority=True)
    edge = kedge.Kedge(lab, build, "switch", EDGE, zone_interval="500ms", edge_name="edge.switch.example",
                       hostname="edge.switch.example", ca_file=known.chain_file)
    edge.start()
    tsig = edge.folder / "tsig"
    tsig.write_text(f"{managed.key.algorithm}:{managed.key.name}:{managed.key.secret}\n", encoding="utf-8")
    edge.cli("edge-group", "add", "here", "--address", EDGE)
    process.wait_for(lambda: edge.json("edge", "list"), 5, "the edge has made itself known")
    edge.cli("edge", "set", "edge.switch.example", "--edge-group", "here")
    edge.cli("zone", "add", "mx-switch.example", "--primary", f"{managed.primary.address}:{managed.primary.port}",
             "--tsig-file", tsig, "--edge-group", "here", "--ttl", f"{TTL}s", "--address-ttl", f"{TTL}s")
    edge.cli("key", "add", "--group", "g1")
    edge.cli("tenant", "add", "acme")
    lab.sink("old." + DOMAIN, OLD, None)
    yield Customer(lab, edge)
    edge.stop()
    managed.stop()


def test_all_the_way_there_and_back(lab, customer):
    """Each step is done by hand at the provider when the switch says so; nothing is lost on the way."""
    customer.enters(OLD_TTL, f"10 old.{DOMAIN}.")
    customer.mail_flows()
    view = customer.switch()
    assert (view["name"], view["turn"]) == ("lower-ttl", "yours")
    assert view["records"] == [{"action": "change", "type": "MX", "name": "@", "value": f"old.{DOMAIN}", "priority": 10,
                                "ttl": ASKED_TTL}]
    customer.enters(LOW_TTL, f"10 old.{DOMAIN}.")
    began = time.monotonic()
    view = customer.switch()
    assert (view["name"], view["turn"]) == ("lower-ttl", "awaited") and 0 < view["seconds"] <= OLD_TTL

    view = customer.reaches("add-mx", "yours")
    assert time.monotonic() - began > 1, "the old TTL was waited out"
    host = view["mx_host"]
    assert host == "moving-example.mx-switch.example" and view["records"][0]["priority"] == 20
    customer.mail_flows()
    customer.enters(LOW_TTL, f"10 old.{DOMAIN}.", f"20 {host}.")
    view = customer.reaches("prefer", "yours")
    assert [step["step"] for step in view["steps"] if step["holds"]][:5] == [
        "mta-sts-testing", "lower-ttl", "dnssec", "add-mx", "test"]
    customer.mail_flows()
    customer.enters(LOW_TTL, f"30 old.{DOMAIN}.", f"0 {host}.")
    customer.reaches("remove-old", "yours")
    customer.mail_flows()
    assert lab.mailboxes.to(f"m{customer.sent}@{DOMAIN}")
    customer.enters(LOW_TTL, f"0 {host}.")
    assert customer.switch()["turn"] == "awaited"
    customer.reaches("raise-ttl", "yours")
    customer.enters(3600, f"0 {host}.")
    view = customer.reaches("done", "done")
    assert view["protected"] and all(step["holds"] for step in view["steps"])
    customer.mail_flows()
    report = customer.edge.json("domain", "status", DOMAIN)[0]
    assert report["state"] == "protected", report["findings"]
    lab.provider.wait_log(f"Verified TLS connection established to {host}", 10)

    view = customer.switch("--undo")
    assert (view["name"], view["turn"]) == ("remove-old", "yours") and view["did"] == ["the TLSA records are withdrawn"]
    customer.enters(LOW_TTL, f"0 {host}.", f"30 old.{DOMAIN}.")
    customer.reaches("prefer", "yours", "--undo")
    customer.mail_flows()
    customer.enters(LOW_TTL, f"20 {host}.", f"10 old.{DOMAIN}.")
    view = customer.reaches("add-mx", "yours", "--undo")
    assert view["records"][0]["action"] == "remove" and view["records"][0]["value"] == host
    customer.enters(LOW_TTL, f"10 old.{DOMAIN}.")
    view = customer.switch("--undo")
    assert view["turn"] == "awaited" and view["seconds"] > 3000, "caches may hold the MX record with its TTL of an hour"
    assert "EG003" not in codes_of(customer.edge, DOMAIN), "what was given up is not lost"
    customer.mail_flows()


def test_a_ttl_that_nobody_keeps_to_is_not_asked_for(customer):
    done = customer.edge.try_cli("domain", "switch", DOMAIN, "--low-ttl", "29")
    assert done.returncode == 2 and "less than 30 seconds" in done.stderr


def test_a_domain_that_takes_no_mail_and_leaves_again(lab, customer):
    """A null MX record is replaced in one change; later somebody else takes over, of whom nothing is known."""
    other = Customer(lab, customer.edge, "nullmx.example")
    old, host = f"old.{other.domain}", "nullmx-example.mx-switch.example"
    lab.add_zone(other.domain, "@ 3 MX 0 .\n")
    view = other.reaches("add-mx", "yours")
    assert "null MX" in view["say"] and view["records"] == [
        {"action": "change", "type": "MX", "name": "@", "value": host, "priority": 0, "ttl": ASKED_TTL}]
    other.enters(3600, f"0 {host}.")
    assert other.reaches("done", "done")["did"] == [] and other.switch()["protected"]

    before = customer.edge.json("domain", "show", other.domain)
    view = other.switch("--undo")
    assert (view["turn"], view["did"], view["records"]) == ("yours", [], []), view
    assert "first add the MX record of the host that takes over" in view["say"]
    assert customer.edge.json("domain", "show", other.domain) == before and before["dane"] and before["dnssec"]
    other.enters(LOW_TTL, f"0 {host}.", f"30 {old}.")
    assert other.reaches("prefer", "yours", "--undo")["records"][0] == {
        "action": "change", "type": "MX", "name": "@", "value": host, "priority": 40, "ttl": ASKED_TTL}
    other.enters(LOW_TTL, f"40 {host}.", f"30 {old}.")
    other.reaches("add-mx", "yours", "--undo")
    other.enters(LOW_TTL, f"30 {old}.")
    view = other.switch("--undo")
    assert view["turn"] == "awaited" and customer.edge.json("domain", "show", other.domain)["dnssec"], "caches hold it"


def test_an_alias_at_the_domain_is_said_first(lab, customer):
    lab.add_zone("alias-switch.example", f"mail CNAME mx.elsewhere.example.\nold A {OLD}\n")
    view = Customer(lab, customer.edge, "mail.alias-switch.example").switch()
    assert (view["turn"], view["did"], view["records"]) == ("yours", [], []), view
    assert view["say"].startswith("the domain is an alias (CNAME)")


class Waiting:
    """`kedge domain switch --wait` at somebody's terminal. What it says goes to a file of its own."""

    def __init__(self, edge, domain: str, name: str):
        self.file, self.seen = edge.folder / name, 0
        command = [kedge.find(edge.build, "kedge"), "--config", edge.configuration, "domain", "switch", domain, "--low-ttl",
                   str(ASKED_TTL), "--wait"]
        with open(self.file, "wb") as output:
            self.child = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=self._like_a_terminal)

    @staticmethod
    def _like_a_terminal():
        namespace.die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def said(self) -> str:
        """All of it so far."""
        return self.file.read_text(encoding="utf-8")

    def says(self, sentence: str) -> str:
        """Waits until it says that, behind what was waited for before; returns all that it said."""
        def found():
            assert self.child.poll() in (None, 0), f"it ended with {self.child.returncode}: {self.said()}"
            at = self.said().find(sentence, self.seen)
            return at + len(sentence) if at >= 0 else 0

        try:
            self.seen = process.wait_for(found, 60, f"it says: {sentence}")
        except process.Failed as why:
            raise process.Failed(f"{why}; it says:\n{self.said()}") from None
        return self.said()


def test_wait_goes_along_to_the_end(lab, customer):
    """Somebody leaves it running and types what it asks for; goes away with Ctrl-C, comes back, and it goes on."""
    other = Customer(lab, customer.edge, "patient.example")
    old, host = f"old.{other.domain}", "patient-example.mx-switch.example"
    lab.sinks["old." + other.domain] = lab.sinks["old." + DOMAIN]
    other.enters(OLD_TTL, f"10 {old}.")
    first = Waiting(other.edge, other.domain, "wait1")
    said = first.says("your turn: at your DNS provider, lower the TTL of every MX record")
    assert re.search(r"^  -> +1 lower-ttl", said, re.M) and re.search(r"^  ok +0 ", said, re.M), said
    first.says(f"change   MX    @          10         {ASKED_TTL}      {old}\n")
    other.enters(LOW_TTL, f"10 {old}.")
    first.says("waiting: caches may still hold the MX records with their old TTL (until ")
    first.says("done: the MX host is allocated and published")
    first.says("your turn: at your DNS provider, add the new MX record behind the ones that are there")
    said = first.says(f"add      MX    @          20         {ASKED_TTL}      {host}\n")
    assert said.count("lower the TTL") == 1 and said.count("your turn") == 2, f"each thing is said once:\n{said}"
    time.sleep(2)
    assert first.said() == said, "nothing new, nothing said"
    first.child.send_signal(signal.SIGINT)
    assert first.child.wait(10) == -signal.SIGINT

    other.enters(LOW_TTL, f"10 {old}.", f"20 {host}.")  # while nobody looks
    second = Waiting(other.edge, other.domain, "wait2")
    said = second.says("your turn: at your DNS provider, change the priorities")
    assert all(re.search(rf"^  ok +{step} ", said, re.M) for step in range(5)) and "lower the TTL of every" not in said, said
    other.mail_flows()
    other.enters(LOW_TTL, f"30 {old}.", f"0 {host}.")
    second.says("your turn: at your DNS provider, remove the old MX records")
    other.enters(LOW_TTL, f"0 {host}.")
    second.says("waiting: caches may still hold the old MX records: keep the old host running (until ")
    second.says("your turn: at your DNS provider, raise the TTL of the MX record again")
    other.mail_flows()
    other.enters(3600, f"0 {host}.")
    second.says("done: the TLSA records are published")
    second.says("the switch is done: the domain is protected by DANE")
    assert second.child.wait(10) == 0
    other.mail_flows()
    lab.provider.wait_log(f"Verified TLS connection established to {host}", 10)
    assert other.switch("--wait")["turn"] == "done", "and it says so again at once"


def test_a_policy_is_changed_first_and_enforced_last(lab, customer):
    """Senders that follow MTA-STS go by what they remember, and want a certificate of a known authority."""
    known = lab.identities["switch-authority"]
    other = Customer(lab, customer.edge, "policy.example")
    old, host = f"old.{other.domain}", "policy-example.mx-switch.example"
    server = PolicyServer(WEB, lab.identity("switch-web", (f"mta-sts.{other.domain}",), issuer=known),
                          {other.domain: policy("mode: enforce", f"mx: {old}")})

    def enters(policy_id: int, ttl: int, *mx: str):
        lab.add_zone(other.domain, "".join(f"@ {ttl} MX {one}\n" for one in mx) + f"old A {OLD}\nmta-sts A {WEB}\n"
                     f"_mta-sts {LOW_TTL} TXT \"v=STSv1; id={policy_id}\"\n")

    enters(1, LOW_TTL, f"10 {old}.")
    view = other.reaches("mta-sts-testing", "yours")
    assert f'add the line "mx: {host}"' in view["say"] and view["records"][0]["name"] == "_mta-sts"
    server.texts[other.domain] = policy("mode: testing", f"mx: {old}", f"mx: {host}")
    time.sleep(LOW_TTL + 1)
    view = other.switch()
    assert (view["name"], view["turn"]) == ("mta-sts-testing", "yours") and "its id is not" in view["say"], view["say"]
    enters(2, LOW_TTL, f"10 {old}.")
    view = other.switch()
    assert view["turn"] == "awaited" and 0 < view["seconds"] <= LOW_TTL, view
    other.reaches("add-mx", "yours")
    enters(2, 3600, f"0 {host}.")
    view = other.reaches("mta-sts-enforce", "yours")
    assert "is of no known authority" in view["say"] and "kedge key stage" in view["say"] and view["records"] == []
    server.texts[other.domain] = policy("mode: enforce", f"mx: {host}")
    report = json.loads(customer.edge.try_cli("domain", "status", other.domain, "--json").stdout)[0]
    assert [finding["code"] for finding in report["findings"]] == ["EC008"] and report["state"] == "broken", report["findings"]

    ours = lab.identity("switch-known", ("*.mx-switch.example",), issuer=known)
    customer.edge.cli("key", "stage", "g1", "--cert", ours.chain_file, "--key", ours.key_file)
    view = other.reaches("done", "done")
    assert view["protected"] and all(step["holds"] for step in view["steps"])
    other.mail_flows()


def codes_of(edge, domain: str) -> list[str]:
    """The codes of a domain's findings now."""
    done = edge.try_cli("domain", "status", domain, "--json")
    return [finding["code"] for finding in json.loads(done.stdout)[0]["findings"]]


def test_keys_that_the_database_lacks(lab, build):
    """EK002: the row of the next key is gone; EK001: that of the active one, too."""
    managed = authority.ManagedZones(lab, "knot", "mx-keyless.example", ttl=TTL)
    edge = kedge.Kedge(lab, build, "keyless", "127.0.44.82", zone_interval="1h")
    edge.start("control")
    tsig = edge.folder / "tsig"
    tsig.write_text(f"{managed.key.algorithm}:{managed.key.name}:{managed.key.secret}\n", encoding="utf-8")
    edge.cli("edge-group", "add", "here", "--address", "127.0.44.82")
    edge.cli("zone", "add", "mx-keyless.example", "--primary", f"{managed.primary.address}:{managed.primary.port}",
             "--tsig-file", tsig, "--edge-group", "here")
    edge.cli("key", "add", "--group", "g2")
    edge.cli("tenant", "add", "acme")
    edge.cli("domain", "add", "keyless.example", "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--dane")
    with sqlite3.connect(edge.folder / "data" / "kedge.db") as database:
        database.execute("DELETE FROM gate_key WHERE state <> 'active'")
    without_next = codes_of(edge, "keyless.example")
    with sqlite3.connect(edge.folder / "data" / "kedge.db") as database:
        database.execute("DELETE FROM gate_key")
    without_any = codes_of(edge, "keyless.example")
    edge.stop()
    managed.stop()
    assert "EK002" in without_next and "EK001" not in without_next
    assert "EK001" in without_any and "EK002" not in without_any


def test_keys_and_records_that_are_missing(lab, customer):
    """ET001: promised and not published; EK003: somebody else answers at our address."""
    edge = customer.edge
    edge.cli("domain", "add", "promised.example", "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24",
             "--recipients", "any", "--dane")
    host = edge.json("domain", "show", "promised.example")["mx_host"]
    lab.add_zone("promised.example", f"@ MX 10 {host}.\n")
    assert "ET001" in codes_of(edge, "promised.example")  # the moment before it is published, or cached as such

    def all_is_well():
        lab.internet.resolver.forget("mx-switch.example")
        return not {"ET001", "EK001", "EC001"} & set(codes_of(edge, "promised.example"))

    process.wait_for(all_is_well, 30, "the MX host is published")
    edge.stop("smtpd")
    sink = lab.sink("mx.impostor.example", EDGE, "somebody")
    assert "EK003" in codes_of(edge, "promised.example")
    sink.close()
