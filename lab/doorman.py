"""A load balancer in front of an edge: who comes while the edge restarts waits, and is not refused."""

import contextlib
import select
import socket
import threading
import time

from lab import namespace

PATIENCE = 20  # seconds; a sender waits longer for a greeting (RFC 5321 section 4.5.3.2.1)


class Doorman:
    """Takes connections on the edge's public addresses and passes them on to where it listens."""

    def __init__(self, addresses: list[str], port: int, edge: tuple[str, int]):
        self.edge = edge
        for address in addresses:
            namespace.add_address(address)
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.create_server((address, port), family=family, backlog=512)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket):
        with client, contextlib.suppress(OSError), self._greeted() as server:
            pipes = {client: server, server: client}
            while pipes:
                for end in select.select(list(pipes), [], [])[0]:
                    data = end.recv(65536)
                    if data:
                        pipes[end].sendall(data)
                    else:
                        pipes.pop(end).shutdown(socket.SHUT_WR)

    def _greeted(self) -> socket.socket:
        """A connection on which the edge has said something. One that it dropped unseen is tried again."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            with contextlib.suppress(OSError):
                server = socket.create_connection(self.edge, PATIENCE)
                if server.recv(1, socket.MSG_PEEK):
                    server.settimeout(None)
                    return server
                server.close()
            time.sleep(0.05)
        raise TimeoutError("the edge does not come back")
