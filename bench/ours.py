"""Kedge, with its defaults and what the rows need: a listener, the resolver, a tenant whose network may relay."""

import subprocess
from pathlib import Path

from bench import zones
from bench.tools import Failed, greets
from lab import namespace, process

CONFIG = """
hostname = ours.example
listen = {address}:{port}
data_directory = {dir}/data
resolver = {resolver}:53
resolver_proof_secure = {secure}
resolver_proof_bogus = {bogus}
"""


class Ours:
    """A Kedge with a queue of its own."""

    name = "kedge"
    address = "127.0.40.1"
    port = 25
    idle_sessions = 10000

    def __init__(self, work: Path, build: Path):
        self.dir = work / "kedge"
        subprocess.run(["rm", "-rf", self.dir], check=True)
        (self.dir / "data").mkdir(parents=True)
        self.programs = build / "src/cmd"
        self.config = self.dir / "kedge.conf"
        self.config.write_text(
            CONFIG.format(address=self.address, port=self.port, dir=self.dir, resolver=namespace.RESOLVER,
                          secure=zones.ZONE, bogus=zones.BOGUS), encoding="ascii")
        self.running: dict[str, process.Server] = {}

    def _spawn(self, name: str):
        command = [self.programs / name, "--config", self.config]
        self.running[name] = process.Server(name, command, self.dir / f"{name}.log")

    def _tell(self, *words: str):
        """One command of the operator."""
        command = [self.programs / "kedge", "--config", self.config, *words]
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise Failed(f"kedge {' '.join(words)}: {done.stdout}\n{self.running['kedge-control'].text()[-2000:]}")

    def _control_answers(self) -> bool:
        command = [self.programs / "kedge", "--config", self.config, "tenant", "list"]
        return subprocess.run(command, capture_output=True).returncode == 0

    def start(self):
        """Starts control and smtpd; without deliver, messages stay in the queue."""
        self._spawn("kedge-control")
        self.running["kedge-control"].wait_ready(self._control_answers)
        self._tell("tenant", "add", "bench")
        self._tell("domain", "add", "sink.example", "--tenant", "bench", "--mailbox-host",
                   f"smtp:{zones.HOSTS[0]}:25", "--recipients", "any")
        self._tell("relay", "add", "--tenant", "bench", "--network", "127.0.0.0/8")
        self._tell("key", "add", "--self-sign", "ours.example")
        self._spawn("kedge-smtpd")
        self.running["kedge-smtpd"].wait_ready(lambda: greets(self.address, self.port))

    def deliver(self):
        """Lets the queue go out."""
        self._spawn("kedge-deliver")

    def roots(self) -> list[int]:
        return [server.child.pid for server in self.running.values()]

    def stop(self):
        for name, server in reversed(self.running.items()):
            status = server.stop(seconds=30)
            if status:
                raise Failed(f"{name} ended with {status} on SIGTERM:\n{server.text()[-2000:]}")
        self.running.clear()
