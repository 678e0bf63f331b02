"""Level none: when is mail sent in clear text after TLS has failed, and which mail?"""

import pytest

from lab import process

SENDER = "sender@ours.example"


def break_tls(sink):
    """STARTTLS is offered, and what follows it is no TLS."""
    sink.replies["STARTTLS"] = "220 go ahead"


def after_the_first_attempt(edge, identity):
    """The attempt is over and its outcome is in the queue."""
    edge.wait_log("deliver", f"event=attempt queue_id={identity}")
    process.wait_for(lambda: edge.json("queue", "show", identity)["attempts"], 10, "the outcome of the first attempt")


@pytest.fixture
def impatient(edge):
    """An edge that goes on in clear text at the next attempt, where clear text will do."""
    edge.configure(clear_text_wait="0s", connection_idle="20s")
    edge.reload()
    edge.wait_log("deliver", "event=reloaded")
    yield edge
    edge.configure(clear_text_wait="5min", connection_idle="2s")
    edge.reload()


def test_a_failed_handshake_is_remembered_when_the_next_host_is_dead(lab, impatient):
    """Else the mail would never go in clear text to the host that lives, and bounce."""
    lab.add_zone("halfdead.example", "@ MX 10 mx.plain\n@ MX 20 dead\nmx.plain A 127.0.25.12\ndead A 127.0.66.99",
                 signed=False)
    sink = lab.sinks["mx.plain.example"]
    break_tls(sink)
    identity = impatient.submit(SENDER, "b@halfdead.example")
    after_the_first_attempt(impatient, identity)
    assert "handshake-failed" in impatient.cli("queue", "why", identity)
    impatient.cli("queue", "retry", identity)
    assert not sink.to("b@halfdead.example")[0].secure
    impatient.wait_empty()


def test_clear_text_after_a_failed_handshake_is_for_one_message_only(lab, impatient):
    sink = lab.sinks["mx.plain.example"]
    break_tls(sink)
    identity = impatient.submit(SENDER, "first@plain.example")
    after_the_first_attempt(impatient, identity)
    impatient.cli("queue", "retry", identity)
    sink.to("first@plain.example")
    sink.replies.clear()
    impatient.submit(SENDER, "second@plain.example")
    assert sink.to("second@plain.example")[0].secure, "it rode on a connection that another message was allowed"
    impatient.wait_empty()
