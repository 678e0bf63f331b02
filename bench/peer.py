"""Postfix, with its defaults but in_flow_delay=0, and what a fair comparison needs: STARTTLS with the same
certificate, `dane` towards others, and no delivery while messages are only accepted (master.cf without qmgr)."""

import os
import signal
import subprocess
from pathlib import Path

from bench.tools import Failed, greets
from lab import namespace, process

MAIN = """
compatibility_level = 3.7
queue_directory = {dir}/spool
data_directory = {dir}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = peer.example
mydestination =
alias_maps =
relay_domains = sink.example
mynetworks = 127.0.0.0/8
inet_interfaces = {address}
inet_protocols = ipv4
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {certificate}
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_connection_reuse = {reuse}
in_flow_delay = 0
"""

# Services of Debian's master.cf that have a part in these rows; none is in a chroot, as upstream has it.
MASTER = """
smtp      inet  n - n -     - smtpd
{qmgr}qmgr      unix  n - n 300   1 qmgr
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
error     unix  - - n -     - error
retry     unix  - - n -     - error
local     unix  - n n -     - local
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
tlsproxy  unix  - - n -     0 tlsproxy
postlog   unix-dgram n - n - 1 postlogd
"""


class Peer:
    """A Postfix with a queue of its own."""

    name = "peer"
    address = "127.0.30.1"
    port = 25
    idle_sessions = 90  # below default_process_limit

    def __init__(self, work: Path, certificate: Path, key: Path, reuse: bool = False):
        self.dir = work / "postfix"
        subprocess.run(["rm", "-rf", self.dir], check=True)
        for folder in ("etc", "spool", "data"):
            (self.dir / folder).mkdir(parents=True)
        os.chmod(self.dir, 0o755)
        subprocess.run(["chown", "postfix", self.dir / "data"], check=True)
        (self.dir / "etc/main.cf").write_text(
            MAIN.format(dir=self.dir, address=self.address, key=key, certificate=certificate,
                        reuse="yes" if reuse else "no"), encoding="ascii")
        self.master = None

    def _write_master(self, delivering: bool):
        (self.dir / "etc/master.cf").write_text(MASTER.format(qmgr="" if delivering else "#"), encoding="ascii")

    def start(self):
        """Starts it without its queue manager: messages stay in the incoming queue."""
        if namespace.one_user():
            raise Failed("Postfix's smtpd refuses to run without users of its own: run as root, or with --system kedge")
        self._write_master(delivering=False)
        namespace.add_address(self.address)
        etc = self.dir / "etc"
        subprocess.run(["postfix", "-c", etc, "check"], check=True)
        self.master = process.Server("master", ["/usr/lib/postfix/sbin/master", "-c", etc, "-d"], self.dir / "log")
        self.master.wait_ready(lambda: greets(self.address, self.port))

    def deliver(self):
        """Lets the queue go out."""
        self._write_master(delivering=True)
        self.master.child.send_signal(signal.SIGHUP)

    def roots(self) -> list[int]:
        return [self.master.child.pid]

    def stop(self):
        if self.master:
            self.master.stop()
            self.master = None
