"""SMTP and LMTP servers played by the lab: they store what they get and remember every word that was said."""

import dataclasses
import socket
import ssl
import threading
import time


@dataclasses.dataclass
class Message:
    """One message as a server got it."""

    sender: str
    recipients: list[str]
    data: bytes
    secure: bool
    parameters: str = ""

    @property
    def text(self) -> str:
        """The content, with line ends as Python likes them."""
        return self.data.decode("utf-8", "replace").replace("\r\n", "\n")


@dataclasses.dataclass
class Session:
    """One connection: what the client said, before TLS and after it."""

    peer: str
    clear: list[str] = dataclasses.field(default_factory=list)
    protected: list[str] = dataclasses.field(default_factory=list)
    sni: str | None = None
    tls: str | None = None
    failure: str = ""
    messages: int = 0

    def leaked(self) -> bool:
        """Whether a sender, a recipient or content was said in clear text."""
        return any(line.upper().startswith(("MAIL", "RCPT", "DATA", "BDAT")) for line in self.clear)

    def said_nothing_of_mail(self) -> bool:
        """Whether neither sender nor recipient nor content was said at all, protected or not."""
        lines = [*self.clear, *self.protected]
        return not any(line.upper().startswith(("MAIL", "RCPT", "DATA", "BDAT")) for line in lines)


class Sink:
    """A server on one address. Change `replies` at any time to make it answer a verb differently.

    replies: {"RCPT": "450 4.2.0 later"}; a value may be a callable (session, line) -> reply or None for the usual.
    hang_up: a verb at which the connection is cut instead of an answer; "." is the end of data.
    """

    def __init__(self, address: str, port: int, name: str, identity=None, lmtp=False):
        self.address, self.port, self.name, self.lmtp = address, port, name, lmtp
        self.identity = identity
        self.replies: dict = {}
        self.hang_up: str | None = None
        self.extensions = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "SIZE 52428800", "CHUNKING"]
        self.messages: list[Message] = []
        self.sessions: list[Session] = []
        self.changed = threading.Condition()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family, backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    def clear(self):
        """Forgets what came so far and what it was told to answer."""
        with self.changed:
            self.messages.clear()
            self.sessions.clear()
            self.replies.clear()
            self.hang_up = None

    def wait(self, count: int = 1, seconds: float = 20, where=lambda message: True) -> list[Message]:
        """Waits for messages and returns them; TimeoutError when too few come."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while len(found := [m for m in self.messages if where(m)]) < count:
                if not self.changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    raise TimeoutError(f"{self.name}: {len(found)} of {count} messages in {seconds:g} s")
            return found

    def to(self, recipient: str, count: int = 1, seconds: float = 20) -> list[Message]:
        """Waits for messages to one recipient."""
        return self.wait(count, seconds, lambda message: recipient in message.recipients)

    def close(self):
        """Stops listening: connections are refused from now on."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, peer[0]), daemon=True).start()

    def _serve(self, connection: socket.socket, peer: str):
        connection.settimeout(60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(peer)
        with self.changed:
            self.sessions.append(session)
        try:
            Dialog(self, session, connection).run()
        except (OSError, EOFError, ssl.SSLError) as why:
            session.failure = session.failure or str(why)


class Dialog:
    """One SMTP or LMTP conversation, from greeting to QUIT."""

    def __init__(self, sink: Sink, session: Session, connection: socket.socket):
        self.sink, self.session, self.connection = sink, session, connection
        self.stream = connection.makefile("rb")
        self.reset()

    def reset(self):
        """Forgets the transaction."""
        self.sender, self.parameters, self.recipients, self.content = None, "", [], b""

    def say(self, text: str):
        """Sends one reply."""
        self.connection.sendall((text + "\r\n").encode())

    def run(self):
        """Greeting to QUIT."""
        self.say(self._chosen("greeting", "") or f"220 {self.sink.name} {'LMTP' if self.sink.lmtp else 'ESMTP'}")
        try:
            while self._one_command():
                pass
            if self.session.tls:
                self.connection.unwrap()
        finally:
            self.stream.close()
            self.connection.close()

    def _chosen(self, verb: str, line: str) -> str | None:
        reply = self.sink.replies.get(verb)
        return reply(self.session, line) if callable(reply) else reply

    def _one_command(self) -> bool:
        raw = self.stream.readline(65536)
        if not raw.endswith(b"\n"):
            raise EOFError("the client went away")
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        (self.session.protected if self.session.tls else self.session.clear).append(line)
        verb = line.split(" ")[0].upper()
        if verb == self.sink.hang_up:
            return False
        chosen = self._chosen(verb, line)
        handler = getattr(self, f"_{verb.lower()}", None)
        if chosen and not (verb == "BDAT" or chosen.startswith("3")):
            self.say(chosen)
            return verb != "QUIT"
        if handler is None:
            self.say("500 5.5.1 what?")
            return True
        return handler(line) is not False

    def _ehlo(self, _line):
        offers = list(self.sink.extensions)
        if self.sink.identity and not self.session.tls:
            offers.append("STARTTLS")
        lines = [self.sink.name, *offers]
        self.say("\r\n".join(f"250-{text}" for text in lines[:-1]) + f"\r\n250 {lines[-1]}")

    def _helo(self, _line):
        self.say(f"250 {self.sink.name}")

    _lhlo = _ehlo

    def _starttls(self, _line):
        if not self.sink.identity or self.session.tls:
            self.say("502 5.5.1 no")
            return
        self.say("220 2.0.0 go ahead")
        context = self.sink.identity.server_context()
        context.sni_callback = lambda _socket, name, _context: setattr(self.session, "sni", name)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.session.tls = f"{self.connection.version()} {self.connection.cipher()[0]}"
        self.stream = self.connection.makefile("rb")
        self.reset()

    def _mail(self, line):
        path, _, self.parameters = line[len("MAIL FROM:"):].partition(">")
        self.sender = path.strip().lstrip("<")
        self.say("250 2.1.0 ok")

    def _rcpt(self, line):
        if self.sender is None:
            self.say("503 5.5.1 no sender")
            return
        path, _, parameters = line[len("RCPT TO:"):].partition(">")
        self.recipients.append(path.strip().lstrip("<"))
        self.parameters += parameters
        self.say("250 2.1.5 ok")

    def _data(self, _line):
        if not self.recipients:
            self.say("503 5.5.1 no recipients")
            return True
        self.say("354 go on")
        while (line := self.stream.readline(1 << 22)) != b".\r\n":
            if not line.endswith(b"\n"):
                raise EOFError("the client went away in the middle of a message")
            self.content += line[1:] if line.startswith(b".") else line
        return self._finish(".")

    def _bdat(self, line):
        words = line.upper().split()
        self.content += self.stream.read(int(words[1]))
        if not self.recipients:
            self.say("503 5.5.1 no recipients")
            return True
        if words[-1] == "LAST":
            return self._finish("BDAT")
        self.say("250 2.0.0 more")
        return True

    def _finish(self, verb) -> bool:
        if self.sink.hang_up in (verb, "."):
            return False
        chosen = self._chosen(".", "")
        if not chosen or chosen.startswith("2"):
            with self.sink.changed:
                self.session.messages += 1
                self.sink.messages.append(
                    Message(self.sender, self.recipients, self.content, bool(self.session.tls), self.parameters.strip())
                )
                self.sink.changed.notify_all()
        for _ in self.recipients if self.sink.lmtp else [None]:
            self.say(chosen or "250 2.0.0 stored")
        self.reset()
        return True

    def _rset(self, _line):
        self.reset()
        self.say("250 2.0.0 ok")

    def _noop(self, _line):
        self.say("250 2.0.0 ok")

    def _quit(self, _line):
        self.say("221 2.0.0 bye")
        return False
