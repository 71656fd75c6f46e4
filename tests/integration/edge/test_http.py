"""HTTP of the edge: probes, chat completions in both forms, refusals that arrive, limits."""

import http.client
import json
import socket
import threading
import time

import pytest

from conftest import TOKEN

AUTH = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def fetch(rig, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=10)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), text


def complete(rig, text, headers=None, **fields):
    body = json.dumps({"model": "openclaw", "messages": [{"role": "user", "content": text}], **fields})
    return fetch(rig, "POST", "/v1/chat/completions", body, {**AUTH, **(headers or {})})


def counters(rig):
    """What the stand-in of the router has counted: runs started and cancelled."""
    import asyncio

    from conftest import connected

    async def body():
        async with connected(rig) as client:
            return (await client.call("agents.list"))["payload"]
    return asyncio.run(body())


def until(condition, what):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


# --- probes ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/healthz", "/healthz?x=1"])
def test_alive(rig, path):
    status, headers, text = fetch(rig, "GET", path)
    assert (status, json.loads(text)) == (200, {"ok": True, "status": "live"})
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"


def test_ready_tells_strangers_less(rig):
    status, _, text = fetch(rig, "GET", "/readyz")
    assert status == 200 and json.loads(text)["failing"] == [] and json.loads(text)["uptimeMs"] >= 0
    assert json.loads(fetch(rig, "GET", "/ready", None, {"X-Forwarded-For": "203.0.113.7"})[2]) == {"ready": True}


def test_head_has_a_length_and_no_body(rig):
    status, headers, text = fetch(rig, "HEAD", "/healthz")
    assert (status, headers["Content-Length"], text) == (200, "27", b"")


def test_other_methods_are_told_which_ones_work(rig):
    for method, path, allowed in (("POST", "/healthz", "GET, HEAD"), ("DELETE", "/readyz", "GET, HEAD"),
                                  ("GET", "/v1/chat/completions", "POST"), ("OPTIONS", "/v1/chat/completions", "POST"),
                                  ("POST", "/v1/models", "GET")):
        status, headers, text = fetch(rig, method, path)
        assert (status, headers["Allow"], text) == (405, allowed, b"Method Not Allowed")


def test_unknown_paths(rig):
    assert fetch(rig, "GET", "/api/nope")[0::2] == (404, b"Not Found")
    status, headers, text = fetch(rig, "GET", "/v1/nope")
    assert status == 404 and headers["Content-Type"].startswith("application/json")
    assert json.loads(text)["error"]["type"] == "not_found"


def test_pipelined_requests_are_answered_in_order(rig):
    with rig.http() as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 50 + b"GET /api/nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        seen = b""
        while piece := sock.recv(65536):
            seen += piece
    assert seen.count(b"HTTP/1.1 200") == 50 and seen.count(b"HTTP/1.1 404") == 1
    assert seen.rindex(b"HTTP/1.1 404") > seen.rindex(b"HTTP/1.1 200")


# --- chat completions --------------------------------------------------------------------


def test_a_whole_answer(rig):
    status, headers, text = complete(rig, "whole answer", model="openclaw/default")
    answer = json.loads(text)
    assert status == 200 and headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer["id"].startswith("chatcmpl_") and answer["object"] == "chat.completion"
    assert answer["model"] == "openclaw/default" and abs(answer["created"] - time.time()) < 60
    assert answer["choices"] == [{"index": 0, "message": {"role": "assistant", "content": "whole answer"},
                                  "finish_reason": "stop"}]
    assert answer["usage"] == {"prompt_tokens": 11, "completion_tokens": 6, "total_tokens": 17}


def events_of(text):
    blocks = text.decode().split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") for block in blocks)
    return [block[6:] if block[6:] == "[DONE]" else json.loads(block[6:]) for block in blocks]


def test_a_streamed_answer(rig):
    status, headers, text = complete(rig, "deltas=3", stream=True, stream_options={"include_usage": True})
    assert status == 200 and headers["Content-Type"] == "text/event-stream; charset=utf-8"
    events = events_of(text)
    assert events.pop() == "[DONE]"
    assert {event["id"] for event in events} == {events[0]["id"]}
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert events[0]["choices"] == [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]
    assert "".join(event["choices"][0]["delta"]["content"] for event in events[1:-2]) == "wwwww" * 3
    assert events[-2]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert events[-1]["choices"] == [] and events[-1]["usage"]["total_tokens"] == 17


def test_each_delta_leaves_at_once(rig):
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=10)
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "deltas=3 period=150"}]})
    connection.request("POST", "/v1/chat/completions", body, AUTH)
    response = connection.getresponse()
    times = []
    while line := response.readline():
        if b'"content"' in line:
            times.append(time.monotonic())
    assert len(times) == 3 and times[1] - times[0] > 0.1 and times[2] - times[1] > 0.1


def test_a_connection_serves_one_request_after_the_other(rig):
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=10)
    for stream in (True, False, True):
        body = json.dumps({"stream": stream, "messages": [{"role": "user", "content": "whole"}]})
        connection.request("POST", "/v1/chat/completions", body, AUTH)
        response = connection.getresponse()
        assert response.status == 200 and response.read()
    connection.request("GET", "/healthz")
    assert connection.getresponse().read()


def test_a_chunked_body_with_expect_continue(rig):
    body = json.dumps({"messages": [{"role": "user", "content": "whole"}]}).encode()
    with rig.http() as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                     b"Expect: 100-continue\r\nConnection: close\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        for i in range(0, len(body), 7):
            sock.sendall(b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]))
        sock.sendall(b"0\r\n\r\n")
        seen = b""
        while piece := sock.recv(65536):
            seen += piece
    assert seen.startswith(b"HTTP/1.1 200") and b'"content":"whole"' in seen


def test_http_1_0_streams_up_to_the_close(rig):
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "deltas=1"}]}).encode()
    with rig.http() as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\nAuthorization: Bearer %s\r\n\r\n%s"
                     % (len(body), TOKEN.encode(), body))
        seen = b""
        while piece := sock.recv(65536):
            seen += piece
    head, text = seen.split(b"\r\n\r\n", 1)
    assert b"Transfer-Encoding" not in head and events_of(text)[-1] == "[DONE]"


# --- refusals ----------------------------------------------------------------------------


def error_of(result):
    status, _, text = result
    return status, json.loads(text)["error"]


def test_who_is_let_in(rig):
    plain = {"Content-Type": "application/json"}
    for headers in (plain, {**plain, "Authorization": "Bearer wrong"}, {**plain, "Authorization": "Basic abc"}):
        result = fetch(rig, "POST", "/v1/chat/completions", "{}", headers)
        assert error_of(result) == (401, {"message": "Unauthorized", "type": "unauthorized"})
    result = fetch(rig, "GET", "/v1/models", None, {"Authorization": "Bearer limited"})
    assert error_of(result)[0] == 429 and result[1]["Retry-After"] == "61"


def test_bad_bodies(rig):
    for body, words in (("{bad json}", "line 1, column 2"), ("{}", "Missing user message"), ("", "Missing user message"),
                        ("[" * 100, "deeper"), ('{"messages":[{"role":"user","content":"x"}],"model":"gpt-4"}', "Invalid `model`")):
        status, error = error_of(fetch(rig, "POST", "/v1/chat/completions", body, AUTH))
        assert status == 400 and error["type"] == "invalid_request_error" and words in error["message"]


def test_an_unknown_agent_is_not_found(rig):
    status, error = error_of(complete(rig, "whole", model="openclaw/nosuch"))
    assert status == 404 and error["code"] == "model_not_found"
    assert error_of(complete(rig, "whole", {"X-OpenClaw-Agent-Id": "nosuch"}))[0] == 404


@pytest.mark.parametrize("code,status", [(1, 400), (2, 503), (3, 504), (5, 500), (66, 504), (69, 429), (70, 503), (71, 502)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_word_has_a_status(rig, code, status, stream):
    got, error = error_of(complete(rig, f"code={code}", stream=stream))
    assert got == status and error["message"] == "asked to fail"


def test_a_failure_after_the_first_word_is_an_event_and_no_done(rig):
    status, _, text = complete(rig, "deltas=2 fail", stream=True)
    events = events_of(text)
    assert status == 200 and events[-1]["error"] == {
        "message": "the provider broke off", "type": "api_error", "code": "provider_failed"}
    assert "[DONE]" not in events


def test_a_body_that_is_too_large_gets_its_413(rig):
    with rig.http() as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 31457280\r\n\r\n")
        sent = threading.Thread(target=push, args=(sock, 31457280))
        sent.start()
        seen = b""
        while piece := sock.recv(65536):
            seen += piece
        sent.join()
    assert seen.startswith(b"HTTP/1.1 413") and b"Payload too large" in seen


def push(sock, total):
    try:
        while total > 0:
            total -= sock.send(b" " * min(total, 65536))
    except OSError:
        pass  # the other side may hang up once it has answered


def test_a_chunked_body_that_grows_too_large_gets_its_413(rig):
    with rig.http() as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                     b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n1e00000\r\n")
        sent = threading.Thread(target=push, args=(sock, 0x1e00000))
        sent.start()
        seen = b""
        while piece := sock.recv(65536):
            seen += piece
        sent.join()
    assert seen.startswith(b"HTTP/1.1 413")


def test_heads_that_are_no_http(rig):
    cases = ((b"GARBAGE\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
             (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431),
             (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
             (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400))
    for head, status in cases:
        with rig.http() as sock:
            sock.sendall(head)
            seen = b""
            while piece := sock.recv(65536):
                seen += piece
        assert seen.startswith(b"HTTP/1.1 %d " % status), (head[:40], seen[:40])


def test_upgrades_that_are_none(rig):
    base = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert fetch(rig, "GET", "/", None, {**base, "Sec-WebSocket-Version": "8"})[0] == 426
    assert fetch(rig, "GET", "/", None, {**base, "Sec-WebSocket-Version": "13"})[0] == 400
    assert fetch(rig, "POST", "/", None, {**base, "Sec-WebSocket-Version": "13"})[0] == 400


# --- streams and slow readers ------------------------------------------------------------


def stream_socket(rig, text):
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": text}]}).encode()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", rig.port))
    sock.settimeout(10)
    sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nAuthorization: Bearer %s\r\n\r\n%s"
                 % (len(body), TOKEN.encode(), body))
    return sock


def test_a_client_that_leaves_cancels_the_run(rig):
    before = counters(rig)
    with stream_socket(rig, "deltas=100000 period=20") as sock:
        assert b"HTTP/1.1 200" in sock.recv(65536)
    until(lambda: counters(rig)["cancelled"] == before["cancelled"] + 1, "the run was not cancelled")


def test_a_client_that_leaves_before_the_first_word_cancels_too(rig):
    before = counters(rig)
    sock = stream_socket(rig, "deltas=1 period=30000")
    until(lambda: counters(rig)["started"] == before["started"] + 1, "the run did not start")
    sock.close()
    until(lambda: counters(rig)["cancelled"] == before["cancelled"] + 1, "the run was not cancelled")


def test_a_slow_reader_holds_the_run_back_and_loses_nothing(rig):
    total = 3000
    with stream_socket(rig, f"deltas={total} size=10000") as sock:  # 30 MB
        seen = 0
        tail = b""
        while b"[DONE]" not in tail:
            piece = sock.recv(1 << 20)
            assert piece
            seen += piece.count(b"w")
            tail = (tail + piece)[-100:]
    assert seen == total * 10000 + total + 2  # and one in the model's name of every event


# --- models ------------------------------------------------------------------------------


def test_models_are_agents(rig):
    ids = [row["id"] for row in json.loads(fetch(rig, "GET", "/v1/models", None, AUTH)[2])["data"]]
    assert ids == ["openclaw", "openclaw/default", "openclaw/main"]
    assert json.loads(fetch(rig, "GET", "/v1/models/openclaw%2Fmain", None, AUTH)[2])["id"] == "openclaw/main"
    assert error_of(fetch(rig, "GET", "/v1/models/nope", None, AUTH))[0] == 400
    assert error_of(fetch(rig, "GET", "/v1/models/openclaw%2Fnope", None, AUTH))[0] == 404
