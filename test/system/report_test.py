"""TLS reports (RFC 8460) from the command line: JSON, gzip and mail are taken, counted once, and listed; what is wrong is said with the
file, what, and where; the process that reads them has nothing to lose."""

import base64
import gzip
import json
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from control_test import Control
from lab import kedge, process

HOME = Path(__file__).resolve().parent.parent.parent
DOMAIN = "acme.example"
HOST = "acme-example.k1.example"


@pytest.fixture
def control(tmp_path, build):
    """kedge-control with one accepted domain that has an MX host in a zone; nobody publishes it."""
    c = Control(tmp_path, build)
    c.start()
    for words in (["tenant", "add", "acme"], ["edge-group", "add", "g", "--address", "192.0.2.25"],
                  ["zone", "add", "k1.example", "--primary", "127.0.0.1:1", "--edge-group", "g"],
                  ["domain", "add", DOMAIN, "--tenant", "acme", "--mailbox-host", "smtp:127.0.0.1:1", "--recipients", "any"]):
        done = c.run(*words)
        assert done.returncode == 0, done.stderr
    yield c
    c.stop()


def stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def report(identity="1", organization="Company-X", domain=DOMAIN, kind="tlsa", good=100, failures=(), days_ago=1):
    """A report about a whole day; failures: (result type, MX host, sessions)."""
    day = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    return {
        "organization-name": organization, "report-id": identity, "contact-info": "tlsrpt@x.example",
        "date-range": {"start-datetime": stamp(day), "end-datetime": stamp(day + timedelta(hours=23, minutes=59, seconds=59))},
        "policies": [{
            "policy": {"policy-type": kind, "policy-string": ["3 1 1 00"], "policy-domain": domain},
            "summary": {"total-successful-session-count": good, "total-failure-session-count": sum(n for _, _, n in failures)},
            "failure-details": [{"result-type": r, "receiving-mx-hostname": h, "failed-session-count": n} for r, h, n in failures]}]}


def mail(content: bytes) -> bytes:
    """As RFC 8460, section 5.3, and a mailbox have it."""
    return (b"From: tlsrpt@x.example\nSubject: Report Domain: acme.example Submitter: x.example Report-ID: <1>\n"
            b"TLS-Report-Domain: acme.example\nContent-Type: multipart/report; report-type=\"tlsrpt\";\n boundary=\"b\"\n\n"
            b"--b\nContent-Type: text/plain\n\nThis is a report.\n--b\nContent-Type: application/tlsrpt+gzip\n"
            b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(content) + b"--b--\n")


def test_taken_in_every_form_and_counted_once(control, tmp_path):
    failures = [("tlsa-invalid", HOST, 7), ("validation-failure", HOST, 2)]
    plain, packed = tmp_path / "a.json", tmp_path / "b.json.gz"
    plain.write_text(json.dumps(report("1", failures=failures)), encoding="utf-8")
    packed.write_bytes(gzip.compress(json.dumps(report("2", domain=HOST)).encode()))
    done = control.run("report", "take", plain, packed)
    assert done.returncode == 0, done.stderr
    assert f"{plain}: report 1 of Company-X: 1 policies, 109 sessions, 9 failed: validation-failure:2, tlsa-invalid:7" in done.stdout
    message = mail(gzip.compress(json.dumps(report("3", kind="sts", organization="Company-Y")).encode())).decode()
    done = control.run("report", "take", input=message)
    assert done.returncode == 0 and "report 3 of Company-Y" in done.stdout, done
    done = control.run("report", "take", plain, "-", input=message)
    assert done.returncode == 0 and done.stdout.count("taken before, not counted again") == 2, done
    rows = control.json("report", "list", "--domain", DOMAIN)
    assert {(r["organization"], r["domain"], r["policy"], r["successes"], r["failures"]) for r in rows} == {
        ("Company-X", DOMAIN, "tlsa", 100, 9), ("Company-X", HOST, "tlsa", 100, 0), ("Company-Y", DOMAIN, "sts", 100, 0)}
    first = next(r for r in rows if r["report_id"] == "1")
    assert first["failure_details"] == [{"result": "tlsa-invalid", "mx_host": HOST, "sessions": 7},
                                        {"result": "validation-failure", "mx_host": HOST, "sessions": 2}]
    assert len(control.json("report", "list")) == 3 and not control.json("report", "list", "--domain", "other.example")
    customer = tmp_path / "c.json"
    customer.write_text(json.dumps(report("4", domain="customer.example", failures=[("dane-required", HOST, 1)])), encoding="utf-8")
    control.run("report", "take", customer)
    assert [r["domain"] for r in control.json("report", "list", "--domain", DOMAIN)].count("customer.example") == 1
    table = control.run("report", "list").stdout
    assert "validation-failure:2 tlsa-invalid:7" in table and "Company-Y" in table


def test_mistakes_are_said_with_file_and_place(control, tmp_path):
    policy = report()
    policy["policies"][0]["policy"]["policy-type"] = "dane"
    cases = {
        "empty": ("", "it is empty"),
        "words": ("hello\n", "no report attached"),
        "cut": (json.dumps(report())[:-1], "it is no JSON: line 1, column"),
        "type": (json.dumps(policy), "policies[0].policy.policy-type 'dane' is none of tlsa, sts, no-policy-found"),
        "old": (json.dumps(report(days_ago=200)), "more than 90 days ago"),
        "other": (json.dumps(report(domain="other.example")), "about none of the accepted domains and their MX hosts, but about other.example"),
    }
    for name, (content, _) in cases.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    for name, (_, says) in cases.items():
        done = control.run("report", "take", tmp_path / name)
        assert done.returncode == 1 and f"{tmp_path / name}: " in done.stderr and says in done.stderr, (name, done)
    done = control.run("report", "take", tmp_path / "none")
    assert done.returncode == 1 and f"{tmp_path / 'none'}: No such file" in done.stderr, done
    good = tmp_path / "good"
    good.write_text(json.dumps(report()), encoding="utf-8")
    done = control.run("report", "take", tmp_path / "cut", good, "--json")
    assert done.returncode == 1 and [r["file"] for r in json.loads(done.stdout)] == [str(good)], "a bad file does not hold back a good one"
    assert len(control.json("report", "list")) == 1, "nothing is kept of what was refused"


def test_a_bomb_does_not_get_far(control, tmp_path):
    bomb = tmp_path / "bomb.json.gz"
    bomb.write_bytes(gzip.compress(b'{"x":"' + b"0" * (64 << 20) + b'"}'))
    done = control.run("report", "take", bomb)
    assert done.returncode == 1 and "unpacks to more than 200 times its size" in done.stderr, done
    assert control.run("status").returncode == 0


def test_the_reader_is_locked_up(build):
    """The program as kedge-control starts it, with an input that never ends: what the kernel says about the process."""
    program = kedge.find(build, "kedge-control")
    with subprocess.Popen(["kedge-report-reader"], executable=program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as reader:
        try:
            def locked():
                with open(f"/proc/{reader.pid}/status", encoding="ascii") as f:
                    status = dict(line.split(":\t") for line in f.read().splitlines() if ":\t" in line)
                return status if status["Seccomp"].strip() == "2" else None

            status = process.wait_for(locked, 20, "the filter of system calls is on")
            assert status["NoNewPrivs"].strip() == "1", status
            with open(f"/proc/{reader.pid}/limits", encoding="ascii") as f:
                limits = {line[:25].strip(): line[26:47].strip() for line in f.readlines()[1:]}
            assert limits["Max open files"] == "0" and limits["Max processes"] == "0" and limits["Max file size"] == "0", limits
            assert limits["Max address space"] == str(512 << 20) and limits["Max cpu time"] == "10", limits
        finally:
            reader.kill()


def test_the_unit_lets_the_reader_lock_itself_up():
    """@system-service has no seccomp(2) (systemd 252): without it every report would be refused, and only under systemd."""
    unit = (HOME / "systemd/kedge-control.service.in").read_text(encoding="utf-8")
    allowed = [line.split("=", 1)[1].split() for line in unit.splitlines() if line.startswith("SystemCallFilter=")]
    assert allowed and all("seccomp" in words and "@system-service" in words for words in allowed), allowed
