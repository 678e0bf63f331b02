"""The C programs of the bench: built, run, and their key=value lines read."""

import datetime
import socket
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOME = Path(__file__).resolve().parent.parent
NAMES = ("smtpload", "smtpsink", "handshake", "logappend", "dnsask", "lookup")


class Failed(Exception):
    """A measurement that cannot be had or trusted; the text says why."""


def build(folder: Path, targets: list[str]):
    """Builds the bench tools and other targets in a Meson build folder, made when it is not there."""
    if not (folder / "build.ninja").exists():
        _quiet(["meson", "setup", "--buildtype=debugoptimized", str(folder), str(HOME)])
    _quiet(["meson", "compile", "-C", str(folder), "bench-tools", *targets])


def _quiet(command: list[str]):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failed(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")


def pairs(text: str) -> dict[str, float]:
    """key=value words as numbers; other words are passed over."""
    found = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if equals:
            found[key] = float(value)
    return found


def greets(address: str, port: int) -> bool:
    """Whether an SMTP server says 220 there."""
    try:
        with socket.create_connection((address, port), 5) as probe:
            return probe.recv(4) == b"220 "
    except OSError:
        return False


class Tools:
    """The built tools, and a folder for what they write."""

    def __init__(self, build_folder: Path, work: Path):
        self.folder = build_folder / "bench"
        self.work = work

    def run(self, name: str, *args, stdin: str | Path = "") -> dict[str, float]:
        """Runs a tool to its end and returns what it reported. stdin: a text, or a file."""
        command = [str(self.folder / name), *map(str, args)]
        if isinstance(stdin, Path):
            with open(stdin, "rb") as file:
                done = subprocess.run(command, text=True, capture_output=True, stdin=file)
        else:
            done = subprocess.run(command, text=True, capture_output=True, input=stdin)
        if done.returncode:
            raise Failed(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
        return pairs(done.stdout)

    def spawn(self, name: str, *args, **options) -> subprocess.Popen:
        """Starts a tool and leaves it running, its output in a pipe."""
        command = [str(self.folder / name), *map(str, args)]
        return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options)


class Sink:
    """A running smtpsink and the list of messages that it took."""

    def __init__(self, tools: Tools, addresses: list[str], certificate: Path, key: Path):
        self.log = tools.work / "sink.log"
        self.log.write_bytes(b"")
        where = [f"{address}:25" for address in addresses]
        self.process = tools.spawn("smtpsink", "-C", certificate, "-K", key, "-o", self.log, *where)
        if self.process.stdout.readline() != "ready\n":
            raise Failed("smtpsink did not start")

    def taken(self) -> int:
        return self.log.read_bytes().count(b"\n")

    def lines(self) -> list[list[str]]:
        """[number, "tls" or "plain"] of each message taken."""
        return [line.split() for line in self.log.read_text(encoding="ascii").splitlines()]

    def forget(self):
        """Empties the list; the sink appends to it from its new end."""
        self.log.write_bytes(b"")

    def stop(self) -> dict[str, float]:
        self.process.terminate()
        return pairs(self.process.communicate(timeout=10)[0])


def make_certificate(work: Path) -> tuple[Path, Path]:
    """A self-signed P-256 certificate, as DANE-EE needs no more, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256())
    )
    paths = work / "certificate.pem", work / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return paths
