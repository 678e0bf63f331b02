"""One edge under test: its daemons can be killed at any moment and come back."""

import getpass
import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

ADDRESS = "127.0.91.1"


def wait_for(condition, seconds: float, what: str):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise SystemExit(f"crash: waited {seconds} s in vain until {what}")


def free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as s:
        return s.getsockname()[1]


class Refuser:
    """A resolver that answers nothing, at once: mailbox hosts need none, and deliver need not wait for it."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ADDRESS, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            question, client = self.socket.recvfrom(4096)
            self.socket.sendto(question[:2] + b"\x81\x85" + question[4:], client)


class Edge:
    def __init__(self, build: Path, folder: Path, sink_address: str, sink_port: int):
        self.programs, self.bench, self.folder = build / "src/cmd", build / "bench", folder
        self.port = free_port()
        self.resolver = Refuser()
        self.config = folder / "kedge.conf"
        self.config.write_text(f"""
hostname = edge.example
listen = {ADDRESS}:{self.port}
data_directory = {folder}/data
user = {getpass.getuser()}
resolver = {ADDRESS}:{self.resolver.port}
segment_size = 1MiB
segment_age = 1s
retry_schedule = 1s
delivery_workers = 20
disk_reserve = 1MiB
max_sessions_per_address = 1000
""", encoding="ascii")
        self.running: dict[str, subprocess.Popen] = {}
        self.environment: dict[str, str] = {}
        self._provision(sink_address, sink_port)

    def cli(self, *words: str, check: bool = True) -> str:
        done = subprocess.run([self.programs / "kedge", "--config", self.config, *words], text=True, capture_output=True)
        if check and done.returncode:
            raise SystemExit(f"crash: kedge {' '.join(words)}: {done.stdout}{done.stderr}\n{self.log('control')}")
        return done.stdout if done.returncode == 0 else ""

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def _provision(self, sink_address: str, sink_port: int):
        self.start("control")
        wait_for(lambda: self.cli("tenant", "list", "--json", check=False), 10, "control answers")
        self.cli("tenant", "add", "crash")
        self.cli("domain", "add", "sink.example", "--tenant", "crash", "--mailbox-host",
                 f"smtp:{sink_address}:{sink_port}", "--recipients", "any")
        self.stop("control")

    def start(self, name: str):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [self.programs / f"kedge-{name}", "--config", self.config], stdout=log, stderr=log,
                env={**os.environ, **self.environment} if name == "smtpd" else None)
        if name == "smtpd":
            wait_for(self._greets, 15, f"smtpd greets\n{self.log('smtpd')}")

        if name == "deliver":
            wait_for(self._controls, 15, f"deliver answers\n{self.log('deliver')}")

    def _controls(self) -> bool:
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.folder / "data/run/deliver.sock")) == 0

    def _greets(self) -> bool:
        try:
            with socket.create_connection((ADDRESS, self.port), 2) as s:
                return s.recv(3) == b"220"
        except OSError:
            return False

    def kill(self, name: str):
        self.running[name].send_signal(signal.SIGKILL)
        self.running.pop(name).wait()

    def stop(self, name: str):
        self.running[name].terminate()
        status = self.running.pop(name).wait(60)
        if status:
            raise SystemExit(f"crash: kedge-{name} ended with {status}\n{self.log(name)}")

    def check_alive(self):
        for name, process in self.running.items():
            if process.poll() is not None:
                raise SystemExit(f"crash: kedge-{name} died by itself, status {process.returncode}\n{self.log(name)}")

    def load(self, run: str, messages: int, size: int) -> subprocess.Popen:
        """Starts sending; acknowledged numbers are in acked(run) at its end."""
        return subprocess.Popen(
            [self.bench / "smtpload", "-p", "-c", "12", "-n", "5", "-w", "10", "-m", str(messages), "-s", str(size),
             "-i", run, "-a", self.folder / f"acked.{run}", "-f", "s@load.example", f"{ADDRESS}:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def acked(self, run: str) -> set[str]:
        path = self.folder / f"acked.{run}"
        return set(path.read_text().split()) if path.exists() else set()

    def queued(self) -> list:
        return json.loads(self.cli("queue", "list", "--json"))
