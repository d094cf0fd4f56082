"""certs: a certificate authority of the tests' own, and what it signs."""
import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    def __init__(self, folder):
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        self.now = datetime.datetime.utcnow()
        self.ca_file = self.write("ca", self.sign(self.name, self.key, self.now - DAY, self.now + DAY, True), None)

    def sign(self, name, key, begin, end, is_ca, host=None):
        b = (x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
             .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
             .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True))
        if host:
            b = b.add_extension(x509.SubjectAlternativeName([host]), critical=False)
        return b.sign(self.key, hashes.SHA256())

    def write(self, name, cert, key):
        path = f"{self.folder}/{name}.pem"
        with open(path, "wb") as f:
            f.write(cert.public_bytes(serialization.Encoding.PEM))
            if key:
                f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))
        return path

    def server(self, host=x509.IPAddress(ipaddress.ip_address("127.0.0.1")), ended=False):
        """A context for a server whose certificate is for that host."""
        key = ec.generate_private_key(ec.SECP256R1())
        begin = self.now - (30 * DAY if ended else DAY)
        cert = self.sign(x509.Name([]), key, begin, begin + 2 * DAY, False, host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.write(f"server{cert.serial_number}", cert, key))
        return context

    def other_host(self):
        return self.server(x509.DNSName("elsewhere.example.com"))


class Files:
    """A certificate for 127.0.0.1 and its key, as PEM files."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        authority, key = Authority(str(folder)), ec.generate_private_key(ec.SECP256R1())
        begin, host = authority.now - DAY, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        self.ca = authority.ca_file
        self.cert = authority.write("cert", authority.sign(x509.Name([]), key, begin, begin + 2 * DAY, False, host), None)
        self.key = f"{folder}/key.pem"
        with open(self.key, "wb") as f:
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()))
