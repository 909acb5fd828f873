"""Only public addresses are connected to, whatever a name means and whenever it means something else."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from workbench.errors import ToolError
from workbench.tools.public import PublicTransport, is_own, is_public

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1"]
)
def test_a_public_address_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
        *("192.168.1.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.0.192", "192.0.0.8", "192.0.2.1"),
        *("198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "168.63.129.16"),
        *(
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:a9fe:a9fe",
            "fe80::1",
            "fe80::1%lo",
        ),
        *("fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"),
        *("2002:7f00:1::1", "2001:0:7f00:1::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "2606:4700::1%lo"),
        *("localhost", "", "example.org", "127.1", "0x7f.0.0.1", "2130706433"),
    ],
)
def test_an_address_of_this_machine_or_its_network_is_not(address):
    assert not is_public(address)


def test_this_machines_own_address_is_known():
    assert is_own("127.0.0.1")


class Recorder(httpx.AsyncBaseTransport):
    """Stands where connections are made: what it gets is what would be connected to."""

    def __init__(self, fails: tuple[str, ...] = ()) -> None:
        self.requests: list[httpx.Request] = []
        self.fails = fails

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.host in self.fails:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, text="said")


def resolving(*answers: list[str]):
    """A resolver that gives one answer after the other, the last one for ever."""
    left = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def client(recorder: Recorder, *answers: list[str], own=lambda address: False) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=PublicTransport(recorder, resolving(*answers), own))


async def test_the_address_that_was_checked_is_the_one_connected_to():
    recorder = Recorder()
    async with client(recorder, [PUBLIC], ["127.0.0.1"]) as asking:
        assert (await asking.get("https://example.org:8443/a?b=c")).text == "said"
    (sent,) = recorder.requests
    assert str(sent.url) == f"https://{PUBLIC}:8443/a?b=c"
    assert sent.headers["host"] == "example.org:8443"
    assert sent.extensions["sni_hostname"] == "example.org"


async def test_a_name_that_means_this_machine_the_second_time_is_refused_then():
    recorder = Recorder()
    async with client(recorder, [PUBLIC], ["127.0.0.1"]) as asking:
        await asking.get("http://example.org/")
        with pytest.raises(ToolError, match=r"example\.org is not on the public internet"):
            await asking.get("http://example.org/")
    assert len(recorder.requests) == 1


@pytest.mark.parametrize("answer", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["2606:4700::1", "::1"], []])
async def test_one_address_that_is_not_public_is_enough_to_refuse(answer):
    recorder = Recorder()
    async with client(recorder, answer) as asking:
        with pytest.raises(ToolError, match="not on the public internet"):
            await asking.get("http://example.org/")
    assert recorder.requests == []


async def test_a_public_address_that_is_this_machines_own_is_refused():
    recorder = Recorder()
    async with client(recorder, [PUBLIC], own=lambda address: address == PUBLIC) as asking:
        with pytest.raises(ToolError, match="not on the public internet"):
            await asking.get("http://example.org/")
    assert recorder.requests == []


async def test_the_next_address_is_tried_when_one_does_not_answer():
    recorder = Recorder(fails=("2606:4700::1",))
    async with client(recorder, ["2606:4700::1", PUBLIC]) as asking:
        assert (await asking.get("http://example.org/")).text == "said"
    assert [request.url.host for request in recorder.requests] == ["2606:4700::1", PUBLIC]


async def test_when_no_address_answers_that_is_the_error():
    addresses = [f"93.184.216.{number}" for number in range(1, 6)]
    recorder = Recorder(fails=tuple(addresses))
    async with client(recorder, addresses) as asking:
        with pytest.raises(httpx.ConnectError):
            await asking.get("http://example.org/")
    assert [request.url.host for request in recorder.requests] == addresses[:3]


async def test_a_name_without_an_address_is_said():
    async def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async with httpx.AsyncClient(transport=PublicTransport(Recorder(), resolve)) as asking:
        with pytest.raises(ToolError, match=r"There is no host nowhere\.test, or no connection"):
            await asking.get("http://nowhere.test/")


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate for a host, signed by itself, and its key."""
    cert, key = folder / f"{host}.pem", folder / f"{host}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    subprocess.run([*command, "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
@pytest.mark.parametrize(("asked", "is_answered"), [("example.org", True), ("other.example", False)])
async def test_a_certificate_must_be_that_of_the_name_not_of_the_address(tmp_path, asked, is_answered):
    cert, key = certificate(tmp_path, "example.org")
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(cert, key)

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsaid")
        await writer.drain()
        writer.close()

    class OnLoopback(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(host="127.0.0.1")
            return await super().handle_async_request(request)

    server = await asyncio.start_server(say, "127.0.0.1", 0, ssl=ours)
    port = server.sockets[0].getsockname()[1]
    inner = OnLoopback(verify=ssl.create_default_context(cafile=str(cert)))
    guarded = PublicTransport(inner, resolving([PUBLIC]), lambda address: False)
    async with httpx.AsyncClient(transport=guarded) as asking:
        if is_answered:
            assert (await asking.get(f"https://{asked}:{port}/")).text == "said"
        else:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await asking.get(f"https://{asked}:{port}/")
    server.close()
