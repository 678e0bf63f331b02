"""The control plane from the command line: exit codes, JSON, mistakes, completion, start and stop of all daemons."""

import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from lab import kedge, process, world

USER = pwd.getpwuid(os.getuid()).pw_name


class Control:
    """kedge-control alone, with a folder of its own."""

    def __init__(self, folder: Path, build: Path):
        self.folder, self.build = folder, build
        self.configuration = folder / "kedge.conf"
        self.configure()
        self.server = None

    def configure(self, **options):
        options = {"hostname": "edge.example", "data_directory": self.folder / "data", "listen": "127.0.9.77:2525",
                   "resolver": "127.0.9.77:5353", "user": USER, "disk_reserve": "1MiB", "segment_size": "1MiB"} | options
        self.configuration.write_text("".join(f"{k} = {v}\n" for k, v in options.items()), encoding="utf-8")

    def start(self):
        self.server = process.Server("kedge-control", [kedge.find(self.build, "kedge-control"), "--config", self.configuration],
                                     self.folder / "log")
        self.server.wait_ready(lambda: self.run("status").returncode == 0)

    def stop(self, how=signal.SIGTERM) -> int:
        return self.server.stop(how)

    def run(self, *words, **options):
        return subprocess.run([kedge.find(self.build, "kedge"), *map(str, words)], text=True, capture_output=True, timeout=30,
                              env={**process.environ(), "KEDGE_CONFIG": str(self.configuration)}, check=False, **options)

    def json(self, *words):
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def stopped(tmp_path, build):
    return Control(tmp_path, build)


@pytest.fixture
def control(stopped):
    stopped.start()
    yield stopped
    stopped.stop()


def test_not_running_says_how_to_start(stopped):
    done = stopped.run("tenant", "list")
    assert done.returncode == 69
    assert "control.sock" in done.stderr and f"kedge run --config {stopped.configuration}" in done.stderr


@pytest.mark.parametrize("words, says", [
    (["tenat", "list"], "did you mean 'tenant'"),
    (["tenant", "lst"], "did you mean 'list'"),
    (["domain", "add", "x.example", "--tenat", "x"], "did you mean 'tenant'"),
    (["tenant", "add"], "NAME is missing"),
    (["tenant", "add", "a", "b"], "unexpected argument 'b'"),
    (["tenant", "add", "a", "--rename"], "unknown option"),
    (["tenant", "remove", "a", "--force=yes"], "no value"),
    (["mode", "set", "x.example"], "MODE is missing"),
    (["tenant", "set", "a", "--rename"], "a value is missing"),
    (["tenant", "add", "Bad Name"], "cannot be a tenant's name"),
    (["--config"], "a file is missing"),
    ([], ""),
    (["tenant"], ""),
    (["config", "--nonsense"], "Usage"),
    (["completion", "csh"], "Usage"),
])
def test_wrong_usage_is_2(control, words, says):
    done = control.run(*words)
    assert done.returncode == 2
    assert says in done.stderr


def test_every_verb_has_help(stopped):
    nouns = re.findall(r"^  ([a-z-]+) ", stopped.run("--help").stdout, re.M)
    assert {"tenant", "domain", "recipient", "relay", "route", "mode", "key", "zone", "edge-group", "edge", "run"} <= set(nouns)
    for noun in ("tenant", "domain", "recipient", "relay", "route", "mode", "key", "zone", "edge-group", "edge"):
        text = stopped.run(noun, "--help").stdout
        verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", text, re.M)
        assert {"list", "show", "set", "remove"} <= set(verbs)
        assert noun != "domain" or {"dnssec enable", "dnssec disable", "dane enable", "dane disable"} <= set(verbs)
        for verb in verbs:
            done = stopped.run(noun, *verb.split(), "--help")
            assert done.returncode == 0 and f"Usage: kedge {noun} {verb}" in done.stdout
            usage = done.stdout.splitlines()[0]
            assert usage.count("[") == usage.count("]"), usage


def test_options_before_or_after_the_noun(control):
    control.run("tenant", "add", "acme")
    for words in (["--json", "tenant", "list"], ["tenant", "--json", "list"], ["tenant", "list", "--json"],
                  ["--config", control.configuration, "tenant", "list", "--json"],
                  ["tenant", "list", f"--config={control.configuration}", "--json"]):
        assert [t["tenant"] for t in json.loads(control.run(*words).stdout)] == ["acme"]


def test_hosting(control, tmp_path):
    key = tmp_path / "k1.tsig"
    key.write_text("k1:hmac-sha256:c2VjcmV0IHNlY3JldCBzZWNyZXQ=\n", encoding="utf-8")
    control.run("tenant", "add", "acme")
    control.run("edge-group", "add", "default", "--address", "192.0.2.25", "--address", "2001:db8::25")
    done = control.run("zone", "add", "k1.mx.example", "--primary", "192.0.2.53", "--tsig-file", key)
    assert done.returncode == 0 and done.stdout == "zone k1.mx.example added\n", done.stderr
    everything = control.run("zone", "list", "--json").stdout + control.run("zone", "show", "k1.mx.example").stdout
    assert "hmac-sha256" in everything and "c2VjcmV0" not in everything
    hosted = ["--tenant", "acme", "--mailbox-host", "smtp:127.0.0.1"]
    assert control.json("domain", "add", "a.example", *hosted)[0]["mx_host"] == "a-example.k1.mx.example"
    names = tmp_path / "names"
    names.write_text("".join(f"d{i}.example\n" for i in range(1500)) + "not a name\n", encoding="utf-8")
    done = control.run("domain", "add", "--file", names, *hosted)
    assert done.returncode == 1 and done.stdout == "1500 changed, 0 unchanged, 1 failed\n"
    assert "'not a name' is not a domain name" in done.stderr
    rows = control.json("domain", "list")
    assert len(rows) == 1501 and all(r["dnssec"] for r in rows)
    assert rows == sorted(rows, key=lambda r: r["domain"])
    assert control.run("domain", "list", "--json").stdout == json.dumps(rows, indent=2) + "\n"  # though it came in pages
    table = control.run("domain", "list").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["domain", *(r["domain"] for r in rows)]
    done = control.run("domain", "dane", "enable", "a.example")
    assert done.returncode == 1 and "kedge key add --group" in done.stderr
    done = control.run("domain", "dnssec", "disable", "a.example")
    assert done.returncode == 0 and "Its MX host" in done.stdout
    done = control.run("domain", "dnssec", "enable", "a.example")
    assert done.returncode == 0 and "highest): a.example. MX 20 a-example.k1.mx.example." in done.stdout
    assert control.run("domain", "dnssec", "disable", "--tenant", "acme").stdout == "1501 changed, 0 unchanged, 0 failed\n"
    assert control.json("zone", "show", "k1.mx.example")["leaving"] == 1501
    for words, says in ((["domain", "dnssec"], "unknown verb of domain"), (["domain", "dane", "enabel", "a.example"], "did you mean 'dane enable'"),
                        (["domain", "dane", "enable"], "is missing"), (["edge", "show", "e.example"], "edge list")):
        done = control.run(*words)
        assert done.returncode and says in done.stderr, (words, done.stderr)


def test_half_a_list_is_not_a_list(control, tmp_path):
    """control dies in the middle of a long list: no program may take what came for all of it."""
    names = tmp_path / "names"
    names.write_text("".join(f"d{i}.example\n" for i in range(5000)), encoding="utf-8")
    control.run("tenant", "add", "acme")
    control.run("domain", "add", "--file", names, "--tenant", "acme", "--mailbox-host", "smtp:127.0.0.1")
    command = [kedge.find(control.build, "kedge"), "domain", "list", "--json"]
    with subprocess.Popen(command, env={**process.environ(), "KEDGE_CONFIG": str(control.configuration)}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, bufsize=0) as listing:
        begun = listing.stdout.read(1)  # the pipe is full by and by, and control waits
        control.stop(signal.SIGKILL)
        text, says = listing.communicate(timeout=30)
    assert listing.returncode != 0 and says, "it says that it was cut"
    assert begun == b"[" and text.count(b'"domain":') >= 1000
    with pytest.raises(json.JSONDecodeError):
        json.loads(begun + text)


def test_tables_are_aligned(control):
    control.run("tenant", "add", "acme")
    control.run("domain", "add", "a.example", "a-much-longer-name.example", "--tenant", "acme", "--mailbox-host", "lmtp:127.0.0.1:24")
    lines = control.run("domain", "list").stdout.splitlines()
    assert len(lines) == 3
    at = lines[0].index("mailbox host")
    assert all(line[at:].startswith("lmtp:127.0.0.1:24") for line in lines[1:])


def test_what_was_said_survives_a_crash(control):
    control.run("tenant", "add", "acme")
    control.run("domain", "add", "a.example", "--tenant", "acme", "--mailbox-host", "smtp:127.0.0.1:25", "--recipients", "any")
    control.stop(signal.SIGKILL)
    control.start()
    assert [d["domain"] for d in control.json("domain", "list")] == ["a.example"]
    status = control.json("status")
    assert status["epoch"] == status["directory_epoch"]


def test_a_newer_database_is_refused(control):
    control.stop()
    with sqlite3.connect(control.folder / "data" / "kedge.db") as db:
        (version,) = db.execute("SELECT version FROM schema_version").fetchone()
        db.execute("UPDATE schema_version SET version = 999")
    done = subprocess.run([kedge.find(control.build, "kedge-control"), "--config", control.configuration], text=True,
                          capture_output=True, timeout=20, check=False)
    assert done.returncode == 71 and "newer" in done.stderr
    with sqlite3.connect(control.folder / "data" / "kedge.db") as db:
        db.execute("UPDATE schema_version SET version = ?", (version,))
    control.start()


def test_a_second_control_is_refused(control):
    done = subprocess.run([kedge.find(control.build, "kedge-control"), "--config", control.configuration], text=True,
                          capture_output=True, timeout=20, check=False)
    assert done.returncode == 71 and "control.sock" in done.stderr
    assert control.run("status").returncode == 0


CALL = """
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall((json.dumps({"verb": sys.argv[2], "tenant": "acme"}) + "\\n").encode())
print(s.makefile().readline())
"""


@pytest.mark.skipif(os.getuid() != 0 or "4294967295" not in Path("/proc/self/uid_map").read_text(encoding="utf-8"),
                    reason="only the machine's own root can be somebody else")
def test_others_may_look_but_not_change(stopped):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        stopped.configure(run_directory=f"{folder}/run")
        stopped.start()

        def call(verb):
            done = subprocess.run(["/usr/bin/python3", "-c", CALL, f"{folder}/run/control.sock", verb], user=65534, text=True,
                                  capture_output=True, timeout=20, check=True)
            return json.loads(done.stdout)

        try:
            refused = call("tenant.add")
            assert refused["ok"] is False and "root" in refused["why"]
            assert call("tenant.list") == {"ok": True, "result": []}
        finally:
            stopped.stop()


def test_certificate_and_key_must_fit(control, tmp_path):
    for name in ("one", "two"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                        "-subj", f"/CN={name}.example", "-addext", f"subjectAltName=DNS:{name}.example",
                        "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"], check=True, capture_output=True)
    done = control.run("key", "add", "--cert", tmp_path / "one.pem", "--key", tmp_path / "two.key")
    assert done.returncode == 1 and "key" in done.stderr
    done = control.run("key", "add", "--cert", tmp_path / "one.key", "--key", tmp_path / "one.key")
    assert done.returncode != 0 and done.stderr
    done = control.run("key", "add", "--cert", tmp_path / "none.pem", "--key", tmp_path / "one.key")
    assert done.returncode == 1 and "none.pem" in done.stderr
    key = control.json("key", "add", "--cert", tmp_path / "one.pem", "--key", tmp_path / "one.key")
    assert key["names"] == ["one.example"] and key["default"] is True
    assert control.json("key", "add", "--cert", tmp_path / "one.pem", "--key", tmp_path / "one.key")["key"] == key["key"]
    fingerprint = ssl.PEM_cert_to_DER_cert((tmp_path / "one.pem").read_text())
    assert key["sha256"] == hashlib.sha256(fingerprint).hexdigest()
    relay = control.run("relay", "add", "--tenant", "nobody", "--certificate", tmp_path / "two.pem")
    assert relay.returncode == 1 and "nobody" in relay.stderr


def test_bash_completion_completes(stopped, tmp_path):
    script = tmp_path / "complete"
    script.write_text(stopped.run("completion", "bash").stdout, encoding="utf-8")

    def complete(*words):
        line = " ".join(f"'{w}'" for w in words)
        probe = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _kedge; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return subprocess.run(["bash", "-c", probe], text=True, capture_output=True, check=True).stdout.split()

    assert "tenant" in complete("kedge", "te")
    assert complete("kedge", "domain", "re") == ["remove"]
    assert "--mailbox-host" in complete("kedge", "domain", "add", "a.example", "--mail")
    assert set(complete("kedge", "domain", "add", "a.example", "--tls", "")) == {"none", "encrypt", "verify"}
    assert "--force" not in complete("kedge", "domain", "add", "a.example", "--")
    assert complete("kedge", "report", "take", str(script)) == [str(script)]
    assert "--json" in complete("kedge", "report", "take", "--j")


def test_configuration_mistakes_have_lines(stopped):
    stopped.configuration.write_text("hostname = edge.example\nnonsense = 1\nsmtp_port = 99999\n", encoding="utf-8")
    done = stopped.run("config", "--check")
    assert done.returncode == 1
    assert f"{stopped.configuration}:2:" in done.stderr and f"{stopped.configuration}:3:" in done.stderr
    daemon = subprocess.run([kedge.find(stopped.build, "kedge-control"), "--config", stopped.configuration], text=True,
                            capture_output=True, timeout=20, check=False)
    assert daemon.returncode == 78 and f"{stopped.configuration}:2:" in daemon.stderr


def test_the_sample_is_in_order(stopped):
    stopped.configuration.write_text(stopped.run("config", "--sample").stdout, encoding="utf-8")
    assert stopped.run("config", "--check").returncode == 0


def run_all(control):
    log = (control.folder / "run.log").open("wb")
    child = subprocess.Popen([kedge.find(control.build, "kedge"), "run", "--config", control.configuration], stderr=log)
    process.wait_for(lambda: "event=all-ready" in read(control), 30, "kedge run is ready")
    return child


def read(control):
    return (control.folder / "run.log").read_text(encoding="utf-8", errors="replace")


def greeting():
    with socket.create_connection(("127.0.9.77", 2525), 5) as s:
        return s.recv(512)


def pid_of(control, name):
    return int(re.findall(rf"child=kedge-{name} pid=(\d+)", read(control))[-1])


def test_run_starts_all_restarts_the_crashed_and_stops_all(stopped):
    child = run_all(stopped)
    try:
        assert greeting().startswith(b"220")
        old = pid_of(stopped, "smtpd")
        os.kill(old, signal.SIGKILL)
        process.wait_for(lambda: pid_of(stopped, "smtpd") != old, 10, "kedge-smtpd is started again")
        process.wait_for(lambda: read(stopped).count("program=kedge-smtpd event=ready") == 2, 10, "it is ready")
        assert greeting().startswith(b"220")
        child.send_signal(signal.SIGHUP)
        process.wait_for(lambda: read(stopped).count("event=reloaded") == 3, 10, "all have read the configuration again")
        pids = [pid_of(stopped, name) for name in ("control", "smtpd", "deliver")]
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_run_leaves_nobody_behind_when_killed(stopped):
    child = run_all(stopped)
    pids = [pid_of(stopped, name) for name in ("control", "smtpd", "deliver")]
    child.kill()
    child.wait(10)
    process.wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids), 15, "all are gone")


@pytest.mark.parametrize("options, says", [
    ({"data_directory": "/proc/nowhere"}, "data_directory"),
    ({"listen": "192.0.2.1:2525"}, "192.0.2.1:2525"),
    ({"resolver_private": "yes", "resolver_program": "/nowhere/unbound"}, "resolver_program"),
])
def test_start_up_failures_name_the_option(stopped, options, says):
    stopped.configure(**options)
    name = "kedge-smtpd" if "listen" in options else "kedge" if "resolver_private" in options else "kedge-control"
    words = ["run"] if name == "kedge" else []
    done = subprocess.run([kedge.find(stopped.build, name), *words, "--config", stopped.configuration], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode in (71, 78) and says in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_run_ends_when_the_user_is_missing(stopped):
    stopped.configure(user="no-such-user")
    done = subprocess.run([kedge.find(stopped.build, "kedge"), "run", "--config", stopped.configuration], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 78 and "no-such-user" in done.stderr


def ask(name):
    query = dns.message.make_query(name, "SOA", want_dnssec=True)
    return dns.query.udp(query, "127.0.9.77", port=5353, timeout=10)


def test_run_with_a_private_resolver(stopped, lab):
    """Below the lab's root key it validates: secure is marked, broken is refused."""
    engine = next(lab.folder.rglob("unbound.conf"))
    anchor = stopped.folder / "root.key"
    anchor.write_text(re.search(r'trust-anchor: "(.*)"', engine.read_text(encoding="utf-8"))[1] + "\n", encoding="utf-8")
    include = stopped.folder / "lab.conf"
    include.write_text(f'server:\n  do-not-query-localhost: no\n  root-hints: "{engine.parent / "hints"}"\n', encoding="utf-8")
    stopped.configure(resolver_private="yes", resolver_program=shutil.which("unbound"), resolver_trust_anchor=anchor,
                      resolver_include=include, resolver_proof_secure=world.PROOF_SECURE,
                      resolver_proof_bogus=world.PROOF_BOGUS)
    child = run_all(stopped)
    try:
        process.wait_for(lambda: answers(world.PROOF_SECURE), 10, "the private resolver answers")
        secure = ask(world.PROOF_SECURE)
        assert secure.flags & dns.flags.AD and secure.rcode() == dns.rcode.NOERROR
        assert ask(world.PROOF_BOGUS).rcode() == dns.rcode.SERVFAIL
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0


def answers(name):
    try:
        return ask(name).rcode() == dns.rcode.NOERROR
    except (OSError, dns.exception.DNSException):
        return False
