"""The lab proves itself, before it proves anything about Kedge."""

import os
import smtplib
import ssl
import subprocess
import sys
import time
from pathlib import Path

import dns.flags
import dns.rcode
import pytest
from nested import HOME, environment, start

from lab import namespace, pki, world
from lab.world import Forge, Zone
from lab.signer import Spoil

def security(lab, name, kind):
    """What a client of the resolver learns: (rcode, authenticated, number of records)."""
    answer = lab.internet.resolver.ask(name, kind)
    records = [r for r in answer.answer if dns.rdatatype.to_text(r.rdtype) == kind]
    return dns.rcode.to_text(answer.rcode()), bool(answer.flags & dns.flags.AD), sum(len(r) for r in records)


@pytest.mark.parametrize("name, kind, expected", [
    ("dane.example", "MX", ("NOERROR", True, 1)),
    ("mx.provider.example", "A", ("NOERROR", True, 1)),
    ("mx.provider.example", "AAAA", ("NOERROR", True, 1)),
    ("_25._tcp.mx.provider.example", "TLSA", ("NOERROR", True, 1)),
    ("mail.alias.example", "A", ("NOERROR", True, 1)),
    ("_25._tcp.mx.nodane.example", "TLSA", ("NXDOMAIN", True, 0)),
    ("nodane.example", "TXT", ("NOERROR", True, 0)),
    ("nothing.example", "MX", ("NXDOMAIN", True, 0)),
    ("plain.example", "MX", ("NOERROR", False, 1)),
    ("mx.plain.example", "A", ("NOERROR", False, 1)),
    ("bogus.example", "MX", ("SERVFAIL", False, 0)),
    ("bogus.example", "SOA", ("NOERROR", True, 1)),
    ("expired.example", "MX", ("SERVFAIL", False, 0)),
    ("mx.bogus-address.example", "A", ("SERVFAIL", False, 0)),
    ("_25._tcp.mx.bogus-tlsa.example", "TLSA", ("SERVFAIL", False, 0)),
    ("_25._tcp.mx.tlsa-servfail.example", "TLSA", ("SERVFAIL", False, 0)),
    ("mx.tlsa-servfail.example", "A", ("NOERROR", True, 1)),
    ("forged.example", "MX", ("SERVFAIL", False, 0)),
    ("proof.example", "SOA", ("NOERROR", True, 1)),
    ("broken.example", "A", ("SERVFAIL", False, 0)),
])
def test_zones_are_what_the_table_says(lab, name, kind, expected):
    assert security(lab, name, kind) == expected


@pytest.mark.parametrize("how", ["forged", "expired", "early", "missing", "foreign"])
def test_any_spoiled_signature_is_bogus_and_mending_it_helps(lab, how):
    text = "@ MX 10 mx4.provider.example."
    lab.add_zone("adhoc.example", text, spoil=(Spoil("@", "MX", how),))
    assert security(lab, "adhoc.example", "MX") == ("SERVFAIL", False, 0)
    lab.add_zone("adhoc.example", text)
    assert security(lab, "adhoc.example", "MX") == ("NOERROR", True, 1)


@pytest.mark.parametrize("ds, expected", [
    ("match", ("NOERROR", True, 1)),
    ("absent", ("NOERROR", False, 1)),
    ("unknown", ("NOERROR", False, 1)),
    ("wrong", ("SERVFAIL", False, 0)),
])
def test_delegations(lab, ds, expected):
    lab.add_zones(Zone(f"ds-{ds}.example", "@ TXT here", ds=ds))
    assert security(lab, f"ds-{ds}.example", "TXT") == expected


@pytest.mark.parametrize("action", ["SERVFAIL", "NOTIMP", "REFUSED", "FORMERR"])
def test_the_forger_answers_with_any_code(lab, action):
    lab.add_zone(f"says-{action}.example", "@ TXT here\n@ MX 10 mx4.provider.example.", forge=(Forge("@", "MX", action),))
    assert security(lab, f"says-{action}.example", "TXT")[0] == "NOERROR"
    assert security(lab, f"says-{action}.example", "MX")[0] == "SERVFAIL"


def test_a_forged_mx_is_believed_where_nothing_is_signed(lab):
    lab.add_zone("unsafe.example", "@ MX 10 mx.plain.example.", signed=False,
                 forge=(Forge("@", "MX", "10 mx.attacker.example."),))
    answer = lab.internet.resolver.ask("unsafe.example", "MX")
    assert "mx.attacker.example" in answer.answer[0].to_text()


@pytest.mark.parametrize("domain, host", [
    ("anchor.example", "mx.anchor.example"), ("implicit.example", "implicit.example"), ("six.example", "mx.six.example")])
def test_postfix_verifies_dane_in_the_lab(lab, domain, host):
    lab.provider.send("a@dane.example", f"b@{domain}", subject=host)
    message = lab.sinks[host].to(f"b@{domain}")[0]
    assert message.secure and f"Subject: {host}" in message.text
    lab.provider.wait_log(rf"Verified TLS connection established to {host}")


@pytest.mark.parametrize("domain, status, reason", [
    ("stripped.example", "deferred", "TLS is required, but was not offered"),
    ("refused.example", "deferred", "refused to start TLS: 454"),
    ("refused5.example", "bounced", "refused to start TLS: 554"),  # an attacker can forge it; Kedge defers
    ("swapped.example", "deferred", "Server certificate not verified"),
    ("wrong.example", "deferred", "Server certificate not verified"),
    ("tlsa-servfail.example", "deferred", "TLSA lookup error"),
    ("bogus-tlsa.example", "deferred", "TLSA lookup error"),
])
def test_postfix_sends_nothing_where_dane_fails(lab, domain, status, reason):
    lab.provider.send("a@dane.example", f"secret@{domain}")
    lab.provider.wait_log(rf"to=<secret@{domain}>.*status={status}.*{reason}")
    assert not any(attacker.learned() for attacker in lab.attackers.values())
    assert not lab.sinks["mx.victim.example"].messages


def test_exim_verifies_dane_in_the_lab(lab):
    if namespace.one_user():
        assert lab.exim is None
        return
    lab.exim.send("a@mx.exim.example", "b@dane4.example")
    lab.exim.wait_log(r"=> b@dane4.example .*CV=dane")
    assert lab.provider_mailboxes.to("b@dane4.example")


def without_verification() -> ssl.SSLContext:
    """A client that believes anybody: the attacker's favourite."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_the_attacks_work_on_a_client_that_does_not_verify(lab):
    with smtplib.SMTP("127.0.66.2", 25, timeout=10) as client:
        client.starttls(context=without_verification())
        client.sendmail("a@dane.example", ["b@swapped.example"], "Subject: secret\r\n\r\nthe plan\r\n")
    assert lab.sinks["mx.victim.example"].to("b@swapped.example")[0].secure
    assert lab.attackers["swap"].learned() and b"the plan\r\n" in lab.attackers["swap"].seen
    with smtplib.SMTP("127.0.66.1", 25, timeout=10) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("a@dane.example", ["c@stripped.example"], "Subject: secret\r\n\r\nthe plan\r\n")
    assert lab.sinks["mx.victim.example"].sessions[-1].leaked() and lab.attackers["strip"].learned()


def test_a_sink_answers_as_told(lab):
    sink = lab.sinks["mx.plain.example"]
    sink.replies["RCPT"] = "450 4.2.0 later"
    with smtplib.SMTP(sink.address, 25, timeout=10) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("a@dane.example", ["b@plain.example"], "Subject: x\r\n\r\n")
    sink.clear()
    sink.hang_up = "."
    with pytest.raises(smtplib.SMTPServerDisconnected):
        with smtplib.SMTP(sink.address, 25, timeout=10) as client:
            client.sendmail("a@dane.example", ["b@plain.example"], "Subject: x\r\n\r\n")
    assert not sink.messages


def test_tlsa_records_are_those_of_openssl(lab, tmp_path):
    identity = pki.Identity(tmp_path, "one", ("one.example",))
    der = subprocess.run(f"openssl x509 -in {identity.chain_file} -pubkey -noout | openssl pkey -pubin -outform DER",
                         shell=True, check=True, capture_output=True).stdout
    assert identity.tlsa(3, 1, 0) == f"3 1 0 {der.hex()}"
    sha = subprocess.run(["openssl", "dgst", "-sha512", "-r"], input=der, check=True, capture_output=True).stdout
    assert identity.tlsa(3, 1, 2) == f"3 1 2 {sha.split()[0].decode()}"


def test_two_labs_at_once_and_nothing_stays(lab):
    """Another lab with the same addresses comes up beside this one; killed without warning it leaves nothing."""
    other = start("lab/lab", "up", stdout=subprocess.PIPE, text=True)
    assert "The lab is up" in other.stdout.readline()
    family = processes_below(other.pid)
    assert any("knotd" in name for name in family.values()) and any("master" in name for name in family.values())
    other.kill()
    other.wait()
    deadline = time.monotonic() + 10
    while alive := [pid for pid, name in family.items() if pid != other.pid and running(pid, name)]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def processes_below(pid: int) -> dict[int, str]:
    """All descendants of a process, with their names."""
    found, parents = {}, {pid}
    table = [path.read_text().rsplit(")", 1) for path in Path("/proc").glob("[0-9]*/stat")]
    rows = [(int(head.split(" ")[0]), head.split("(", 1)[1], int(tail.split()[1])) for head, tail in table]
    while new := {row[0]: row[1] for row in rows if row[2] in parents and row[0] not in found}:
        found |= new
        parents = set(new)
    return found


def running(pid: int, name: str) -> bool:
    """Whether this process is still there."""
    try:
        head, tail = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)
    except OSError:
        return False
    return head.split("(", 1)[1] == name and tail.split()[0] != "Z"


def test_the_machine_stays_as_it_was(lab):
    """What the lab's servers write is on file systems that only the namespace has."""
    mounts = {line.split()[1]: line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()}
    assert mounts["/run"] == "tmpfs" and mounts["/etc"] == "overlay" and mounts["/usr"] == "overlay"
    for pid in Path("/proc").glob("[0-9]*"):
        name = (pid / "comm").read_text().strip()
        if name not in ("knotd", "unbound", "master", "qmgr", "smtpd"):
            continue
        for descriptor in (pid / "fd").iterdir():
            target = os.readlink(descriptor)
            flags = int((pid / "fdinfo" / descriptor.name).read_text().split("flags:")[1].split()[0], 8)
            if target.startswith("/") and flags & os.O_ACCMODE != os.O_RDONLY:
                kept = not target.endswith(" (deleted)")
                assert not kept or target.startswith(("/run/", "/dev/")), f"{name} writes {target}"
    with pytest.raises(OSError):
        Path("/usr/kedge-lab-was-here").touch()


def test_high_ports_without_a_namespace(tmp_path):
    """Where no namespace can be had the same zones are served on high ports."""
    program = f"""
import sys
sys.path.insert(0, {str(HOME)!r})
from lab.lab import Lab
import dns.flags
lab = Lab().up()
assert lab.dns_port > 1024
for name, secure in (("dane.example", True), ("plain.example", False)):
    assert bool(lab.internet.resolver.ask(name, "MX").flags & dns.flags.AD) is secure, name
import smtplib
with smtplib.SMTP({world.PROVIDER!r}, lab.smtp_port, timeout=10) as client:
    client.sendmail("a@b.example", ["c@dane.example"], "Subject: high\\r\\n\\r\\n")
assert lab.sinks["mx.provider.example"].to("c@dane.example")
lab.down()
print(lab.folder.exists())
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment(), text=True, capture_output=True, timeout=60)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr
