"""What goes wrong in the field: a test for each. Nothing moves while something is in doubt, what is awaited is said, and the roll
goes on by itself afterwards; and all the time a witness compares what servers publish with what edges serve."""

import json
import subprocess
import time

import dns.rcode
import pytest

from lab import namespace, process, rollover
from lab.kedge import find
from lab.rollover import GROUP, TTL
from lab.witness import Untrue, chain_of, tlsa_at

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
DANE = f"_dane.{GROUP}"
BOTH = ("ecdsa", "rsa")


@pytest.fixture(scope="module")
def hosted(world_lab, build):
    """An edge with keys of both algorithms."""
    made = rollover.Rollover(world_lab, build, "faulty", 1, signature_reserve="1s").provision("--rsa")
    yield made
    made.stop()


@pytest.fixture
def place(hosted):
    """The same, at rest."""
    hosted.rest()
    return hosted


@pytest.fixture
def witness(place):
    """It looks all through the test, and the test fails when it saw anything untrue."""
    with place.witness(BOTH) as one:
        one.wait_rounds(1)
        yield one


@pytest.fixture
def fresh(lab, build):
    """Makes a place for one test alone."""
    made = []

    def make(*words, **options):
        made.append(rollover.Rollover(lab, build, *words, **options))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def roll(place) -> int:
    """Asks for it; the number of the key that shall be served."""
    following = place.key("ecdsa", "ready")["key"]
    place.edge.cli("key", "roll", GROUP)
    return following


def new_certificate(place, label: str, **options):
    """As an operator's CA gives it, with a new key."""
    return place.lab.identity(label, (place.mx_host,), **options)


def stage(place, identity):
    """What a deploy hook does; the number of the key."""
    said = place.edge.json("key", "stage", GROUP, "--cert", identity.chain_file, "--key", identity.key_file)
    digest = identity.tlsa(3, 1, 1).split()[-1]
    return next(k["key"] for k in said["keys"] if k["spki_sha256"] == digest)


def served(witness, since: float) -> set:
    """The digests that edges showed for ECDSA since then."""
    views = witness.views_since(since)
    return set().union(*(seen for who, seen in views.items() if isinstance(who, tuple) and who[1] == "ecdsa"))


def test_renewal_with_a_new_key(place, witness):
    """The top cause of DANE outages: the renewal's key waits until every cache has its record."""
    identity = new_certificate(place, "renewed")
    digest, old = identity.tlsa(3, 1, 1).split()[-1], place.key("ecdsa", "active")["spki_sha256"]
    begun = time.monotonic()
    number = stage(place, identity)
    place.wait_says("caches")
    assert served(witness, begun) == {old}
    place.wait_active(number)
    process.wait_for(lambda: digest in served(witness, begun), 20, "the renewed key is served")
    first_served = next(at for at, who, what in witness.seen if isinstance(who, tuple) and what == digest)
    for server in place.servers:
        published = next(at for at, who, what in witness.seen if who == server and any(digest in one for one in what))
        assert first_served - published > 2 * TTL - 0.5, f"{server} had its record for {first_served - published} s only"


def test_next_tlsa_published_too_late(place, witness):
    """The primary takes no updates when the roll is asked for: the roll waits for the record, and for all caches."""
    place.managed.primary.freeze()
    try:
        number = stage(place, new_certificate(place, "late"))
        place.holds(witness, "publication", seconds=4 * TTL)
        assert "on every server" in place.edge.cli("key", "show", GROUP)
    finally:
        place.managed.primary.thaw()
    place.wait_active(number)


def test_only_some_servers_right(place, witness):
    """One secondary of two lacks the next key's record."""
    late, identity = place.managed.secondaries[1], new_certificate(place, "somewhere")
    late.lag()
    try:
        number = stage(place, identity)
        place.wait_published(identity.tlsa(3, 1, 1), late)
        place.holds(witness, "publication", late.address, seconds=4 * TTL)
    finally:
        late.catch_up()
    place.wait_active(number)


def test_only_some_addresses_right(place, witness):
    """Somebody else answers at one of the addresses that are published for the edge group."""
    stranger = "127.0.26.250"
    place.lab.sink("stranger", stranger, "somebody")
    place.edge.cli("edge-group", "set", "here", "--address", stranger)
    try:
        place.wait_finding("ET005", stranger)
        assert any(stranger in json.dumps(one) for one in place.findings()["EK003"])
        alarm = place.edge.wait_log("smtpd", f"event=edge-probe-bad.*{stranger}")
        assert place.edge.options["edge_name"] in alarm or "matches" in alarm, alarm
        checked = place.edge.try_cli("check", place.domain)
        assert stranger in checked.stdout, checked.stdout
    finally:
        place.edge.cli("edge-group", "set", "here", "--no-address", stranger)
    place.edge.wait_log("smtpd", f"event=edge-probe-over.*{stranger}", 30)
    process.wait_for(lambda: not {"ET005", "EK003"} & place.findings().keys(), 30, "all addresses are right again")
    witness.wait_rounds(1)


def tampered(place, algorithm: str, put: str | None):
    """Somebody replaces the record of the key that is served while control is away, and the primary keeps it so."""
    digest = place.key(algorithm, "active")["spki_sha256"]
    place.edge.stop("control")
    changes = [("delete", DANE, "TLSA", f"3 1 1 {digest}")] + ([("add", DANE, TTL, "TLSA", f"3 1 1 {put}")] if put else [])
    place.managed.update(place.zone, *changes)
    place.managed.wait_level()
    place.managed.primary.freeze()
    place.edge.start("control")


def holds_though_tampered(place, algorithm: str, put: str | None, code: str):
    """The part that two tests have in common: nobody can say that all is well, and nothing moves."""
    numbers = {one: place.key(one, "ready")["key"] for one in BOTH}
    with place.witness(BOTH) as watching:
        watching.wait_rounds(1)
        tampered(place, algorithm, put)
        try:
            place.wait_says("record-missing", place.managed.secondaries[0].address)
            place.edge.cli("key", "roll", GROUP)
            place.holds(watching, "record-missing", place.managed.secondaries[1].address)
            place.wait_finding(code)
            place.edge.wait_log("smtpd", f"event=edge-probe-bad.*algorithm={algorithm}")
        finally:
            place.managed.primary.thaw()
        place.wait_published(f"3 1 1 {place.key(algorithm, 'active')['spki_sha256']}")
        watching.stop()
        seen, watching.untrue = watching.untrue, []
    assert seen and all(f"serves {algorithm} key" in one for one in seen), f"the witness noticed nothing, or too much: {seen}"
    return numbers["ecdsa"]


def test_only_some_algorithms_right(place):
    """The record of the RSA key is gone: senders that know ECDSA notice nothing."""
    place.wait_active(holds_though_tampered(place, "rsa", None, "ET012"))


def test_rsa_right_and_ecdsa_stale(place):
    """The record of the ECDSA key is that of an older one."""
    try:
        number = holds_though_tampered(place, "ecdsa", "5" * 64, "ET012")
        place.wait_says("record-unknown")
    finally:
        place.managed.update(place.zone, ("delete", DANE, "TLSA", f"3 1 1 {'5' * 64}"))
    place.wait_active(number)


def test_sha256_of_the_empty_string_published(place, witness):
    """A script that hashed nothing: the record harms nobody while another matches, and it is nobody's."""
    place.managed.update(place.zone, ("add", DANE, TTL, "TLSA", f"3 1 1 {EMPTY}"))
    place.managed.wait_level()
    try:
        place.wait_says("record-unknown", place.managed.secondaries[0].address)
        number = roll(place)
        place.holds(witness, "record-unknown", place.managed.secondaries[1].address)
        place.wait_finding("ET006")
    finally:
        place.managed.update(place.zone, ("delete", DANE, "TLSA", f"3 1 1 {EMPTY}"))
    place.wait_active(number)
    assert EMPTY not in str(place.managed.primary.transfer(place.zone).to_text())


def test_tlsa_at_the_mail_domain(place, witness):
    """The customer published it at the wrong name: it is found; our own zone has them below MX hosts alone."""
    mx = f"@ MX 10 {place.mx_host}.\n"
    place.lab.add_zone(place.domain, mx + f"_25._tcp TLSA 3 1 1 {'a' * 64}\n")
    try:
        place.wait_finding("ET007")
    finally:
        place.lab.add_zone(place.domain, mx)
    assert "ET007" not in place.findings()
    owners = {str(name) for name, _ in place.managed.primary.transfer(place.zone).iterate_rdatasets("TLSA")}
    assert owners == {f"{DANE}.{place.zone}."}
    witness.wait_rounds(1)


def test_a_secondary_that_lags(place, witness):
    """It has all that the first roll needs; the one after that must wait for it."""
    late = place.managed.secondaries[0]
    late.lag()
    try:
        place.wait_active(roll(place))
        following = process.wait_for(lambda: place.key("ecdsa", "published"), 60, "the next key's record is on its way")
        place.edge.cli("key", "roll", GROUP)
        place.wait_published(f"3 1 1 {following['spki_sha256']}", late)
        place.holds(witness, "publication", late.address, seconds=4 * TTL)
        place.wait_finding("ED014", late.name)
    finally:
        late.catch_up()
    place.wait_active(following["key"])


def test_a_secondary_that_is_down(place, witness):
    down = place.managed.secondaries[1]
    down.stop()
    try:
        place.wait_says("server-silent", down.address)
        number = roll(place)
        place.holds(witness, "server-silent", down.address)
        place.wait_finding("ED013", down.name)
    finally:
        down.start()
    place.wait_active(number)


def test_tcp_nxdomain(place, witness):
    """A resolver that minimises its questions stops at _tcp when that does not exist: on our servers it does."""
    for server in [place.managed.primary, *place.managed.secondaries]:
        answer = server.ask(f"_tcp.{place.mx_host}", "TLSA")
        assert answer.rcode() == dns.rcode.NOERROR, f"{server.name}: {answer}"
    assert "ET008" not in place.findings()
    witness.wait_rounds(1)


@pytest.fixture
def second(place):
    """A second edge of the same control, with an address that senders use."""
    address = "127.0.26.251"
    namespace.add_address(address)
    other = place.edge.another("faulty-edge2", address, edge_name="edge2.faulty.kedge.example")
    name = other.options["edge_name"]
    other.start("smtpd")
    process.wait_for(lambda: name in str(place.edge.json("edge", "list")), 20, "the second edge has made itself known")
    place.edge.cli("edge", "set", name, "--edge-group", "here")
    place.edge.cli("edge-group", "set", "here", "--address", address)
    place.rest()
    yield other
    other.stop()
    place.edge.cli("edge-group", "set", "here", "--no-address", address)
    place.edge.cli("edge", "remove", name)


def test_an_edge_that_missed_the_reload(place, second):
    """One of two edges sees nothing of what control writes and goes on with the old key: its record stays for as long."""
    name = second.options["edge_name"]
    old, digest = (place.key("ecdsa", "active")[what] for what in ("key", "spki_sha256"))

    def shown() -> str:
        return chain_of(second.address, place.lab.smtp_port, place.mx_host, "ecdsa")[0].digest(1, 1)

    second.stop("smtpd")
    second.freeze_keys()
    second.start("smtpd")
    with place.witness(BOTH, second.address) as witness:
        number = roll(place)
        place.wait_active(number)
        place.wait_says("edge-switch", name)
        until, began = time.monotonic() + 6 * TTL, time.monotonic()
        while time.monotonic() < until:
            view = place.view()
            assert place.states(view)["ecdsa", old] == "retiring" and place.says(view, "edge-switch", name), view["waiting"]
            assert shown() == digest
            time.sleep(0.2)
        for server in place.servers:
            assert all(any(digest in one for one in seen) for seen in witness.views_since(began)[server]), server
        second.stop("smtpd")
        place.holds(witness, "edge-silent", name)
        second.thaw_keys(place.edge)
        second.start("smtpd")
        assert shown() == place.key("ecdsa", "active")["spki_sha256"] != digest
        process.wait_for(lambda: ("ecdsa", old) not in place.states(), 60, "the old key is gone")


def test_an_edge_that_hangs(place, witness):
    """A roll is asked for while an edge does not run: it would serve the old key when it goes on."""
    smtpd = place.edge.servers["smtpd"].child
    smtpd.send_signal(process.signal.SIGSTOP)
    try:
        place.wait_says("edge-silent", place.edge.options["edge_name"])
        number = roll(place)
        place.holds(witness, "edge-silent", place.edge.options["edge_name"])
    finally:
        smtpd.send_signal(process.signal.SIGCONT)
    place.wait_active(number)


def test_two_operators_rolling_at_once(place, witness):
    """Both mean the same: the next key is served, and the one after it waits for somebody to ask."""
    following = {one: place.key(one, "ready")["key"] for one in BOTH}
    program = [find(place.edge.build, "kedge"), "--config", place.edge.configuration, "key", "roll", GROUP]
    orders = [[*program, *words] for words in ((), (), ("--algorithm", "rsa"), ())]
    down = place.managed.secondaries[1]
    down.stop()  # so that all have asked before anything can move
    try:
        place.wait_says("server-silent", down.address)
        operators = [subprocess.Popen(one, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for one in orders]
        said = [one.communicate(timeout=90)[0] for one in operators]
        assert [one.returncode for one in operators] == [0] * len(orders), said
        place.holds(witness, "server-silent", down.address)
    finally:
        down.start()
    for number in following.values():
        place.wait_active(number)
    place.rest()
    assert {one: place.key(one, "active")["key"] for one in BOTH} == following, "it rolled twice"


def test_clock_wrong_on_one_node(place, witness, build):
    """Control's machine believes that it is next month: to it, every signature has expired."""
    clock = place.edge.folder / "clock"
    clock.write_bytes(bytes(8))
    clock.chmod(0o644)
    place.edge.environment = {"LD_PRELOAD": str(build / "test/oracle/wrong_clock.so"), "WRONG_CLOCK": str(clock),
                              "ASAN_OPTIONS": "verify_asan_link_order=0"}
    place.edge.restart("control")
    place.rest()
    number = place.key("ecdsa", "ready")["key"]

    def wrong_by(days: int):
        with clock.open("r+b") as file:
            file.write((days * 86400).to_bytes(8, "little"))
    try:
        wrong_by(31)
        place.edge.wait_log("control", "gate-awaits.*what=clock-jumped")
        place.wait_says("not-validated", place.managed.secondaries[0].address)
        place.edge.cli("key", "roll", GROUP)
        place.holds(witness, "not-validated", place.managed.secondaries[1].address)
        wrong_by(0)
        place.wait_active(number)
    finally:
        place.edge.environment = {}
        place.edge.restart("control")


def test_database_restored_in_the_middle_of_a_rollover(place, witness):
    """Yesterday's database calls a key active whose record is withdrawn: edges keep what they serve."""
    place.backup()
    old, number = place.key("ecdsa", "active"), roll(place)
    process.wait_for(lambda: ("ecdsa", old["key"]) not in place.states(), 60, "the old key is gone")
    place.rest()
    digest, since = place.key("ecdsa", "active")["spki_sha256"], time.monotonic()
    place.edge.stop("control")
    place.restore()
    place.edge.start("control")
    # No record changes either: what was withdrawn does not come back.
    place.holds(witness, "edge-ahead", place.edge.options["edge_name"], seconds=4 * TTL)
    assert place.key("ecdsa", "active")["key"] == old["key"] != number
    assert served(witness, since) == {digest}
    place.edge.cli("key", "accept", GROUP, "--yes")
    process.wait_for(lambda: (place.key("ecdsa", "active") or {}).get("spki_sha256") == digest, 30, "what is live is the truth")
    place.rest()
    place.wait_active(roll(place))


def test_ta_pinned_and_the_ca_switched_intermediates(lab, fresh):
    """2 1 1 of the issuing CA is published, and the renewal, of the same key, comes from another one."""
    place = fresh("pinned", 3)
    one, other = (lab.identity(label, authority=True) for label in ("pinned-ca", "other-ca"))
    names = (f"*.{place.zone}",)
    before = lab.identity("pinned-before", names, issuer=one)
    after = lab.identity("pinned-after", names, issuer=other, key=before.key)
    place.provision("--cert", before.chain_file, "--key", before.key_file, "--ta")
    pins = {ca: ca.tlsa(2, 1, 1) for ca in (one, other)}
    late = place.managed.secondaries[0]

    def published(ca) -> list[bool]:
        return [pins[ca] in (tlsa_at(*where, place.dane_owner) or ()) for where in place.servers.values()]

    def issuer() -> str:
        return "2 1 1 " + chain_of(place.addresses[0], lab.smtp_port, place.mx_host, "ecdsa")[1].digest(1, 1)

    process.wait_for(lambda: all(published(one)), 60, "the CA is pinned on every server")
    process.wait_for(lambda: place.view()["waiting"]["what"] == "nothing", 60, "all caches have it")
    with place.witness() as witness:
        late.lag()
        number = stage(place, after)
        place.wait_published(pins[other], late)
        place.holds(witness, "publication", late.address, seconds=4 * TTL)
        assert issuer() == pins[one]
        late.catch_up()
        place.wait_active(number)
        process.wait_for(lambda: issuer() == pins[other], 30, "the new chain is served")
        process.wait_for(lambda: not any(published(one)), 60, "the old CA is withdrawn")
        assert all(published(other))


def test_expired_rrsig(fresh):
    """A secondary that no longer gets the primary's new signatures."""
    place = fresh("expiring", 2, lifetime=40, signature_reserve="15s").provision()
    late = place.managed.secondaries[0]
    place.rest()
    with place.witness() as witness:
        late.lag()
        number = place.key("ecdsa", "ready")["key"]
        place.wait_says("signature-expires", late.address, 60)
        place.edge.cli("key", "roll", GROUP)
        place.holds(witness, "not-validated", late.address)
        place.wait_finding("ED006", late.name)
        late.catch_up()
        place.wait_active(number)


def test_the_witness_can_say_no(place):
    """A record that is gone from one server, a cache that still holds the set without it, and a witness who saw nothing."""
    with pytest.raises(Untrue, match="saw nothing"):
        place.witness().check()
    digest = place.key("ecdsa", "active")["spki_sha256"]
    watching = place.witness()
    watching.look()
    watching.check()
    watching.given["a cache", frozenset({f"3 1 1 {'b' * 64}"})] = time.monotonic()
    watching.given["another", frozenset({f"3 1 1 {digest}", f"2 1 1 {'c' * 64}"})] = time.monotonic()
    watching.look()
    assert {one.rpartition("unmatched: ")[2] for one in watching.untrue} == {"3 1 1", "2 1 1"}
    with pytest.raises(Untrue):
        watching.check()
