"""A private authority for the tests, and a certificate of 127.0.0.1 by it."""

import ssl
import subprocess
from pathlib import Path

from support.homeserver import PYTHON

# The homeserver's own environment knows how to make a certificate, ours does not need to.
_MAKE_CERTIFICATE = """
import datetime, ipaddress, pathlib, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
now = datetime.datetime.now(datetime.timezone.utc)
address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
end = now + datetime.timedelta(days=1)
builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, end)
builder = builder.add_extension(address, False).add_extension(x509.BasicConstraints(True, None), True)
certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
private = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
pathlib.Path(sys.argv[1], "ca.pem").write_bytes(certificate)
pathlib.Path(sys.argv[1], "server.pem").write_bytes(certificate + private)
"""


def make_certificates(folder: Path) -> Path:
    """The authority's file, in *folder*, with the server's certificate and key in `server.pem` beside it."""
    subprocess.run([PYTHON, "-c", _MAKE_CERTIFICATE, folder], check=True)  # noqa: S603  # our own command
    return folder / "ca.pem"


def serving(ca_file: Path) -> ssl.SSLContext:
    """A server's side of TLS with the certificate beside *ca_file*."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ca_file.with_name("server.pem"))
    return context
