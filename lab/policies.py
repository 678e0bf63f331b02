"""The web server of MTA-STS policies."""

import http.server
import threading

from lab import namespace
from lab.pki import Identity

PORT = 443


def policy(*lines: str) -> str:
    """A policy's text."""
    return "\r\n".join(["version: STSv1", "max_age: 86400", *lines, ""])


class PolicyServer:
    """Serves policies on an address, for any mta-sts.DOMAIN. Change `texts` (domain: text) at any time; 404 for others."""

    def __init__(self, address: str, identity: Identity, texts: dict[str, str]):
        self.texts = texts
        namespace.add_address(address)
        server = http.server.ThreadingHTTPServer((address, PORT), self._handler())
        server.socket = identity.server_context().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def _handler(self):
        texts = self.texts

        class Handler(http.server.BaseHTTPRequestHandler):
            """One request."""

            def do_GET(self):  # pylint: disable=invalid-name
                """Answers with the policy of the host that was asked for."""
                text = texts.get(self.headers["Host"].removeprefix("mta-sts."), "")
                found = text and self.path == "/.well-known/mta-sts.txt"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):  # pylint: disable=arguments-differ
                """Says nothing."""

        return Handler
