"""Certificates for the tests: an authority, one in between, and what they sign."""

import datetime
import hashlib
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PEM = serialization.Encoding.PEM


def key_pem(key, passphrase=None):
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, how)


class Signed:
    """A certificate with its key; its own authority when nobody signed it."""

    def __init__(self, name, by=None, is_authority=False, key=None, days=30):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.by = by
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        self.cert = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(by.cert.subject if by else subject)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=400)).not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(by.key if by else self.key, hashes.SHA256()))

    @property
    def pem(self):
        return self.cert.public_bytes(PEM)

    @property
    def fingerprint(self):
        return hashlib.sha256(self.cert.public_bytes(serialization.Encoding.DER)).hexdigest()

    def write(self, folder, name="server", chain=(), passphrase=None):
        """Puts certificate and key into `folder`, each by renaming, as tools that renew do; returns their paths."""
        paths = []
        for kind, content in (("crt", self.pem + b"".join(each.pem for each in chain)),
                              ("key", key_pem(self.key, passphrase))):
            path = os.path.join(folder, f"{name}.{kind}")
            with open(path + ".new", "wb") as file:
                file.write(content)
            os.rename(path + ".new", path)
            paths.append(path)
        return paths


def weak(name):
    return Signed(name, key=rsa.generate_private_key(65537, 1024))


def trusting(*authorities):
    """A client that accepts what these vouch for, and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata="".join(each.pem.decode() for each in authorities))
    return context


def careless():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
