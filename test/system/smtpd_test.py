"""kedge-smtpd by itself, octet by octet: limits, TLS, PROXY, tenants, stopping. Only control runs beside it."""

import contextlib
import hashlib
import signal
import socket
import ssl
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import kedge, process

ADDRESS, PORT = "127.0.41.1", 2541
OPTIONS = {
    "hostname": "edge.example",
    "listen": [f"{ADDRESS}:{PORT}", f"[::1]:{PORT}"],
    "user": "root",
    "postmaster": "postmaster@any.example",
    "disk_reserve": "1MiB",
    "segment_size": "4MiB",
    "max_sessions_per_address": "500",
    "max_sessions_per_network": "500",
}


class Edge(kedge.Kedge):
    """Control and smtpd with their own folder; no resolver, no deliver."""

    def __init__(self, folder, build, **options):  # pylint: disable=super-init-not-called
        self.build, self.folder, self.servers = build, folder, {}
        self.configuration = folder / "kedge.conf"
        self.options = {**OPTIONS, "data_directory": folder / "data", **options}
        self.configure()

    def up(self):
        """Starts both and provisions a tenant with two accepted domains."""
        self.start("control", "smtpd")
        self.cli("tenant", "add", "acme")
        for domain, recipients in (("any.example", "any"), ("list.example", "list")):
            self.cli("domain", "add", domain, "--tenant", "acme", "--mailbox-host", "lmtp:127.0.0.1:24",
                     "--recipients", recipients)
        self.cli("relay", "add", "--tenant", "acme", "--network", "127.0.42.0/24")
        return self


class Client:
    """A raw SMTP client: lines out, replies in."""

    def __init__(self, source="127.0.43.1", before=b"", port=PORT):
        self.socket = socket.create_connection((ADDRESS, port), timeout=20, source_address=(source, 0))
        if before:
            self.socket.sendall(before)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def reply(self) -> str:
        """One whole reply; empty at the end."""
        lines = b""
        with contextlib.suppress(ConnectionError):
            while line := self.file.readline():
                lines += line
                if line[3:4] != b"-":
                    break
        return lines.decode()

    def send(self, *lines):
        """Sends lines, or octets as they are."""
        self.socket.sendall(b"".join(x if isinstance(x, bytes) else x.encode() + b"\r\n" for x in lines))
        return self

    def say(self, line) -> str:
        """One command and its reply."""
        return self.send(line).reply()

    def hello(self):
        """Greeting and EHLO."""
        assert self.reply().startswith("220 edge.example")
        assert self.say("EHLO client.example").startswith("250-edge.example\r\n")
        return self

    def starttls(self, sni=None, certificate=None):
        """TLS, and EHLO again."""
        assert self.say("STARTTLS").startswith("220")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(*certificate)
        self.file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname=sni)
        self.file = self.socket.makefile("rb")
        assert "STARTTLS" not in self.say("EHLO client.example")
        return self

    def message(self, recipient="x@any.example", content=b"Subject: x\r\n\r\nx\r\n", sender="a@remote.example") -> str:
        """A whole transaction; the last reply."""
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            reply = self.say(line)
            if reply[0] not in "23":
                return reply
        return self.send(content, b".\r\n").reply()


@pytest.fixture(scope="module")
def edge(tmp_path_factory, build):
    """One edge for the tests that do not stop it."""
    edge = Edge(tmp_path_factory.mktemp("edge"), build).up()
    yield edge
    edge.stop()


@pytest.fixture
def own_edge(tmp_path, build):
    """An edge with options of the test's own; ended by the fixture."""
    started = []

    def make(**options):
        options.setdefault("listen", f"{ADDRESS}:{PORT + 1}")
        started.append(Edge(tmp_path, build, **options).up())
        return started[0]

    yield make
    for one in started:
        one.stop()


def certificate(folder, name):
    """A self-signed client certificate: (certificate file, key file)."""
    files = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True)
    return files


def proxy_header(source, command=0x21):
    """PROXY protocol, version 2, TCP over IPv4."""
    body = socket.inet_aton(source) + socket.inet_aton(ADDRESS) + struct.pack("!HH", 4711, 25)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, 0x11]) + struct.pack("!H", len(body)) + body


def test_what_ehlo_offers(edge):
    with Client() as client:
        client.reply()
        offered = {line[4:].split()[0] for line in client.say("EHLO client.example").splitlines()[1:]}
        assert offered == {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "DSN", "STARTTLS",
                           "LIMITS"}
        assert client.say("MAIL FROM:<a@remote.example> REQUIRETLS").startswith("555 5.5.4")


def test_ipv6(edge):
    with socket.create_connection(("::1", PORT), timeout=20) as connection:
        assert connection.recv(100).startswith(b"220 edge.example")


def test_state_is_forgotten_with_starttls(edge):
    with Client() as client:
        client.hello().send("MAIL FROM:<a@remote.example>", "RCPT TO:<x@any.example>")
        assert client.reply() and client.reply()
        client.starttls()
        assert client.say("RCPT TO:<x@any.example>").startswith("503")
        assert client.say("STARTTLS").startswith("503")
        assert client.message().startswith("250 2.0.0 Ok: queued as ")


def test_octets_behind_starttls(edge):
    with Client() as client:
        client.hello().send("STARTTLS", "EHLO injected.example")
        assert client.reply().startswith("503 5.5.0") and client.reply() == ""


def test_certificate_by_sni(edge, tmp_path):
    name = edge.json("domain", "show", "any.example")["mx_host"] or "edge.example"
    files, other = certificate(tmp_path, name), certificate(tmp_path, "default.example")
    edge.cli("key", "add", "--cert", other[0], "--key", other[1])
    edge.cli("key", "add", "--cert", files[0], "--key", files[1], "--name", name)

    def served(sni):
        with Client() as client:
            der = client.hello().starttls(sni).socket.getpeercert(binary_form=True)
            return hashlib.sha256(der).hexdigest()

    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(files[0].read_text())).hexdigest()
    process.wait_for(lambda: served(name) == digest, 5, "the new key is served")
    assert served(name.upper()) == digest
    assert len({served(None), served("unknown.example"), digest}) == 2


@pytest.mark.parametrize("path, code", [
    ("<x@any.example>", "250"), ("<X@ANY.EXAMPLE>", "250"), ("<postmaster>", "250"), ("<Postmaster@list.example>", "250"),
    ("<@remote.example:x@any.example>", "250"),
    ("<x@list.example>", "550 5.1.1"), ("<x@remote.example>", "550 5.7.1"), ("<@any.example:x@remote.example>", "550 5.7.1"),
    ("<x%remote.example@any.example>", "550 5.7.1"), ('<"x@remote.example"@any.example>', "550 5.7.1"),
    ("<remote.example!x@any.example>", "550 5.7.1"), ("<x@[127.0.0.1]>", "550 5.7.1"), ("<x@[IPv6:::1]>", "550 5.7.1"),
    ("<x@sub.any.example>", "550 5.7.1"), ("<x@remote.example@any.example>", "501"), ("<x@any.example.>", "501"),
    ("<x>", "501"), ("<>", "501"), ("x@any.example", "501"), ("<x@any.exam\0ple>", "500"), ("<x@any..example>", "501"),
])
def test_recipients(edge, path, code):
    with Client() as client:
        assert client.hello().say("MAIL FROM:<a@remote.example>").startswith("250")
        assert client.say(f"RCPT TO:{path}").startswith(code)


def test_mail_for_the_postmaster_is_never_taken_to_be_lost(own_edge):
    edge = own_edge(postmaster="")
    edge.wait_log("smtpd", "event=no-postmaster .*edge.example")
    with Client(port=PORT + 1) as client:
        assert client.hello().say("MAIL FROM:<>").startswith("250")
        for path in ("<postmaster>", "<postmaster@edge.example>"):
            assert client.say(f"RCPT TO:{path}").startswith("451 4.3.5")
    done = edge.try_cli("config", "--check")
    assert done.returncode == 0 and "postmaster" in done.stderr
    edge.cli("domain", "add", "edge.example", "--tenant", "acme", "--mailbox-host", "lmtp:127.0.0.1:24")
    with Client(port=PORT + 1) as client:
        assert client.hello().say("MAIL FROM:<>").startswith("250")
        process.wait_for(lambda: client.say("RCPT TO:<postmaster>").startswith("250"), 5, "postmaster is taken")
    assert edge.try_cli("config", "--check").stderr == ""
    edge.configure(postmaster="nobody")
    assert "postmaster" in (done := edge.try_cli("config", "--check")).stderr and done.returncode == 1


def test_tenants_relay_from_their_networks(edge):
    for sender, code in (("a@any.example", "250"), ("", "250"), ("a@remote.example", "550 5.7.1")):
        with Client("127.0.42.9") as client:
            assert client.hello().message("x@remote.example", sender=sender).startswith(code)
    with Client("127.0.43.9") as client:
        assert client.hello().message("x@remote.example", sender="a@any.example").startswith("550 5.7.1")


def test_tenants_relay_with_their_certificates(edge, tmp_path):
    files, strange = certificate(tmp_path, "relay.example"), certificate(tmp_path, "stranger.example")
    edge.cli("relay", "add", "--tenant", "acme", "--certificate", files[0])

    def answer(with_certificate):
        with Client() as client:
            client.hello().starttls(certificate=with_certificate)
            return client.message("x@remote.example", sender="a@any.example")

    process.wait_for(lambda: answer(files).startswith("250"), 5, "the certificate relays")
    assert answer(strange).startswith("550 5.7.1")
    assert answer(None).startswith("550 5.7.1")


def test_slow_content_and_silence(own_edge):
    own_edge(data_timeout="2s", command_timeout="2s", min_data_rate="1000")
    with Client(port=PORT + 1) as client:
        assert client.hello().reply().startswith("421 4.4.2")
    with Client(port=PORT + 1) as client:
        client.hello().send("MAIL FROM:<>", "RCPT TO:<x@any.example>", "DATA")
        assert [client.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < started + 8:
                client.send(b"x")
                time.sleep(0.2)
                client.socket.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    if client.socket.recv(4, socket.MSG_PEEK):
                        break
                client.socket.settimeout(20)
        client.socket.settimeout(20)
        assert client.reply().startswith("421 4.4.2")
        assert 1.5 < time.monotonic() - started < 5


def test_session_limits(own_edge):
    own_edge(max_sessions="6", max_sessions_per_address="2", max_sessions_per_network="3")
    with contextlib.ExitStack() as stack:
        for source in ("127.0.43.1", "127.0.43.1", "127.0.43.2"):
            assert stack.enter_context(Client(source, port=PORT + 1)).reply().startswith("220")
        for source, code in (("127.0.43.1", "421 4.7.0"), ("127.0.43.3", "421 4.7.0")):
            with Client(source, port=PORT + 1) as client:
                assert client.reply().startswith(code) and client.reply() == ""
        time.sleep(0.5)  # those turned away have left
        for source in ("127.0.44.1", "127.0.47.1", "127.0.48.1"):
            assert stack.enter_context(Client(source, port=PORT + 1)).reply().startswith("220")
        with Client("127.0.45.1", port=PORT + 1) as client:
            assert client.reply().startswith("421 4.3.2")

    def admitted():
        with Client("127.0.43.1", port=PORT + 1) as client:
            return client.reply().startswith("220")

    process.wait_for(admitted, 5, "ended sessions make room")


def test_proxy_header(own_edge):
    edge = own_edge(proxy_networks="127.0.46.0/24")
    for source, code in (("127.0.42.9", "250"), ("192.0.2.9", "550 5.7.1")):
        with Client("127.0.46.1", proxy_header(source), PORT + 1) as client:
            assert client.hello().message("x@remote.example", sender="a@any.example").startswith(code)
    with Client("127.0.46.1", proxy_header("127.0.42.9", 0x20), PORT + 1) as client:  # LOCAL: a health check
        assert client.hello().message("x@remote.example", sender="a@any.example").startswith("550 5.7.1")
    with Client("127.0.46.1", b"EHLO no-header.example\r\n", PORT + 1) as client:
        assert client.reply() == ""
    with Client("127.0.43.1", proxy_header("127.0.42.9"), PORT + 1) as client:  # from elsewhere it is not believed
        assert client.reply().startswith("220")
        assert client.reply()[:3] in ("500", "503")
    edge.wait_log("smtpd", "peer=192.0.2.9")


def test_disk_reserve(own_edge):
    own_edge(disk_reserve="1000000GiB")
    with Client(port=PORT + 1) as client:
        assert client.hello().say("MAIL FROM:<>").startswith("452 4.3.1")


def test_limits_change_with_sighup(own_edge):
    edge = own_edge(max_message_size="2000000")
    with Client(port=PORT + 1) as running:
        assert "SIZE 2000000" in running.hello().say("EHLO client.example")
        edge.configure(max_message_size="3000000")
        edge.reload()

        def offered():
            with Client(port=PORT + 1) as client:
                client.reply()
                return "SIZE 3000000" in client.say("EHLO client.example")

        process.wait_for(offered, 5, "the new limit is in force")
        assert "SIZE 2000000" in running.say("EHLO client.example")
        edge.configure(max_message_size="oops")
        edge.reload()
        edge.wait_log("smtpd", "max_message_size")
        assert offered()


def test_sigterm_drains(own_edge):
    edge = own_edge()
    with Client(port=PORT + 1) as idle, Client(port=PORT + 1) as busy:
        idle.hello()
        busy.hello().send("MAIL FROM:<>", "RCPT TO:<x@any.example>", "DATA")
        assert [busy.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        edge.servers["smtpd"].child.send_signal(signal.SIGTERM)
        assert idle.reply().startswith("421 4.3.2") and idle.reply() == ""
        assert busy.send(b"a: b\r\n\r\n.\r\n").reply().startswith("250 2.0.0 Ok: queued")
        assert busy.reply().startswith("421 4.3.2")
    assert edge.servers["smtpd"].child.wait(10) == 0
    line = edge.wait_log("smtpd", "event=session .*messages=1")
    assert "peer=127.0.43.1" in line and "level=none" in line and "end=stopping" in line


def test_many_sessions_at_once(edge):
    def one(_):
        with Client() as client:
            client.hello().starttls()
            return [client.message() for _ in range(5)]

    with ThreadPoolExecutor(40) as pool:
        replies = [reply for replies in pool.map(one, range(200)) for reply in replies]
    assert len(replies) == 1000 and all(reply.startswith("250 2.0.0 Ok: queued as ") for reply in replies)
    assert len({reply.split()[-1] for reply in replies}) == 1000
