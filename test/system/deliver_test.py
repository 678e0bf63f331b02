"""What deliver does over time: rests, retries, warnings, expiry, reloads, drains; and mail whose mode is off."""

import subprocess
import time

import pytest

from lab import process
from lab.kedge import find
from lab.world import Zone

SENDER = "sender@ours.example"
PLAIN = "@ MX 10 mx\nmx A {address}"


@pytest.fixture
def configured(edge):
    """Changes options for one test; they are undone afterwards."""
    before = dict(edge.options)

    def change(**options):
        mark = len(edge.log("deliver"))
        edge.configure(**options)
        edge.reload()
        process.wait_for(lambda: "reload" in edge.log("deliver")[mark:], 10, "deliver has read its configuration again")

    yield change
    edge.options = before
    edge.configure()
    edge.reload()


def logged(edge, identity: str) -> list[str]:
    """deliver's lines about a message."""
    return [line for line in edge.log("deliver").splitlines() if identity in line]


def attempts(edge, identity: str, count: int = 1, seconds: float = 20) -> list[str]:
    """Waits for that many attempts."""
    def enough():
        lines = [line for line in logged(edge, identity) if "event=attempt" in line]
        return lines if len(lines) >= count else None

    return process.wait_for(enough, seconds, f"{count} attempts of {identity}")


def test_mode_off_delivers_through_broken_signatures(lab, edge):
    edge.cli("mode", "set", "bogus.example", "off", "--tenant", "acme", "--owner", "tester", "--reason", "their signer is broken",
             "--expires", "2099-01-01")
    try:
        time.sleep(1)
        identity = edge.submit(SENDER, "b@bogus.example")
        assert lab.provider_mailboxes.to("b@bogus.example")
        edge.wait_empty()
        assert "cause=mode-off" in attempts(edge, identity)[0]
    finally:
        edge.cli("mode", "remove", "bogus.example", "--tenant", "acme")


def test_a_failed_handshake_waits_and_then_goes_in_clear_text(lab, edge, configured):
    """Level none only: the first attempt is deferred, a later one does without TLS."""
    configured(clear_text_wait="2s", retry_schedule="1s")
    lab.add_zones(Zone("handshake.example", PLAIN.format(address="127.0.25.91"), signed=False))
    sink = lab.sink("mx.handshake.example", "127.0.25.91", None)
    sink.extensions.append("STARTTLS")
    sink.replies["STARTTLS"] = "220 go ahead, I cannot"
    identity = edge.submit(SENDER, "b@handshake.example")
    first = attempts(edge, identity)[0]
    assert "reason=handshake-failed" in first or "reason=connection-lost" in first, first
    assert not sink.messages
    assert not sink.to("b@handshake.example", seconds=30)[0].secure
    assert len([s for s in sink.sessions if s.messages]) == 1
    edge.wait_empty()


def test_a_dead_host_rests_and_does_not_slow_the_others(lab, edge):
    lab.add_zones(Zone("dead.example", PLAIN.format(address="127.0.25.92"), signed=False))
    for i in range(30):
        edge.submit(SENDER, f"n{i}@dead.example")
    started = time.monotonic()
    edge.submit(SENDER, "b@plain.example")
    assert lab.sinks["mx.plain.example"].to("b@plain.example")
    assert time.monotonic() - started < 5
    lines = process.wait_for(lambda: "rests after" in edge.log("deliver") and edge.log("deliver"), 10, "the host rests")
    assert "connect-failed" in lines


def test_the_sender_is_warned_once_and_told_at_the_end(lab, edge, configured):
    configured(delay_warning="2s", retry_schedule="1s", queue_lifetime="6s")
    lab.add_zones(Zone("unreachable.example", PLAIN.format(address="127.0.25.93"), signed=False))
    edge.submit(SENDER, "b@unreachable.example", subject="patience")
    notices = lab.mailboxes.to(SENDER, count=2, seconds=30)
    time.sleep(3)
    assert len(lab.mailboxes.to(SENDER)) == 2, "one warning, one end"
    assert "Action: delayed" in notices[0].text and "Will-Retry-Until:" in notices[0].text
    assert "Action: failed" in notices[1].text and "connect-failed" in notices[1].text and "5.4.1" in notices[1].text
    edge.wait_empty()


def test_security_failures_end_sooner(lab, edge, configured):
    configured(retry_schedule="1s", queue_lifetime_security="3s", queue_lifetime="5d")
    identity = edge.submit(SENDER, "b@swapped.example")
    notice = lab.mailboxes.to(SENDER, seconds=30)[0].text
    assert "5.7.323" in notice and "tlsa-no-match" in notice and "Action: failed" in notice
    assert len(attempts(edge, identity)) >= 2
    assert not any(attacker.learned() for attacker in lab.attackers.values())
    edge.wait_empty()


def test_the_null_sender_is_never_told(lab, edge):
    sink = lab.sinks["mx.anchor.example"]
    sink.replies["RCPT"] = "550 5.1.1 nobody"
    lab.mailboxes.replies["RCPT"] = "550 5.1.1 the sender is gone, too"
    edge.submit(SENDER, "b@anchor.example")
    edge.wait_empty()
    time.sleep(1)
    assert not edge.queue() and not lab.mailboxes.messages


def test_many_recipients_in_one_message(lab, edge):
    sink = lab.sinks["mx.anchor.example"]
    recipients = [f"n{i}@anchor.example" for i in range(250)]
    edge.submit(SENDER, *recipients, "b@plain.example", "b@dane4.example")
    found = sink.wait(3)
    assert sorted(r for m in found for r in m.recipients) == sorted(recipients)
    assert lab.sinks["mx.plain.example"].to("b@plain.example") and lab.provider_mailboxes.to("b@dane4.example")
    edge.wait_empty()


@pytest.mark.parametrize("chunking", [True, False])
def test_large_content_arrives_octet_by_octet(lab, edge, chunking):
    sink = lab.sinks["mx.anchor.example"]
    if not chunking:
        sink.extensions.remove("CHUNKING")
    try:
        body = "".join(f".{i} {'x' * (i % 120)}\n" for i in range(30000))
        edge.submit(SENDER, "big@anchor.example", body=body)
        assert sink.to("big@anchor.example")[0].text.endswith(body)
        edge.wait_empty()
    finally:
        if not chunking:
            sink.extensions.append("CHUNKING")


def test_stopping_gives_back_what_waits(lab, edge):
    """A host that never answers holds attempts; SIGTERM ends within its bound and nothing is lost."""
    sink = lab.sinks["mx.plain.example"]
    sink.replies["MAIL"] = lambda _session, _line: time.sleep(3) or None
    identities = [edge.submit(SENDER, f"n{i}@plain.example") for i in range(20)]
    time.sleep(1)
    assert edge.stop("deliver") == [0]
    sink.replies.clear()
    edge.start("deliver")
    delivered = {r for m in sink.wait(20) for r in m.recipients}
    assert len(delivered) == len(identities)
    edge.wait_empty(60)


def test_a_drain_that_somebody_waits_for_does_not_hold_the_stop(lab, edge):
    lab.add_zones(Zone("undrained.example", PLAIN.format(address="127.0.25.94"), signed=False))
    edge.submit(SENDER, "b@undrained.example")
    command = [find(edge.build, "kedge"), "--config", edge.configuration, "queue", "drain"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as drain:
        assert "1 messages left" in drain.stdout.readline()
        assert edge.stop("deliver") == [0], "within the ten seconds that are waited"
        _, says = drain.communicate(timeout=10)
    assert drain.returncode != 0 and "the queue stops; messages that are left in it: 1" in says
    edge.start("deliver")
