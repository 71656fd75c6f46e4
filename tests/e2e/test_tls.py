"""TLS on the one port: certificates made or given, replaced under way, pinned; and what does not speak it."""

import concurrent.futures
import hashlib
import json
import os
import socket
import ssl
import stat
import time

import pytest

from client import Client
from gateway import until
from pki import Signed, careless, trusting, weak
from ws import Closed, WebSocket

HEADERS = {"Content-Type": "application/json"}


class SealedClient(Client):
    tls = careless()


def tls_config(**tls):
    return {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"},
                        "tls": {"enabled": True, **tls}}}


@pytest.fixture(scope="module", autouse=True)
def once(topology):
    if topology == "ipc":
        pytest.skip("TLS ends at the edge, which is where it is in both")


@pytest.fixture(scope="module")
def sealed(topology):
    """A gateway that was given nothing but the word."""
    from gateway import Gateway
    running = Gateway(topology, config=tls_config(), environment={"OPENCLAW_HANDSHAKE_TIMEOUT_MS": "1500"})
    running.tls = careless()
    try:
        yield running.start()
    finally:
        running.close()


def connect(gateway, context=None):
    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    return (context or careless()).wrap_socket(raw, server_hostname="localhost")


def shown(gateway, context=None):
    """The fingerprint of the certificate that a new connection gets."""
    with connect(gateway, context) as sock:
        return hashlib.sha256(sock.getpeercert(True)).hexdigest()


def ask(sock, path="/healthz", more=""):
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        got = sock.recv(65536)
        if not got:
            break
        data += got
    return data


def read_all(sock):
    data = b""
    while True:
        try:
            got = sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            return data
        if not got:
            return data
        data += got


# --- what it was given nothing for ---------------------------------------------------------


def test_a_pair_is_made_that_nobody_else_may_read(sealed):
    folder = os.path.join(sealed.state_dir, "gateway", "tls")
    for name in ("gateway-cert.pem", "gateway-key.pem"):
        assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_its_fingerprint_is_told_at_the_start_and_by_status(sealed):
    fingerprint = shown(sealed)
    assert f"sha256:{fingerprint}" in sealed.text()
    told = json.loads(sealed.cli("gateway", "status", "--json").stdout)
    assert told["gateway"]["tlsEnabled"] is True and told["gateway"]["tlsFingerprint"] == fingerprint
    assert told["gateway"]["probeUrl"].startswith("wss://") and told["rpc"]["ok"] is True
    assert f"sha256:{fingerprint} (from " in sealed.cli("gateway", "status").stdout, "to be copied as a word"


def test_a_certificate_made_here_can_be_trusted_by_its_file(sealed):
    with open(os.path.join(sealed.state_dir, "gateway/tls/gateway-cert.pem"), encoding="ascii") as file:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=file.read())
    with connect(sealed, context) as sock:
        assert b"200 OK" in ask(sock)


def test_websocket_and_http_are_served_inside(sealed):
    with SealedClient(sealed.port, sealed.token) as client:
        assert client.call("health")["ok"] is True
        client.chat("hello inside", "agent:main:tls")
    status, _, text = sealed.complete({"model": "openclaw", "messages": [{"role": "user", "content": "over tls"}]})
    assert status == 200 and "over tls" in text


def test_a_stream_of_many_tokens_arrives_whole(sealed):
    words = " ".join(f"w{i}" for i in range(4000))
    status, headers, text = sealed.complete(
        {"model": "openclaw", "stream": True, "messages": [{"role": "user", "content": words}]})
    said = "".join(json.loads(line[6:])["choices"][0]["delta"].get("content", "")
                   for line in text.splitlines() if line.startswith("data: {") and '"choices":[{' in line)
    assert status == 200 and text.rstrip().endswith("data: [DONE]")
    assert words in said


def test_requests_in_one_flight_are_answered_in_order(sealed):
    with connect(sealed) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 200
                     + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(sock).count(b"HTTP/1.1 200 OK") == 201


def test_an_answer_that_ends_the_connection_says_so_in_tls(sealed):
    """Without a close_notify a client cannot tell the end from a cut."""
    context = careless()
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    with connect(sealed, context) as sock:
        sock.suppress_ragged_eofs = False
        assert b"200 OK" in ask(sock, more="Connection: close\r\n")
        while sock.recv(4096):
            pass


# --- versions, and what is no TLS ------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_modern_versions_are_spoken(sealed, version):
    context = careless()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["http/1.1"])
    with connect(sealed, context) as sock:
        assert b"200 OK" in ask(sock)
        assert sock.selected_alpn_protocol() == "http/1.1"
        assert "GCM" in sock.cipher()[0] or "CHACHA20" in sock.cipher()[0]


@pytest.mark.parametrize("changes", [
    lambda c: (setattr(c, "minimum_version", ssl.TLSVersion.TLSv1), setattr(c, "maximum_version", ssl.TLSVersion.TLSv1_1)),
    lambda c: (setattr(c, "maximum_version", ssl.TLSVersion.TLSv1_2), c.set_ciphers("AES128-SHA:@SECLEVEL=0")),
    lambda c: (setattr(c, "maximum_version", ssl.TLSVersion.TLSv1_2),
               c.set_ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")),
], ids=["old version", "no forward secrecy", "no authenticated encryption"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_outdated_ones_are_refused(sealed, changes):
    context = careless()
    context.set_ciphers("ALL:@SECLEVEL=0")
    changes(context)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        connect(sealed, context)


def test_plain_http_is_told_to_speak_tls(sealed):
    with socket.create_connection(("127.0.0.1", sealed.port), timeout=10) as sock:
        data = ask(sock) + read_all(sock)
    assert data.startswith(b"HTTP/1.1 400 ") and b"https://" in data


def test_rubbish_ends_and_the_others_go_on(sealed):
    hello = bytes.fromhex("16030100c8")  # promises a hello of 200 bytes
    for junk in (b"\x16\x03\x01\x00\x05hello", b"\x16" + os.urandom(300), hello + os.urandom(200), b"\x80\x2e\x01\x00\x02",
                 b"\x16\x03\x01\xff\xff" + b"x" * 70000):
        with socket.create_connection(("127.0.0.1", sealed.port), timeout=10) as sock:
            sock.sendall(junk)
            read_all(sock)
    assert sealed.get("/healthz")[0] == 200


def test_who_does_not_finish_the_handshake_is_let_go(sealed):
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", sealed.port), timeout=10) as sock:
        sock.sendall(bytes.fromhex("16030100c8") + b"\x01")
        assert read_all(sock) == b""
    assert 1 < time.monotonic() - began < 6


def test_tls_at_a_port_without_it_is_refused_at_once(gateway):
    with pytest.raises(ssl.SSLError):
        connect(gateway)
    told = gateway.cli("health", "--url", f"wss://127.0.0.1:{gateway.port}", "--token", gateway.token)
    assert told.returncode != 0 and "ws:// (no TLS)" in told.stderr


def test_a_tampered_record_ends_the_connection(sealed):
    """What arrives between the two is what was sent, or nothing."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inside = careless().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", sealed.port), timeout=10) as sock:
        while True:
            try:
                inside.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        sock.sendall(outgoing.read())
        inside.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        record = bytearray(outgoing.read())
        record[-1] ^= 1
        sock.sendall(record)
        incoming.write(read_all(sock))
    with pytest.raises(ssl.SSLError):
        while inside.read(4096):
            pass


def test_many_handshakes_at_once_all_succeed(sealed):
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: sealed.get("/healthz")[0], range(128)))
    assert answers == [200] * 128


def test_a_client_that_does_not_read_holds_up_nobody(sealed):
    with connect(sealed) as slow:
        slow.settimeout(0.2)
        with pytest.raises((TimeoutError, socket.timeout, ssl.SSLWantWriteError, ssl.SSLWantReadError)):
            for _ in range(1000):
                slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        began = time.monotonic()
        assert sealed.get("/healthz")[0] == 200
        assert time.monotonic() - began < 2


# --- our own command line ----------------------------------------------------------------------


def test_the_command_line_finds_and_pins_the_gateway_of_its_machine(sealed):
    done = sealed.cli("health", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True


def test_a_pinned_fingerprint_in_any_spelling_opens(sealed):
    url, pin = f"wss://127.0.0.1:{sealed.port}", shown(sealed)
    colons = ":".join(pin[i:i + 2] for i in range(0, 64, 2)).upper()
    for spelled in (pin, f"sha256:{pin}", colons):
        done = sealed.cli("health", "--url", url, "--token", sealed.token, "--tls-fingerprint", spelled)
        assert done.returncode == 0, done.stderr


def test_another_fingerprint_does_not_and_the_token_stays_here(sealed):
    done = sealed.cli("health", "--url", f"wss://127.0.0.1:{sealed.port}", "--token", sealed.token,
                      "--tls-fingerprint", "ab" * 32)
    assert done.returncode != 0
    assert "is not the one that --tls-fingerprint names" in done.stderr and shown(sealed) in done.stderr


def test_without_a_pin_a_certificate_nobody_vouches_for_is_refused(sealed):
    done = sealed.cli("health", "--url", f"wss://127.0.0.1:{sealed.port}", "--token", sealed.token)
    assert done.returncode != 0
    assert "is not trusted" in done.stderr and shown(sealed) in done.stderr and "--tls-fingerprint" in done.stderr


@pytest.mark.parametrize("words", [("--tls-fingerprint", "12"), ("--tls-fingerprint", "x" * 64)])
def test_what_is_no_fingerprint_is_told(sealed, words):
    done = sealed.cli("health", "--url", f"wss://127.0.0.1:{sealed.port}", *words)
    assert done.returncode == 2 and "64 hexadecimal digits" in done.stderr


def test_a_remote_gateway_is_pinned_by_the_config(sealed, tmp_path):
    config = tmp_path / "openclaw.json"
    remote = {"url": f"wss://127.0.0.1:{sealed.port}", "token": sealed.token, "tlsFingerprint": shown(sealed)}
    here = {"OPENCLAW_CONFIG_PATH": str(config), "OPENCLAW_STATE_DIR": str(tmp_path), "OPENCLAW_GATEWAY_PORT": ""}
    config.write_text(json.dumps({"gateway": {"mode": "remote", "remote": remote}}))
    done = sealed.cli("health", environment=here)
    assert done.returncode == 0, done.stderr
    config.write_text(json.dumps({"gateway": {"mode": "remote", "remote": {**remote, "tlsFingerprint": "0" * 64}}}))
    done = sealed.cli("health", environment=here)
    assert done.returncode != 0 and "gateway.remote.tlsFingerprint names" in done.stderr


# --- given files, and their replacement ----------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "pki"
    path.mkdir()
    return str(path)


def test_given_files_are_served_with_what_completes_their_chain(fresh_gateway, folder):
    root = Signed("root", is_authority=True)
    between = Signed("between", by=root, is_authority=True)
    server = Signed("server", by=between)
    cert, key = server.write(folder)
    ca, _ = between.write(folder, "between")
    gateway = fresh_gateway(config=tls_config(certPath=cert, keyPath=key, caPath=ca))
    gateway.tls = trusting(root)
    gateway.start()
    assert shown(gateway, trusting(root)) == server.fingerprint
    assert not os.path.exists(os.path.join(gateway.state_dir, "gateway", "tls"))


def test_files_that_change_serve_the_next_connection_and_leave_the_others(fresh_gateway, folder):
    old, new = Signed("old"), Signed("new")
    cert, key = old.write(folder)
    gateway = fresh_gateway(config=tls_config(certPath=cert, keyPath=key))
    gateway.tls = careless()
    gateway.start()
    with SealedClient(gateway.port, gateway.token) as client, connect(gateway) as kept:
        assert shown(gateway) == old.fingerprint and b"200 OK" in ask(kept)
        new.write(folder)
        until(lambda: shown(gateway) == new.fingerprint, 10, "the new certificate")
        assert client.call("health")["ok"] is True and b"200 OK" in ask(kept)
        # What cannot be used changes nothing, and is told.
        with open(key, "w", encoding="ascii") as file:
            file.write("rubbish")
        until(lambda: any("edge_tls_refused" in line for line in gateway.logs()), 10, "the word that it is refused")
        assert shown(gateway) == new.fingerprint
        assert "private key" in json.dumps(client.call("health")) or "private key" in gateway.cli("health").stdout
        old.write(folder)
        until(lambda: shown(gateway) == old.fingerprint, 10, "the certificate from before")
        assert client.call("health")["ok"] is True and b"200 OK" in ask(kept)


def test_the_config_turns_it_on_and_off_without_ending_a_connection(fresh_gateway, folder):
    gateway = fresh_gateway()
    gateway.start()
    with Client(gateway.port, gateway.token) as client:
        gateway.write_config(tls_config())
        gateway.tls = careless()
        until(lambda: try_shown(gateway), 10, "TLS")
        assert client.call("health")["ok"] is True
        with SealedClient(gateway.port, gateway.token) as inside:
            gateway.write_config({})
            gateway.tls = None
            until(lambda: try_get(gateway), 10, "plain HTTP")
            assert inside.call("health")["ok"] is True and client.call("health")["ok"] is True


def try_shown(gateway):
    try:
        return shown(gateway)
    except (ssl.SSLError, OSError):
        return None


def try_get(gateway):
    try:
        return gateway.get("/healthz")[0] == 200
    except OSError:
        return False


def start_refused(gateway):
    gateway.spawn()
    until(lambda: gateway.process.poll() is not None, 10, "its end")
    assert gateway.process.returncode == 78, gateway.text()
    return gateway.text()


def test_what_cannot_be_served_with_does_not_start(fresh_gateway, folder):
    server, other = Signed("server"), Signed("other")
    cert, key = server.write(folder)
    _, other_key = other.write(folder, "other")
    _, locked = Signed("locked").write(folder, "locked", passphrase=b"secret")
    weak_cert, weak_key = weak("weak").write(folder, "weak")
    for tls, words in ((dict(certPath=cert, keyPath=other_key), "does not belong to"),
                       (dict(certPath=cert), "belong together"),
                       (dict(certPath=cert, keyPath=locked), "passphrase"),
                       (dict(certPath=key, keyPath=key), "no certificate"),
                       (dict(certPath=cert, keyPath=cert), "no private key"),
                       (dict(certPath=cert, keyPath=folder), "is no file"),
                       (dict(certPath=weak_cert, keyPath=weak_key), "too weak"),
                       (dict(certPath=cert, keyPath=key, caPath=folder + "/none"), "caPath: cannot read"),
                       (dict(certPath=folder + "/none", keyPath=key), "cannot read"),
                       (dict(autoGenerate=False), "cannot read")):
        gateway = fresh_gateway(config=tls_config(**tls))
        assert words in start_refused(gateway), (tls, gateway.text())


def test_an_expired_certificate_serves_and_is_told(fresh_gateway, folder):
    cert, key = Signed("late", days=-1).write(folder)
    gateway = fresh_gateway(config=tls_config(certPath=cert, keyPath=key))
    gateway.tls = careless()
    gateway.start()
    until(lambda: any("edge_tls_expires" in line for line in gateway.logs()), 10, "the word that it expired")


def test_a_key_that_was_made_and_lost_its_certificate_gets_one(fresh_gateway):
    gateway = fresh_gateway(config=tls_config())
    gateway.tls = careless()
    gateway.start()
    folder = os.path.join(gateway.state_dir, "gateway", "tls")
    first = shown(gateway)
    gateway.stop()
    gateway.start()
    assert shown(gateway) == first
    gateway.stop()
    key = open(os.path.join(folder, "gateway-key.pem"), "rb").read()
    os.unlink(os.path.join(folder, "gateway-cert.pem"))
    gateway.start()
    assert shown(gateway) != first and open(os.path.join(folder, "gateway-key.pem"), "rb").read() == key
