"""Compares Kedge's DNS codec with dnspython and with ldns (drill), over random records: dns_oracle.py PROGRAM."""

import base64
import json
import random
import struct
import subprocess
import sys
import time
import unittest

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.renderer
import dns.rrset
import dns.tsig
import dns.update
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PROGRAM: list[str] = []
ZONE = "k7.mx.example"
NOW = int(time.time())
ALGORITHMS = ["hmac-sha256", "hmac-sha384", "hmac-sha512"]


class Codec:
    """The program at its pipe."""

    def __init__(self):
        self.child = subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, verb: str, **values) -> dict:
        self.child.stdin.write(json.dumps({"verb": verb, **values}) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, f"the program died at {verb} {values}"
        return json.loads(line)

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(10) == 0
        self.child.stdout.close()


class Random:
    """Random records, the same for the same seed."""

    def __init__(self, seed: int):
        self.r = random.Random(seed)

    def label(self) -> str:
        return "".join(self.r.choice("abcdefghijklmnopqrstuvwxyz0123456789-_") for _ in range(self.r.randint(1, 20)))

    def name(self, under: str = ZONE) -> str:
        return ".".join([self.label() for _ in range(self.r.randint(1, 3))] + [under])

    def data(self, kind: str) -> str:
        r, name = self.r, self.name("other.example")
        return {
            "A": lambda: ".".join(str(r.randrange(256)) for _ in range(4)),
            "AAAA": lambda: ":".join(f"{r.randrange(65536):x}" for _ in range(8)),
            "CNAME": lambda: f"{name}.", "NS": lambda: f"{name}.", "PTR": lambda: f"{name}.", "DNAME": lambda: f"{name}.",
            "MX": lambda: f"{r.randrange(65536)} {name}.",
            "SRV": lambda: f"{r.randrange(65536)} 1 25 {name}.",
            "NAPTR": lambda: f'1 2 "S" "x" "!^.*$!{self.label()}!" {name}.',
            "TLSA": lambda: f"{r.randrange(4)} {r.randrange(2)} {r.randrange(3)} {r.randbytes(r.randint(1, 80)).hex()}",
            "TXT": lambda: " ".join('"' + "".join(f"\\{c:03}" for c in r.randbytes(r.randint(0, 60))) + '"'
                                    for _ in range(r.randint(1, 3))),
            "SOA": lambda: f"{name}. h.{name}. {r.randrange(2**32)} 1 2 3 {r.randrange(2**31)}",
            "DS": lambda: f"{r.randrange(65536)} 13 2 {r.randbytes(32).hex()}",
            "DNSKEY": lambda: f"256 3 13 {base64.b64encode(r.randbytes(64)).decode()}",
            "TYPE65280": lambda: "\\# 5 0102030405",
        }[kind]()

    def rrset(self, kind: str | None = None, owner: str | None = None) -> dns.rrset.RRset:
        kind = kind or self.r.choice(["A", "AAAA", "CNAME", "NS", "PTR", "DNAME", "MX", "SRV", "NAPTR", "TLSA", "TXT", "DS",
                                      "DNSKEY", "TYPE65280"])
        return dns.rrset.from_text(f"{owner or self.name()}.", self.r.randrange(2**31), "IN", kind, self.data(kind))


def canonical(text: str):
    """A line of a zone file as something to compare."""
    owner, ttl, _, kind, data = text.split(" ", 4)
    rdata = dns.rdata.from_text("IN", kind, data)
    return dns.name.from_text(owner), int(ttl), rdata.rdtype, rdata.to_digestable()


def expected(rrsets):
    return sorted((s.name, s.ttl, s.rdtype, rd.to_digestable()) for s in rrsets for rd in s)


class Case(unittest.TestCase):
    """Has the program."""

    def setUp(self):
        self.codec = Codec()

    def tearDown(self):
        self.codec.close()


class Messages(Case):
    """What we write, others read; what others write, we read."""

    def test_updates_are_read_by_dnspython(self):
        for seed in range(200):
            r = Random(seed)
            sets = [r.rrset() for _ in range(r.r.randint(1, 40))]
            ops = [r.r.choice(["add", "remove"]) for _ in sets]
            changes = [{"op": op, "owner": s.name.to_text(True), "type": s.rdtype, "ttl": s.ttl,
                        "rdata": s[0].to_wire().hex()} for op, s in zip(ops, sets)]
            out = self.codec("update", id=seed, zone=ZONE, changes=changes, limit=60000)
            self.assertEqual((out["taken"], out["refused"]), (len(sets), []))
            message = dns.message.from_wire(bytes.fromhex(out["message"]), one_rr_per_rrset=True)
            self.assertEqual((message.opcode(), message.id, message.flags & 0x87ff), (dns.opcode.UPDATE, seed, 0))
            self.assertEqual([(z.name.to_text(True), z.rdtype, z.rdclass) for z in message.zone],
                             [(ZONE, dns.rdatatype.SOA, dns.rdataclass.IN)])
            self.assertEqual(message.prerequisite, [])
            for op, s, got in zip(ops, sets, message.update, strict=True):
                self.assertEqual((got.name, got.rdtype), (s.name, s.rdtype))
                self.assertEqual(got.deleting, dns.rdataclass.NONE if op == "remove" else None)
                self.assertEqual(got.ttl, 0 if op == "remove" else s.ttl)
                self.assertEqual(got[0].to_wire(), s[0].to_wire())

    def test_an_update_takes_what_fits(self):
        r = Random(1)
        sets = [r.rrset("TLSA") for _ in range(3000)]
        changes = [{"op": "add", "owner": s.name.to_text(True), "type": s.rdtype, "ttl": 60, "rdata": s[0].to_wire().hex()}
                   for s in sets]
        done, sizes = 0, []
        while done < len(sets):
            out = self.codec("update", id=1, zone=ZONE, changes=changes[done:], limit=60000)
            message = dns.message.from_wire(bytes.fromhex(out["message"]), one_rr_per_rrset=True)
            self.assertEqual([u.name for u in message.update], [s.name for s in sets[done:done + out["taken"]]])
            sizes.append(len(out["message"]) // 2)
            done += out["taken"]
        self.assertGreater(min(sizes[:-1]), 59000)
        self.assertLessEqual(max(sizes), 60000)

    def test_bad_changes_are_seen_before_a_server_sees_them(self):
        def change(owner, kind, rdata):
            return {"op": "add", "owner": owner, "type": kind, "ttl": 1, "rdata": rdata}
        rows = [change("a.other.example", 1, "7f000001"), change(f"x{ZONE}", 1, "7f000001"), change(f"a.{ZONE}", 1, "7f"),
                change(f"a..{ZONE}", 1, "7f000001"), change(f"a.{ZONE}", 52, "0301"), change(f"a.{ZONE}", 5, "016103"),
                change(f"{'a' * 64}.{ZONE}", 1, "7f000001"), change(f"b.{ZONE}", 65280, "00" * 65300),
                change(f"good.{ZONE}", 1, "7f000001"), change(ZONE, 16, "0161")]
        out = self.codec("update", id=1, zone=ZONE, changes=rows, limit=60000)
        self.assertEqual([i for i, _ in out["refused"]], list(range(8)))
        self.assertIn("NOTZONE", out["refused"][0][1])

    def test_replies(self):
        for rcode in [0, 1, 2, 5, 9, 10]:
            request = dns.update.Update(ZONE)
            reply = dns.message.make_response(request)
            reply.set_rcode(rcode)
            out = self.codec("reply", id=request.id, message=reply.to_wire().hex())
            self.assertEqual((out["ours"], out["rcode"]), (True, dns.rcode.to_text(rcode)))
            self.assertFalse(self.codec("reply", id=request.id ^ 1, message=reply.to_wire().hex())["ours"])
        question = dns.message.make_query(ZONE, "SOA")
        self.assertFalse(self.codec("reply", id=question.id, message=dns.message.make_response(question).to_wire().hex())["ours"])

    def answer_of(self, rrsets, proof=(), kind="A", keys=(), **flags):
        query = dns.message.make_query(rrsets[0].name if rrsets else f"{ZONE}.", kind, want_dnssec=True)
        reply = dns.message.make_response(query)
        reply.flags |= flags.get("flags", dns.flags.AA)
        reply.answer, reply.authority = list(rrsets), list(proof)
        return query, self.codec("answer", id=query.id, name=query.question[0].name.to_text(True),
                                 type=int(query.question[0].rdtype), now=NOW, keys=list(keys),
                                 message=reply.to_wire(max_size=65535).hex())

    def test_answers_of_dnspython_are_read(self):
        for seed in range(300):
            r = Random(seed)
            owner = r.name()
            sets = [r.rrset(owner=owner)] + [r.rrset() for _ in range(r.r.randint(0, 12))]
            soa = r.rrset("SOA", ZONE)
            query, out = self.answer_of(sets, [soa], dns.rdatatype.to_text(sets[0].rdtype))
            self.assertNotIn("error", out, query)
            self.assertEqual(sorted(map(canonical, out["records"])), expected(sets))
            self.assertEqual(list(map(canonical, out["proof"])), expected([soa]))
            self.assertEqual((out["serial"], out["aa"], out["rcode"]), (soa[0].serial, True, "NOERROR"))

    def test_what_drill_prints_is_what_we_print(self):
        """ldns: a message in a file, printed by drill."""
        import os
        import tempfile
        for seed in range(40):
            r = Random(1000 + seed)
            sets = [r.rrset(kind) for kind in ["A", "AAAA", "CNAME", "MX", "TLSA", "DS", "NS", "TYPE65280"]]
            query = dns.message.make_query(sets[0].name, "A")
            reply = dns.message.make_response(query)
            reply.answer = sets
            out = self.codec("answer", id=query.id, name=sets[0].name.to_text(True), type=1, now=NOW, keys=[],
                             message=reply.to_wire().hex())
            with tempfile.NamedTemporaryFile("w", suffix=".hex", delete=False) as f:
                f.write(" ".join(f"{b:02x}" for b in reply.to_wire()) + "\n")
            text = subprocess.run(["drill", "-i", f.name], capture_output=True, text=True, check=True).stdout
            os.unlink(f.name)
            section = text.split(";; ANSWER SECTION:\n")[1].split("\n\n")[0]
            lines = [" ".join(line.split(";")[0].split()) for line in section.splitlines()]
            theirs = sorted(canonical(line) for line in lines)
            self.assertEqual(sorted(map(canonical, out["records"])), theirs)

    def test_truncated_bytes_never_pass(self):
        r = Random(7)
        sets = [r.rrset("TLSA"), r.rrset("MX"), r.rrset("SOA", ZONE)]
        query = dns.message.make_query(sets[0].name, "TLSA")
        reply = dns.message.make_response(query)
        reply.answer = sets
        wire = reply.to_wire()
        for n in range(len(wire)):
            out = self.codec("answer", id=query.id, name=sets[0].name.to_text(True), type=52, now=NOW, keys=[],
                             message=wire[:n].hex())
            self.assertIn("error", out)

    def test_signatures_made_by_dnspython(self):
        keys = [(13, ec.generate_private_key(ec.SECP256R1())), (14, ec.generate_private_key(ec.SECP384R1())),
                (15, ed25519.Ed25519PrivateKey.generate()), (8, rsa.generate_private_key(65537, 2048)),
                (10, rsa.generate_private_key(65537, 1024))]
        zone = dns.name.from_text(ZONE)
        for seed in range(40):
            r = Random(seed)
            algorithm, private = keys[seed % len(keys)]
            key = dns.dnssec.make_dnskey(private.public_key(), algorithm, flags=256)
            other = dns.dnssec.make_dnskey(ec.generate_private_key(ec.SECP256R1()).public_key(), 13, flags=256)
            kind = r.r.choice(["A", "TLSA", "MX", "CNAME", "TXT"])
            texts = {r.data(kind) for _ in range(1 if kind == "CNAME" else 5)}
            rrset = dns.rrset.from_text_list(f"{r.name()}.", 300, "IN", kind, texts)
            signature = dns.dnssec.sign(rrset, private, zone, key, inception=NOW - 60, expiration=NOW + 600)
            if algorithm == 15:  # expanded from a wildcard; dnspython's sign() cannot
                template = signature.replace(labels=len(zone) - 1, signature=b"")
                data = dns.dnssec._make_rrsig_signature_data(rrset, template)
                signature = template.replace(signature=private.sign(data))
            rrset.ttl = 17  # as a cache might have it
            signed = dns.rrset.from_rdata(rrset.name, 17, signature)
            tag = dns.dnssec.key_id(key)
            for keyset, fits in [([key], True), ([other, key], True), ([other], False)]:
                _, out = self.answer_of([rrset, signed], kind=kind, keys=[k.to_wire().hex() for k in keyset])
                self.assertEqual(out["signatures"], [[int(rrset.rdtype), tag, NOW + 600, fits]], (seed, algorithm))
            broken = bytearray(signature.signature)
            broken[r.r.randrange(len(broken))] ^= 1
            forged = dns.rrset.from_rdata(rrset.name, 17, signature.replace(signature=bytes(broken)))
            _, out = self.answer_of([rrset, forged], kind=kind, keys=[key.to_wire().hex()])
            self.assertFalse(out["signatures"][0][3])
            less = rrset.copy()
            if len(less) > 1:
                less.remove(less[0])
                _, out = self.answer_of([less, signed], kind=kind, keys=[key.to_wire().hex()])
                self.assertFalse(out["signatures"][0][3])


class Tsig(Case):
    """Both sides sign, both sides verify."""

    def key(self, algorithm="hmac-sha256", name="kedge.key", secret=b"secret" * 8):
        return dns.tsig.Key(name, secret, dns.name.from_text(algorithm))

    def sign(self, message: bytes, key, now=NOW) -> bytes:
        out = self.codec("sign", key=key.name.to_text(True), algorithm=key.algorithm.to_text(True), secret=key.secret.hex(),
                         message=message.hex(), now=now)
        return bytes.fromhex(out["message"])

    def request(self, key, now=NOW):
        """A question of ours, as the server has it after it has verified it."""
        query = dns.message.make_query(ZONE, "SOA", use_edns=False)
        wire = self.sign(query.to_wire(), key, now)
        return dns.message.from_wire(wire, keyring={key.name: key})

    def verify(self, wire: bytes, now=NOW) -> dict:
        return self.codec("verify", message=wire.hex(), now=now)

    def test_dnspython_verifies_ours_and_we_verify_dnspython(self):
        for algorithm in ALGORITHMS:
            for seed in range(20):
                r = Random(seed)
                key = self.key(algorithm, r.name("keys.example"), r.r.randbytes(r.r.randint(1, 100)))
                request = self.request(key)
                self.assertTrue(request.had_tsig)
                reply = dns.message.make_response(request)
                reply.answer = [r.rrset() for _ in range(5)]
                wire = reply.to_wire()
                out = self.verify(wire)
                self.assertEqual((out["error"], out["end"]), ("none", "none"))
                self.assertLess(len(out["plain"]) // 2, len(wire))
                self.assertEqual(self.verify(wire)["error"], "forged")  # a second time it is a replay

    def test_every_flipped_bit_is_seen(self):
        key = self.key()
        request = self.request(key)
        reply = dns.message.make_response(request)
        reply.answer = [Random(3).rrset("TLSA")]
        wire = reply.to_wire()
        query = dns.message.make_query(ZONE, "SOA", use_edns=False).to_wire()
        seen = set()
        for bit in range(16, len(wire) * 8):  # the id may change: a forwarder's may (RFC 8945 5.1)
            spoiled = bytearray(wire)
            spoiled[bit // 8] ^= 1 << bit % 8
            self.sign(query, key)
            out = self.verify(bytes(spoiled))
            seen.add(out["error"])
            self.assertNotEqual(out["error"], "none", f"bit {bit}")
        self.assertIn("forged", seen)

    def test_wrong_keys_and_clocks(self):
        key = self.key()

        def reply_with(other=None, **fields):
            request = self.request(key)
            reply = dns.message.make_response(request)
            if other is not None:
                reply.use_tsig(other)
                reply.request_mac = request.mac
            for name, value in fields.items():
                setattr(reply, name, value)
            return reply.to_wire()

        self.assertEqual(self.verify(reply_with(self.key(secret=b"another")))["error"], "forged")
        self.assertEqual(self.verify(reply_with(self.key(name="another.key")))["error"], "other-key")
        self.assertEqual(self.verify(reply_with(self.key("hmac-sha512")))["error"], "other-key")
        for skew, error in [(0, "none"), (250, "none"), (-250, "none"), (400, "late"), (-400, "late")]:
            self.assertEqual(self.verify(reply_with(), NOW + skew)["error"], error)
        request = self.request(key)
        unsigned = dns.message.make_response(dns.message.make_query(ZONE, "SOA"))
        self.assertEqual(self.verify(unsigned.to_wire())["error"], "unsigned")
        for code, error, words in [(dns.rcode.BADSIG, "badsig", "another secret"), (dns.rcode.BADKEY, "badkey", "kedge.key"),
                                   (dns.rcode.BADTRUNC, "badtrunc", "length")]:
            request = self.request(key)
            reply = dns.message.make_response(request, tsig_error=code)
            out = self.verify(reply.to_wire())
            self.assertEqual(out["error"], error)
            self.assertIn(words, out["sentence"])

    def test_badtime_says_by_how_much(self):
        key = self.key()
        request = self.request(key)
        for ahead, words in [(7200, "7200 seconds ahead of"), (-4000, "4000 seconds behind")]:
            request = self.request(key)
            theirs = struct.pack("!HI", (NOW + ahead) >> 32, (NOW + ahead) & 0xffffffff)
            reply = dns.message.make_response(request, tsig_error=dns.rcode.BADTIME)
            reply.tsig = reply._make_tsig(key.name, key.algorithm, NOW, 300, b"", request.id, dns.rcode.BADTIME, theirs)
            out = self.verify(reply.to_wire())
            self.assertEqual(out["error"], "badtime", out)
            self.assertIn(words, out["sentence"])

    def test_requests_with_a_wrong_key_are_refused_by_dnspython(self):
        query = dns.message.make_query(ZONE, "SOA", use_edns=False)
        wire = self.sign(query.to_wire(), self.key(secret=b"ours"))
        with self.assertRaises(dns.tsig.BadSignature):
            dns.message.from_wire(wire, keyring={self.key().name: self.key(secret=b"theirs")})
        with self.assertRaises(dns.tsig.BadTime):
            dns.message.from_wire(self.sign(query.to_wire(), self.key(), NOW - 5000), keyring={self.key().name: self.key()})

    def messages(self, key, count: int, signed):
        """A transfer of count messages by dnspython's rules; signed(i): does message i carry a signature?"""
        query = dns.message.make_query(ZONE, "AXFR", use_edns=False)
        wire = self.sign(query.to_wire(), key)
        request = dns.message.from_wire(wire, keyring={key.name: key})
        r, soa = Random(count), Random(count).rrset("SOA", ZONE)
        sets = [[r.rrset() for _ in range(20)] for _ in range(count)]
        sets[0].insert(0, soa)
        sets[-1].append(soa)
        context, out = None, []
        for i, answer in enumerate(sets):
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.AA
            reply.answer = answer
            plain = reply.to_wire(max_size=65535)
            if not signed(i):
                context.update(plain)
                out.append(plain)
                continue
            tsig = reply._make_tsig(key.name, key.algorithm, NOW, 300, b"", query.id, 0, b"")
            rdata, context = dns.tsig.sign(plain, key, tsig[0], NOW, request.mac, context, True)
            renderer = dns.renderer.Renderer(query.id, reply.flags, 65535)
            renderer.output.write(plain[12:])
            renderer.counts = list(struct.unpack("!4H", plain[4:12]))
            renderer.section = 3
            renderer._write_tsig(rdata, key.name)
            renderer.write_header()
            out.append(renderer.get_wire())
        return query, soa, sets, out

    def test_transfers_in_many_messages(self):
        key = self.key()
        for count, every in [(1, 1), (2, 1), (7, 1), (7, 3), (150, 100), (40, 7)]:
            query, soa, sets, messages = self.messages(key, count, lambda i: i % every == 0 or i == count - 1)
            plain = []
            for i, wire in enumerate(messages):
                out = self.verify(wire)
                self.assertEqual(out["error"], "none", (count, every, i))
                plain.append(out["plain"])
            self.assertEqual(out["end"], "none")
            out = self.codec("transfer", zone=ZONE, id=query.id, messages=plain)
            self.assertEqual(out["steps"], ["more"] * (count - 1) + ["over"])
            whole = [s for answer in sets for s in answer][:-1]
            self.assertEqual(sorted(map(canonical, out["records"])), expected(whole))
            self.assertEqual(out["serial"], soa[0].serial)
            theirs = dns.message.from_wire(bytes.fromhex(out["question"]))
            self.assertEqual(theirs.question[0].rdtype, dns.rdatatype.AXFR)

    def test_a_transfer_that_was_tampered_with(self):
        key = self.key()
        for spoil in range(9):
            _, _, _, messages = self.messages(key, 9, lambda i: i % 4 == 0)
            spoiled = bytearray(messages[spoil])
            spoiled[40] ^= 1
            messages[spoil] = bytes(spoiled)
            self.assertIn("forged", [self.verify(wire)["error"] for wire in messages])
        _, _, _, messages = self.messages(key, 9, lambda i: i % 4 == 0)
        del messages[2]
        self.assertIn("forged", [self.verify(wire)["error"] for wire in messages])
        _, _, _, messages = self.messages(key, 9, lambda i: i % 4 == 0)
        for wire in messages[:-1]:
            out = self.verify(wire)
        self.assertEqual((out["error"], out["end"]), ("none", "unsigned"))
        _, _, _, messages = self.messages(key, 120, lambda i: i == 0)
        self.assertIn("unsigned", [self.verify(wire)["error"] for wire in messages])

    def test_broken_transfers(self):
        query, soa, sets, _ = self.messages(self.key(), 2, lambda i: True)

        def wire(answer, rcode=0, ident=query.id):
            reply = dns.message.make_response(query)
            reply.id = ident
            reply.set_rcode(rcode)
            reply.answer = answer
            return reply.to_wire(max_size=65535).hex()

        older = dns.rrset.from_text(soa.name, soa.ttl, "IN", "SOA", soa[0].to_text().replace(str(soa[0].serial), "7"))
        elsewhere = Random(5).rrset("SOA", "other.example")
        some = sets[0][1:4]
        for messages, steps in [
            ([wire([soa, *some]), wire([soa])], ["more", "over"]),
            ([wire([soa, *some, soa])], ["over"]),
            ([wire(some)], ["broken"]),
            ([wire([soa, *some, older])], ["broken"]),
            ([wire([elsewhere, *some, elsewhere])], ["broken"]),
            ([wire([], 5)], ["refused"]),
            ([wire([], 9)], ["refused"]),
            ([wire([soa, soa, *some])], ["broken"]),
            ([wire([soa, *some], ident=query.id ^ 1)], ["broken"]),
        ]:
            out = self.codec("transfer", zone=ZONE, id=query.id, messages=messages)
            self.assertEqual(out["steps"], steps)


if __name__ == "__main__":
    PROGRAM = [sys.argv.pop(1)]
    unittest.main()
