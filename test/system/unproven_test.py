"""The resolver does not validate: mail waits, and its sender hears of the delay."""

import time

import pytest

from lab import world

SENDER = "sender@ours.example"


@pytest.fixture
def unproven(edge):
    """An edge whose resolver fails its proof, and that warns of delays after seconds."""
    before = dict(edge.options)
    edge.configure(resolver_proof_secure="plain.example", resolver_proof_interval="1s", delay_warning="3s")
    edge.reload()
    edge.wait_log("deliver", "event=resolver-not-proven")
    yield edge
    edge.configure(resolver_proof_secure=before["resolver_proof_secure"], delay_warning="4h")
    edge.reload()
    time.sleep(2)
    edge.configure(resolver_proof_interval="1min")
    edge.reload()


def test_the_sender_is_warned_once_of_a_delay_by_our_resolver(lab, unproven):
    unproven.submit(SENDER, "b@dane.example", subject="waits")
    warning = lab.mailboxes.to(SENDER)[0]
    assert "Action: delayed" in warning.text and "resolver-fault" in warning.text
    time.sleep(7)
    assert len(lab.mailboxes.messages) == 1, "one warning is enough"
    assert not lab.provider_mailboxes.messages, "nothing may leave for a domain that could have DANE"
    unproven.configure(resolver_proof_secure=world.PROOF_SECURE)
    unproven.reload()
    assert lab.provider_mailboxes.to("b@dane.example")
    unproven.wait_empty()
