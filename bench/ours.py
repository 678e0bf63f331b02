"""Kedge, with its defaults and what the rows need: a listener, the resolver, a tenant whose network may relay."""

import socket
import subprocess
import time
from pathlib import Path

from bench import zones
from bench.tools import Failed
from lab import namespace

CONFIG = """
hostname = ours.example
listen = {address}:{port}
data_directory = {dir}/data
resolver = {resolver}
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
        self.running: dict[str, subprocess.Popen] = {}

    def _spawn(self, name: str):
        log = open(self.dir / f"{name}.log", "ab")
        self.running[name] = subprocess.Popen([self.programs / name, "--config", self.config], stderr=log)
        log.close()

    def _tell(self, *words):
        """One command of the operator; waits for control to listen."""
        end = time.monotonic() + 10
        while True:
            done = subprocess.run([self.programs / "kedge", "--config", self.config, *words], text=True,
                                  capture_output=True)
            if done.returncode == 0:
                return
            if time.monotonic() > end or self.running["kedge-control"].poll() is not None:
                raise Failed(f"kedge {' '.join(words)}: {done.stdout}{done.stderr}\n{self._last_words('kedge-control')}")
            time.sleep(0.1)

    def _last_words(self, name: str) -> str:
        return (self.dir / f"{name}.log").read_text(errors="replace")[-2000:]

    def start(self):
        """Starts control and smtpd; without deliver, messages stay in the queue."""
        self._spawn("kedge-control")
        self._tell("tenant", "add", "bench")
        self._tell("domain", "add", "sink.example", "--tenant", "bench", "--mailbox-host",
                   f"smtp:{zones.HOSTS[0]}:25", "--recipients", "any")
        self._tell("relay", "add", "--tenant", "bench", "--network", "127.0.0.0/8")
        self._tell("key", "add", "--self-sign", "ours.example")
        self._spawn("kedge-smtpd")
        end = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection((self.address, self.port), 5) as probe:
                    if probe.recv(4) == b"220 ":
                        return
            except OSError:
                pass
            if time.monotonic() > end or self.running["kedge-smtpd"].poll() is not None:
                raise Failed(f"kedge-smtpd does not serve:\n{self._last_words('kedge-smtpd')}")
            time.sleep(0.05)

    def deliver(self):
        """Lets the queue go out."""
        self._spawn("kedge-deliver")

    def roots(self) -> list[int]:
        return [process.pid for process in self.running.values()]

    def stop(self):
        for process in reversed(self.running.values()):
            process.terminate()
        for name, process in self.running.items():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise Failed(f"{name} does not end on SIGTERM:\n{self._last_words(name)}") from None
        self.running.clear()
