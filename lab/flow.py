"""Constant mail from a Postfix that takes DANE or nothing (`dane-only`), and the books about it: what became of every message,
by Postfix's own log, and where it arrived."""

import collections
import dataclasses
import itertools
import re
import smtplib
import threading

from lab import namespace, process
from lab.postfix import Postfix
from lab.sink import Sink

# A new connection with a full handshake for each message. Who is sent to by `rsa` is shown the RSA certificate: that transport
# speaks TLS 1.2 and knows no ECDSA.
MAIN = """
            smtp_connection_cache_on_demand = no
            smtp_tls_connection_reuse = no
            smtp_address_preference = any
            smtp_tls_session_cache_database =
            default_destination_recipient_limit = 1
            default_delivery_slot_cost = 0
            transport_maps = inline:{{ {rsa} }}"""
RSA = """
rsa        unix    - - n -     - smtp
  -o { smtp_tls_mandatory_protocols = >=TLSv1.2, <=TLSv1.2 }
  -o { smtp_tls_mandatory_exclude_ciphers = aECDSA }
"""
SOURCE = "steady.example"

TLS = re.compile(r"smtp\[(\d+)\]: (\w+) TLS connection established to ([\w.-]+)\[")
FATE = re.compile(r"\[(\d+)\]: \w+: to=<(m\d+@[\w.-]+)>, relay=([\w.-]+).* status=(\w+) \(")


@dataclasses.dataclass
class Books:
    """What Postfix wrote down: how often each recipient's message went out, and the lines about what went wrong. `unverified` went
    out over a connection that was not verified."""

    sent: collections.Counter
    deferred: list[str]
    bounced: list[str]
    unverified: list[str]

    def trouble(self) -> str:
        """What went wrong, as text; empty when nothing did."""
        kinds = {"deferred": self.deferred, "bounced": self.bounced, "not verified": self.unverified}
        return "\n".join(f"{len(lines)} {kind}, as:\n  " + "\n  ".join(lines[:3]) for kind, lines in kinds.items() if lines)


def read_books(log: str) -> Books:
    """From a mail log. A process of Postfix does one delivery at a time: what it wrote of TLS last is about the next fate."""
    books, levels = Books(collections.Counter(), [], [], []), {}
    for line in log.splitlines():
        if found := TLS.search(line):
            levels[found[1]] = (found[2], found[3])
        elif found := FATE.search(line):
            level, host = levels.pop(found[1], ("no", ""))
            if found[4] == "sent":
                books.sent[found[2]] += 1
                if (level, host) != ("Verified", found[3]):
                    books.unverified.append(f"{line} ({level} TLS connection)")
            else:
                (books.deferred if found[4] == "deferred" else books.bounced).append(f"{line} ({level} TLS connection)")
    return books


class Flow:
    """Sends to the domains in turn, a few messages a second, until it is stopped. `rsa` are those that are to be sent to with RSA.
    `mailboxes` is where everything ought to arrive."""

    def __init__(self, lab, address: str, mailboxes: str, rsa: list[str], pause: float = 0.1):
        self.pause, self.numbers = pause, itertools.count(1)
        self.recipients: list[str] = []
        self.going: threading.Event | None = None
        namespace.add_address(address)
        self.mailboxes = Sink(mailboxes, lab.lmtp_port, "mailboxes." + SOURCE, lmtp=True)
        maps = ", ".join(f"{{ {domain} = rsa: }}" for domain in rsa) or "{ none.invalid = rsa: }"
        self.postfix = Postfix(lab.folder / SOURCE, f"mx.{SOURCE}", [address], [], lab.identities["somebody"],
                               (mailboxes, lab.lmtp_port), level="dane-only", extra=MAIN.format(rsa=maps))
        with open(self.postfix.configuration / "master.cf", "a", encoding="utf-8") as services:
            services.write(RSA)
        self.postfix.start()
        self.address = address

    def start(self, domains: list[str]):
        """From now on it sends."""
        self.going, self.failure = threading.Event(), None
        self.thread = threading.Thread(target=self._send, args=(domains,), daemon=True)
        self.thread.start()

    def stop(self):
        """Sends no more."""
        self.going.set()
        self.thread.join()
        if self.failure:
            raise process.Failed(f"Postfix takes no more mail to send: {self.failure}")

    def wait_settled(self, seconds: float = 30):
        """Waits until Postfix has got rid of everything, or has met a failure."""
        def settled():
            books = self.books()
            return books.trouble() or len(books.sent) == len(self.recipients)

        process.wait_for(settled, seconds, f"the fate of {len(self.recipients)} messages")

    def books(self) -> Books:
        """What became of all that was sent so far."""
        return read_books(self.postfix.log())

    def arrived(self) -> collections.Counter:
        """How often each recipient's message is at the mailbox host."""
        return collections.Counter(r for message in list(self.mailboxes.messages) for r in message.recipients)

    def _send(self, domains: list[str]):
        try:
            with smtplib.SMTP(self.address, 25, f"client.{SOURCE}", 20, source_address=("127.0.0.1", 0)) as client:
                for number, domain in zip(self.numbers, itertools.cycle(domains)):
                    recipient = f"m{number}@{domain}"
                    client.sendmail(f"a@{SOURCE}", [recipient], f"Subject: {number}\r\n\r\nHello.\r\n")
                    self.recipients.append(recipient)
                    if self.going.wait(self.pause):
                        return
        except (OSError, smtplib.SMTPException) as why:
            self.failure = why
