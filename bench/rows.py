"""What is measured. Each function measures one row for one system and returns figures by unit."""

import subprocess
import time

from bench import account, zones
from bench.tools import Failed, Sink

CPU = "cpu_s/1000"
RATE = "messages/s"
RESOLVER = "resolver_cpu_s/1000"
MEMORY = "kB/session"


def accept(system, tools, messages: int, per_connection: int, size: int) -> dict[str, float]:
    """Durable acceptance over STARTTLS from 20 connections; nothing is delivered meanwhile."""
    tools.run("smtpload", *_target(system), "-m", 20, "-n", per_connection)  # caches, child processes
    before = account.settle(system.roots())
    done = tools.run("smtpload", *_target(system), "-m", messages, "-n", per_connection, "-s", size)
    cpu = account.settle(system.roots()) - before
    return {CPU: cpu * 1000 / messages, RATE: done["rate"]}


def _target(system) -> list[str]:
    return ["-f", "s@sink.example", "-b", "127.0.9.1:0/16", "-c", "20", f"{system.address}:{system.port}"]


def deliver(system, tools, dns: zones.Zones, sink: Sink, messages: int, domains: int) -> dict[str, float]:
    """A full queue goes out to `domains` recipient domains on eight hosts, every one with DANE. The queue is filled
    beforehand; what counts is from the first look at it until nothing is left to do."""
    acked = tools.work / "acked"
    sink.forget()
    tools.run("smtpload", *_target(system), "-p", "-m", 1, "-n", 1, "-i", "impostor", "-r", f"u@{zones.IMPOSTOR}")
    tools.run("smtpload", *_target(system), "-p", "-m", messages, "-n", 50, "-a", acked, "-M", domains,
              "-r", f"u%n@d%m.{zones.ZONE}")
    dns.restart_resolver()
    before, resolver = account.settle(system.roots()), account.cpu_seconds([dns.unbound.child.pid])
    start = time.monotonic()
    system.deliver()
    seconds = _await_all(sink, messages, start)
    cpu = account.settle(system.roots()) - before
    resolver = account.cpu_seconds([dns.unbound.child.pid]) - resolver
    compare(set(acked.read_text(encoding="ascii").split()), sink.lines())
    return {CPU: cpu * 1000 / messages, RATE: messages / seconds, RESOLVER: resolver * 1000 / messages}


def _await_all(sink: Sink, messages: int, start: float) -> float:
    last, last_change = 0, start
    while (taken := sink.taken()) < messages:
        now = time.monotonic()
        if taken != last:
            last, last_change = taken, now
        if now - last_change > 30:
            raise Failed(f"after {now - start:.0f} s only {taken} of {messages} messages arrived")
        time.sleep(0.02)
    return time.monotonic() - start


def compare(acked: set[str], taken: list[list[str]]):
    numbers = [number for number, _ in taken]
    lost, doubled = acked - set(numbers), len(numbers) - len(set(numbers))
    if lost or doubled:
        raise Failed(f"{len(lost)} acknowledged messages lost, {doubled} doubled")
    if any(how != "tls" for _, how in taken):
        raise Failed("messages arrived without TLS")
    if any(number.startswith("impostor") for number in numbers):
        raise Failed("a message was delivered to a host whose key its TLSA record does not promise")


def idle(system, tools, sessions: int) -> dict[str, float]:
    """Memory (proportional set size of all processes) that each TLS session costs while it says nothing."""
    tools.run("smtpload", *_target(system), "-m", 20)
    account.settle(system.roots())
    before = account.memory_kb(system.roots())
    # An address for each session, over many networks: what limits clients singly must not matter here.
    load = tools.spawn("smtpload", "-b", "127.9.0.1:0/16000", "-c", 8, "-I", sessions,
                       f"{system.address}:{system.port}", stdin=subprocess.PIPE)
    held = load.stdout.readline().strip()
    account.settle(system.roots())
    after = account.memory_kb(system.roots())
    rest, _ = load.communicate(timeout=120)
    if load.returncode:
        raise Failed(f"{sessions} sessions wanted: {held}, {rest.strip()}")
    return {MEMORY: (after - before) / sessions}
