"""A second independent sender: Exim, with DANE.

Only where the namespace has several users: Exim checks that its change of user was real (see oneuser).
"""

import re
import subprocess
from pathlib import Path

from lab import namespace, process

CONFIGURATION = """
primary_hostname = mx.exim.example
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
log_selector = +tls_peerdn +tls_cipher +dnssec +smtp_confirmation
local_interfaces = {address}
never_users =
keep_environment =
domainlist local_domains =
acl_smtp_rcpt = accept
dns_dnssec_ok = 1

begin routers
outward:
  driver = dnslookup
  transport = outward
  dnssec_request_domains = *

begin transports
outward:
  driver = smtp
  interface = {address}
  dnssec_request_domains = *
  hosts_try_dane = *
  hosts_require_dane = {require}

begin retry
* * F,1h,5s
"""


class Exim:
    """Exim as a sender; require: the hosts (an Exim host list) to which it delivers with DANE or not at all."""

    def __init__(self, folder: Path, address: str, require: str = "*"):
        self.folder = folder
        for part in ("spool", "log"):
            (folder / part).mkdir(parents=True)
        subprocess.run(["chown", "-R", "Debian-exim", folder], check=True)
        # The one place from which Exim takes its configuration and keeps its rights; private in the namespace.
        namespace.cover("/etc/exim4")
        text = CONFIGURATION.format(folder=folder, address=address, require=require)
        Path("/etc/exim4/exim4.conf").write_text(text, encoding="utf-8")

    def send(self, sender: str, recipient: str, subject: str = "lab") -> None:
        """Hands it a message and lets it deliver at once."""
        text = f"From: {sender}\nTo: {recipient}\nSubject: {subject}\n\nHello.\n"
        command = ["/usr/sbin/exim4", "-odf", "-i", "-f", sender, recipient]
        done = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise process.Failed(f"exim4: {done.stdout}")

    def log(self) -> str:
        """Its main log so far."""
        path = self.folder / "log" / "mainlog"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def wait_log(self, pattern: str, seconds: float = 20) -> str:
        """Waits for a line that matches, and returns it."""
        return process.wait_for(lambda: re.search(f"^.*(?:{pattern}).*$", self.log(), re.M), seconds,
                                f"exim logs {pattern!r}")[0]
