"""Edges with a configuration of their own: what options, signals and mistakes do."""

import contextlib
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

import pytest

from lab import namespace, process, world
from lab.kedge import Kedge, find
from lab.world import Zone

ADDRESS = "127.0.25.2"
SENDER = "sender@ours.example"


@pytest.fixture
def make(lab, build, request):
    """make(option=value, ...) starts a provisioned edge at ADDRESS; it ends with the test."""
    made = []

    def start(provision=True, **options):
        name = f"edge-{abs(hash(request.node.name)) % 10**8}-{len(made)}"
        edge = Kedge(lab, build, name, ADDRESS, **options)
        made.append(edge)
        edge.start()
        if provision:
            edge.provision()
            time.sleep(0.5)
        return edge

    yield start
    for edge in made:
        edge.stop()


def waits_for_reason(edge, identity: str, reason: str):
    """Waits until the queue says this reason for a message."""
    process.wait_for(lambda: reason in edge.try_cli("queue", "why", identity).stdout, 15, f"{reason} is said")


def test_a_resolver_that_does_not_validate_stops_everything(lab, make):
    """The forger answers, but validates nothing: mail waits, and goes out once there is a better resolver."""
    edge = make(resolver=f"{world.FORGER}:53")
    identity = edge.submit(SENDER, "b@plain.example")
    waits_for_reason(edge, identity, "resolver-fault")
    assert not lab.sinks["mx.plain.example"].sessions
    edge.configure(resolver=f"{world.RESOLVER}:53")
    edge.restart("deliver")
    edge.try_cli("queue", "retry", identity)
    assert lab.sinks["mx.plain.example"].to("b@plain.example")


def test_many_bogus_domains_at_once_are_our_resolvers_fault(lab, make):
    domains = [f"bad{n}-bogus.example" for n in range(11)]
    lab.add_zones(*(Zone(domain, "@ MX 10 mx4.provider.example.", ds="wrong") for domain in domains))
    edge = make()
    first = edge.submit(SENDER, f"b@{domains[0]}")
    waits_for_reason(edge, first, "dnssec-bogus-mx")
    for domain in domains[1:]:
        last = edge.submit(SENDER, f"b@{domain}")
        process.wait_for(lambda: "1 attempts" in edge.try_cli("queue", "why", last).stdout, 15, "a first attempt")
    waits_for_reason(edge, last, "resolver-fault")


def test_a_message_that_security_holds_up_is_announced_and_returned(lab, make):
    edge = make(retry_schedule="1s", delay_warning="2s", queue_lifetime_security="4s", queue_lifetime="1h")
    edge.submit(SENDER, "secret@stripped.example", subject="held up")
    notices = [m.text for m in lab.mailboxes.to(SENDER, 2, 30)]
    failed, delayed = sorted(notices, key=lambda text: "Action: delayed" in text)
    assert "Action: delayed" in delayed and "4.7.321" in delayed
    assert "Action: failed" in failed and "5.7.321" in failed and "starttls-not-offered" in failed
    assert not lab.attackers["strip"].learned()
    edge.wait_empty()


def test_reload_changes_what_is_announced(make):
    edge = make(provision=False, max_message_size="1MiB")
    with smtplib.SMTP(ADDRESS, 25, timeout=10) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "1048576"
    edge.configure(max_message_size="2MiB")
    edge.reload()

    def announced():
        with smtplib.SMTP(ADDRESS, 25, timeout=10) as client:
            client.ehlo()
            return client.esmtp_features["size"] == "2097152"

    process.wait_for(announced, 5, "the new size is announced")
    edge.configure(max_message_size="nonsense")
    edge.reload()
    edge.wait_log("smtpd", "max_message_size")
    assert announced(), "a mistake in the file must not change what is in force"


def test_a_session_in_its_message_ends_well_when_smtpd_stops(lab, make):
    edge = make()
    with smtplib.SMTP(ADDRESS, 25, timeout=20) as client:
        client.ehlo()
        client.mail("a@dane.example")
        client.rcpt("late@ours.example")
        client.putcmd("data")
        assert client.getreply()[0] == 354
        edge.servers["smtpd"].child.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        client.sock.sendall(b"Subject: late\r\n\r\nbut here\r\n.\r\n")
        assert client.getreply()[0] == 250
        with contextlib.suppress(smtplib.SMTPServerDisconnected):
            client.quit()
    assert edge.servers["smtpd"].child.wait(10) == 0
    assert "but here" in lab.mailboxes.to("late@ours.example")[0].text


def test_a_load_balancer_says_who_the_client_is(lab, make):
    edge = make(proxy_networks="127.0.9.20/32")
    header = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", 12)
    header += socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40000, 25)
    with socket.create_connection((ADDRESS, 25), 10, source_address=("127.0.9.20", 0)) as connection:
        connection.sendall(header)
        stream = connection.makefile("rb")
        assert stream.readline().startswith(b"220 ")
        connection.sendall(b"QUIT\r\n")
        stream.read()
    edge.wait_log("smtpd", "event=session .*peer=192.0.2.7")


def test_a_client_certificate_may_relay(lab, make):
    edge = make()
    client_identity = lab.identity("relayer", ("relay.ours.example",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(client_identity.chain_file, client_identity.key_file)

    def answer():
        with smtplib.SMTP(ADDRESS, 25, timeout=10) as client:
            client.starttls(context=context)
            client.ehlo()
            client.mail(SENDER)
            return client.rcpt("b@plain.example")[0]

    assert answer() == 550
    edge.cli("relay", "add", "--tenant", "acme", "--certificate", client_identity.chain_file)
    process.wait_for(lambda: answer() == 250, 1.0, "the certificate may relay")


def test_a_new_key_is_served_within_a_second(lab, make):
    edge = make()
    other = lab.identity("other", ("other.edge.example",))

    def served(name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP(ADDRESS, 25, timeout=10) as client:
            client.ehlo()
            client.docmd("STARTTLS")
            with context.wrap_socket(client.sock, server_hostname=name) as secure:
                client.sock = None
                return secure.getpeercert(True)

    def der(identity):
        return ssl.PEM_cert_to_DER_cert(identity.chain_file.read_text())

    assert served("other.edge.example") == der(lab.identities["edge"]), "an unknown name gets the default"
    edge.cli("key", "add", "--cert", other.chain_file, "--key", other.key_file)
    process.wait_for(lambda: served("other.edge.example") == der(other), 1.0, "the new key is served")
    assert served("ours-example.edge.example") == der(lab.identities["edge"])


def test_kedge_run_starts_everything_and_stops_it(lab, build):
    edge = Kedge(lab, build, "by-run", ADDRESS)
    server = process.Server("kedge run", [find(build, "kedge"), "--config", edge.configuration, "run"], edge.log_file("run"))

    def greets():
        with contextlib.suppress(OSError), smtplib.SMTP(ADDRESS, 25, timeout=5) as client:
            return client.noop()[0] == 250

    server.wait_ready(greets, 20)
    process.wait_for(lambda: edge.try_cli("status").returncode == 0, 10, "control answers")
    assert server.stop() == 0
    with pytest.raises(OSError):
        socket.create_connection((ADDRESS, 25), 1)


@pytest.mark.parametrize("line, words", [
    ("no_such_option = 1", ["no_such_option", ":1"]),
    ("max_recipients = many", ["max_recipients", ":1"]),
    ("max_recipients = 0", ["max_recipients", ":1"]),
    ("listen = 127.0.25.2", ["listen", ":1"]),
])
def test_a_mistake_in_the_file_is_named_with_its_line(build, tmp_path, line, words):
    file = tmp_path / "kedge.conf"
    file.write_text(line + "\n")
    for command in (["kedge-smtpd", "--config", file], ["kedge", "--config", file, "config", "--check"]):
        done = subprocess.run([find(build, command[0]), *command[1:]], capture_output=True, text=True, timeout=10)
        assert done.returncode != 0
        for word in words:
            assert word in done.stdout + done.stderr, done.stdout + done.stderr


def test_a_port_that_is_taken_is_named(lab, build):
    edge = Kedge(lab, build, "no-port", "127.0.25.12")
    program = find(build, "kedge-smtpd")
    done = subprocess.run([program, "--config", edge.configuration], capture_output=True, text=True, timeout=10)
    assert done.returncode != 0 and "127.0.25.12:25" in done.stderr and "in use" in done.stderr, done.stderr


def ids(pid) -> dict[str, str]:
    """What the kernel says of a process's rights."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("Uid", "Gid", "CapEff", "NoNewPrivs"))}


def test_no_daemon_stays_root(lab, edge):
    owner = pwd.getpwnam(edge.options["user"])
    for name, server in edge.servers.items():
        seen = ids(server.child.pid)
        assert (seen["Uid"], seen["Gid"]) == (str(owner.pw_uid), str(owner.pw_gid)), name
        assert seen["NoNewPrivs"] == "1", name
        assert owner.pw_uid == 0 or int(seen["CapEff"], 16) == 0, name
    for folder in ("data", "data/keys", "data/queue"):
        status = (edge.folder / folder).stat()
        assert status.st_uid == owner.pw_uid and status.st_mode & 0o077 == 0, folder


CROWD = """
import contextlib, json, socket, sys
callers = [socket.socket(socket.AF_UNIX) for _ in range(80)]
said = b""
for caller in callers:
    caller.connect(sys.argv[1])
    caller.settimeout(10)
for caller in callers[8:]:
    said = caller.recv(4096)
    assert json.loads(said)["why"].startswith("too many callers"), said
with contextlib.suppress(ConnectionError):
    callers[0].sendall(b"x" * 200000)
    assert callers[0].recv(4096) == b"", "no stranger needs a line as long as that"
print("crowded", flush=True)
sys.stdin.read()
"""


def test_strangers_at_the_socket_leave_room(lab, build):
    """Where the socket can be reached by everybody, one of them must not keep the operator out."""
    if namespace.one_user():
        pytest.skip("there is no other user here; the lab with users has one")
    run_directory = lab.folder / "crowded-run"
    edge = Kedge(lab, build, "crowded", "127.0.25.80", run_directory=run_directory)
    edge.start("control")
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/python3", "-c", CROWD, run_directory / "control.sock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        assert crowd.stdout.readline() == "crowded\n"
        edge.cli("tenant", "add", "acme")
        crowd.stdin.close()
        assert crowd.wait(10) == 0
    edge.stop()


def test_everything_starts_without_root(lab, build):
    """High ports, a folder of its own, and the option user of no interest."""
    become, tmp = [], lab.folder / "unprivileged"
    tmp.mkdir()
    if not namespace.one_user():
        become = ["setpriv", "--reuid", "kedge", "--regid", "kedge", "--clear-groups", "--no-new-privs"]
        shutil.chown(tmp, "kedge", "kedge")
    file = tmp / "kedge.conf"
    user = "nobody-of-that-name" if become else "root"
    file.write_text(f"hostname = edge.example\ndata_directory = {tmp}/data\nlisten = 127.0.25.79:2525\nuser = {user}\n"
                    f"resolver = {world.RESOLVER}:{lab.dns_port}\ndisk_reserve = 1MiB\nsegment_size = 1MiB\n"
                    f"resolver_proof_secure = {world.PROOF_SECURE}\nresolver_proof_bogus = {world.PROOF_BOGUS}\n")
    servers = []
    for name in ("kedge-control", "kedge-smtpd", "kedge-deliver"):
        servers.append(process.Server(name, [*become, find(build, name), "--config", file], tmp / f"{name}.log"))
        servers[-1].wait_ready(lambda: "event=ready" in servers[-1].text())
    with socket.create_connection(("127.0.25.79", 2525), 10) as client:
        assert client.recv(100).startswith(b"220 edge.example")
    assert [server.stop() for server in servers[::-1]] == [0, 0, 0]
    if become:  # a folder that belongs to somebody else is named with its option
        shutil.chown(tmp / "data", "root", "root")
        done = subprocess.run([*become, find(build, "kedge-smtpd"), "--config", file], capture_output=True, text=True, timeout=10)
        assert done.returncode == 71 and "data_directory" in done.stderr and "start as root" in done.stderr, done.stderr
