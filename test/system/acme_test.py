"""Certificates from a real ACME client: the deploy hook hands them over, and a new key waits at the gate."""

import os
import subprocess

import pytest

from lab import acme, authority, kedge, namespace, process

ADDRESS, ZONE, TTL = "127.0.25.84", "mx-acme.example", 2
HOOK = authority.__file__.replace("lab/authority.py", "share/deploy-hook")


@pytest.fixture(scope="module")
def hosted(world_lab, build):
    """An edge with a managed zone, and an ACME client that may write its challenges there."""
    namespace.add_address(ADDRESS)
    managed = authority.ManagedZones(world_lab, "knot", ZONE, ttl=1)
    pebble = acme.Pebble(world_lab)
    edge = kedge.Kedge(world_lab, build, "acme", ADDRESS, zone_interval="500ms", edge_name="edge.acme-host.example")
    edge.start()
    tsig = edge.folder / "tsig"
    tsig.write_text(f"{managed.key.algorithm}:{managed.key.name}:{managed.key.secret}\n", encoding="utf-8")
    edge.cli("edge-group", "add", "here", "--address", ADDRESS)
    process.wait_for(lambda: edge.json("edge", "list"), 5, "the edge has made itself known")
    edge.cli("edge", "set", "edge.acme-host.example", "--edge-group", "here")
    edge.cli("zone", "add", ZONE, "--primary", f"{managed.primary.address}:53", "--tsig-file", tsig, "--edge-group", "here",
             "--ttl", f"{TTL}s", "--address-ttl", f"{TTL}s")
    edge.lego = acme.Lego(pebble, edge.folder / "lego", f"*.{ZONE}", managed)
    edge.lego.environment |= {
        "PATH": f"{kedge.find(build, 'kedge').parent}:{os.environ['PATH']}", "KEDGE_CONFIG": str(edge.configuration)}
    yield edge
    edge.stop()
    pebble.stop()
    managed.stop()


def shown(edge, what: str) -> str:
    """What the edge's certificate for an MX host says: serial or pubkey."""
    done = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"{ADDRESS}:25", "-servername",
                           edge.json("domain", "show", "acme-host.example")["mx_host"]],
                          input="QUIT\r\n", capture_output=True, text=True, timeout=20)
    return fact(done.stdout, what)


def fact(pem: str, what: str) -> str:
    """A fact of the first certificate in a text."""
    return subprocess.run(["openssl", "x509", "-noout", f"-{what}"], input=pem, capture_output=True, text=True, check=True).stdout


def test_a_certificate_is_handed_over_and_renewed(hosted):
    """First the certificate of a new group; then a renewal with the same key, served at once; then one with a new key."""
    edge, lego = hosted, hosted.lego
    lego.run("run")
    key_file = lego.chain_file.with_suffix(".key")
    edge.cli("key", "add", "--group", "g1", "--cert", lego.chain_file, "--key", key_file)
    edge.cli("tenant", "add", "acme")
    edge.cli("domain", "add", "acme-host.example", "--tenant", "acme", "--mailbox-host", "lmtp:127.0.24.1:24", "--dane")
    first = lego.chain_file.read_text()
    process.wait_for(lambda: shown(edge, "serial") == fact(first, "serial"), 60, "the certificate is served")

    lego.run("renew", "--days", "9999", "--reuse-key", "--no-random-sleep", "--renew-hook", f"{HOOK} g1")
    second = lego.chain_file.read_text()
    assert fact(first, "serial") != fact(second, "serial") and fact(first, "pubkey") == fact(second, "pubkey")
    process.wait_for(lambda: shown(edge, "serial") == fact(second, "serial"), 20, "the renewed certificate is served")

    lego.run("renew", "--days", "9999", "--no-random-sleep", "--renew-hook", f"{HOOK} g1")
    third = lego.chain_file.read_text()
    assert fact(third, "pubkey") != fact(first, "pubkey")
    assert shown(edge, "pubkey") == fact(first, "pubkey"), "a new key waits until its TLSA record is everywhere"
    process.wait_for(lambda: shown(edge, "serial") == fact(third, "serial"), 60, "the new key has passed the gate")


@pytest.mark.parametrize("words, environment, expected", [
    (["g1"], {"RENEWED_LINEAGE": "/live/a"}, "key stage g1 --cert /live/a/fullchain.pem --key /live/a/privkey.pem"),
    (["g1"], {"LEGO_CERT_PATH": "/a.crt", "LEGO_CERT_KEY_PATH": "/a.key"}, "key stage g1 --cert /a.crt --key /a.key"),
    (["g1"], {"CERT_FULLCHAIN_PATH": "/a.cer", "CERT_KEY_PATH": "/a.key"}, "key stage g1 --cert /a.cer --key /a.key"),
    (["deploy_cert", "a", "/a.key", "/a.pem", "/full.pem", "/chain.pem", "1"], {"KEDGE_GROUP": "g1"},
     "key stage g1 --cert /full.pem --key /a.key"),
    (["deploy_challenge", "a", "b", "c"], {"KEDGE_GROUP": "g1"}, ""),
    (["g1", "/chain", "/key"], {}, "key stage g1 --cert /chain --key /key"),
])
def test_the_hook_understands_every_client(tmp_path, words, environment, expected):
    (tmp_path / "kedge").write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    (tmp_path / "kedge").chmod(0o755)
    done = subprocess.run([HOOK, *words], env={"PATH": f"{tmp_path}:/usr/bin:/bin", **environment}, text=True, capture_output=True)
    assert (done.stdout.strip(), done.returncode) == (expected, 0), done.stderr


def test_the_hook_says_what_is_missing():
    done = subprocess.run([HOOK, "g1"], env={"PATH": "/usr/bin:/bin"}, text=True, capture_output=True)
    assert done.returncode == 2 and "usage" in done.stderr
