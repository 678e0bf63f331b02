"""A mail provider that knows nothing of us: Postfix, which verifies DANE when it sends and has a key when it receives."""

import re
import shutil
import subprocess
from pathlib import Path

from lab import namespace, process

SERVICES = """
pickup     unix    n - n 60    1 pickup
cleanup    unix    n - n -     0 cleanup
qmgr       unix    n - n 300   1 qmgr
tlsmgr     unix    - - n 1000? 1 tlsmgr
rewrite    unix    - - n -     - trivial-rewrite
bounce     unix    - - n -     0 bounce
defer      unix    - - n -     0 bounce
trace      unix    - - n -     0 bounce
verify     unix    - - n -     1 verify
flush      unix    n - n 1000? 0 flush
proxymap   unix    - - n -     - proxymap
proxywrite unix    - - n -     1 proxymap
smtp       unix    - - n -     - smtp
relay      unix    - - n -     - smtp
showq      unix    n - n -     - showq
error      unix    - - n -     - error
retry      unix    - - n -     - error
discard    unix    - - n -     - discard
lmtp       unix    - - n -     - lmtp
anvil      unix    - - n -     1 anvil
scache     unix    - - n -     1 scache
postlog    unix-dgram n - n -  1 postlogd
"""

QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "pid", "private",
          "public", "saved", "trace"]


PROGRAMS = Path("/usr/lib/postfix/sbin")


def programs(folder: Path) -> Path:
    """The folder of Postfix's daemons. Where there is a single user (see oneuser), smtpd needs help: it refuses to be
    root, so it gets a namespace below ours in which that same user is called postfix."""
    if not namespace.one_user():
        return PROGRAMS
    folder.mkdir()
    for program in PROGRAMS.iterdir():
        (folder / program.name).symlink_to(program)
    (folder / "smtpd").unlink()
    user = namespace.USERS["postfix"]
    wrapper = f'exec unshare --user --map-user={user} --map-group={user} {PROGRAMS}/smtpd "$@"'
    (folder / "smtpd").write_text(f"#!/bin/sh\n{wrapper}\n", encoding="utf-8")
    (folder / "smtpd").chmod(0o755)
    return folder


class Postfix:
    """One instance. What arrives for its domains goes by LMTP to `mailboxes` (address, port).

    level: smtp_tls_security_level when it sends. `extra` are further lines of main.cf.
    """

    def __init__(self, folder: Path, name: str, addresses: list[str], domains: list[str], identity, mailboxes,
                 level: str = "dane", extra: str = ""):
        self.folder, self.name, self.addresses = folder, name, addresses
        self.configuration = folder / "etc"
        self.maillog = folder / "maillog"
        self.server: process.Server | None = None
        (folder / "etc").mkdir(parents=True)
        for part in ("data", *(f"spool/{queue}" for queue in QUEUES)):
            (folder / part).mkdir(parents=True)
            shutil.chown(folder / part, "postfix" if part != "spool/pid" else "root")
        for part, mode in (("maildrop", 0o730), ("public", 0o710)):
            shutil.chown(folder / "spool" / part, group="postdrop")
            (folder / "spool" / part).chmod(mode)
        listen = "\n".join(f"{'[' + a + ']' if ':' in a else a}:25 inet n - n - - smtpd" for a in addresses)
        (self.configuration / "master.cf").write_text(listen + SERVICES, encoding="utf-8")
        (self.configuration / "main.cf").write_text(f"""
            compatibility_level = 3.6
            queue_directory = {folder}/spool
            data_directory = {folder}/data
            daemon_directory = {programs(folder / "sbin")}
            maillog_file = {self.maillog}
            maillog_file_prefixes = {folder}
            myhostname = {name}
            mydestination =
            mynetworks = 127.0.0.1/32
            inet_interfaces = {", ".join(addresses)}
            inet_protocols = all
            alias_maps =
            local_transport = error:5.1.1 no local users
            virtual_mailbox_domains = {", ".join(domains)}
            virtual_transport = lmtp:inet:{mailboxes[0]}:{mailboxes[1]}
            smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
            smtpd_tls_security_level = may
            smtpd_tls_chain_files = {identity.key_file}, {identity.chain_file}
            smtpd_tls_received_header = yes
            smtpd_tls_loglevel = 1
            smtp_tls_security_level = {level}
            smtp_dns_support_level = dnssec
            smtp_host_lookup = dns
            smtp_tls_loglevel = 1
            smtp_address_preference = ipv4
            minimal_backoff_time = 5s
            queue_run_delay = 5s
            in_flow_delay = 0
            import_environment = MAIL_CONFIG
            {extra}
        """.replace("\n            ", "\n"), encoding="utf-8")

    def start(self):
        """Starts it and waits until it listens."""
        self.server = process.Server(
            self.name, ["/usr/lib/postfix/sbin/master", "-c", self.configuration, "-d"], self.folder / "master.log"
        )
        self.server.wait_ready(lambda: "daemon started" in self.log())

    def stop(self):
        """Ends it; start() may follow."""
        if self.server:
            self.server.stop()

    def command(self, *words: str, stdin: str | None = None) -> str:
        """One of Postfix's own commands, for this instance."""
        environment = process.environ() | {"MAIL_CONFIG": str(self.configuration)}
        done = subprocess.run(words, env=environment, input=stdin, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode:
            raise process.Failed(f"{' '.join(words)}: {done.stdout}")
        return done.stdout

    def send(self, sender: str, recipient: str, subject: str = "lab", body: str = "Hello.\n") -> None:
        """Hands it a message as a local user would, with sendmail(1)."""
        text = f"From: {sender}\nTo: {recipient}\nSubject: {subject}\n\n{body}"
        self.command("/usr/sbin/sendmail", "-C", str(self.configuration), "-i", "-f", sender, recipient, stdin=text)

    def flush(self):
        """Tries everything in its queue now."""
        self.command("postqueue", "-c", str(self.configuration), "-f")

    def log(self) -> str:
        """Its mail log so far."""
        return self.maillog.read_text(encoding="utf-8", errors="replace") if self.maillog.exists() else ""

    def wait_log(self, pattern: str, seconds: float = 20) -> str:
        """Waits for a line that matches, and returns it."""
        try:
            return process.wait_for(lambda: re.search(f"^.*(?:{pattern}).*$", self.log(), re.M), seconds,
                                    f"{self.name} logs {pattern!r}")[0]
        except process.Failed as why:
            raise process.Failed(f"{why}; the log ends:\n{self.log()[-3000:]}") from None

