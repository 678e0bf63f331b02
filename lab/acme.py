"""A certification authority of our own that speaks ACME (pebble), and a client that knows nothing of us (lego)."""

import json
import subprocess
from pathlib import Path

from lab import namespace, process, world

ADDRESS, NAME = "127.0.25.90", "acme.example"
PORT = 14000


class Pebble:
    """The authority, in the namespace. It asks the lab's resolver for challenges."""

    def __init__(self, lab):
        self.lab, self.folder = lab, lab.folder / "pebble"
        self.folder.mkdir()
        namespace.add_address(ADDRESS)
        lab.add_zone(NAME, f"@ A {ADDRESS}")
        identity = lab.identity("pebble", (NAME,), issuer=lab.identities["ca"])
        configuration = self.folder / "config.json"
        configuration.write_text(json.dumps({"pebble": {
            "listenAddress": f"{ADDRESS}:{PORT}", "managementListenAddress": f"{ADDRESS}:{PORT + 1}",
            "certificate": str(identity.chain_file), "privateKey": str(identity.key_file),
            "httpPort": 5002, "tlsPort": 5001, "ocspResponderURL": "", "externalAccountBindingRequired": False,
        }}), encoding="utf-8")
        command = [process.program("pebble"), "-config", configuration, "-dnsserver", f"{world.RESOLVER}:{lab.dns_port}"]
        environment = {**process.environ(), "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        self.server = process.Server("pebble", command, self.folder / "log", environment)
        self.server.wait_ready(lambda: "Listening on" in self.server.text())

    def stop(self):
        """Ends it."""
        self.server.stop()


class Lego:
    """The client. Challenges are dns-01: it writes them with a TSIG key into the zone that they are for."""

    def __init__(self, pebble: Pebble, folder: Path, domain: str, managed):
        self.folder, self.domain = folder, domain
        key = managed.key
        self.environment = {
            **process.environ(),
            "LEGO_CA_CERTIFICATES": str(pebble.lab.identities["ca"].chain_file),
            "RFC2136_NAMESERVER": f"{managed.primary.address}:{managed.primary.port}",
            "RFC2136_TSIG_KEY": f"{key.name}.", "RFC2136_TSIG_ALGORITHM": f"{key.algorithm}.", "RFC2136_TSIG_SECRET": key.secret,
            "RFC2136_TTL": "1", "RFC2136_POLLING_INTERVAL": "1",
        }
        self.words = ["--server", f"https://{NAME}:{PORT}/dir", "--email", "ops@" + NAME, "--accept-tos", "--path", folder,
                      "--key-type", "ec256", "--dns", "rfc2136", "--domains", domain,
                      # it looks for its challenge until that is there; at the resolver that would leave negative answers
                      "--dns.resolvers", f"{managed.secondaries[0].address}:{managed.secondaries[0].port}"]

    def run(self, *words, **environment) -> str:
        """One command (run, renew, ...) with its options; returns what it said."""
        command = [process.program("lego"), *map(str, self.words), *map(str, words)]
        done = subprocess.run(command, env={**self.environment, **environment}, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise process.Failed(f"lego {' '.join(map(str, words))}: {done.stdout}")
        return done.stdout

    @property
    def chain_file(self) -> Path:
        """The certificate and its issuers."""
        return self.folder / "certificates" / (self.domain.replace("*", "_") + ".crt")
