"""What an operator does: changes while it runs, the queue, restarts, crashes, diagnosis."""

import contextlib
import json
import smtplib
import socket
import time

import pytest

from lab import namespace, process, sink, world

SENDER = "sender@ours.example"


def rcpt(address: str) -> int:
    """The code that the edge answers to a recipient."""
    with smtplib.SMTP(world.EDGE, 25, timeout=10) as client:
        client.ehlo()
        client.mail("a@dane.example")
        return client.rcpt(address)[0]


def within_a_second(condition, what: str):
    """A change must reach the daemons within a second."""
    process.wait_for(condition, 1.0, what)


def test_an_accepted_domain_comes_and_goes_within_a_second(lab, edge):
    assert rcpt("b@new.example") == 550
    edge.cli("domain", "add", "new.example", "--tenant", "acme", "--mailbox-host", f"lmtp:{world.MAILBOXES}:24",
             "--recipients", "any")
    within_a_second(lambda: rcpt("b@new.example") == 250, "the new domain is accepted")
    assert "new.example" in [d["domain"] for d in edge.json("domain", "list")]
    edge.cli("domain", "set", "new.example", "--recipients", "list")
    within_a_second(lambda: rcpt("b@new.example") == 550, "unlisted recipients are refused")
    edge.cli("recipient", "add", "b@new.example")
    within_a_second(lambda: rcpt("b@new.example") == 250, "the listed recipient is accepted")
    edge.cli("recipient", "remove", "b@new.example")
    edge.cli("domain", "remove", "new.example")
    within_a_second(lambda: rcpt("b@new.example") == 550, "the domain is refused again")


def test_a_relay_network_comes_and_goes_within_a_second(lab, edge):
    def may_relay():
        with smtplib.SMTP(world.EDGE, 25, timeout=10, source_address=("127.0.9.10", 0)) as client:
            client.ehlo()
            return client.mail(SENDER)[0] == 250 and client.rcpt("b@plain.example")[0] == 250

    assert not may_relay()
    edge.cli("relay", "add", "--tenant", "acme", "--network", "127.0.9.10/32")
    within_a_second(may_relay, "the network may relay")
    edge.cli("relay", "remove", "--network", "127.0.9.10/32")
    within_a_second(lambda: not may_relay(), "the network may relay no more")


def deferred(edge, recipient: str) -> str:
    """A message that stays in the queue after its first attempt."""
    identity = edge.submit(SENDER, recipient)
    process.wait_for(lambda: "4." in edge.try_cli("queue", "why", identity).stdout, 20, "a first attempt")
    return identity


def test_queue_commands(lab, edge):
    identity = deferred(edge, "b@stripped.example")
    shown = edge.json("queue", "show", identity)
    assert shown["id"] == identity and shown["sender"] == SENDER
    assert "b@stripped.example" in json.dumps(shown) and "starttls-not-offered" in json.dumps(shown)
    assert identity in edge.cli("queue", "list") and identity in edge.cli("queue", "show", identity)
    edge.cli("queue", "hold", identity)
    edge.cli("queue", "retry", identity)
    time.sleep(0.5)
    attempts = edge.json("queue", "show", identity)["attempts"]
    edge.cli("queue", "release", identity)
    edge.cli("queue", "retry", identity)
    process.wait_for(lambda: edge.json("queue", "show", identity)["attempts"] > attempts, 10, "another attempt")
    edge.cli("queue", "remove", identity)
    assert identity not in [entry["id"] for entry in edge.queue()]
    assert edge.try_cli("queue", "show", identity).returncode == 1


def test_trace_tells_the_whole_story(lab, edge):
    identity = deferred(edge, "b@swapped.example")
    trace = process.wait_for(lambda: next((t for t in [edge.cli("trace", identity)] if "attempt" in t), None), 5,
                             "an attempt")
    for word in (SENDER, "b@swapped.example", "tlsa-no-match", "mx.swapped.example", "127.0.66.2"):
        assert word in trace, f"{word} is not in:\n{trace}"
    assert edge.try_cli("trace", "nosuchmessage").returncode == 1


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_nothing_is_lost_when_daemons_end(lab, edge, how):
    sink = lab.sinks["mx.anchor.example"]
    sink.replies["MAIL"] = "451 4.3.2 not now"
    sent = [edge.submit(SENDER, f"n{i}@anchor.example", subject=f"{how} {i}") for i in range(20)]
    if how == "kill":
        edge.kill("smtpd", "deliver", "control")
        edge.start()
    else:
        edge.restart()
    sink.replies.clear()
    for identity in sent:
        edge.try_cli("queue", "retry", identity)
    expected = {f"n{i}@anchor.example" for i in range(20)}
    process.wait_for(lambda: {r for m in sink.messages for r in m.recipients} == expected, 30, "all arrive")
    edge.wait_empty(30)
    assert how == "kill" or len(sink.messages) == 20, "an orderly end must not double anything"


def test_mail_flows_while_control_is_down(lab, edge):
    edge.stop("control")
    try:
        edge.submit(SENDER, "b@anchor.example")
        assert lab.sinks["mx.anchor.example"].to("b@anchor.example")
        assert rcpt("b@ours.example") == 250
    finally:
        edge.start("control")


def test_smtpd_receives_while_deliver_is_down(lab, edge):
    edge.stop("deliver")
    try:
        edge.submit(SENDER, "b@anchor.example", subject="later")
    finally:
        edge.start("deliver")
    assert "later" in lab.sinks["mx.anchor.example"].to("b@anchor.example")[0].text
    edge.wait_empty()


@pytest.mark.parametrize("domain, status, words", [
    ("dane.example", 0, ["mx.provider.example", "3 1 1"]),
    ("swapped.example", 1, ["tlsa-no-match"]),
    ("stripped.example", 1, ["starttls-not-offered"]),
    ("bogus.example", 1, ["dnssec-bogus-mx"]),
])
def test_check_explains_a_domain(lab, edge, domain, status, words):
    for options in ([], ["--json"]):
        done = edge.try_cli("check", domain, *options)
        assert done.returncode == status, done.stdout + done.stderr
        for word in words:
            assert word in done.stdout, done.stdout
        if options:
            json.loads(done.stdout)


class HangsUp(sink.Sink):
    """A server that is gone as soon as it has answered EHLO inside TLS."""

    def _serve(self, connection, peer):
        session = sink.Session(peer)
        dialog = sink.Dialog(self, session, connection)
        answer = dialog._ehlo

        def hang_up(line):
            if session.tls:  # the answer and the end in one packet
                dialog.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            answer(line)
            if session.tls:
                raise EOFError

        dialog._ehlo = hang_up
        with contextlib.suppress(EOFError):
            dialog.run()


def test_check_survives_a_server_that_hangs_up(lab, edge):
    namespace.add_address("127.0.25.78")
    lab.add_zone("hangs-up.example", "@ MX 10 mx\nmx A 127.0.25.78")
    server = HangsUp("127.0.25.78", lab.smtp_port, "mx.hangs-up.example", lab.identities["somebody"])
    try:
        for _ in range(3):
            assert edge.try_cli("check", "hangs-up.example").returncode == 0
    finally:
        server.close()


@pytest.mark.parametrize("records, name, status", [
    (["3 1 1 provider"], "whatever.example", 0),
    (["3 1 1 somebody"], "mx.provider.example", 1),
    (["1 1 1 provider"], "mx.provider.example", 3),
    (["3 1 1 somebody", "3 0 2 provider"], "mx.provider.example", 0),
])
def test_tlsa_verify_without_a_network(lab, edge, records, name, status):
    words = []
    for record in records:
        usage, selector, matching, label = record.split()
        words += ["--tlsa", lab.tlsa(int(usage), int(selector), int(matching), label)]
    chain = lab.identities["provider"].chain_file
    done = edge.try_cli("tlsa", "verify", "--base", name, *words, "--chain", chain, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    json.loads(done.stdout)
