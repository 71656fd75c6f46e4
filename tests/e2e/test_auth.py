"""Who is let in, as whom: every mode, every limit, and the holes that others had."""

import contextlib
import http.client
import json
import os
import socket
import tempfile
import threading
import time

import pytest

from client import ALL_SCOPES, CallError, Client
from device_client import Device
from gateway import TOKEN, until
from ws import WebSocket

FAR = ["X-Forwarded-For: 203.0.113.7"]
PAGE = {"client": {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui"}}



def test_a_token_left_in_the_config_locks_no_command_out(fresh_gateway):
    running = fresh_gateway(arguments=["--auth", "none"]).start()
    for words in (["status"], ["health"], ["gateway", "call", "status"], ["agent", "--message", "hi"], ["devices", "list"],
                  ["logs", "--limit", "1"], ["gateway", "probe"], ["system", "presence"]):
        done = running.cli(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)


def config(**gateway):
    return {"gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}, "trustedProxies": ["127.0.0.1"],
                        "http": {"endpoints": {"chatCompletions": {"enabled": True}}}, **gateway}}


def refused(make):
    with pytest.raises(CallError) as caught:
        make()
    return caught.value.error


def from_(address):
    return [f"X-Forwarded-For: {address}"]


# --- the owner ----------------------------------------------------------------------------------------------------


class LocalSocket(WebSocket):
    """The same over the Unix socket in the run directory."""

    def __init__(self, path, headers=()):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(path)
        self.buffer = b""
        self.upgrade(1, "/", headers)


class Owner(Client):
    def __init__(self, gateway, headers=(), **changes):
        self.path = os.path.join(gateway.state_dir, "run", "clients.sock")
        super().__init__(0, None, headers=headers, **changes)

    def open_socket(self, port, headers):
        return LocalSocket(self.path, headers)

    def connect_params(self):
        return {**super().connect_params(), "auth": {}}


def test_the_owner_needs_no_secret_on_the_local_socket(gateway):
    """No dead end: whoever owns the state directory can always look and approve."""
    path = os.path.join(gateway.state_dir, "run", "clients.sock")
    assert os.stat(path).st_mode & 0o777 == 0o600
    with Owner(gateway) as owner:
        assert owner.hello["auth"]["scopes"] == ALL_SCOPES
        assert owner.call("device.pair.list")["paired"] == []
        error = refused(lambda: Device().connect(gateway, [], {"token": TOKEN}, FAR))
        owner.call("device.pair.approve", {"requestId": error["details"]["requestId"]})
        owner.call("config.get")


def test_a_page_is_no_owner(gateway):
    error = refused(lambda: Owner(gateway, ["Origin: http://localhost:1"]))
    assert error["code"] in ("INVALID_REQUEST", "NOT_PAIRED")
    assert refused(lambda: Owner(gateway, FAR))["code"] in ("INVALID_REQUEST", "NOT_PAIRED")


def test_the_owner_needs_no_bearer_on_the_local_socket(gateway):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(os.path.join(gateway.state_dir, "run", "clients.sock"))
    connection.request("POST", "/v1/chat/completions", json.dumps(
        {"model": "openclaw", "messages": [{"role": "user", "content": "hello"}]}), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


# --- trusted proxies ------------------------------------------------------------------------------------------------

PROXY = {"userHeader": "X-Forwarded-User", "requiredHeaders": ["X-Proxy-Check"], "allowUsers": ["ann@example.com"],
         "allowLoopback": True}
ANN = ["X-Forwarded-User: ann@example.com", "X-Proxy-Check: 1", "X-Forwarded-For: 203.0.113.7",
       "Origin: https://ui.example.com"]


def proxied(**rules):
    return config(auth={"mode": "trusted-proxy", "password": "for-programs-of-this-machine",
                        "trustedProxy": {**PROXY, **rules}},
                  controlUi={"allowedOrigins": ["https://ui.example.com"]})


def without(name):
    return [line for line in ANN if not line.lower().startswith(name.lower())]


def test_a_proxy_that_is_trusted_says_who_it_is(fresh_gateway):
    made = fresh_gateway(config=proxied()).start()
    with Client(made.port, None, headers=ANN, auth={}, **PAGE) as client:
        assert set(client.hello["auth"]["scopes"]) == set(ALL_SCOPES)
    with Client(made.port, None, headers=[*ANN, "X-OpenClaw-Scopes: operator.read"], auth={}, **PAGE) as client:
        assert client.hello["auth"]["scopes"] == ["operator.read"]
    for headers, reason in (
            (without("X-Forwarded-User"), "trusted_proxy_user_missing"),
            (without("X-Proxy-Check"), "trusted_proxy_missing_header_x-proxy-check"),
            ([*without("X-Forwarded-User"), "X-Forwarded-User: eve@example.com"], "trusted_proxy_user_not_allowed")):
        error = refused(lambda h=headers: Client(made.port, None, headers=h, auth={}, client={
            "id": "test", "version": "1", "platform": "web", "mode": "test"}))
        assert error["details"]["authReason"] == reason
        assert error["details"]["credential"].startswith("gateway.auth.trustedProxy")
    error = refused(lambda: Client(made.port, None, headers=[*without("Origin"), "Origin: https://evil.example"],
                                   auth={}, **PAGE))
    assert error["details"]["code"] == "CONTROL_UI_ORIGIN_NOT_ALLOWED"
    with Client(made.port, None, auth={"password": "for-programs-of-this-machine"}) as client:
        assert client.hello["auth"]["scopes"] == ALL_SCOPES
    error = refused(lambda: Client(made.port, None, headers=FAR, auth={"password": "for-programs-of-this-machine"}))
    assert error["details"]["authReason"].startswith("trusted_proxy_")


def test_a_proxy_speaks_for_http_requests_too(fresh_gateway):
    made = fresh_gateway(config=proxied()).start()
    body = {"model": "openclaw", "messages": [{"role": "user", "content": "hello"}]}
    who = dict(line.split(": ", 1) for line in ANN)

    def status(headers):
        got, _, text = made.request("POST", "/v1/chat/completions", json.dumps(body),
                                    {"Content-Type": "application/json", **headers})
        if got != 200:  # only what is forbidden says `ok` as well
            answer = json.loads(text)
            assert answer["error"]["message"] and answer.get("ok") is (False if got == 403 else None)
        return got

    assert status(who) == 200
    assert status({**who, "X-OpenClaw-Scopes": ""}) == 403
    assert status({**who, "Origin": "https://evil.example"}) == 403
    assert status({**who, "X-Forwarded-User": "eve@example.com"}) == 401
    assert status({}) == 401


def test_a_proxy_on_this_machine_must_be_allowed(fresh_gateway):
    made = fresh_gateway(config=proxied(allowLoopback=False)).start()
    error = refused(lambda: Client(made.port, None, headers=ANN, auth={}, client={
        "id": "test", "version": "1", "platform": "web", "mode": "test"}))
    assert error["details"]["authReason"] == "trusted_proxy_loopback_source"


# --- Tailscale --------------------------------------------------------------------------------------------------------


class Tailscaled:
    """The local API of tailscaled, as far as whois goes."""

    def __init__(self, people):
        self.people, self.asked = people, []
        self.path = os.path.join(tempfile.mkdtemp(prefix="tailscaled-"), "s.sock")
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.server.accept()
                with peer:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += peer.recv(4096)
                    self.asked.append(head.decode())
                    address = head.split(b"addr=")[1].split(b" ")[0].decode()
                    login = self.people.get(address)
                    body = json.dumps({"Node": {}, "UserProfile": {"LoginName": login}}).encode()
                    line = b"HTTP/1.0 200 OK" if login else b"HTTP/1.0 404 Not Found"
                    peer.sendall(line + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" %
                                 len(body) + body)

    def close(self):
        self.server.close()
        os.unlink(self.path)
        os.rmdir(os.path.dirname(self.path))


def served(address="100.64.0.7", login="ann@example.com"):
    return [f"Tailscale-User-Login: {login}", f"X-Forwarded-For: {address}", "X-Forwarded-Proto: https",
            "X-Forwarded-Host: box.tail.ts.net", "Origin: https://box.tail.ts.net"]


@pytest.fixture
def tailscaled():
    made = Tailscaled({"100.64.0.7": "ann@example.com", "100.64.0.8": "eve@example.com"})
    yield made
    made.close()


def page_device():
    return Device(client="openclaw-control-ui", mode="ui", platform="web")


def on_tailnet(fresh_gateway, socket_path, **auth):
    return fresh_gateway(config=config(auth={"mode": "token", "token": TOKEN, "allowTailscale": True, **auth},
                                       controlUi={"allowedOrigins": ["https://box.tail.ts.net"]}),
                         environment={"TS_SOCKET": socket_path}).start()


def test_tailscale_vouches_for_the_control_page(fresh_gateway, tailscaled):
    made = on_tailnet(fresh_gateway, tailscaled.path)
    with page_device().connect(made, ALL_SCOPES, {}, served()) as client:
        assert set(client.hello["auth"]["scopes"]) == set(ALL_SCOPES)
        assert "deviceToken" not in client.hello["auth"]  # nothing that outlives Tailscale's word
    assert tailscaled.asked[0].startswith("GET /localapi/v0/whois?addr=100.64.0.7 HTTP/1.0\r\n")
    assert "Host: local-tailscaled.sock" in tailscaled.asked[0]

    def code(headers, device=None, auth=None):
        error = refused(lambda: (device or page_device()).connect(made, [], auth or {}, headers))
        return error["details"]["code"]

    assert code(served("100.64.0.8")) == "AUTH_TAILSCALE_IDENTITY_MISMATCH"
    assert code(served("100.64.0.9")) == "AUTH_TAILSCALE_WHOIS_FAILED"
    assert code([line for line in served() if "Proto" not in line]) == "AUTH_TAILSCALE_PROXY_MISSING"
    assert code(served(), auth={"token": "wrong"}) == "AUTH_TOKEN_MISMATCH"
    assert code(served(), device=Device()) == "AUTH_TOKEN_MISSING"  # for pages alone
    headers = {"Content-Type": "application/json", **dict(line.split(": ", 1) for line in served())}
    status, _, _ = made.request("POST", "/v1/chat/completions", "{}", headers)
    assert status == 401


def test_tailscale_must_be_switched_on(fresh_gateway, tailscaled):
    made = on_tailnet(fresh_gateway, tailscaled.path, allowTailscale=False)
    error = refused(lambda: page_device().connect(made, [], {}, served()))
    assert error["details"]["code"] == "AUTH_TOKEN_MISSING"
    assert not tailscaled.asked


def test_without_tailscaled_nobody_is_vouched_for(fresh_gateway):
    made = on_tailnet(fresh_gateway, "/nonexistent/tailscaled.sock")
    error = refused(lambda: page_device().connect(made, [], {}, served()))
    assert error["details"]["code"] == "AUTH_TAILSCALE_WHOIS_FAILED"
    assert error["details"]["remedy"] == "tailscale status"


# --- limits --------------------------------------------------------------------------------------------------------------


def outcome(gateway, token, headers=(), **changes):
    try:
        Client(gateway.port, token, headers=headers, **changes).socket.close()
    except CallError as error:
        return error.error["details"]["code"]
    return "in"


def test_oc_14137_guesses_are_slowed_down_even_on_this_machine(fresh_gateway):
    """oc#14137: 645 guesses a second, and no end."""
    made = fresh_gateway(config=config()).start()
    known = Device()
    known.connect(made, ["operator.read"], {"token": TOKEN}).socket.close()
    checked, began, tried = 0, time.monotonic(), 0
    while time.monotonic() - began < 3:
        tried += 1
        checked += outcome(made, f"guess-{tried}") == "AUTH_TOKEN_MISMATCH"
    assert tried > 60  # so that there was something to slow down
    assert checked <= 10 + 4
    # Nobody who belongs here is locked out by it.
    known.connect(made, ["operator.read"], {"token": TOKEN}).socket.close()
    with Owner(made) as owner:
        owner.call("health")
    until(lambda: outcome(made, TOKEN) == "in", 5, "a turn for a client without a device")


def test_an_address_that_guesses_is_locked_out_alone(fresh_gateway):
    made = fresh_gateway(config=config()).start()
    for i in range(10):
        assert outcome(made, f"guess-{i}", from_("203.0.113.9")) == "AUTH_TOKEN_MISMATCH"
    error = refused(lambda: Client(made.port, TOKEN, headers=from_("203.0.113.9")))
    assert error["details"]["code"] == "AUTH_RATE_LIMITED"
    assert error["details"]["recommendedNextStep"] == "wait_then_retry"
    assert 290000 < error["retryAfterMs"] <= 300000
    assert outcome(made, TOKEN, from_("203.0.113.10")) == "in"
    assert outcome(made, TOKEN) == "in"
    status, headers, body = made.complete({}, {"X-Forwarded-For": "203.0.113.9"})
    assert status == 429 and 290 <= int(headers["Retry-After"]) <= 300
    assert json.loads(body)["error"]["type"] == "rate_limited"


def test_many_addresses_together_are_bounded(fresh_gateway):
    made = fresh_gateway(config=config()).start()
    known = Device()
    error = refused(lambda: known.connect(made, [], {"token": TOKEN}, from_("198.51.100.1")))
    with Client(made.port, TOKEN) as admin:
        admin.call("device.pair.approve", {"requestId": error["details"]["requestId"]})
    wrong = {"client": {"id": "test", "version": "1", "platform": "x", "mode": "test"}}
    for i in range(200):
        outcome(made, "guess", from_(f"203.0.{i}.1"), **wrong)
    assert outcome(made, TOKEN, from_("203.0.113.250")) == "AUTH_RATE_LIMITED"
    known.connect(made, [], {"token": TOKEN}, from_("198.51.100.77")).socket.close()
    assert outcome(made, TOKEN) == "in"


def test_pages_are_limited_by_their_origin(fresh_gateway):
    made = fresh_gateway(config=config()).start()
    for i in range(10):
        assert outcome(made, f"guess-{i}", ["Origin: http://localhost:3000"]) == "AUTH_TOKEN_MISMATCH"
    assert outcome(made, TOKEN, ["Origin: http://localhost:3000"]) == "AUTH_RATE_LIMITED"
    assert outcome(made, TOKEN) == "in"
    until(lambda: outcome(made, TOKEN, ["Origin: http://localhost:4000"]) == "in", 5, "a turn for another page")
    # Whoever is no browser can claim another origin each time.
    checked, began, tried = 0, time.monotonic(), 0
    while time.monotonic() - began < 2:
        tried += 1
        checked += outcome(made, "guess", [f"Origin: http://localhost:{5000 + tried}"]) == "AUTH_TOKEN_MISMATCH"
    assert tried > 40 and checked <= 3


# --- holes that others had ---------------------------------------------------------------------------------------------


def test_ghsa_rqpp_rjj8_7wv8_a_client_cannot_declare_its_scopes(gateway, fresh_gateway):
    """GHSA-rqpp-rjj8-7wv8: whoever connected named the scopes that he was then given."""
    made = fresh_gateway(config=config()).start()
    with Client(made.port, TOKEN, ["operator.admin"], headers=FAR) as client:
        assert client.hello["auth"]["scopes"] == []
        assert "missing scope" in refused(lambda: client.call("config.get"))["message"]
    with Client(gateway.port, TOKEN, ["operator.root", "operator.read"]) as client:
        assert client.hello["auth"]["scopes"] == ["operator.read"]


def test_ghsa_68x5_xx89_w9mm_a_new_secret_voids_the_old_one_at_once(fresh_gateway):
    """GHSA-68x5-xx89-w9mm: after a reload new connections met the old auth, and old ones lived on."""
    made = fresh_gateway(config=config()).start()
    device = Device()
    live = [Client(made.port, TOKEN), device.connect(made, ["operator.read"], {"token": TOKEN})]
    made.write_config(config(auth={"mode": "token", "token": "another-secret"}))
    for client in live:
        assert client.wait_closed() == (4001, "gateway auth changed")
    assert outcome(made, TOKEN) == "AUTH_TOKEN_MISMATCH"
    assert outcome(made, "another-secret") == "in"
    device.connect(made, ["operator.read"], {"deviceToken": device.token}).socket.close()
    live = Client(made.port, "another-secret")
    made.write_config(config(auth={"mode": "password", "password": "a-password-now"}))
    assert live.wait_closed() == (4001, "gateway auth changed")
    assert outcome(made, None, auth={"password": "a-password-now"}) == "in"
    assert outcome(made, "another-secret") == "AUTH_PASSWORD_MISSING"


def test_oc_50636_a_host_header_makes_nobody_local(fresh_gateway):
    """oc#50636: a peer from elsewhere said `Host: localhost`, and was paired without asking."""
    made = fresh_gateway(config=config()).start()
    for headers in (FAR, ["X-Real-IP: 203.0.113.7"], ["Forwarded: for=203.0.113.7"], ["X-Forwarded-Host: localhost"],
                    ["X-Forwarded-For: 127.0.0.1"], ["CF-Connecting-IP: 203.0.113.7"]):
        error = refused(lambda h=headers: Device().connect(made, [], {"token": TOKEN}, h))
        assert error["code"] == "NOT_PAIRED", headers


def test_a_page_of_another_site_cannot_use_the_socket(fresh_gateway, gateway):
    """Cross-site WebSocket hijacking: the page of any site can open a socket to this machine."""
    for where, auth in ((gateway, {"token": TOKEN}),
                        (fresh_gateway(config=config(auth={"mode": "none"})).start(), {})):
        for origin in ("http://evil.example", "https://localhost.evil.example", "null", "file://"):
            error = refused(lambda o=origin: Client(where.port, None, headers=[f"Origin: {o}"], auth=auth, **PAGE))
            assert error["details"]["code"] == "CONTROL_UI_ORIGIN_NOT_ALLOWED"
            assert error["details"]["remedy"].startswith("list the page")
            error = refused(lambda o=origin: Client(where.port, None, headers=[f"Origin: {o}"], auth=auth))
            assert error["details"]["code"] == "CONTROL_UI_ORIGIN_NOT_ALLOWED"


def test_a_name_that_was_rebound_is_no_origin(gateway):
    sock = socket.create_connection(("127.0.0.1", gateway.port))
    made = WebSocket.__new__(WebSocket)
    made.sock, made.buffer = sock, b""
    sock.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 b"Sec-WebSocket-Version: 13\r\n\r\n")
    while b"\r\n\r\n" not in made.buffer:
        made.fill(time.monotonic() + 10)
    made.buffer = made.buffer.split(b"\r\n\r\n", 1)[1]
    made.receive()
    made.send(json.dumps({"type": "req", "id": "1", "method": "connect", "params": {
        "minProtocol": 3, "maxProtocol": 3, "auth": {"token": TOKEN}, **PAGE}}))
    answer = json.loads(made.receive())
    assert answer["error"]["details"]["code"] == "CONTROL_UI_ORIGIN_NOT_ALLOWED"
    sock.close()


@pytest.mark.parametrize("gateway_config, why", [
    ({"auth": {"token": "A", "password": "B"}}, "gateway.auth.mode"),
    ({"auth": {"mode": "token", "token": "change-me-now"}}, "openssl rand"),
    ({"auth": {"mode": "trusted-proxy", "token": "A", "trustedProxy": {"userHeader": "x"}}}, "token"),
    ({"auth": {"mode": "trusted-proxy"}}, "userHeader"),
    ({"auth": {"mode": "none"}, "bind": "lan"}, "beyond loopback"),
])
def test_a_gateway_does_not_start_with_auth_that_cannot_hold(fresh_gateway, gateway_config, why):
    made = fresh_gateway(config={"gateway": {"mode": "local", **gateway_config}}).spawn()
    assert made.process.wait(15) == 78
    assert why in made.text()
