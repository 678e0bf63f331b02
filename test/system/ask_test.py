"""Recipients policy "ask": the mailbox host says which recipients there are, before anything is accepted for them."""

import smtplib

import pytest

from lab import namespace, process, world
from lab.postfix import Postfix
from lab.sink import Sink

HOST, PORT = "127.0.24.77", 2424
POSTFIX = "127.0.25.77"


@pytest.fixture
def mailbox_host():
    """An LMTP server that knows one recipient."""
    host = Sink(HOST, PORT, "ask.mailboxes.example", lmtp=True)
    host.replies["RCPT"] = lambda _session, line: None if "<known@" in line else "550 5.1.1 unknown here"
    yield host
    host.close()


def rcpt(edge, *recipients):
    """What the edge says to each recipient, in one transaction."""
    with smtplib.SMTP(edge.address, edge.lab.smtp_port, "client.dane.example", 20) as client:
        client.ehlo()
        client.mail("a@dane.example")
        return [client.rcpt(recipient)[0] for recipient in recipients]


def domain(edge, name, mailbox, **options):
    """An accepted domain that asks its mailbox host; returned when smtpd knows it."""
    words = [word for option, value in options.items() for word in (f"--{option}", value)]
    edge.cli("domain", "add", name, "--tenant", "acme", "--mailbox-host", mailbox, "--recipients", "ask", *words)
    process.wait_for(lambda: rcpt(edge, f"postmaster@{name}") == [250], 5, f"{name} is accepted")


def asked(host, recipient):
    """How often the mailbox host was asked about a recipient."""
    return sum(f"RCPT TO:<{recipient}>" in session.clear + session.protected for session in host.sessions)


def test_the_mailbox_host_decides(lab, edge, mailbox_host):
    domain(edge, "lmtp-ask.example", f"lmtp:{HOST}:{PORT}")
    for _ in range(3):
        assert rcpt(edge, "known@lmtp-ask.example", "other@lmtp-ask.example") == [250, 550]
    for who in ("known", "other"):
        assert asked(mailbox_host, f"{who}@lmtp-ask.example") == 1  # the answer is kept
    first = next(s.clear for s in mailbox_host.sessions if "RCPT TO:<other@lmtp-ask.example>" in s.clear)
    assert first == ["LHLO edge.example", "MAIL FROM:<>", "RCPT TO:<other@lmtp-ask.example>", "QUIT"]
    assert not mailbox_host.messages
    with smtplib.SMTP(edge.address, lab.smtp_port, "client.dane.example", 20) as client:
        client.sendmail("a@dane.example", "known@lmtp-ask.example", "Subject: asked for\r\n\r\n")
    assert "asked for" in mailbox_host.to("known@lmtp-ask.example")[0].text
    edge.wait_empty()


def test_doubt_is_never_an_answer(lab, edge, mailbox_host):
    domain(edge, "doubt.example", f"lmtp:{HOST}:{PORT}")
    for number, (verb, reply) in enumerate([
            ("RCPT", "450 4.2.0 later"), ("RCPT", "554 5.7.1 relay access denied"), ("RCPT", "552 5.2.2 full"),
            ("MAIL", "550 5.7.1 no null sender"), ("LHLO", "554 no"), ("greeting", "421 busy")]):
        known = mailbox_host.replies
        mailbox_host.replies = known | {verb: reply}
        assert rcpt(edge, f"doubt{number}@doubt.example") == [450], reply
        mailbox_host.replies = known
    assert "event=recipient-unverified domain=doubt.example" in edge.log("smtpd")
    assert rcpt(edge, "known@doubt.example") == [450]  # it said nothing sensible a moment ago: it has a rest
    process.wait_for(lambda: rcpt(edge, "known@doubt.example", "doubt1@doubt.example") == [250, 550], 15, "it is asked again")


def test_out_of_reach(lab, edge):
    domain(edge, "gone.example", f"lmtp:{HOST}:{PORT + 1}")
    domain(edge, "nameless.example", "smtp:no-such-host.dane.example:25")
    assert rcpt(edge, "x@gone.example", "x@nameless.example") == [450, 450]


@pytest.mark.parametrize("level", ["encrypt", "verify"])
def test_tls_that_the_domain_demands(lab, edge, mailbox_host, level):
    domain(edge, f"{level}-ask.example", f"lmtp:{HOST}:{PORT}", tls=level)
    assert rcpt(edge, f"known@{level}-ask.example") == [450]  # it offers no TLS
    assert all(session.said_nothing_of_mail() for session in mailbox_host.sessions)


def test_postfix_as_mailbox_host(lab, edge):
    extra = "virtual_mailbox_maps = inline:{ user@postfix-ask.example=x }\n"
    postfix = Postfix(lab.folder / "ask-postfix", "ask.provider.example", [POSTFIX], ["postfix-ask.example"],
                      lab.identities["provider"], (world.PROVIDER_MAILBOXES, lab.lmtp_port), extra=extra)
    namespace.add_address(POSTFIX)
    postfix.start()
    try:
        domain(edge, "postfix-ask.example", f"smtp:{POSTFIX}:25", tls="encrypt")
        assert rcpt(edge, "user@postfix-ask.example", "other@postfix-ask.example") == [250, 550]
        postfix.wait_log(r"TLS connection established from .*TLSv1.3")
        domain(edge, "not-there.example", f"smtp:{POSTFIX}:25")
        assert rcpt(edge, "user@not-there.example") == [450]  # "relay access denied" is no word on the recipient
        domain(edge, "verify-postfix.example", f"smtp:{POSTFIX}:25", tls="verify")
        assert rcpt(edge, "user@verify-postfix.example") == [450]
    finally:
        postfix.stop()
