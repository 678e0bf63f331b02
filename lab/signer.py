"""DNSSEC signing of a zone, right or with any defect a test wants.

One ECDSA P-256 key per zone does all (flags 257). The signed zone is served as it is by a real server.
"""

import dataclasses
import time

import dns.dnssec
import dns.name
import dns.rdataset
import dns.rdataclass
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

DAY = 86400
IN = dns.rdataclass.IN


@dataclasses.dataclass(frozen=True)
class Spoil:
    """What to do wrong with the signature of one RRset, or of all with that type when name is "*".

    how: forged (the bits are wrong), expired, ending (in two days), early (not yet valid), missing, foreign (by a key not in the zone).
    """

    name: str
    type: str
    how: str


class Key:
    """A zone's signing key."""

    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.dnskey = dns.dnssec.make_dnskey(self.private.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)

    def ds(self, zone: str) -> str:
        """The DS record that vouches for this key."""
        return dns.dnssec.make_ds(dns.name.from_text(zone), self.dnskey, "SHA256").to_text()


def sign(zone: dns.zone.Zone, key: Key, spoils: tuple[Spoil, ...] = ()):
    """Adds DNSKEY, NSEC and RRSIG records to a zone whose names are absolute."""
    ttl = zone.find_rdataset(zone.origin, "SOA")[0].minimum
    zone.find_rdataset(zone.origin, "DNSKEY", create=True).add(key.dnskey, ttl)
    cuts = {name for name, node in zone.nodes.items() if name != zone.origin and node.get_rdataset(IN, dns.rdatatype.NS)}
    names = sorted(n for n in zone.nodes if not any(n != cut and n.is_subdomain(cut) for cut in cuts))
    for name, following in zip(names, names[1:] + names[:1]):
        node = zone.nodes[name]
        signed = [r for r in node.rdatasets if name not in cuts or r.rdtype == dns.rdatatype.DS]
        types = {r.rdtype for r in node.rdatasets} | {dns.rdatatype.NSEC, dns.rdatatype.RRSIG}
        bitmap = " ".join(dns.rdatatype.to_text(t) for t in sorted(types))
        nsec = dns.rdataset.from_text("IN", "NSEC", ttl, f"{following} {bitmap}")
        node.replace_rdataset(nsec)
        for rdataset in [*signed, nsec]:
            _sign_one(node, name, rdataset, zone.origin, key, _defect(spoils, name, rdataset, zone.origin))


def _defect(spoils, name, rdataset, origin) -> str | None:
    for spoil in spoils:
        right_name = spoil.name == "*" or dns.name.from_text(spoil.name, origin) == name
        if right_name and dns.rdatatype.from_text(spoil.type) == rdataset.rdtype:
            return spoil.how
    return None


def _sign_one(node, name, rdataset, origin, key, defect):
    if defect == "missing":
        return
    now = int(time.time())
    begin, end = {"expired": (-30, -2), "early": (2, 30), "ending": (-12, 2)}.get(defect, (-1, 14))
    private, dnskey = (key.private, key.dnskey) if defect != "foreign" else (Key().private, key.dnskey)
    signature = dns.dnssec.sign(
        (name, rdataset), private, origin, dnskey, inception=now + begin * DAY, expiration=now + end * DAY
    )
    if defect == "forged":
        signature = signature.replace(signature=bytes(64))
    node.find_rdataset(IN, dns.rdatatype.RRSIG, rdataset.rdtype, create=True).add(signature, rdataset.ttl)
