"""HTTP/2: the same answers as by HTTP/1.1, many of them beside each other, and nothing that one client can take from
another, or that costs more than it brings."""

import contextlib
import json
import socket
import ssl
import struct
import subprocess
import time

import pytest
from h2.settings import SettingCodes

import http2_client as raw
from client import Client
from gateway import TOKEN, Gateway, until
from http2_client import ENHANCE_YOUR_CALM, Http2, block, connect, frame, frames_of, head
from pki import careless
from test_hooks import HOOK, HOOKS

COMPLETIONS = "/v1/chat/completions"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**AUTH, "Content-Type": "application/json"}
LIMIT = 20 << 20
UNREAD_S = 60  # then an answer that nobody reads is given up for that alone
CANCEL = 8
CONFIG = {
    "gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}, "tools": {"allow": ["sessions_list"]},
                "http": {"endpoints": {"chatCompletions": {"enabled": True}, "responses": {"enabled": True}},
                         "securityHeaders": {"strictTransportSecurity": "max-age=300"}}},
    "hooks": {**HOOKS, "mappings": []},
    "agents": {"defaults": {"model": {"primary": "builtin/echo"}}, "list": [{"id": "main"}, {"id": "ops"}]},
}


@pytest.fixture(scope="module", autouse=True)
def once(topology):
    if topology == "ipc":
        pytest.skip("HTTP ends at the edge, which is where it is in both")


@pytest.fixture(scope="module")
def gateway(topology):
    with Gateway(topology, config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(topology):
    """A gateway that waits for nobody for long."""
    with Gateway(topology, config=CONFIG, environment={"OPENCLAW_HANDSHAKE_TIMEOUT_MS": "1500",
                                                       "OPENCLAW_HTTP_BODY_TIMEOUT_MS": "1500"}) as running:
        yield running


@pytest.fixture(scope="module")
def sealed(topology):
    running = Gateway(topology, config={**CONFIG, "gateway": {**CONFIG["gateway"], "tls": {"enabled": True}}})
    running.tls = careless()
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture(scope="module")
def mock(topology, provider):
    with Gateway(topology, config=provider.config(timeoutSeconds=5)) as running:
        yield running


@pytest.fixture
def wire(gateway):
    with Http2(gateway.port) as made:
        yield made


def user(text, **more):
    return {"model": "openclaw", "messages": [{"role": "user", "content": text}], **more}


def chat(wire, text, **more):
    return wire.ask("POST", COMPLETIONS, user(text, **more), AUTH)


def said(answer):
    """The text of a streamed answer."""
    events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]", answer.text[-300:]
    return "".join(choice["delta"].get("content", "") for event in events[:-1]
                   for choice in json.loads(event)["choices"])


def is_alive(gateway):
    return gateway.get("/healthz")[0] == 200


# --- how it begins ---------------------------------------------------------------------------------------------------


def test_it_is_spoken_where_both_sides_like_it_best(sealed):
    with Http2(sealed.port, careless()) as wire:
        assert json.loads(wire.request("GET", "/healthz").text)["ok"] is True
        assert wire.sock.version() == "TLSv1.3"
    context = careless()
    context.set_alpn_protocols(["http/1.1", "h3"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", sealed.port)), server_hostname="localhost") as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h3"])
    with pytest.raises(ssl.SSLError), \
            context.wrap_socket(socket.create_connection(("127.0.0.1", sealed.port)), server_hostname="localhost"):
        pass


def test_a_websocket_and_http_2_go_through_the_same_port(sealed):
    class Sealed(Client):
        tls = careless()

    with Http2(sealed.port, careless()) as wire, Sealed(sealed.port, sealed.token) as client:
        stream = chat(wire, "over two", stream=True)
        assert client.call("health")["ok"] is True
        assert "over two" in said(wire.wait(stream))


def test_curl_takes_it_by_itself(sealed):
    got = subprocess.run(["curl", "-sk", "-w", "%{http_version}", f"https://127.0.0.1:{sealed.port}/healthz"],
                         capture_output=True, text=True, timeout=20, check=True)
    assert got.stdout == '{"ok":true,"status":"live"}2'


@pytest.mark.parametrize("step", [1, 5, 24])
def test_without_tls_its_first_bytes_tell(gateway, step):
    with Http2(gateway.port, sock=Trickle(gateway.port, step)) as wire:
        assert wire.request("GET", "/healthz").status == 200


class Trickle:
    """A socket that sends a few bytes at a time."""

    def __init__(self, port, step):
        self.sock, self.step = socket.create_connection(("127.0.0.1", port), timeout=20), step
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.recv, self.close = self.sock.recv, self.sock.close

    def sendall(self, data):
        for at in range(0, len(data), self.step):
            self.sock.sendall(data[at:at + self.step])


def test_behind_a_request_of_http_1_they_are_none(hasty):
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=20) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + raw.PREFACE)
        data = read_all(sock)
    assert data.count(b"HTTP/1.1 200 OK") == 1 and b"HTTP/1.1 505 " in data


@pytest.mark.parametrize("data", [
    raw.PREFACE[:20], raw.PREFACE, raw.PREFACE + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", raw.PREFACE + b"\xff" * 64,
    raw.PREFACE + frame(raw.PING, 0, 0, bytes(8)), raw.PREFACE + frame(raw.SETTINGS) + frame(raw.DATA, 0, 1, b"x"),
    raw.PREFACE + frame(raw.SETTINGS) + frame(raw.HEADERS, 4, 2, block(head())),
    raw.PREFACE + frame(raw.SETTINGS) + frame(raw.HEADERS, 4, 1, b"\xff\xff\xff\xff\xff\xff"),
    raw.PREFACE + frame(raw.SETTINGS) + frame(raw.HEADERS, 0, 1, block(head())) + frame(raw.PING, 0, 0, bytes(8)),
    raw.PREFACE + frame(raw.SETTINGS) + frame(raw.HEADERS, 0, 1, block(head())[:9]),
    raw.PREFACE + frame(raw.SETTINGS) + frame(raw.SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)),
    raw.PREFACE + frame(raw.SETTINGS) + frame(raw.WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7fffffff)),
    raw.PREFACE + frame(raw.SETTINGS) + frame(raw.PUSH, 4, 1, bytes(4) + block(head())),
], ids=["half a preface", "nothing behind it", "HTTP/1.1", "rubbish", "no settings first", "data of nobody", "an even stream",
        "no fields", "a ping within a head", "a head that stops", "a window too large", "a window that overflows", "a push"])
def test_what_is_no_http_2_ends_the_connection_and_nothing_else(hasty, data):
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=20) as sock:
        sock.sendall(data)
        answer = read_all(sock)
    assert time.monotonic() - began < 8
    assert b"HTTP/1.1 408" in answer if len(data) < 24 else answer[3] == raw.SETTINGS
    assert is_alive(hasty)


# --- the same as by HTTP/1.1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method, path, body, headers", [
    ("GET", "/healthz", None, {}), ("HEAD", "/healthz", None, {}), ("POST", "/healthz", "x", {}), ("GET", "/ready", None, {}),
    ("GET", "/nothing", None, {}), ("OPTIONS", "/healthz", None, {}), ("DELETE", "/v1/models", None, AUTH),
    ("GET", "/v1/models", None, AUTH), ("GET", "/v1/models", None, {}), ("GET", "/v1/models/openclaw%2Fops", None, AUTH),
    ("GET", "/v1/models/nosuch", None, AUTH), ("GET", "/v1/nope", None, AUTH),
    ("POST", COMPLETIONS, user("whole"), AUTH), ("POST", COMPLETIONS, user("parts", stream=True), AUTH),
    ("POST", COMPLETIONS, user("x", model="openclaw/nosuch"), AUTH), ("POST", COMPLETIONS, "{", JSON),
    ("POST", COMPLETIONS, user("x"), {}), ("POST", COMPLETIONS, user("x"), {"Authorization": "Bearer guess"}),
    ("POST", COMPLETIONS, "x", {**AUTH, "Content-Type": "text/plain"}), ("GET", COMPLETIONS, None, AUTH),
    ("POST", "/v1/responses", {"model": "openclaw", "input": "whole"}, AUTH),
    ("POST", "/v1/responses", {"model": "openclaw", "input": "parts", "stream": True}, AUTH),
    ("POST", "/v1/embeddings", {"model": "openclaw", "input": "x"}, AUTH),
    ("POST", "/tools/invoke", {"tool": "sessions_list", "args": {}}, AUTH), ("POST", "/tools/invoke", {"tool": "no"}, AUTH),
    ("POST", "/hooks/wake", {"text": "now", "mode": "next-heartbeat"}, {"Authorization": f"Bearer {HOOK}"}),
    ("POST", "/hooks/wake", {"text": "now"}, {"X-OpenClaw-Token": "guess"}), ("POST", "/hooks/wake?token=x", {}, {}),
    ("POST", "/hooks/agent", {"message": "x" * 70000}, {"Authorization": f"Bearer {HOOK}"}),
    ("GET", "/metrics", None, {}), ("GET", "/", None, {"Accept": "text/html"}), ("HEAD", "/", None, {}),
    ("GET", "/start.js", None, {}), ("GET", "/chat", None, {"Accept": "text/html"}), ("GET", "/..%2f..%2fetc/passwd", None, {}),
    ("GET", "/__openclaw/control-ui-config.json", None, AUTH), ("POST", "/", "x", {}),
])
def test_every_path_answers_the_same(gateway, wire, method, path, body, headers):
    status, fields, text = gateway.request(method, path, body, headers)
    answer = wire.request(method, path, body, headers)
    kept = {name.lower(): value for name, value in fields.items()
            if name not in ("Connection", "Transfer-Encoding", "Date", "Content-Length")}
    assert answer.is_ended
    assert (answer.status, {**answer.headers, **kept}) == (status, answer.headers)
    assert set(answer.headers) - set(kept) - {"date", "content-length"} == set()
    assert ("content-length" in answer.headers) == ("Content-Length" in fields)
    assert shape(answer.text) == shape(text)


def shape(text):
    """What stays of an answer without what is different each time."""
    def of(value):
        if isinstance(value, dict):
            return {key: of(each) for key, each in value.items()}
        if isinstance(value, list):
            return [of(each) for each in value]
        return type(value) if not isinstance(value, str) or any(c.isdigit() for c in value) else value

    lines = [line.removeprefix("data: ") for line in text.splitlines()]
    return [of(json.loads(line)) if line.startswith(("{", "[{")) else line for line in lines]


def test_the_page_is_not_sent_again(wire):
    first = wire.request("GET", "/start.js")
    again = wire.request("GET", "/start.js", headers={"If-None-Match": first.headers["etag"]})
    assert first.data and (again.status, again.data, again.is_ended) == (304, b"", True)


def test_a_directory_is_read_in_pieces(fresh_gateway, tmp_path):
    data = bytes(range(256)) * 16384
    (tmp_path / "large.bin").write_bytes(data)
    running = fresh_gateway(config={"gateway": {**CONFIG["gateway"], "controlUi": {"root": str(tmp_path)}}}).start()
    with Http2(running.port, window=1 << 20) as wire:
        streams = [wire.ask("GET", "/large.bin") for _ in range(5)] + [wire.ask("HEAD", "/large.bin")]
        wire.wait(*streams)
        assert all(wire.answers[each].data == data for each in streams[:5])
        assert wire.answers[streams[5]].headers["content-length"] == str(len(data)) and not wire.answers[streams[5]].data


def test_numbers_tell_of_it(gateway, wire):
    def count(name):
        text = gateway.request("GET", "/metrics", headers=AUTH)[2]
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    before = count("openclaw_http2_connections_total")
    with Http2(gateway.port) as another:
        assert another.request("GET", "/healthz").status == 200
    assert count("openclaw_http2_connections_total") == before + 1


def test_a_proxy_speaks_for_requests_and_a_page_is_known_by_its_origin(fresh_gateway):
    """What decides who is let in is read from the same fields, `:authority` for `Host`."""
    made = fresh_gateway(config={"gateway": {
        "mode": "local", "trustedProxies": ["127.0.0.1"], "http": CONFIG["gateway"]["http"],
        "controlUi": {"allowedOrigins": ["https://ui.example.com"]},
        "auth": {"mode": "trusted-proxy", "password": "for-programs-of-this-machine",
                 "trustedProxy": {"userHeader": "X-Forwarded-User", "requiredHeaders": ["X-Forwarded-Proto"],
                                  "allowUsers": ["ann@example.com"], "allowLoopback": True}}}}).start()
    who = {"X-Forwarded-User": "ann@example.com", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    cases = [who, {**who, "Origin": "https://ui.example.com"}, {**who, "Origin": "https://evil.example"},
             {**who, "X-Forwarded-User": "eve@example.com"}, {**who, "X-OpenClaw-Scopes": ""},
             {k: v for k, v in who.items() if k != "X-Forwarded-Proto"}, {}]
    with Http2(made.port) as wire:
        for case in cases:
            status, _, _ = made.request("POST", COMPLETIONS, user("x"), case)
            assert wire.request("POST", COMPLETIONS, user("x"), case).status == status, case
        for authority in ("ui.example.com", "127.0.0.1", "evil.example"):
            headers = {**who, "Origin": f"https://{authority}"}
            status, _, _ = made.request("POST", COMPLETIONS, user("x"), {**headers, "Host": authority})
            assert wire.request("POST", COMPLETIONS, user("x"), headers, authority=authority).status == status, authority


# --- many beside each other ------------------------------------------------------------------------------------------


def test_streams_beside_each_other_have_each_their_own(wire):
    streams = {chat(wire, f"number {i} of many", stream=i % 2 == 0): i for i in range(100)}
    wire.wait(*streams)
    for stream, i in streams.items():
        answer = wire.answers[stream]
        text = said(answer) if i % 2 == 0 else json.loads(answer.text)["choices"][0]["message"]["content"]
        assert f"number {i} of many" in text


def test_words_arrive_as_the_provider_says_them(mock):
    with Http2(mock.port) as wire:
        answer = wire.wait(chat(wire, "SLOW", stream=True))
        assert answer.times[-1] - answer.times[0] > 0.2  # 30 ms apart at the provider: one by one, not in one piece
        assert len(answer.times) > 5


@pytest.mark.parametrize("stream", [True, False])
def test_the_provider_hears_of_a_stream_that_is_given_up_within_100_ms(mock, provider, stream):
    def leave(wire, number):
        before = len(provider.stats()["cut_times"])
        text = f"{'STALL' if stream else 'NOHEAD'} leaves http/2 {number}"
        given_up = chat(wire, text, stream=stream)
        until(lambda: provider.stats()["texts"].get(text), 10, "the request at the provider")
        if stream:
            wire.until(lambda: wire.answers[given_up].data)
        left = time.time()
        wire.reset(given_up)
        until(lambda: len(provider.stats()["cut_times"]) > before, 10, "the end of the transfer")
        return provider.stats()["cut_times"][-1] - left

    with Http2(mock.port) as wire:
        assert min(leave(wire, number) for number in range(5)) < 0.1
        assert wire.request("GET", "/healthz").status == 200


def test_streams_that_are_not_read_hold_up_their_own_runs_alone(mock):
    with Http2(mock.port) as wire:
        for _ in range(3):
            wire.held.add(chat(wire, "HUGE:1000", stream=True))  # 64 MB each
        wire.h2.increment_flow_control_window(1 << 30)  # of the connection
        wire.flush()
        wire.until(lambda: all(len(wire.answers[each].data) >= 65535 for each in wire.held))
        for number in range(20):
            assert "Hello" in said(wire.wait(chat(wire, f"beside {number}", stream=True)))
        assert not any(wire.answers[each].is_over for each in wire.held)
        for each in wire.held:
            wire.reset(each)
        assert wire.request("GET", "/healthz").status == 200


def test_answers_that_are_not_read_stay_within_the_budget_and_the_largest_are_given_up(gateway, wire):
    begun = {}
    for number in range(14):
        stream = wire.ask("POST", COMPLETIONS, user(f"{number} " + "w" * (5 << 20)), AUTH)  # the answer is as long
        begun[stream] = time.monotonic()
        wire.held.add(stream)
        wire.until(lambda each=stream: wire.answers[each].status or wire.answers[each].reset)
    for each in [each for each in wire.held if wire.answers[each].reset == CANCEL]:  # by a machine that is so slow
        assert time.monotonic() - begun.pop(each) > UNREAD_S
    assert {wire.answers[each].reset for each in begun} == {None, ENHANCE_YOUR_CALM}
    assert 1 <= sum(wire.answers[each].reset is not None for each in begun) <= 12
    assert is_alive(gateway)


# --- limits that arrive ------------------------------------------------------------------------------------------------


def test_413_arrives_while_the_body_is_still_being_sent(wire):
    stream = wire.begin("POST", COMPLETIONS, {**JSON, "Content-Length": LIMIT + (4 << 20)})
    assert not wire.body(stream, b"x" * (LIMIT + (4 << 20)), True)
    assert (wire.wait(stream).status, wire.answers[stream].is_ended) == (413, True)
    stream = wire.begin("POST", COMPLETIONS, JSON)
    assert not wire.body(stream, b"x" * (LIMIT + (4 << 20)), True)
    assert (wire.wait(stream).status, wire.answers[stream].is_ended) == (413, True)
    assert wire.request("GET", "/healthz").status == 200


def test_a_long_body_is_taken_and_asked_for(wire):
    body = json.dumps(user("y" * (5 << 20))).encode()
    stream = wire.begin("POST", COMPLETIONS, {**JSON, "Expect": "100-continue"})
    wire.until(lambda: wire.answers[stream].informed)
    wire.body(stream, body, True)
    assert wire.wait(stream).status == 200 and wire.answers[stream].informed == [100]


def test_nobody_unknown_sends_more_than_a_window(gateway):
    with Http2(gateway.port) as wire:
        stream = wire.begin("POST", COMPLETIONS, {"Content-Type": "application/json", "Content-Length": 1 << 20})
        assert not wire.body(stream, b"x" * (1 << 20), True)
        assert wire.wait(stream).status == 401


@pytest.mark.parametrize("headers, path", [
    ({"X": "y" * 20000}, "/healthz"), ({f"x{i}": "y" for i in range(70)}, "/healthz"), ({}, "/" + "a" * 5000),
], ids=["one long field", "many fields", "a long path"])
def test_431_arrives(wire, headers, path):
    wire.h2.max_outbound_frame_size = 16384
    assert wire.request("GET", path, headers=headers).status == 431
    assert wire.request("GET", "/healthz").status == 200


def test_408_arrives_for_a_body_that_does_not_come(hasty):
    with Http2(hasty.port) as wire:
        began = time.monotonic()
        stream = wire.begin("POST", COMPLETIONS, {**JSON, "Content-Length": 100})
        other = wire.begin("POST", COMPLETIONS, JSON)
        wire.body(other, b"{", False)
        assert [wire.wait(each).status for each in (stream, other)] == [408, 408]
        assert 1 < time.monotonic() - began < 6
        assert wire.request("GET", "/healthz").status == 200


def test_a_connection_that_asks_for_nothing_is_let_go(hasty):
    began = time.monotonic()
    with Http2(hasty.port) as wire:
        wire.read_to_end()
        assert wire.goaway == 0 and 1 < time.monotonic() - began < 6


def test_no_more_streams_are_begun_than_was_said(gateway):
    """Who has not yet read how many is told to ask again; who has, and does not care, is shown out."""
    def asks(first, number):
        return b"".join(frame(raw.HEADERS, raw.END_HEADERS, 2 * i + 1, block(head("POST", COMPLETIONS, more=[
            ("authorization", f"Bearer {TOKEN}")]))) for i in range(first, first + number))

    with Http2(gateway.port) as wire:
        wire.until(lambda: 3 in wire.limits)
        most = wire.limits[3]
        assert wire.limits[6] == 16384 and 100 <= most <= 1000
    with connect(gateway.port) as sock:
        sock.sendall(raw.PREFACE + frame(raw.SETTINGS) + asks(0, most + 3))
        data = b""
        while sum(kind == raw.RST_STREAM for kind, _, _, _ in frames_of(data)) < 3:
            data += sock.recv(65536)
        refused = {number: payload for kind, _, number, payload in frames_of(data) if kind == raw.RST_STREAM}
        assert refused == {2 * i + 1: struct.pack(">I", 7) for i in range(most, most + 3)}
        sock.sendall(frame(raw.SETTINGS, raw.ACK) + asks(most + 3, 1))
        assert goaway_of(read_all(sock)) == 1
    assert is_alive(gateway)


def read_all(sock):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while got := sock.recv(65536):
            data += got
    return data


def goaway_of(data):
    return next((struct.unpack(">I", payload[4:8])[0] for kind, _, _, payload in frames_of(data) if kind == raw.GOAWAY), None)


# --- heads that HTTP/1.1 could read as something else ------------------------------------------------------------------


@pytest.mark.parametrize("fields", [
    head(path="/healthz HTTP/1.1\r\nX: y"), head(path="/heal thz"), head(path=""), head(path="healthz"), head(path="/\x7f"),
    head(method="GET /healthz HTTP/1.1\r\nX:"), head(method=""), head(method="G T"), head(authority="a b"),
    head(authority="localhost\r\nX: y"), head(authority="ann@localhost"), head(scheme="ftp"),
    head(more=[("x", "a\r\nx-forwarded-for: 1.2.3.4")]), head(more=[("x", "a\nb")]), head(more=[("x", "a\x00b")]),
    head(more=[("x y", "z")]), head(more=[("x:", "z")]), head(more=[("", "z")]), head(more=[("X", "z")]),
    head(more=[("connection", "keep-alive")]), head(more=[("transfer-encoding", "chunked")]), head(more=[("upgrade", "h2c")]),
    head(more=[("te", "gzip")]), head(more=[("host", "elsewhere")]), head(more=[("content-length", "4")]),
    head(more=[("content-length", "4"), ("content-length", "5")]), head(more=[("content-length", "+4")]),
    head(more=[("content-length", "0"), ("content-length", "0")]),
    head(more=[(":path", "/twice")]), head(more=[("x", "y"), (":authority", "late")]), head(more=[(":protocol", "websocket")]),
    head(more=[(":status", "200")]), head()[1:], head()[:1], head()[:2] + head()[3:], head()[:3],
    [(":method", "CONNECT"), (":authority", "localhost:443")],
], ids=lambda fields: " ".join(f"{n}={v}" for n, v in fields)[-40:].encode("unicode_escape").decode())
def test_a_doubtful_head_is_refused_alone(gateway, fields):
    with Http2(gateway.port) as wire:
        wire.send(frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, 1, block(fields)))
        wire.h2.get_next_available_stream_id()
        wire.h2.send_headers(1, head(), True)  # so that the library knows of that stream
        wire.h2.data_to_send()
        wire.until(lambda: wire.answers[1].is_over or wire.is_closed)
        assert wire.answers[1].status in (None, 400) and wire.answers[1].reset in (None, 1)
        wire.send(frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, 3, block(head())))
        wire.h2.send_headers(3, head(), True)
        wire.h2.data_to_send()
        assert wire.wait(3).status == 200


def test_a_body_of_another_length_than_said_is_no_request(gateway):
    for data in (b"{}", b"{}      "):
        with Http2(gateway.port) as wire:
            stream = wire.begin("POST", COMPLETIONS, {**JSON, "Content-Length": 4})
            wire.h2.send_data(stream, data, True)
            wire.flush()
            assert wire.wait(stream).reset == 1 and wire.answers[stream].status is None
            assert wire.request("GET", "/healthz").status == 200


def test_trailers_say_nothing(wire):
    stream = wire.begin("POST", COMPLETIONS, JSON)
    wire.body(stream, json.dumps(user("and a trailer")).encode(), False)
    wire.h2.send_headers(stream, [("authorization", "Bearer guess"), ("x-trailer", "y")], True)
    wire.flush()
    assert "and a trailer" in wire.wait(stream).text


def test_crumbs_of_a_cookie_are_one(hooked_echo):
    with Http2(hooked_echo.port) as wire:
        wire.h2.send_headers(1, [(":method", "POST"), (":path", "/hooks/echo"), (":scheme", "http"), (":authority", "x"),
                                 ("authorization", f"Bearer {HOOK}"), ("x-event", "opened"), ("x-event", "twice"),
                                 ("cookie", "a=1"), ("cookie", "b=2")])
        wire.h2.send_data(1, b"{}", True)
        wire.flush()
        assert wire.wait(1).status == 200
    with Client(hooked_echo.port, hooked_echo.token) as client:
        until(lambda: "opened, twice of x" in json.dumps(client.call("chat.history", {"sessionKey": "hook:echo"})), 10,
              "what the hook said")


@pytest.fixture
def hooked_echo(fresh_gateway):
    return fresh_gateway(config={**CONFIG, "hooks": {**HOOKS, "mappings": [
        {"match": {"path": "echo"}, "sessionKey": "hook:echo", "deliver": False, "allowUnsafeExternalContent": True,
         "messageTemplate": "{{headers.x-event}} of {{headers.host}}"}]}}).start()


# --- what costs more than it brings --------------------------------------------------------------------------------------


def flood(gateway, data, begin=b""):
    """Sends it until the gateway has enough; the error code of its last word."""
    with connect(gateway.port) as sock:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(raw.PREFACE + frame(raw.SETTINGS) + begin)
            for piece in data:
                sock.sendall(piece)
        code = goaway_of(read_all(sock))
    assert is_alive(gateway)
    return code


def pieces(make, number, together=100):
    return (b"".join(make(i + j) for j in range(together)) for i in range(0, number, together))


OPEN = frame(raw.HEADERS, raw.END_HEADERS, 1, block(head("POST", COMPLETIONS, more=[("authorization", f"Bearer {TOKEN}")])))


@pytest.mark.parametrize("begin, make", [
    (b"", lambda i: frame(raw.PING, 0, 0, struct.pack(">Q", i))),
    (b"", lambda i: frame(raw.SETTINGS, 0, 0, struct.pack(">HI", 4, 65535 + i))),
    (b"", lambda i: frame(raw.PRIORITY, 0, 2 * i + 1, bytes(4) + b"\x10")),
    (b"", lambda i: frame(raw.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))),
    (OPEN, lambda i: frame(raw.DATA, 0, 1)),
    (frame(raw.HEADERS, 0, 1, block(head())), lambda i: frame(raw.CONTINUATION, 0, 1)),
    (b"", lambda i: frame(raw.HEADERS, 5, 2 * i + 1, block(head())) + frame(raw.RST_STREAM, 0, 2 * i + 1, struct.pack(">I", 8))),
    (b"", lambda i: frame(raw.HEADERS, 4, 2 * i + 1, block(head("POST", COMPLETIONS, more=[
        ("authorization", f"Bearer {TOKEN}")]))) + frame(raw.WINDOW_UPDATE, 0, 2 * i + 1, b"\x7f\xff\xff\xff")),
], ids=["pings", "settings", "priorities", "room for one byte", "empty data", "continuations",
        "streams that are reset", "streams that have us reset them"])
def test_a_flood_of_frames_that_ask_for_nothing_ends_the_connection(gateway, begin, make):
    assert flood(gateway, pieces(make, 4000), begin) == ENHANCE_YOUR_CALM


def test_a_head_without_end_and_one_that_grows_when_it_is_read(gateway):
    lines = [frame(raw.CONTINUATION, 0, 1, block([(f"x-{i}", "y" * 1000)])) for i in range(200)]
    assert flood(gateway, lines, frame(raw.HEADERS, 0, 1, block(head()))) == ENHANCE_YOUR_CALM
    name, value = b"x-bomb", b"y" * 3900
    once = b"\x40" + bytes([len(name)]) + name + b"\x7f" + bytes([(len(value) - 127) % 128 + 128, (len(value) - 127) // 128])
    bomb = block(head()) + once + value + b"\xbe" * 8000  # 8000 times the first entry of the table: 31 MB
    assert flood(gateway, [frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, 1, bomb)]) == ENHANCE_YOUR_CALM


def test_who_gives_up_now_and_then_goes_on(wire):
    for number in range(300):
        wire.reset(chat(wire, f"given up {number}", stream=True))
        assert wire.request("GET", "/healthz").status == 200
    assert "still here" in said(wire.wait(chat(wire, "still here", stream=True)))


def test_an_early_close_at_every_byte_hurts_nobody(gateway):
    whole = raw.PREFACE + frame(raw.SETTINGS) + frame(raw.HEADERS, raw.END_HEADERS, 1, block(head(
        "POST", COMPLETIONS, more=[("authorization", f"Bearer {TOKEN}")]))) + \
        frame(raw.DATA, raw.END_STREAM, 1, json.dumps(user("who leaves early")).encode())
    for at in range(1, len(whole), 3):
        sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
        sock.sendall(whole[:at])
        if at % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    assert is_alive(gateway)


# --- how it ends -----------------------------------------------------------------------------------------------------------


def test_a_stop_is_told_and_what_is_under_way_is_answered(fresh_gateway, provider):
    running = fresh_gateway(config=provider.config()).start()
    with Http2(running.port) as idle, Http2(running.port) as busy:
        assert idle.request("GET", "/healthz").status == 200
        stream = chat(busy, "STALL", stream=True)
        busy.until(lambda: busy.answers[stream].data)
        running.process.terminate()
        idle.read_to_end()
        assert idle.goaway == 0
        data = read_all(busy.sock)
    frames = list(frames_of(data))
    (goaway,) = [payload for kind, _, _, payload in frames if kind == raw.GOAWAY]
    assert struct.unpack(">II", goaway[:8]) == (stream, 0)
    text = b"".join(payload for kind, _, number, payload in frames if kind == raw.DATA and number == stream)
    assert b'"error"' in text  # the agent is gone before the edge is
    assert any(kind == raw.DATA and flags & raw.END_STREAM for kind, flags, _, _ in frames)


def test_a_restart_of_the_edge_is_told_and_the_next_connection_is_served(fresh_gateway):
    running = fresh_gateway(config=CONFIG).start()
    with Http2(running.port) as wire, Client(running.port, running.token) as client:
        assert wire.request("GET", "/healthz").status == 200
        client.send("config.patch", {"raw": json.dumps({"gateway": {"bind": "lan"}}),
                                     "baseHash": client.call("config.get")["hash"]})
        wire.read_to_end()
        assert wire.goaway == 0
    with Http2(running.port) as wire:
        assert wire.request("GET", "/healthz").status == 200
