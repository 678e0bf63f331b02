"""kedge domain status: every code comes from a real zone, a real server or a real row that has the defect.

Codes that need an MX zone of our own (ET001, EK001, EK002, EK003) are in switch_test.py.
"""

import json
import os
import pty
import socket
import subprocess
import threading
import time

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lab import namespace, process, world
from lab.internet import Authority
from lab.kedge import Kedge, find
from lab.pki import Identity
from lab.policies import PolicyServer, policy
from lab.signer import Spoil
from lab.world import Forge, Zone

EDGE = "127.0.44.9"
GOOD, OTHER, BOTH = "127.0.44.1", "127.0.44.2", "127.0.44.3"
GREETS_BADLY, CLEAR, NO_HANDSHAKE, EXPIRED, REFUSES = (f"127.0.44.{n}" for n in range(4, 9))
NOBODY, SLOW = "127.0.44.99", "127.0.44.14"
WEB, BAD_WEB, NO_WEB = "127.0.44.20", "127.0.44.21", "127.0.44.22"
DEAD_SERVER, OLD_SERVER, MUTE_SERVER = "127.0.44.53", "127.0.44.54", "127.0.44.55"
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
RSASHA1 = "256 3 5 AwEAAcHQW4uZmuzh1u0yEvbGMoP1B7Hq4rJTP4tMuBvXhMPeJyuYYXqbDSWeAz5WmDXKuJ2v1W9WnFLV5Cwn4PNnOqs="

MX = "@ MX 10 mx\n"
HOST = f"mx A {GOOD}\n"
TLSA = "_25._tcp.mx TLSA <3 1 1 status>\n"
WHOLE = MX + HOST + TLSA
STS = "_mta-sts TXT \"v=STSv1; id=1\"\n" + f"mta-sts A {WEB}\n"


POLICIES = {
    "es005.example": "version: STSv1\r\nmode: maybe\r\n",
    "es006.example": policy("mode: enforce", "mx: mx.elsewhere.example"),
    "es007.example": policy("mode: enforce", "mx: *.es007.example"),
    "es008.example": policy("mode: testing", "mx: mx.es008.example"),
    "ec006.example": policy("mode: testing", "mx: mx.ec006.example"),
    "ec008.example": policy("mode: enforce", "mx: mx.ec008.example"),
}

# code: the zone CODE.example that has the defect; its MX host is mx.CODE.example
ZONES = {
    "EG001": (WHOLE, {}),
    "EG002": (WHOLE, {}),
    "EG004": (WHOLE, {"forge": (Forge("@", "MX", "SERVFAIL"),)}),
    "EG005": (MX, {}),
    "ED001": (WHOLE, {"signed": False}),
    "ED002": (WHOLE, {"ds": "absent"}),
    "ED003": (WHOLE, {"signed": False, "ds": "wrong"}),
    "ED004": (WHOLE, {"ds": "wrong"}),
    "ED005": (WHOLE, {"spoil": (Spoil("@", "MX", "forged"),)}),
    "ED006": (WHOLE, {"spoil": (Spoil("@", "MX", "expired"),)}),
    "ED007": (WHOLE, {"spoil": (Spoil("@", "MX", "ending"),)}),
    "ED008": (WHOLE, {"spoil": (Spoil("@", "MX", "missing"),)}),
    "ED009": (WHOLE, {"spoil": (Spoil("@", "MX", "early"),)}),
    "ED010": (WHOLE + f"@ DNSKEY {RSASHA1}\n", {}),
    "ED011": (WHOLE, {"forge": (Forge("@", "NSEC3PARAM", "1 0 10 AB"),)}),
    "ED012": (WHOLE, {"ds": "unknown"}),
    "ED013": (WHOLE + f"@ NS dead\ndead A {DEAD_SERVER}\n", {}),
    "ED014": (WHOLE + f"@ NS old\nold A {OLD_SERVER}\n", {}),
    "EX001": (HOST + TLSA, {}),
    "EX002": ("@ MX 0 .\n" + HOST + TLSA, {}),
    "EX003": ("@ MX 10 mx.plain.example.\n" + HOST + TLSA, {}),
    "EX004": (WHOLE + "@ MX 20 status.edge.example.\n", {}),
    "EX005": (WHOLE + "@ MX 10 status.edge.example.\n", {}),
    "EX006": (WHOLE + "@ MX 5 mx.plain.example.\n", {}),
    "EX007": (WHOLE + "@ MX 10 mx.plain.example.\n", {}),
    "EX008": (WHOLE + "@ MX 20 mx.plain.example.\n", {}),
    "EX009": ("@ 7200 MX 10 mx\n" + HOST + TLSA, {}),
    "EX011": (WHOLE, {"signed": False}),
    "EX012": ("@ MX 5 mx\n" + HOST + TLSA, {}),
    "ET002": (WHOLE + f"@ NS old\nold A {OLD_SERVER}\n", {}),
    "ET003": (WHOLE + f"@ NS old\nold A {OLD_SERVER}\n", {}),
    "ET004": (WHOLE + "_25._tcp.mx TLSA <1 1 1 status>\n", {}),
    "ET005": (MX + HOST + "_25._tcp.mx TLSA <3 1 1 somebody>\n", {}),
    "ET006": (WHOLE + f"_25._tcp.mx TLSA 3 1 1 {NOTHING}\n", {}),
    "ET007": (WHOLE + "_25._tcp TLSA <3 1 1 status>\n", {}),
    "ET008": (WHOLE, {"forge": (Forge("_tcp.mx", "TLSA", "NXDOMAIN"),)}),
    "ET009": (WHOLE, {"signed": False}),
    "ET010": (WHOLE, {"spoil": (Spoil("_25._tcp.mx", "TLSA", "forged"),)}),
    "ET011": (WHOLE + "".join(f"_25._tcp.mx TLSA 3 1 1 {n:064x}\n" for n in range(1, 9)), {}),
    "ET012": (MX + f"mx A {BOTH}\n" + TLSA, {}),
    "ET013": (WHOLE + "_25._tcp.mx TLSA <2 1 1 ca>\n", {}),
    "ET014": (WHOLE, {"forge": (Forge("_25._tcp.mx", "TLSA", "SERVFAIL"),)}),
    "EK004": (WHOLE + f"mx A {OTHER}\n_25._tcp.mx TLSA <3 1 1 somebody>\n", {}),
    "ES001": (WHOLE + "_mta-sts TXT \"v=STSv1; id=not good;\"\n", {}),
    "ES002": (WHOLE + f"_mta-sts TXT \"v=STSv1; id=1\"\nmta-sts A {NO_WEB}\n", {}),
    "ES003": (WHOLE + f"_mta-sts TXT \"v=STSv1; id=1\"\nmta-sts A {BAD_WEB}\n", {}),
    "ES004": (WHOLE + STS, {}),
    "ES005": (WHOLE + STS, {}),
    "ES006": (WHOLE + STS, {}),
    "ES007": ("@ MX 10 a.mx\na.mx A " + GOOD + "\n" + STS, {}),
    "ES008": (WHOLE + STS, {}),
    "EC001": (MX + f"mx A {NOBODY}\n" + TLSA, {}),
    "EC002": (MX + f"mx A {GREETS_BADLY}\n" + TLSA, {}),
    "EC003": (MX + f"mx A {CLEAR}\n" + TLSA, {}),
    "EC004": (MX + f"mx A {NO_HANDSHAKE}\n" + TLSA, {}),
    "EC005": (MX + f"mx A {EXPIRED}\n_25._tcp.mx TLSA <3 1 1 status-expired>\n", {}),
    "EC006": (WHOLE + STS, {}),
    "EC008": (WHOLE + STS, {}),
    "EC007": (MX + f"mx A {REFUSES}\n" + TLSA, {}),
}
OLDER = {"ED014": WHOLE, "ET002": MX + HOST, "ET003": MX + HOST + "_25._tcp.mx TLSA <3 1 1 somebody>\n"}
ELSEWHERE = {"EG003", "ED015", "EX010", "ET001", "EK001", "EK002", "EK003"}  # codes with a test of their own


class Both(Identity):
    """An ECDSA and an RSA certificate; only the first one is published."""

    def server_context(self):
        context = super().server_context()
        second = Identity(self.chain_file.parent, "status-rsa", ("mx.et012.example",),
                          key=rsa.generate_private_key(65537, 2048))
        context.load_cert_chain(second.chain_file, second.key_file)
        return context


def start_servers(lab):
    """The mail and web servers that the zones lead to."""
    names = tuple(f"mx.{code.lower()}.example" for code in ZONES if code != "EC006")
    lab.identity("status", names)
    lab.identity("status-expired", ("mx.ec005.example",), days=(-30, -1))
    lab.identities["status-both"] = Both(lab.folder / "pki", "status", names, key=lab.identities["status"].key)
    for address, identity in [(GOOD, "status"), (OTHER, "somebody"), (BOTH, "status-both"), (GREETS_BADLY, "status"),
                              (CLEAR, None), (NO_HANDSHAKE, "status"), (EXPIRED, "status-expired"), (REFUSES, "status")]:
        lab.sink(address, address, identity)
    authority = lab.identity("status-authority", authority=True)
    web = lab.identity("status-web", tuple(f"mta-sts.es00{n}.example" for n in (4, 5, 6, 7, 8))
                       + ("mta-sts.ec006.example", "mta-sts.ec008.example"),
                       issuer=authority)
    PolicyServer(WEB, web, POLICIES)
    PolicyServer(BAD_WEB, lab.identity("status-bad-web", ("elsewhere.example",), issuer=authority), POLICIES)
    return authority


def publish(lab):
    """All zones; some of them also in an older version on another server."""
    names = {code: f"{code.lower()}.example" for code in ZONES}
    namespace.add_address(OLD_SERVER)
    lab.add_zones(*(Zone(names[code], OLDER[code] + f"@ NS old\nold A {OLD_SERVER}\n") for code in OLDER))
    old = {f"{names[code]}.": lab.internet.servers["zones"].zones[f"{names[code]}."] for code in OLDER}
    Authority("old", OLD_SERVER, lab.dns_port, lab.folder / "dns").publish(old)
    lab.add_zones(*(Zone(names[code], text, **options) for code, (text, options) in ZONES.items()),
                  Zone("ex010.example", f"mail CNAME mx.eg001.example.\nmx A {GOOD}\n"),
                  Zone("lost.example", WHOLE))
    lab.add_zone("ed015.above.example", WHOLE)
    lab.add_zone("above.example", lab.internet.delegations["ed015.above.example."], signed=False)


@pytest.fixture(scope="module")
def eyes(world_lab, build):
    """An edge that has the domains as accepted ones, and looks at them."""
    lab = world_lab
    authority = start_servers(lab)
    publish(lab)
    edge = Kedge(lab, build, "status", EDGE, hostname="status.edge.example", ca_file=authority.chain_file)
    edge.start("control")
    edge.cli("tenant", "add", "acme")
    hop = f"lmtp:{world.MAILBOXES}:{lab.lmtp_port}"
    hosts = {f"{code.lower()}.example": f"mx.{code.lower()}.example" for code in ZONES}
    hosts |= {"es007.example": "a.mx.es007.example", "mail.ex010.example": "mx.ex010.example", "lost.example": "mx.lost.example",
              "ed015.above.example": "mx.ed015.above.example"}
    for domain, host in hosts.items():
        edge.cli("domain", "add", domain, "--tenant", "acme", "--mailbox-host", hop, "--mx-host", host)
    yield edge
    edge.stop()


@pytest.fixture(scope="module")
def reports(eyes, world_lab):
    """What is said about all of them, looked at at the same time."""
    for sink in (GREETS_BADLY, NO_HANDSHAKE, REFUSES):
        world_lab.sinks[sink].replies.clear()
    world_lab.sinks[GREETS_BADLY].replies["greeting"] = "554 5.3.2 go away"
    world_lab.sinks[NO_HANDSHAKE].replies["STARTTLS"] = "220 2.0.0 or so"
    world_lab.sinks[REFUSES].replies["RCPT"] = "550 5.7.1 not here"
    domains = [f"{code.lower()}.example" for code in ZONES]
    done = eyes.try_cli("domain", "status", "mail.ex010.example", *domains, "--json")
    assert done.returncode == 1, done.stderr
    return {report["domain"]: report for report in json.loads(done.stdout)}


@pytest.mark.parametrize("code", ZONES)
def test_the_defect_is_found(reports, code):
    report = reports[f"{code.lower()}.example"]
    findings = [finding for finding in report["findings"] if finding["code"] == code]
    assert findings, [f"{f['code']} {f['subject']}: {f['evidence']}" for f in report["findings"]]
    assert all(finding["sentence"] and finding["fix"] for finding in findings)


def test_an_alias_at_the_domain_is_found(reports):
    assert "EX010" in [finding["code"] for finding in reports["mail.ex010.example"]["findings"]]


def test_a_zone_above_that_is_not_signed_is_found(eyes):
    report = json.loads(eyes.try_cli("domain", "status", "ed015.above.example", "--json").stdout)[0]
    found = [finding for finding in report["findings"] if finding["code"] == "ED015"]
    assert found and found[0]["subject"] == "ed015.above.example" and found[0]["evidence"].startswith("DS "), report["findings"]
    assert report["state"] == "unprotected" and report["mx_security"] == "insecure"


def test_nothing_is_found_where_nothing_is_wrong(reports):
    report = reports["eg001.example"]
    assert {finding["code"] for finding in report["findings"]} == {"EG001", "EG002"}
    assert report["state"] == "protected"
    assert report["connections"] == [{
        "address": GOOD, "result": "STARTTLS works", "protocol": "TLSv1.3", "algorithm": "ecdsa", "matched": True,
        "takes_mail": True, "spki_sha256": report["tlsa"][0].split()[3],
    }]


def test_every_code_has_a_test(eyes):
    codes = {kind["code"] for kind in eyes.json("domain", "codes")}
    assert codes == ZONES.keys() | ELSEWHERE


def codes_of(edge, domain: str) -> list[str]:
    """The codes of a domain's findings now."""
    return [finding["code"] for finding in json.loads(edge.try_cli("domain", "status", domain, "--json").stdout)[0]["findings"]]


def test_protection_that_is_lost_is_remembered(lab, eyes):
    assert "EG003" not in codes_of(eyes, "lost.example")
    lab.add_zone("lost.example", WHOLE, ds="absent")
    assert "EG003" in codes_of(eyes, "lost.example")
    assert "protection lost since 20" in eyes.try_cli("domain", "status", "lost.example").stdout
    lab.add_zone("lost.example", WHOLE)
    assert "EG003" not in codes_of(eyes, "lost.example")


def test_many_are_told_in_a_line_each(eyes, tmp_path):
    chosen = tmp_path / "domains"
    chosen.write_text("# two of them\neg001.example\nex002.example\nnot-ours.example\n", encoding="utf-8")
    done = eyes.try_cli("domain", "status", "--file", chosen)
    assert "3 checked: 1 protected, 0 unprotected, 1 broken, 0 unknown, 1 failed" in done.stdout
    assert done.returncode == 1
    summary = eyes.try_cli("domain", "status", "--all", "--json")
    every = json.loads(summary.stdout)
    assert every["checked"] == len(ZONES) + 3 == len(every["domains"])
    assert every["codes"]["EX002"] == 1


class Listener:
    """A name server that hears questions and answers none."""

    def __init__(self, address: str):
        self.questions = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        while True:
            question = dns.message.from_wire(self.socket.recvfrom(4096)[0]).question[0]
            self.questions.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype)))


def test_a_silent_server_of_many_domains_is_waited_for_once(eyes, world_lab, tmp_path):
    names = [f"d{n}.shared.example" for n in range(20)]
    text = f"mx A {GOOD}\n_25._tcp.mx TLSA <3 1 1 status>\n@ NS mute\nmute A {MUTE_SERVER}\n"
    world_lab.add_zone("shared.example", text + "".join(f"d{n} MX 10 mx\n" for n in range(20)))
    listener = Listener(MUTE_SERVER)
    eyes.cli("domain", "add", *names, "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--mx-host", "mx.shared.example")
    chosen = tmp_path / "domains"
    chosen.write_text("\n".join(names), encoding="utf-8")
    done = json.loads(eyes.try_cli("domain", "status", "--file", chosen, "--json").stdout)
    eyes.cli("domain", "remove", *names)
    assert [row["domain"] for row in done["domains"]] == names
    assert all("ED013" in row["codes"] for row in done["domains"]), done["domains"]
    asked = listener.questions.count(("shared.example.", "SOA"))  # three times each, and anew after half a minute
    assert 0 < asked <= 6, f"the silent server was asked {asked} times for {len(names)} domains"


def many_nobodies(edge):
    """Thousands of accepted domains that are nowhere in DNS."""
    names = edge.folder / "nobodies"
    names.write_text("".join(f"nobody{n}.example\n" for n in range(3000)), encoding="utf-8")
    edge.cli("tenant", "add", "nobody")
    edge.cli("domain", "add", "--file", names, "--tenant", "nobody", "--mailbox-host", "lmtp:127.0.24.1:24", "--recipients", "any")


@pytest.fixture
def watcher(world_lab, build, request):
    """Control with many domains, and somebody who has begun to look at all of them."""
    edge = Kedge(world_lab, build, f"status-{request.node.name[:20]}", "127.0.44.11")
    edge.start("control")
    many_nobodies(edge)
    out = open(edge.folder / "shown", "wb")
    asking = subprocess.Popen([find(build, "kedge"), "--config", edge.configuration, "domain", "status", "--all"], stdout=out,
                              stderr=subprocess.PIPE, text=True, env=process.environ())
    process.wait_for(lambda: (edge.folder / "shown").stat().st_size, 60, "the first domains are shown as they come")
    yield edge, asking
    asking.kill()
    asking.wait()
    out.close()
    edge.stop()


def test_a_stop_ends_a_long_look(watcher):
    edge, asking = watcher
    assert edge.stop("control") == [0]
    said = asking.communicate(timeout=60)[1]
    assert asking.returncode == 69
    assert "kedge-control is stopping" in said and "domains were checked" in said
    assert len((edge.folder / "shown").read_text(encoding="utf-8").splitlines()) < 3000


def test_nobody_looks_on_for_a_caller_who_left(watcher):
    edge, asking = watcher
    asking.kill()
    assert "connection closed" in edge.wait_log("control", "event=call verb=domain.status", 60)


@pytest.fixture
def slow_look(world_lab, build, request):
    """Somebody who looks at domains whose MX host takes its time, at the moment when it is being connected to."""
    name, lab = f"left{request.node.name[-4:]}".lower().replace("[", ""), world_lab
    edge = Kedge(lab, build, f"status-{name}", "127.0.44.13")
    edge.start("control")
    lab.identity(name, ("mx.left.example",))
    slow, hurry = lab.sink(f"{name}.slow", SLOW, name), threading.Event()
    slow.replies["greeting"] = lambda session, line: hurry.wait(20) and None
    domains = [f"d{n}.left.example" for n in range(20)]
    lab.add_zone("left.example", f"mx A {SLOW}\n_25._tcp.mx TLSA <3 1 1 {name}>\n" + "".join(f"d{n} MX 10 mx\n" for n in range(20)))
    edge.cli("tenant", "add", "acme")
    edge.cli("domain", "add", *domains, "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--mx-host", "mx.left.example")
    asking = subprocess.Popen([find(build, "kedge"), "--config", edge.configuration, "domain", "status", "--all", "--connect"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=process.environ())
    process.wait_for(lambda: len(slow.sessions) >= 20, 60, "all of them are being connected to")
    yield edge, asking, hurry
    hurry.set()
    asking.kill()
    asking.wait()
    slow.close()
    edge.stop()


def test_a_caller_who_leaves_while_connections_are_made_does_no_harm(slow_look):
    edge, asking, hurry = slow_look
    asking.kill()
    time.sleep(1.5)  # control tells twice a second how far it is, and so hears that nobody listens
    hurry.set()
    assert "connection closed" in edge.wait_log("control", "event=call verb=domain.status", 60)
    assert edge.json("tenant", "list"), "control lives"


def test_a_stop_while_connections_are_made_is_a_clean_one(slow_look):
    edge, _, hurry = slow_look
    threading.Timer(1, hurry.set).start()
    assert edge.stop("control") == [0]


class FailingResolver:
    """Passes questions on to the lab's resolver until it is told to fail."""

    def __init__(self, address: str):
        self.fails = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            wire, client = self.socket.recvfrom(4096)
            threading.Thread(target=self._answer, args=(wire, client), daemon=True).start()

    def _answer(self, wire: bytes, client):
        query = dns.message.from_wire(wire)
        if self.fails:
            reply = dns.message.make_response(query)
            reply.set_rcode(dns.rcode.REFUSED)
        else:
            reply = dns.query.udp(query, world.RESOLVER, 10)
        self.socket.sendto(reply.to_wire(), client)


def test_a_resolver_that_begins_to_fail_ends_a_long_look(world_lab, build, tmp_path):
    resolver = FailingResolver("127.0.44.30")
    edge = Kedge(world_lab, build, "status-failing", "127.0.44.12", resolver="127.0.44.30:53")
    edge.start("control")
    many_nobodies(edge)
    with open(tmp_path / "shown", "wb") as out:
        asking = subprocess.Popen([find(build, "kedge"), "--config", edge.configuration, "domain", "status", "--all"], stdout=out,
                                  stderr=subprocess.PIPE, text=True, env=process.environ())
        process.wait_for(lambda: (tmp_path / "shown").stat().st_size, 60, "the first domains are shown")
        resolver.fails = True
        said = asking.communicate(timeout=60)[1]
    edge.stop()
    assert asking.returncode == 1
    assert "without a resolver that can be relied on" in said, said
    assert len((tmp_path / "shown").read_text(encoding="utf-8").splitlines()) < 3000


@pytest.mark.parametrize("words, shown", [((), "nobody.example"), (("--json",), '"domain":"nobody.example"')], ids=["text", "json"])
def test_progress_is_on_the_terminal_when_the_list_goes_elsewhere(eyes, build, tmp_path, words, shown):
    chosen = tmp_path / "domains"
    chosen.write_text("nobody.example\n", encoding="utf-8")
    ours, theirs = pty.openpty()
    done = subprocess.run([find(build, "kedge"), "--config", eyes.configuration, "domain", "status", "--file", chosen, *words],
                          stdout=subprocess.PIPE, stderr=theirs, text=True, env=process.environ(), timeout=60, check=False)
    os.close(theirs)
    assert b"1 done, 1 failed" in os.read(ours, 4096)
    os.close(ours)
    assert shown in done.stdout and done.returncode == 1
    assert not words or json.loads(done.stdout)["checked"] == 1


def test_a_resolver_that_does_not_validate_is_not_believed(lab, build):
    edge = Kedge(lab, build, "status-blind", "127.0.44.10", resolver=f"{world.FORGER}:{lab.dns_port}")
    edge.start("control")
    edge.cli("tenant", "add", "acme")
    edge.cli("domain", "add", "eg001.example", "--tenant", "acme", "--mailbox-host", "smtp:127.0.0.1:25")
    done = edge.try_cli("domain", "status", "eg001.example")
    edge.stop()
    assert done.returncode in (1, 69) and "a resolver that can be relied on" in done.stderr
