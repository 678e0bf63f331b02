"""Keys, certificates, and the TLSA records that match them."""

import datetime
import hashlib
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Identity:
    """A key and a certificate for it; signed by itself or by an issuer. Chain: leaf first, root last."""

    def __init__(self, folder: Path, label: str, names=(), issuer=None, authority=False, key=None, days=(-1, 90)):
        now = datetime.datetime.utcnow()
        self.label = label
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.issuer = issuer
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else label)])
        build = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            build = build.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        self.certificate = build.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.chain = [self.certificate]
        while issuer:  # up to the root: a DANE-TA must be in the chain, self-signed or not (RFC 7671, 5.2.2)
            self.chain.append(issuer.certificate)
            issuer = issuer.issuer
        folder.mkdir(parents=True, exist_ok=True)
        self.chain_file = folder / f"{label}.pem"
        self.key_file = folder / f"{label}.key"
        self.chain_file.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in self.chain))
        self.key_file.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.key_file.chmod(0o600)

    def tlsa(self, usage: int, selector: int, matching: int) -> str:
        """The TLSA record for this certificate, in presentation form."""
        return tlsa(self.certificate, usage, selector, matching)

    def server_context(self) -> ssl.SSLContext:
        """A context for a TLS server that presents this identity."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file, self.key_file)
        return context


def tlsa(certificate: x509.Certificate, usage: int, selector: int, matching: int) -> str:
    """The TLSA record of a certificate (RFC 6698, 2.1)."""
    if selector == 1:
        data = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    else:
        data = certificate.public_bytes(serialization.Encoding.DER)
    digest = {0: lambda: data, 1: lambda: hashlib.sha256(data).digest(), 2: lambda: hashlib.sha512(data).digest()}
    return f"{usage} {selector} {matching} {digest.get(matching, digest[1])().hex()}"
