"""The zones and hosts of the lab, as a table.

A zone is written as in a zone file, names relative to it. `TLSA <3 1 1 provider>` stands for the record of that
usage, selector and matching type made from the certificate called provider (see IDENTITIES). SOA, NS, delegation
and DS records are added by the lab; every zone is delegated from example., which is delegated from the root.
"""

import dataclasses

from lab.signer import Spoil

RESOLVER = "127.0.53.53"
ROOT_SERVER = "127.0.53.1"
TLD_SERVER = "127.0.53.2"
ZONE_SERVER = "127.0.53.3"
FORGER = "127.0.53.66"

EDGE, EDGE6 = "127.0.25.1", "fd00:25::1"
PROVIDER, PROVIDER6 = "127.0.25.10", "fd00:25::10"
EXIM = "127.0.25.30"
MAILBOXES = "127.0.24.1"
PROVIDER_MAILBOXES = "127.0.24.10"
VICTIM = "127.0.25.20"
SUBMITTER = "127.0.9.9"


@dataclasses.dataclass(frozen=True)
class Forge:
    """What an attacker between resolver and name server does to answers for one name and type.

    action: SERVFAIL, NOTIMP, REFUSED, FORMERR (that code instead of the answer), drop (no answer at all), or any
    other text: record data that replaces the true data, the signature left as it is.
    """

    name: str
    type: str
    action: str


@dataclasses.dataclass(frozen=True)
class Zone:
    """One zone below example. and everything that is wrong with it.

    ds: match (secure), absent (insecure delegation), wrong (everything in it is bogus), unknown (the DS names an
    algorithm that no validator knows: insecure, RFC 4035 5.2). Default: match when signed, absent otherwise.
    """

    name: str
    text: str
    signed: bool = True
    ds: str = ""
    spoil: tuple[Spoil, ...] = ()
    forge: tuple[Forge, ...] = ()


@dataclasses.dataclass(frozen=True)
class Host:
    """A mail server played by the lab. identity: what it presents after STARTTLS; None: it offers no TLS."""

    address: str
    name: str
    identity: str | None


@dataclasses.dataclass(frozen=True)
class Attack:
    """An attacker on the wire in front of a mail server; `how` as in attacker.py."""

    address: str
    how: str
    target: str = VICTIM


# label: (names in the certificate, label of the issuer)
IDENTITIES = {
    "ca": ((), None),
    "edge": (("ours-example.edge.example", "second-example.edge.example"), None),
    "provider": (("mx.provider.example",), None),
    "anchor": (("mx.anchor.example",), "ca"),
    "plain": (("mx.plain.example",), None),
    "victim": (("mx.victim.example",), None),
    "somebody": (("mx.somebody.example",), None),
    "attacker": (("mx.victim.example",), None),
}

HOSTS = [
    Host("127.0.25.11", "mx.anchor.example", "anchor"),
    Host("127.0.25.12", "mx.plain.example", "plain"),
    Host("127.0.25.13", "mx.cleartext.example", None),
    Host("127.0.25.14", "mx.nodane.example", "plain"),
    Host("127.0.25.15", "mx.unusable.example", "somebody"),
    Host("127.0.25.16", "mx.wrong.example", "somebody"),
    Host("127.0.25.17", "implicit.example", "somebody"),
    Host("::1", "mx.six.example", "somebody"),
    Host(VICTIM, "mx.victim.example", "victim"),
    Host("127.0.66.9", "mx.attacker.example", "attacker"),
]

ATTACKS = [
    Attack("127.0.66.1", "strip"),
    Attack("127.0.66.2", "swap"),
    Attack("127.0.66.3", "454"),
    Attack("127.0.66.4", "554"),
    Attack("127.0.66.5", "inject"),
]

ZONES = [
    # --- ours: accepted domains, and the MX zone their MX hosts live in
    Zone("edge.example", f"""
        ours-example                A     {EDGE}
        ours-example                AAAA  {EDGE6}
        _25._tcp.ours-example       TLSA  <3 1 1 edge>
        second-example              A     {EDGE}
        _25._tcp.second-example     TLSA  <3 1 1 edge>
        six-example                 AAAA  {EDGE6}
        _25._tcp.six-example        TLSA  <3 1 1 edge>
    """),
    Zone("ours.example", "@ MX 10 ours-example.edge.example."),
    Zone("second.example", "@ MX 10 second-example.edge.example."),
    Zone("ours6.example", "@ MX 10 six-example.edge.example."),

    # --- an independent provider with DANE: Postfix
    Zone("provider.example", f"""
        mx              A     {PROVIDER}
        mx              AAAA  {PROVIDER6}
        _25._tcp.mx     TLSA  <3 1 1 provider>
        mx6             AAAA  {PROVIDER6}
        _25._tcp.mx6    TLSA  <3 1 1 provider>
        mx4             A     {PROVIDER}
        _25._tcp.mx4    TLSA  <3 1 1 provider>
    """),
    Zone("dane.example", "@ MX 10 mx.provider.example."),
    Zone("dane6.example", "@ MX 10 mx6.provider.example."),
    Zone("dane4.example", "@ MX 10 mx4.provider.example."),
    Zone("alias.example", """
        @       MX     10 mail
        mail    CNAME  mx4.provider.example.
    """),

    # --- other ways to do DANE
    Zone("anchor.example", """
        @               MX    10 mx
        mx              A     127.0.25.11
        _25._tcp.mx     TLSA  <2 1 1 ca>
    """),
    Zone("implicit.example", """
        @               A     127.0.25.17
        _25._tcp        TLSA  <3 1 1 somebody>
    """),
    Zone("six.example", """
        @               MX    10 mx
        mx              AAAA  ::1
        _25._tcp.mx     TLSA  <3 1 1 somebody>
    """),

    # --- no DANE
    Zone("plain.example", "@ MX 10 mx\nmx A 127.0.25.12", signed=False),
    Zone("cleartext.example", "@ MX 10 mx\nmx A 127.0.25.13", signed=False),
    Zone("nodane.example", "@ MX 10 mx\nmx A 127.0.25.14"),
    Zone("half.example", "@ MX 10 mx.plain.example."),
    Zone("unsigned-mx.example", "@ MX 10 mx4.provider.example.", signed=False),
    Zone("null.example", "@ MX 0 ."),

    # --- DANE gone wrong at the receiver
    Zone("unusable.example", """
        @               MX    10 mx
        mx              A     127.0.25.15
        _25._tcp.mx     TLSA  <1 1 1 somebody>
        _25._tcp.mx     TLSA  <3 1 9 somebody>
    """),
    Zone("wrong.example", """
        @               MX    10 mx
        mx              A     127.0.25.16
        _25._tcp.mx     TLSA  <3 1 1 provider>
    """),
    Zone("second-best.example", """
        @               MX    10 mx.wrong.example.
        @               MX    20 mx4.provider.example.
    """),

    # --- DNSSEC gone wrong
    Zone("bogus.example", "@ MX 10 mx4.provider.example.", spoil=(Spoil("@", "MX", "forged"),)),
    Zone("expired.example", "@ MX 10 mx4.provider.example.", spoil=(Spoil("@", "MX", "expired"),)),
    Zone("bogus-address.example", "@ MX 10 mx\nmx A 127.0.25.12", spoil=(Spoil("mx", "A", "forged"),)),
    Zone("bogus-tlsa.example", """
        @               MX    10 mx
        mx              A     127.0.25.12
        _25._tcp.mx     TLSA  <3 1 1 plain>
    """, spoil=(Spoil("_25._tcp.mx", "TLSA", "forged"),)),
    Zone("tlsa-servfail.example", """
        @               MX    10 mx
        mx              A     127.0.25.12
        _25._tcp.mx     TLSA  <3 1 1 plain>
    """, forge=(Forge("_25._tcp.mx", "TLSA", "SERVFAIL"),)),

    # --- attacks: each domain's own records are right, and lead to the victim's host through an attacker
    Zone("stripped.example", """
        @               MX    10 mx
        mx              A     127.0.66.1
        _25._tcp.mx     TLSA  <3 1 1 victim>
    """),
    Zone("swapped.example", """
        @               MX    10 mx
        mx              A     127.0.66.2
        _25._tcp.mx     TLSA  <3 1 1 victim>
    """),
    Zone("refused.example", """
        @               MX    10 mx
        mx              A     127.0.66.3
        _25._tcp.mx     TLSA  <3 1 1 victim>
    """),
    Zone("refused5.example", """
        @               MX    10 mx
        mx              A     127.0.66.4
        _25._tcp.mx     TLSA  <3 1 1 victim>
    """),
    Zone("injected.example", """
        @               MX    10 mx
        mx              A     127.0.66.5
        _25._tcp.mx     TLSA  <3 1 1 victim>
    """),
    Zone("attacker.example", "mx A 127.0.66.9", signed=False),
    Zone("forged.example", "@ MX 10 mx4.provider.example.",
         forge=(Forge("@", "MX", "10 mx.attacker.example."),)),

    # --- for the resolver proof: one name that must validate, one that must not
    Zone("proof.example", "@ A 127.0.0.1\n@ TXT secure"),
    Zone("broken.example", "@ A 127.0.0.1\n@ TXT bogus", ds="wrong"),
]

PROOF_SECURE = "proof.example"
PROOF_BOGUS = "broken.example"
