"""Mail to accepted domains: from Postfix, Exim and swaks, through Kedge, to the mailbox host."""

import smtplib
import socket
import subprocess

import pytest

from lab import namespace, process, world


def swaks(*options) -> subprocess.CompletedProcess:
    """swaks(1) against the edge."""
    return subprocess.run(["swaks", "--server", world.EDGE, "--timeout", "20", *options], capture_output=True, text=True)


@pytest.mark.parametrize("domain, host, address", [
    ("ours.example", "ours-example", world.EDGE),
    ("second.example", "second-example", world.EDGE),
    ("ours6.example", "six-example", world.EDGE6),
])
def test_postfix_verifies_us(lab, edge, domain, host, address):
    lab.provider.send("a@dane.example", f"b@{domain}", subject=f"to {domain}")
    message = lab.mailboxes.to(f"b@{domain}")[0]
    assert message.sender == "a@dane.example"
    assert f"Subject: to {domain}" in message.text
    line = lab.provider.wait_log(rf"Verified TLS connection established to {host}.edge.example")
    assert f"[{address}]:25" in line and "TLSv1.3" in line
    received = message.text.split("Received: ")[1]
    assert "by edge.example" in received and "TLS1.3" in received.replace("v", "").replace("TLSv", "TLS")


def test_exim_verifies_us(lab, edge):
    if namespace.one_user():
        assert lab.exim is None
        return
    lab.exim.send("a@mx.exim.example", "b@ours.example", subject="from Exim")
    assert "from Exim" in lab.mailboxes.to("b@ours.example")[0].text
    lab.exim.wait_log(r"=> b@ours.example .*H=ours-example.edge.example DS .*CV=dane")


def test_swaks_with_tls_and_without(lab, edge):
    for tls in (["--tls"], []):
        done = swaks("--from", "a@dane.example", "--to", "c@ours.example", *tls)
        assert done.returncode == 0, done.stdout
    assert len(lab.mailboxes.to("c@ours.example", 2)) == 2


@pytest.mark.parametrize("recipient", [
    "b@plain.example", "b%plain.example@edge.example", "@ours.example:b@plain.example", "b@[127.0.25.12]", "b@sub.ours.example"])
def test_we_are_no_open_relay(lab, edge, recipient):
    done = swaks("--from", "a@dane.example", "--to", recipient)
    assert done.returncode != 0
    assert "550 5.7.1" in done.stdout or "501 5." in done.stdout, done.stdout
    assert not edge.queue()


def test_a_message_arrives_byte_for_byte(lab, edge):
    body = "".join(f"{'.' * (n % 4)}line {n} \t=20 \u00e4\r\n" for n in range(2000)) + ".\r\n..\r\n"
    content = b"Subject: bytes\r\n\r\n" + body.encode()
    with smtplib.SMTP(world.EDGE, 25, timeout=20) as client:
        client.starttls()
        client.ehlo()
        client.mail("a@dane.example", ["BODY=8BITMIME"])
        client.rcpt("bytes@ours.example")
        assert client.data(content)[0] == 250
    data = lab.mailboxes.to("bytes@ours.example")[0].data
    assert data.endswith(content) and data[: -len(content)].startswith(b"Received: ")
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_bdat_and_pipelining(lab, edge):
    with smtplib.SMTP(world.EDGE, 25, timeout=20) as client:
        client.ehlo()
        content = b"Subject: chunks\r\n\r\none\r\ntwo\r\n"
        client.sock.sendall(
            b"MAIL FROM:<a@dane.example>\r\nRCPT TO:<chunks@ours.example>\r\n"
            b"BDAT %d\r\n%sBDAT %d LAST\r\n%s" % (20, content[:20], len(content) - 20, content[20:])
        )
        assert [client.getreply()[0] for _ in range(4)] == [250, 250, 250, 250]
    assert lab.mailboxes.to("chunks@ours.example")[0].data.endswith(content)


@pytest.mark.parametrize("ending", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r"])
def test_smuggling_is_refused(lab, edge, ending):
    smuggled = b"MAIL FROM:<root@ours.example>\r\nRCPT TO:<victim@ours.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    with smtplib.SMTP(world.EDGE, 25, timeout=20) as client:
        client.ehlo()
        client.mail("a@dane.example")
        client.rcpt("b@ours.example")
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.sock.sendall(b"Subject: outer\r\n\r\nhello" + ending + smuggled)
        code, reply = client.getreply()
        assert (code, reply[:6]) == (550, b"5.6.11"), reply
    assert not edge.queue() and not lab.mailboxes.messages


def test_bytes_behind_starttls_close_the_connection(edge):
    with socket.create_connection((world.EDGE, 25), timeout=20) as connection:
        stream = connection.makefile("rb")
        stream.readline()
        connection.sendall(b"EHLO x.example\r\n")
        while stream.readline()[3:4] == b"-":
            pass
        connection.sendall(b"STARTTLS\r\nMAIL FROM:<injected@dane.example>\r\n")
        rest = stream.read()
    assert b"250" not in rest


def test_the_mailbox_host_says_later(lab, edge):
    lab.mailboxes.replies["."] = "451 4.3.0 full for now"
    assert swaks("--from", "a@dane.example", "--to", "d@ours.example").returncode == 0
    entry = process.wait_for(lambda: next((e for e in edge.queue() if "full for now" in str(e)), None), 10, "a deferral")
    lab.mailboxes.replies.clear()
    edge.cli("queue", "retry", entry["id"])
    lab.mailboxes.to("d@ours.example")
    edge.wait_empty()


def test_the_mailbox_host_says_no(lab, edge):
    lab.mailboxes.replies["RCPT"] = lambda _session, line: "550 5.1.1 nobody" if "nobody@" in line else None
    assert swaks("--from", "sender@second.example", "--to", "nobody@ours.example").returncode == 0
    bounce = lab.mailboxes.to("sender@second.example")[0]
    assert bounce.sender == ""
    assert "message/delivery-status" in bounce.text and "5.1.1" in bounce.text and "nobody@ours.example" in bounce.text
    edge.wait_empty()
