"""A place to watch rollovers: an edge with keys of both algorithms and a signed MX zone on two public secondaries, a
customer's domain with DANE, and a witness that looks at all of it from the outside."""

import contextlib
import json
import sqlite3
import time

from lab import authority, namespace, process, world
from lab.kedge import Kedge
from lab.witness import Witness, tlsa_at

TTL = 2
GROUP = "g1"
LOOKS = 6  # of the gate: it would have moved in the first one


class Rollover:
    """Needs the namespace. number: of its addresses, one to 99; options: of the configuration."""

    def __init__(self, lab, build, name: str, number: int, lifetime: int | None = None, **options):
        self.lab, self.name, self.domain = lab, name, f"{name}.example"
        self.addresses = [f"127.0.26.{number}", f"fd00:26::{number}"]
        for address in self.addresses:
            namespace.add_address(address)
        self.managed = authority.ManagedZones(lab, "knot", f"mx-{name}.example", secondaries=2, ttl=TTL, lifetime=lifetime)
        self.zone = self.managed.zones[0]
        self.dane_owner = f"_dane.{GROUP}.{self.zone}"
        listen = [f"{self.addresses[0]}:{lab.smtp_port}", f"[{self.addresses[1]}]:{lab.smtp_port}"]
        self.edge = Kedge(lab, build, name, self.addresses[0], listen=listen, edge_name=f"edge.{name}.kedge.example",
                          zone_interval="500ms", edge_probe_interval="1s", edge_silence="12s", **options)
        self.edge.start()

    def provision(self, *key_words):
        """Group, zone, keys, domain; returns when a next key of each algorithm is ready."""
        edge, key, primary = self.edge, self.managed.key, self.managed.primary
        tsig = edge.folder / "tsig"
        tsig.write_text(f"{key.algorithm}:{key.name}:{key.secret}\n", encoding="utf-8")
        edge.cli("edge-group", "add", "here", *(word for one in self.addresses for word in ("--address", one)))
        process.wait_for(lambda: edge.json("edge", "list"), 20, "the edge has made itself known")
        edge.cli("edge", "set", edge.options["edge_name"], "--edge-group", "here")
        edge.cli("zone", "add", self.zone, "--primary", f"{primary.address}:{primary.port}", "--tsig-file", tsig,
                 "--edge-group", "here", "--ttl", f"{TTL}s", "--address-ttl", f"{TTL}s")
        edge.cli("key", "add", "--group", GROUP, *key_words)
        edge.cli("tenant", "add", "acme")
        mailbox_host = f"lmtp:{world.MAILBOXES}:{self.lab.lmtp_port}"
        edge.cli("domain", "add", self.domain, "--tenant", "acme", "--mailbox-host", mailbox_host, "--recipients", "any", "--dane")
        self.lab.add_zone(self.domain, f"@ MX 10 {self.mx_host}.\n")
        return self

    @property
    def mx_host(self) -> str:
        """Of the domain."""
        return self.edge.json("domain", "show", self.domain)["mx_host"]

    @property
    def servers(self) -> dict:
        """Every address of every server: (address, port) by name."""
        public = {f"{s.name} {address}": (address, s.port) for s in self.managed.secondaries for address in s.addresses}
        return {"primary": (self.managed.primary.address, self.managed.primary.port), **public}

    def witness(self, algorithms=("ecdsa",), *more: str) -> Witness:
        """Somebody who looks at all servers and addresses, and at more addresses."""
        edges = {address: (address, self.lab.smtp_port) for address in (*self.addresses, *more)}
        return Witness(self.dane_owner, self.servers, TTL, edges, self.mx_host, algorithms)

    def view(self) -> dict:
        """kedge key list --json."""
        return self.edge.json("key", "list")[0]

    def states(self, view: dict | None = None) -> dict:
        """(algorithm, number) -> state, of keys that are not gone."""
        keys = (view or self.view())["keys"]
        return {(k["algorithm"], k["key"]): k["state"] for k in keys if k["state"] != "gone"}

    def key(self, algorithm: str, state: str) -> dict | None:
        """The key of that algorithm and state."""
        found = [k for k in self.view()["keys"] if (k["algorithm"], k["state"]) == (algorithm, state)]
        return found[0] if found else None

    def is_at_rest(self) -> bool:
        """Of each algorithm one key is served and one is ready; servers have their records alone; nothing is doubted."""
        view = self.view()
        promised = {f"3 1 1 {k['spki_sha256']}" for k in view["keys"] if k["state"] != "gone"}
        each = {a: sorted(s for (of, _), s in self.states(view).items() if of == a) for a in view["algorithm"].split()}
        return all(states == ["active", "ready"] for states in each.values()) and not view["alarms"] and all(
            k["roll"] == "no" for k in view["keys"]) and all(
            tlsa_at(*where, self.dane_owner) == promised for where in self.servers.values())

    def rest(self, seconds: float = 90):
        """Waits until it is, and until the edge serves what is active."""
        try:
            process.wait_for(self.is_at_rest, seconds, "the keys are at rest")
        except process.Failed as why:
            raise process.Failed(f"{why}\n{self.edge.cli('key', 'show', GROUP)}{self.story()}") from None
        return self.states()

    @staticmethod
    def says(view: dict, what: str, by: str) -> bool:
        """Is that awaited, or an alarm, and is the one to blame named?"""
        return any(w and w["what"] == what and by in (w["by"] or "") for w in [view["waiting"], *view["alarms"]])

    def is_hidden(self, view: dict) -> bool:
        """Is all that a server shows in doubt?"""
        return self.says(view, "server-silent", "") or self.says(view, "not-validated", f"the keys of {self.zone}")

    def wait_says(self, what: str, by: str = "", seconds: float = 40) -> dict:
        """Until it does; returns the view."""
        last = {}

        def look():
            last.update(self.view())
            return last["waiting"] and self.says(last, what, by)
        try:
            process.wait_for(look, seconds, f"{what} is awaited by {by or 'anybody'}")
        except process.Failed as why:
            said = [(w or {}).get("sentence") for w in [last["waiting"], *last["alarms"]]]
            raise process.Failed(f"{why}; it says {said}; keys: {self.states(last)}") from None
        return last

    def holds(self, witness: Witness, what: str, by: str = "", seconds: float = 3):
        """Says it from now on, and meanwhile nothing moves: no state, no record on any server, nothing that is served. A server may
        be late on a busy machine, and the resolver may get the zone's keys from the very server that has a defect: such a doubt may
        hide it for a look, which does not count."""
        before, since = self.states(self.wait_says(what, by)), time.monotonic()
        looks = set()
        while time.monotonic() - since < seconds or len(looks) < LOOKS:
            view = self.view()
            said = self.says(view, what, by)
            assert self.states(view) == before, f"moved in spite of {what}: {before} -> {self.states(view)}"
            assert said or self.is_hidden(view), f"{what} by {by} is not said any more: {view['waiting']} {view['alarms']}"
            assert time.monotonic() - since < seconds + 60, f"{what} by {by} is hardly ever said: {view['waiting']} {view['alarms']}"
            if said:
                looks.add(view["looked"])
            time.sleep(0.1)
        witness.wait_rounds(2)
        moved = {who: short(seen) for who, seen in witness.views_since(since).items() if len(seen) > 1}
        assert not moved, f"moved in spite of {what}: {moved}"

    def wait_published(self, record: str, but=None):
        """Until all servers have that record, but one of the secondaries."""
        others = {name: where for name, where in self.servers.items() if not but or not name.startswith(but.name)}
        process.wait_for(lambda: all(record in (tlsa_at(*where, self.dane_owner) or ()) for where in others.values()), 30,
                         f"{', '.join(others)} have {record}")

    def wait_active(self, number: int, seconds: float = 60):
        """Until that key is active."""
        def active():
            return [k for k in self.view()["keys"] if k["key"] == number and k["state"] == "active"]
        try:
            process.wait_for(active, seconds, f"key {number} is served")
        except process.Failed as why:
            raise process.Failed(f"{why}\n{self.edge.cli('key', 'show', GROUP)}{self.story()}") from None

    def findings(self, domain: str | None = None) -> dict[str, list[dict]]:
        """kedge domain status: the findings by code."""
        self.lab.internet.resolver.forget(self.zone)
        done = self.edge.try_cli("domain", "status", domain or self.domain, "--json")
        found: dict[str, list[dict]] = {}
        for finding in json.loads(done.stdout)[0]["findings"]:
            found.setdefault(finding["code"], []).append(finding)
        return found

    def wait_finding(self, code: str, about: str = "", seconds: float = 30):
        """Until the status has it, with that word in what it says."""
        last = {}

        def look():
            last.clear()
            last.update(self.findings())
            return any(about in json.dumps(one) for one in last.get(code, []))
        try:
            process.wait_for(look, seconds, f"{code} about {about}")
        except process.Failed as why:
            raise process.Failed(f"{why}; there is {json.dumps(last)}") from None

    def backup(self):
        """Copies the database as it is now."""
        self._copy(self.edge.folder / "data/kedge.db", self.edge.folder / "backup.db")

    def restore(self):
        """Puts the copy back; control must be stopped."""
        self._copy(self.edge.folder / "backup.db", self.edge.folder / "data/kedge.db")

    @staticmethod
    def _copy(source, target):
        with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
            old.backup(new)

    def story(self) -> str:
        """What the gate said and did, the end of it."""
        lines = [line for line in self.edge.log("control").splitlines() if "event=gate-awaits" in line or "event=key " in line]
        return "\n".join(lines[-25:])

    def stop(self):
        """Ends all of it."""
        self.edge.stop()
        self.managed.stop()


def short(seen: set) -> list:
    """What a witness saw, for people: digests by their first digits."""
    return [one[:8] if isinstance(one, str) else sorted(record[:14] for record in one) for one in seen]
