"""The way to the homeserver: a private authority, and a proxy."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.errors import Temporary
from fault_proxy import proxied
from homeserver import PYTHON, Homeserver
from matrix_rig import Account

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


@pytest.fixture
def ca_file(homeserver: Homeserver, tmp_path: Path) -> Path:  # noqa: ARG001  # its environment must be there
    subprocess.run([PYTHON, "-c", _MAKE_CERTIFICATE, tmp_path], check=True)  # noqa: S603  # our own command
    return tmp_path / "ca.pem"


async def test_a_private_authority_is_trusted_where_it_is_configured(
    account: Account, homeserver: Homeserver, ca_file: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ca_file.with_name("server.pem"))
    async with proxied(homeserver, context) as proxy:
        account.url = proxy.url
        with pytest.raises(Temporary, match="certificate verify failed"):
            async with account.logged_in():
                pass

        account.ca_file = str(ca_file)
        async with account.logged_in() as client:
            assert client.device


async def test_a_proxy_is_used_where_it_is_configured(account: Account) -> None:
    async with connect_proxy() as (url, connected):
        account.proxy = url
        async with account.logged_in() as client:
            assert client.device

    assert connected == [f"127.0.0.1:{account.homeserver.port}"]


async def test_a_proxy_that_is_down_may_come_back(account: Account) -> None:
    account.proxy = "http://127.0.0.1:9"

    with pytest.raises(Temporary):
        async with account.logged_in():
            pass


async def test_a_proxy_that_refuses_may_change_its_mind(account: Account) -> None:
    async with connect_proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (url, _):
        account.proxy = url

        with pytest.raises(Temporary, match="407"):
            async with account.logged_in():
                pass


@asynccontextmanager
async def connect_proxy(
    answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n",
) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that opens tunnels; its address, and where they led."""
    connected: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        host, _, port = head.split()[1].partition(":")
        connected.append(f"{host}:{port}")
        writer.write(answer)
        if b" 200 " in answer:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            await asyncio.gather(pumped(reader, far_writer), pumped(far_reader, writer))
        writer.close()

    async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connected
