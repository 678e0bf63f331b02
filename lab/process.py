"""Starting, watching and ending the lab's servers."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from lab import namespace, packages


RUNNING: list["Server"] = []  # in the order they were started


class Failed(Exception):
    """A part of the lab does not work; the text says which and shows the end of its log."""


def wait_for(condition, seconds: float = 10, what: str = "a condition"):
    """Polls until condition() is true, and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:g} s")
        time.sleep(0.01)


class Server:
    """A program that runs in the foreground, with its output in a log file."""

    def __init__(self, name: str, command: list, log: Path, environment: dict | None = None):
        self.name = name
        self.log = log
        self.output = open(log, "ab")
        self.child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            env=environment or environ(), preexec_fn=namespace.die_with_parent,
        )
        RUNNING.append(self)

    def text(self) -> str:
        """Everything in the log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self, condition, seconds: float = 10):
        """Waits until condition() holds; a server that ended before, or is too slow, is a failure with its log."""
        def check():
            if self.child.poll() is not None:
                raise Failed(f"{self.name} ended with status {self.child.returncode}:\n{self.text()[-2000:]}")
            return condition()

        try:
            return wait_for(check, seconds, f"{self.name} is ready")
        except Failed as why:
            raise Failed(f"{why}\n{self.text()[-2000:]}") from None

    def stop(self, how=signal.SIGTERM, seconds: float = 10) -> int:
        """Ends the server and returns its status; one that does not go is killed."""
        if self.child.poll() is None:
            self.child.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(seconds)
            if self.child.poll() is None:
                self.child.kill()
        self.output.close()
        if self in RUNNING:
            RUNNING.remove(self)
        return self.child.wait()


def environ() -> dict:
    """The environment for the unpacked programs; outside the namespace they need a library path."""
    if namespace.inside():
        return dict(os.environ)
    return {**os.environ, "LD_LIBRARY_PATH": packages.library_path()}


def program(name: str) -> str:
    """The path of an unpacked program: in place inside the namespace, in the tree outside."""
    return name if namespace.inside() else packages.program(name)


def once(*command) -> str:
    """Runs an unpacked program to its end and returns what it said; a status other than 0 is a failure."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environ(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failed(f"{' '.join(words)}: {done.stdout}")
    return done.stdout


def find_folder(pattern: str) -> Path:
    """A folder of the unpacked programs by its pattern below the root: in place inside the namespace."""
    root = Path("/") if namespace.inside() else packages.tree()
    return next(root.glob(pattern))
