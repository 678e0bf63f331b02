"""What the gate may count on: addresses that cannot be reached, hosts with TLSA records of their own, zones that lose
their last host."""

import contextlib
import signal
import socket
import subprocess
import threading
import time

import dns.exception
import dns.message
import dns.name
import dns.query
import pytest

from lab import authority, kedge, namespace, primary, process

ADDRESS, TTL = "127.0.25.86", 2


class Hosted:
    """An edge, its key group g1, and an MX zone on a primary with one public secondary."""

    def __init__(self, lab, build, name: str, *words, engine="knot", **options):
        namespace.add_address(ADDRESS)
        self.name, self.zone = name, f"mx-{name}.example"
        self.managed = authority.ManagedZones(lab, engine, self.zone, ttl=1)
        self.key = self.managed.key
        if engine == "bind":
            self.key, self.bind_text = primary.TsigKey("edge"), (self.managed.primary.folder / "conf").read_text()
            self.primary_allows()
        self.secondary = self.managed.secondaries[0]
        self.edge = kedge.Kedge(lab, build, name, ADDRESS, zone_interval="500ms", edge_name=f"edge.{name}.example", **options)
        self.edge.start()
        self.tsig = self.edge.folder / "tsig"
        self.tsig.write_text(f"{self.key.algorithm}:{self.key.name}:{self.key.secret}\n", encoding="utf-8")
        self.edge.cli("edge-group", "add", "here", "--address", ADDRESS)
        process.wait_for(lambda: self.edge.json("edge", "list"), 10, "the edge has made itself known")
        self.edge.cli("edge", "set", f"edge.{name}.example", "--edge-group", "here")
        self.edge.cli("zone", "add", self.zone, "--primary", f"{self.managed.primary.address}:53", "--tsig-file", self.tsig,
                      "--edge-group", "here", "--ttl", f"{TTL}s", "--address-ttl", f"{TTL}s", *words)
        self.edge.cli("key", "add", "--group", "g1")
        self.edge.cli("tenant", "add", "acme")

    def host(self, *domains: str) -> list[str]:
        """Accepts domains with DANE; their MX hosts."""
        self.edge.cli("domain", "add", *domains, "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--dane")
        return [self.edge.json("domain", "show", domain)["mx_host"] for domain in domains]

    def keys(self) -> dict[str, str]:
        """State -> digest of the group's keys; the newest of a state."""
        return {key["state"]: key["spki_sha256"] for key in self.group()["keys"]}

    def group(self) -> dict:
        """What is said of the group."""
        shown = self.edge.json("key", "show", "g1")
        return shown[0] if isinstance(shown, list) else shown

    def awaits(self, what: str, part: str = "", seconds: float = 30) -> str:
        """Waits until the gate awaits that, of somebody with that in its name, and returns who that is."""
        def look():
            waiting = self.group()["waiting"] or {}
            subject = waiting.get("by") or ""
            return subject or "nobody" if waiting.get("what") == what and part in subject else None

        try:
            return process.wait_for(look, seconds, f"the gate awaits {what} of {part!r}")
        except process.Failed as why:
            raise process.Failed(f"{why}; it says {self.group()['waiting']}, alarms {self.group()['alarms']}") from None

    def wait_ready(self, seconds: float = 40) -> str:
        """Waits until a next key is ready; its digest."""
        try:
            return process.wait_for(lambda: self.keys().get("ready"), seconds, "the next key is ready")
        except process.Failed as why:
            raise process.Failed(f"{why}; {self.keys()}, the gate says {self.group()['waiting']}") from None

    def roll(self):
        """Rolls to the next key and waits until it is active."""
        ready = self.wait_ready()
        self.edge.cli("key", "roll", "g1")
        process.wait_for(lambda: self.keys().get("active") == ready, 40, "the next key is active")

    def looks(self, seconds: float) -> str:
        """Lets the gate look for so long, and returns what it says then."""
        begin = self.group()["looked"]
        time.sleep(seconds)
        process.wait_for(lambda: self.group()["looked"] != begin, 20, "the gate looks")
        return str(self.group()["waiting"])

    @contextlib.contextmanager
    def shut_out(self, host: str):
        """The primary refuses Kedge's updates of a host's TLSA records; those of the lab's own key are taken."""
        self.primary_allows(f"_25._tcp.{host}")
        yield
        self.primary_allows()

    def primary_allows(self, *refused: str):
        """BIND takes updates by both keys, but for these names only those by the lab's."""
        bind, ours, lab = self.managed.primary, self.key, self.managed.key
        deny = "".join(f"deny {ours.name} name {name} ANY; " for name in refused)
        text = self.bind_text.replace(f'allow-update {{ key "{lab.name}"; }}',
                                      f"update-policy {{ {deny}grant {ours.name} zonesub ANY; grant {lab.name} zonesub ANY; }}")
        text = text.replace(f'allow-transfer {{ key "{lab.name}"; }}', f'allow-transfer {{ key "{lab.name}"; key "{ours.name}"; }}')
        assert "update-policy" in text and text.count(f'key "{ours.name}"') == 1
        key = f'key "{ours.name}" {{ algorithm {ours.algorithm}; secret "{ours.secret}"; }};\n'
        (bind.folder / "conf").write_text(key + text, encoding="utf-8")
        done, log = "reloading configuration succeeded", bind.folder / "log"
        before = log.read_text().count(done)
        bind.server.child.send_signal(signal.SIGHUP)
        process.wait_for(lambda: log.read_text().count(done) > before, 20, "BIND has read its configuration")

    def server(self, family: str) -> dict:
        """The secondary in `zone status`, at its address of that family."""
        status = self.edge.try_cli("zone", "status", self.zone, "--json")
        servers = kedge.json.loads(status.stdout)["zones"][0].get("servers", [])
        return next((s for s in servers if s["server"].startswith("secondary") and (":" in s["address"][:5] or "[" in s["address"])
                     == (family == "ipv6")), {})

    def stop(self):
        self.edge.stop()
        self.managed.stop()


@pytest.fixture
def make(lab, build):
    """Makes hosted zones, which end with the test."""
    made = []

    def one(name: str, *words, **options) -> Hosted:
        made.append(Hosted(lab, build, name, *words, **options))
        return made[-1]

    yield one
    for hosted in made:
        hosted.stop()


def test_an_address_without_a_route_holds_until_the_operator_leaves_it_out(make):
    hosted = make("family")
    hosted.host("family-a.example")
    hosted.wait_ready()
    before = hosted.keys()["active"]
    subprocess.run(["ip", "address", "del", f"{hosted.secondary.addresses[1]}/128", "dev", "lo"], check=True)
    hosted.awaits("server-silent", hosted.secondary.addresses[1])
    hosted.edge.cli("key", "roll", "g1")
    seen = process.wait_for(lambda: hosted.server("ipv6").get("state") == "no-route" and hosted.server("ipv6"), 10, "no route")
    assert not seen["left_out"] and "zone_unreachable_family" in seen["why"], seen
    assert hosted.keys()["active"] == before

    hosted.edge.configure(zone_unreachable_family="ipv4")
    hosted.edge.restart("control")
    hosted.awaits("server-silent", hosted.secondary.addresses[1])

    hosted.edge.configure(zone_unreachable_family="ipv6")
    hosted.edge.restart("control")
    process.wait_for(lambda: hosted.keys()["active"] != before, 40, "the next key is active")
    seen = hosted.server("ipv6")
    assert seen["state"] == "no-route" and seen["left_out"] and not hosted.server("ipv4")["left_out"], seen
    text = hosted.edge.try_cli("zone", "status", hosted.zone).stdout
    assert "left out, as zone_unreachable_family says" in text, text
    text = hosted.edge.try_cli("zone", "verify", hosted.zone).stdout
    assert "left out, as zone_unreachable_family says" in text and f"{hosted.zone}: good" in text, text

    # Another address of the same name must answer: the name stands for one server.
    hosted.secondary.pause()
    hosted.awaits("server-silent", hosted.secondary.addresses[0])
    assert not hosted.server("ipv6")["left_out"]
    hosted.secondary.resume()
    process.wait_for(lambda: hosted.server("ipv6").get("left_out"), 20, "it answers again")


HOSTS = [f"host{i:02}.example" for i in range(12)]


def tlsa_of(hosted: Hosted, host: str) -> set[str]:
    """The digests at a host, as the primary has them."""
    answer = hosted.managed.primary.ask(f"_25._tcp.{host}", "TLSA").answer
    return {record.to_text().split()[3] for rrset in answer for record in rrset if rrset.rdtype == 52}


def not_level(hosted: Hosted) -> list[str]:
    """What `zone status` says of hosts with records of their own."""
    status = kedge.json.loads(hosted.edge.try_cli("zone", "status", hosted.zone, "--json").stdout)["zones"][0]
    return [why for one in status.get("rrsets", []) if "hosts" in one for why in one["why"].splitlines()]


def test_hosts_with_records_of_their_own_roll_on_a_primary_that_signs_when_asked(make):
    """PowerDNS: its transfer has the serial and the signatures that its answers have."""
    hosted = make("online", "--tlsa", "host", engine="powerdns")
    hosts = hosted.host(*HOSTS[:3])
    hosted.roll()
    assert all(hosted.keys()["active"] in tlsa_of(hosted, host) for host in hosts) and not_level(hosted) == []


def test_a_host_in_the_middle_without_the_next_key_holds_the_gate(make):
    """Somebody takes the next key's record, then all records, from one of twelve hosts, and the publisher is not let near
    it: the gate says which host."""
    hosted = make("middle", "--tlsa", "host", engine="bind")
    hosts = hosted.host(*HOSTS)
    ready = hosted.wait_ready()
    active = hosted.keys()["active"]
    assert all(tlsa_of(hosted, host) == {active, ready} for host in hosts)
    assert not_level(hosted) == []
    middle = f"_25._tcp.{hosts[6]}"
    label = middle.removesuffix(f".{hosted.zone}")
    with hosted.shut_out(hosts[6]):
        hosted.managed.update(hosted.zone, ("delete", label, "TLSA", f"3 1 1 {ready}"))
        assert middle in hosted.awaits("publication", middle)
        hosted.edge.cli("key", "roll", "g1")
        process.wait_for(lambda: any(middle in why and "other TLSA records" in why for why in not_level(hosted)), 20,
                         "zone status names the host")
        verified = hosted.edge.try_cli("zone", "verify", hosted.zone)
        assert verified.returncode == 1 and f"{middle} has other TLSA records" in verified.stdout, verified.stdout
        hosted.managed.update(hosted.zone, ("delete", label, "TLSA"))
        process.wait_for(lambda: any(middle in why and "lost" in why for why in not_level(hosted)), 20, "it lost them")
        looks = hosted.looks(2 * TTL + 2)
        assert middle in hosted.awaits("publication", middle), looks
        assert hosted.keys()["active"] == active, "a key was served that a host does not promise"
    process.wait_for(lambda: hosted.keys()["active"] == ready, 60, "the publisher has mended it, and the roll goes on")
    assert ready in tlsa_of(hosted, hosts[6]) and not_level(hosted) == []


def test_a_record_that_the_primary_refuses_holds_the_gate(make):
    """The primary takes no change of one host in the middle: it keeps the old key's record alone."""
    hosted = make("refuse", "--tlsa", "host", engine="bind")
    hosts = hosted.host(*HOSTS)
    hosted.wait_ready()
    middle = f"_25._tcp.{hosts[6]}"
    with hosted.shut_out(hosts[6]):
        active, ready = hosted.keys()["active"], hosted.wait_ready()
        hosted.roll()
        # The old key goes from all hosts but one, the key after the next one comes to all but one.
        assert middle in hosted.awaits("publication", middle, 60)
        refused = hosted.edge.try_cli("zone", "status", hosted.zone, "--json").stdout
        assert middle in str(kedge.json.loads(refused)["zones"][0]["refused"]), refused
        assert tlsa_of(hosted, hosts[6]) == {active, ready}
        third = hosted.keys()["published"]
        assert all(third in tlsa_of(hosted, host) for host in hosts if host != hosts[6])
        looks = hosted.looks(2 * TTL + 2)
        assert hosted.keys().get("published") == third, looks
    hosted.wait_ready(90)


class Stale(threading.Thread):
    """The secondary's IPv6 address from now on: what it says, but for a name whose answer stays what it is."""

    def __init__(self, secondary, owner: str):
        super().__init__(daemon=True)
        self.secondary, self.owner, self.kept = secondary, dns.name.from_text(owner), None
        address = secondary.addresses.pop()
        conf = secondary.folder / "conf"
        conf.write_text(conf.read_text().replace(f", {address}@{secondary.port}", ""), encoding="utf-8")
        secondary.restart()
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.bind((address, secondary.port))
        self.start()

    def keep(self):
        """The name's answer of now is that of every later time."""
        self.kept = self.secondary.ask(self.owner.to_text(), "TLSA")

    def run(self):
        while True:
            asked, sender = self.socket.recvfrom(4096)
            query = dns.message.from_wire(asked)
            answer = self.kept
            with contextlib.suppress(dns.exception.DNSException, OSError):  # then there is no answer
                if answer is None or query.question[0].name != self.owner:
                    answer = dns.query.udp(query, self.secondary.address, port=self.secondary.port, timeout=5)
                answer.id = query.id
                self.socket.sendto(answer.to_wire(), sender)


def test_a_server_that_breaks_its_serials_promise_holds_the_gate(make):
    """One address of one server answers for one host in the middle what an older version had, well signed, under the
    newest serial: it is found when that host's turn comes to be asked for, and not forgotten."""
    hosted = make("promise", "--tlsa", "host")
    hosts = hosted.host(*(f"h{i:02}.promise.example" for i in range(50)))
    middle = f"_25._tcp.{hosts[25]}"
    stale = Stale(hosted.secondary, middle)
    hosted.wait_ready()
    stale.keep()
    hosted.roll()
    assert "fd00:" in hosted.awaits("publication", middle, 60)
    process.wait_for(lambda: any(middle in why and "does not have on the primary" in why for why in not_level(hosted)), 20,
                     "zone status names the server and the host")
    third = hosted.keys()["published"]
    looks = hosted.looks(2 * TTL + 3)
    assert hosted.keys().get("published") == third and middle in hosted.awaits("publication", middle), looks
    stale.kept = None
    hosted.wait_ready(60)
    assert not_level(hosted) == []


def test_a_zone_without_hosts_stays_evidence_while_a_server_shows_its_records(make):
    """The last host leaves, and the secondary does not follow: what it shows lacks the next key, so that key waits, also
    over a restart of control; two TTLs after the records are gone there, nothing is left to wait for."""
    hosted = make("last")
    (host,) = hosted.host("last-a.example")
    hosted.wait_ready()
    hosted.secondary.lag()
    hosted.roll()
    hosted.awaits("publication", hosted.zone)  # the key after it is not on the secondary
    hosted.edge.cli("domain", "dane", "disable", "last-a.example")
    process.wait_for(lambda: not hosted.managed.primary.ask(f"_25._tcp.{host}", "TLSA").answer, 20, "the primary follows")
    hosted.edge.restart("control")
    hosted.awaits("publication", hosted.secondary.address)
    hosted.looks(2 * TTL + 2)
    assert "published" in hosted.keys(), "the next key became ready while a server shows records without it"
    hosted.secondary.catch_up()
    hosted.wait_ready(60)
    hosted.edge.cli("domain", "dane", "enable", "last-a.example")
    shown = hosted.keys()
    process.wait_for(lambda: hosted.secondary.ask(f"_dane.g1.{hosted.zone}", "TLSA").answer, 20, "it is published again")
    hosted.wait_ready(60)
    assert hosted.keys()["active"] == shown["active"]
