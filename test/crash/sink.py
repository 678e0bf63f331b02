"""A mailbox host that says "later" now and then, and counts what it took."""

import random
import re
import socket
import threading
import time

NUMBER = re.compile(rb"^X-Bench: *([0-9-]+)", re.MULTILINE)


class Sink:
    """Listens until closed. taken: number of a message -> the times at which it was taken."""

    def __init__(self, address: str, seed: int):
        self.taken: dict[str, list[float]] = {}
        self.later = 0.1  # share of the messages that are put off
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._listener = socket.create_server((address, 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def count(self) -> int:
        with self._lock:
            return len(self.taken)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection, connection.makefile("rb") as lines:
                self._dialog(connection, lines)
        except OSError:
            pass

    def _dialog(self, connection, lines):
        connection.sendall(b"220 sink.example ESMTP\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb in (b"EHLO", b"HELO"):
                connection.sendall(b"250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"DATA":
                connection.sendall(b"354 go\r\n")
                content = []
                for part in lines:
                    if part == b".\r\n":
                        break
                    content.append(part)
                else:
                    return  # the sender died in the middle
                connection.sendall(self._take(b"".join(content)))
            elif verb == b"QUIT":
                connection.sendall(b"221 bye\r\n")
                return
            else:
                connection.sendall(b"250 ok\r\n")

    def _take(self, content: bytes) -> bytes:
        number = NUMBER.search(content).group(1).decode()
        with self._lock:
            if self._random.random() < self.later:
                return b"451 4.3.0 later\r\n"
            self.taken.setdefault(number, []).append(time.monotonic())
            slow = self._random.random() < 0.2
        if slow:  # taken, but the sender does not know yet: the moment at which a kill may double it
            time.sleep(0.03)
        return b"250 2.0.0 taken\r\n"
