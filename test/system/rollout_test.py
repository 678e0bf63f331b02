"""A rollout over real mail: a wave is held while mail comes in, and undone when senders turn away at its MX host."""

import json
import smtplib
import ssl

import pytest

from lab import process

ZONE = "waves.ours.example"
DOMAIN = "waves.example"
HOST = f"waves-example.{ZONE}"


@pytest.fixture
def hosted(edge):
    """An accepted domain with an MX host in a signed zone, and no DANE. Nobody answers at the zone's primary: what is published
    is not what this is about."""
    edge.cli("edge-group", "add", "waves", "--address", edge.address)
    edge.cli("zone", "add", ZONE, "--primary", "127.0.0.1:1", "--edge-group", "waves")
    edge.try_cli("key", "add", "--group", "waves")
    edge.cli("domain", "add", DOMAIN, "--tenant", "acme", "--mailbox-host", "smtp:127.0.0.1:1", "--recipients", "any", "--zone", ZONE,
             "--tag", "waves")
    yield edge
    edge.try_cli("rollout", "back", "spring", "--wave", "1")
    process.wait_for(lambda: not shown(edge, "domain", "show", DOMAIN)["dane"], 20, "DANE is off again")
    edge.cli("domain", "remove", DOMAIN)
    edge.cli("zone", "set", ZONE, "--open", "no")


def shown(edge, *words):
    return json.loads(edge.cli(*words, "--json"))


def until(edge, state: str):
    """Waits for the rollout's state; gives its status."""
    def reached():
        now = shown(edge, "rollout", "status", "spring")
        return now if now["state"] == state else None

    return process.wait_for(reached, 20, f"the rollout is {state}: {edge.cli('rollout', 'status', 'spring')}")


def turn_away(edge):
    """What a sender does whom TLSA records promise another key: shakes hands with the MX host, and leaves."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(edge.address, edge.lab.smtp_port, "sender.example", 20) as client:
        client._host = HOST  # the name that is asked for in the handshake
        client.starttls(context=context)


def test_a_wave_that_goes_bad_undoes_itself(lab, hosted):
    hosted.cli("rollout", "plan", "spring", "--tag", "waves", "--hold", "1h", "--least", "3")
    assert not shown(hosted, "domain", "show", DOMAIN)["dane"]
    hosted.cli("rollout", "start", "spring")
    process.wait_for(lambda: shown(hosted, "domain", "show", DOMAIN)["dane"], 20, "the wave has begun")
    for _ in range(5):
        turn_away(hosted)
    status = until(hosted, "halted")
    assert status["cause"] == "failures" and status["moved"] == 0, status
    assert not shown(hosted, "domain", "show", DOMAIN)["dane"]
    assert "event=rollout-bad" in hosted.log("control") and "event=rollout-undone" in hosted.log("control")
