"""Our own daemons in the lab: configuration, start, stop, and the command line."""

import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
from pathlib import Path

from lab import namespace, process, world

DAEMONS = ["control", "smtpd", "deliver"]
TENANTS = {"acme": ["ours.example", "ours6.example"], "globex": ["second.example"]}


class Kedge:
    """One edge: the three daemons from a build folder, with a data folder and a configuration of their own."""

    environment: dict[str, str] = {}  # of daemons that are started from now on; replaced, never added to

    def __init__(self, lab, build: Path, name: str = "edge", address: str = world.EDGE, **options):
        self.lab, self.build, self.address = lab, Path(build), address
        self.folder = lab.folder / name
        self.folder.mkdir()
        self.configuration = self.folder / "kedge.conf"
        self.options = {
            "hostname": "edge.example",
            "data_directory": self.folder / "data",
            "listen": [f"{address}:{lab.smtp_port}", *(lab.edge6() if address == world.EDGE else [])],
            "postmaster": "postmaster@ours.example",
            "source_address": address,
            "resolver": f"{world.RESOLVER}:{lab.dns_port}",
            "resolver_proof_secure": world.PROOF_SECURE,
            "resolver_proof_bogus": world.PROOF_BOGUS,
            "smtp_port": lab.smtp_port,
            "user": user(),
            "disk_reserve": "1MiB",
            "segment_size": "4MiB",
            **options,
        }
        self.servers: dict[str, process.Server] = {}
        self.configure()

    def another(self, name: str, address: str, **options) -> "Kedge":
        """Another edge of this one's control: an smtpd with a queue of its own that reads the same directory and keystore."""
        data = self.folder / "data"
        other = Kedge(self.lab, self.build, name, address, run_directory=data / "run", **options)
        (other.folder / "data").mkdir()
        shutil.chown(other.folder / "data", user())
        for store in ("directory", "keys"):
            (other.folder / "data" / store).symlink_to(data / store)
        return other

    def freeze_keys(self):
        """From now on this edge, which is another's, sees nothing of what control writes into the keystore."""
        keys = self.folder / "data" / "keys"
        written = keys.resolve()
        keys.unlink()
        shutil.copytree(written, keys)
        for path in (keys, *keys.iterdir()):
            shutil.chown(path, user())

    def thaw_keys(self, owner: "Kedge"):
        """It sees again what its owner's control writes, once it is started anew."""
        keys = self.folder / "data" / "keys"
        shutil.rmtree(keys)
        keys.symlink_to(owner.folder / "data" / "keys")

    def configure(self, **options):
        """Writes the configuration file, with changes; a list is an option given several times."""
        self.options |= options
        lines = []
        for option, value in self.options.items():
            lines += [f"{option} = {one}" for one in (value if isinstance(value, list) else [value])]
        self.configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self, *names: str):
        """Starts daemons (all without names) and returns when each has said that it is ready."""
        for name in names or DAEMONS:
            notify = self.folder / f"{name}.notify"
            notify.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
                ready.bind(str(notify))
                notify.chmod(0o666)
                ready.setblocking(False)
                program = find(self.build, f"kedge-{name}")
                server = process.Server(
                    f"kedge-{name}", [program, "--config", self.configuration], self.log_file(name),
                    {**process.environ(), **self.environment, "NOTIFY_SOCKET": str(notify)},
                )
                self.servers[name] = server
                server.wait_ready(lambda: "READY=1" in _received(ready), 15)

    def provision(self):
        """Tenants, accepted domains, the key that the edge's TLSA records promise, and who may send through us."""
        edge = self.lab.identities["edge"]
        mailbox_host = f"lmtp:{world.MAILBOXES}:{self.lab.lmtp_port}"
        self.cli("key", "add", "--cert", edge.chain_file, "--key", edge.key_file)
        for tenant, domains in TENANTS.items():
            self.cli("tenant", "add", tenant)
            for domain in domains:
                self.cli("domain", "add", domain, "--tenant", tenant, "--mailbox-host", mailbox_host, "--recipients", "any")
        self.cli("relay", "add", "--tenant", "acme", "--network", f"{world.SUBMITTER}/32")

    def submit(self, sender: str, *recipients: str, subject: str = "lab", body: str = "Hello.\n", **options) -> str:
        """Hands us a message to send, over STARTTLS from an address that may relay. Returns the queue id."""
        message = f"From: {sender}\nTo: {', '.join(recipients)}\nSubject: {subject}\n\n{body}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        source = (world.SUBMITTER, 0)
        with smtplib.SMTP(self.address, self.lab.smtp_port, "client.ours.example", 20, source_address=source) as client:
            client.starttls(context=context)
            client.ehlo("client.ours.example")
            client.mail(sender, options.get("mail_options", ()))
            for recipient in recipients:
                code, reply = client.rcpt(recipient)
                if code >= 400:
                    raise smtplib.SMTPRecipientsRefused({recipient: (code, reply)})
            code, reply = client.data(message.replace("\n", "\r\n"))
        if code != 250:
            raise smtplib.SMTPDataError(code, reply)
        return reply.decode().split()[-1]

    def stop(self, *names: str, how=signal.SIGTERM) -> list[int]:
        """Ends daemons (all without names, last started first) and returns their statuses."""
        return [self.servers.pop(name).stop(how) for name in names or list(self.servers)[::-1]]

    def kill(self, *names: str):
        """Ends daemons as a crash would."""
        self.stop(*names, how=signal.SIGKILL)

    def restart(self, *names: str):
        """Stops and starts daemons."""
        chosen = names or tuple(DAEMONS)
        self.stop(*reversed(chosen))
        self.start(*chosen)

    def reload(self):
        """Tells the daemons to read their configuration again."""
        for server in self.servers.values():
            server.child.send_signal(signal.SIGHUP)

    def log_file(self, name: str) -> Path:
        """Where a daemon's log goes."""
        return self.folder / f"{name}.log"

    def log(self, name: str) -> str:
        """A daemon's log so far, over all its starts."""
        path = self.log_file(name)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def wait_log(self, name: str, pattern: str, seconds: float = 20) -> str:
        """Waits for a line of a daemon's log that matches, and returns it."""
        try:
            return process.wait_for(lambda: re.search(f"^.*(?:{pattern}).*$", self.log(name), re.M), seconds,
                                    f"kedge-{name} logs {pattern!r}")[0]
        except process.Failed as why:
            raise process.Failed(f"{why}; the log ends:\n{self.log(name)[-3000:]}") from None

    def try_cli(self, *words, stdin: str | None = None) -> subprocess.CompletedProcess:
        """The command line, whatever its status."""
        program = find(self.build, "kedge")
        return subprocess.run([program, "--config", self.configuration, *map(str, words)], text=True, input=stdin,
                              capture_output=True, env=process.environ(), timeout=60)

    def cli(self, *words, stdin: str | None = None) -> str:
        """The command line; a status other than 0 is a failure with what it said."""
        done = self.try_cli(*words, stdin=stdin)
        if done.returncode:
            raise process.Failed(f"kedge {' '.join(map(str, words))}: status {done.returncode}\n{done.stderr}{done.stdout}")
        return done.stdout

    def try_json(self, *words):
        """The same, or None when it does not work."""
        done = self.try_cli(*words, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def json(self, *words):
        """The command line with --json, parsed."""
        return json.loads(self.cli(*words, "--json"))

    def queue(self) -> list[dict]:
        """What is queued."""
        return self.json("queue", "list")

    def wait_empty(self, seconds: float = 20):
        """Waits until nothing is queued."""
        process.wait_for(lambda: not self.queue(), seconds, "the queue is empty")


def user() -> str:
    """Who the daemons become: a user of their own where there is one."""
    if namespace.inside() and not namespace.one_user():
        return "kedge"
    return pwd.getpwuid(os.getuid()).pw_name


def find(build: Path, name: str) -> Path:
    """A program in a build folder."""
    for path in (build / name, build / "src" / "cmd" / name, build / "src" / name):
        if path.exists():
            return path
    raise process.Failed(f"{name} is not in {build}; build first (make)")


def _received(ready: socket.socket) -> str:
    try:
        return ready.recv(4096).decode()
    except BlockingIOError:
        return ""
