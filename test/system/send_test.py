"""Mail to remote domains: the level each deserves, what is done about attacks, and where the evidence is."""

import time

import pytest

from lab import process, world
from lab.world import Zone

SENDER = "sender@ours.example"


def attempt(edge, identity: str) -> str:
    """What the queue says of a message once its first attempt is over and it waits for another."""
    def why():
        said = edge.try_cli("queue", "why", identity).stdout
        return said if "1 attempts" in said else None

    return process.wait_for(why, 25, f"{identity} was tried and waits")


def evidence(edge, identity: str) -> str:
    """Everything the trace says about a message; the journal is written a moment behind the mail."""
    def known():
        done = edge.try_cli("trace", identity)
        return done.stdout if done.returncode == 0 and "attempt" in done.stdout else None

    return process.wait_for(known, 5, f"the journal knows {identity}")


@pytest.mark.parametrize("domain, host, level", [
    ("dane.example", None, "dane"),
    ("dane4.example", None, "dane"),
    ("dane6.example", None, "dane"),
    ("alias.example", None, "dane"),
    ("second-best.example", None, "dane"),
    ("unsigned-mx.example", None, "dane"),
    ("anchor.example", "mx.anchor.example", "dane"),
    ("implicit.example", "implicit.example", "dane"),
    ("six.example", "mx.six.example", "dane"),
    ("unusable.example", "mx.unusable.example", "encrypt"),
    ("plain.example", "mx.plain.example", "none"),
    ("half.example", "mx.plain.example", "none"),
    ("nodane.example", "mx.nodane.example", "none"),
    ("cleartext.example", "mx.cleartext.example", "none"),
])
def test_delivered_with_the_level_the_destination_has(lab, edge, domain, host, level):
    recipient = f"b@{domain}"
    identity = edge.submit(SENDER, recipient, subject=f"to {domain}")
    if host:
        message = lab.sinks[host].to(recipient)[0]
        assert message.secure is (domain != "cleartext.example")
        assert message.data.endswith(b"\r\n\r\nHello.\r\n")
    else:
        message = lab.provider_mailboxes.to(recipient)[0]
    assert f"Subject: to {domain}" in message.text
    edge.wait_empty()
    process.wait_for(lambda: f"level={level}" in edge.log("deliver").split(identity)[-1].split("\n")[0]
                     or f'"level":"{level}"' in edge.cli("trace", identity, "--json").replace(" ", ""), 5,
                     f"level {level} is recorded")


def test_the_matched_record_is_recorded(lab, edge):
    identity = edge.submit(SENDER, "b@dane4.example")
    lab.provider_mailboxes.to("b@dane4.example")
    edge.wait_empty()
    record = lab.tlsa(3, 1, 1, "provider").split()[-1]
    assert record in evidence(edge, identity).lower()


@pytest.mark.parametrize("domain, reason, code", [
    ("stripped.example", "starttls-not-offered", "4.7.321"),
    ("refused.example", "starttls-refused", "4.7.321"),
    ("refused5.example", "starttls-refused", "4.7.321"),
    ("injected.example", "starttls-injected", "4.7.321"),
    ("swapped.example", "tlsa-no-match", "4.7.323"),
    ("wrong.example", "tlsa-no-match", "4.7.323"),
    ("bogus.example", "dnssec-bogus-mx", "4.7.324"),
    ("expired.example", "dnssec-bogus-mx", "4.7.324"),
    ("forged.example", "dnssec-bogus-mx", "4.7.324"),
    ("bogus-address.example", "dnssec-bogus-address", "4.7.324"),
    ("bogus-tlsa.example", "dnssec-bogus-tlsa", "4.7.324"),
    ("tlsa-servfail.example", "dns-servfail", "4.4.3"),
])
def test_attacked_or_broken_is_deferred_and_nothing_leaks(lab, edge, domain, reason, code):
    identity = edge.submit(SENDER, f"secret@{domain}", subject="secret")
    why = attempt(edge, identity)
    assert reason in why and code in why, why
    assert not any(attacker.learned() for attacker in lab.attackers.values())
    for name, sink in lab.sinks.items():
        assert not sink.messages and all(s.said_nothing_of_mail() for s in sink.sessions), name
    assert not lab.mailboxes.messages, "an attack must not make us send a bounce"


def test_an_attack_that_ends_lets_the_mail_through(lab, edge):
    lab.add_zone("besieged.example", "@ MX 10 mx\nmx A 127.0.66.2\n_25._tcp.mx TLSA <3 1 1 victim>")
    identity = edge.submit(SENDER, "b@besieged.example")
    attempt(edge, identity)
    lab.add_zone("besieged.example", f"@ MX 10 mx\nmx A {world.VICTIM}\n_25._tcp.mx TLSA <3 1 1 victim>")
    edge.cli("queue", "retry", identity)
    try:
        assert lab.sinks["mx.victim.example"].to("b@besieged.example")[0].secure
    except TimeoutError:
        pytest.fail(edge.try_cli("queue", "why", identity).stdout + edge.log("deliver").split(identity)[-1])
    edge.wait_empty()


@pytest.mark.parametrize("domain", ["plain.example", "nodane.example", "half.example", "cleartext.example"])
def test_mandatory_defers_what_has_no_dane(lab, edge, domain):
    edge.cli("mode", "set", domain, "mandatory", "--tenant", "acme")
    try:
        time.sleep(1)
        identity = edge.submit(SENDER, f"b@{domain}")
        why = attempt(edge, identity)
        assert "dane-required" in why and "4.7.326" in why, why
        assert not any(s.sessions for name, s in lab.sinks.items() if name.endswith(domain))
    finally:
        edge.cli("mode", "remove", domain, "--tenant", "acme")
    time.sleep(1)
    edge.cli("queue", "retry", identity)
    edge.wait_empty()


def test_mandatory_delivers_where_there_is_dane(lab, edge):
    edge.cli("mode", "set", "dane.example", "mandatory", "--tenant", "acme")
    time.sleep(1)
    edge.submit(SENDER, "b@dane.example")
    assert lab.provider_mailboxes.to("b@dane.example")
    edge.cli("mode", "remove", "dane.example", "--tenant", "acme")
    edge.wait_empty()


@pytest.mark.parametrize("recipient, code", [
    ("b@null.example", "5.1.10"),
    ("b@nothing.example", "5.4.4"),
])
def test_what_can_never_arrive_bounces_at_once(lab, edge, recipient, code):
    edge.submit(SENDER, recipient, subject="returned")
    bounce = lab.mailboxes.to(SENDER)[0]
    assert bounce.sender == "" and code in bounce.text and recipient in bounce.text
    assert "Subject: returned" in bounce.text and "multipart/report" in bounce.text
    edge.wait_empty()


def test_a_refused_recipient_bounces_and_the_other_gets_it(lab, edge):
    sink = lab.sinks["mx.anchor.example"]
    sink.replies["RCPT"] = lambda _session, line: "550 5.1.1 nobody here" if "nobody@" in line else None
    edge.submit(SENDER, "nobody@anchor.example", "somebody@anchor.example")
    assert sink.to("somebody@anchor.example")[0].recipients == ["somebody@anchor.example"]
    bounce = lab.mailboxes.to(SENDER)[0].text
    assert "nobody here" in bounce and "nobody@anchor.example" in bounce
    assert "Final-Recipient: rfc822;somebody@" not in bounce.replace("; ", ";")
    edge.wait_empty()


def test_a_connection_cut_at_the_final_dot_is_tried_again(lab, edge):
    sink = lab.sinks["mx.anchor.example"]
    sink.hang_up = "."
    sink.extensions.remove("CHUNKING")
    try:
        identity = edge.submit(SENDER, "b@anchor.example")
        attempt(edge, identity)
        assert edge.queue() and not lab.mailboxes.messages
        sink.hang_up = None
        edge.cli("queue", "retry", identity)
        assert len(sink.to("b@anchor.example")) == 1
        edge.wait_empty()
    finally:
        sink.extensions.append("CHUNKING")


def test_connections_are_reused(lab, edge):
    sink = lab.sinks["mx.anchor.example"]
    for i in range(20):
        edge.submit(SENDER, f"n{i}@anchor.example")
    sink.wait(20)
    assert len(sink.sessions) < 10
    edge.wait_empty()


def test_one_address_two_policies_never_share_a_connection(lab, edge):
    """The host behind a TLSA record and the same host without one: same address, not the same connection."""
    lab.add_zones(
        Zone("strict.example", f"@ MX 10 mx\nmx A {world.VICTIM}\n_25._tcp.mx TLSA <3 1 1 victim>"),
        Zone("lax.example", f"@ MX 10 mx\nmx A {world.VICTIM}", signed=False),
    )
    sink = lab.sinks["mx.victim.example"]
    for i in range(4):
        edge.submit(SENDER, f"n{i}@{'strict' if i % 2 else 'lax'}.example")
    sink.wait(4)
    assert len([s for s in sink.sessions if s.messages]) >= 2
    assert {s.sni for s in sink.sessions} == {"mx.strict.example", "mx.lax.example"}
    edge.wait_empty()
