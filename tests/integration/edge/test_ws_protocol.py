"""The WebSocket protocol of the edge: handshake, requests, events, limits and the end."""

import asyncio
import json
import os
import pathlib
import re
import socket
import struct
import time

import pytest
import websockets

from conftest import connect_params, connected, masked, read_until, request, stalled_client


async def first_words(rig, *frames):
    """Sends frames right after the challenge; returns what came back and how the peer closed."""
    answers = []
    async with websockets.connect(rig.url, max_size=None) as ws:
        await ws.recv()
        for frame in frames:
            await ws.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))
        try:
            while True:
                answers.append(json.loads(await asyncio.wait_for(ws.recv(), 60)))
        except websockets.ConnectionClosed:
            return answers, ws.close_code, ws.close_reason


@pytest.fixture(scope="module", autouse=True)
def early(rig):
    """A client from the first test on: what comes seldom has come to it by the last."""
    with stalled_client(rig, 1 << 20) as sock:
        yield sock


# --- handshake ---------------------------------------------------------------------------


def test_hello_says_what_the_schema_has(rig, run):
    async def body():
        async with connected(rig) as client:
            hello = client.hello
            assert hello["type"] == "hello-ok" and hello["protocol"] == 3
            assert hello["server"]["version"] == "2026.5.7" and hello["server"]["connId"]
            assert "chat.send" in hello["features"]["methods"] and "connect" not in hello["features"]["methods"]
            assert {"chat", "agent", "tick", "shutdown", "connect.challenge"} <= set(hello["features"]["events"])
            assert hello["policy"] == {"maxPayload": 26214400, "maxBufferedBytes": 52428800, "tickIntervalMs": 30000}
            assert hello["snapshot"]["stateVersion"] == {"presence": 3, "health": 4}
            assert hello["snapshot"]["stateDir"] == "/tmp/state" and hello["snapshot"]["authMode"] == "token"
            assert hello["auth"]["role"] == "operator" and "operator.admin" in hello["auth"]["scopes"]
            assert re.fullmatch(r"http://[^/]+/__openclaw__/cap/[\w-]{24}", hello["canvasHostUrl"])
    run(body())


def test_the_newest_protocol_in_the_range_of_the_client_is_spoken(rig, run):
    async def body():
        for low, high, spoken in ((3, 3, 3), (1, 3, 3), (3, 4, 4), (4, 4, 4), (4, 9, 4), (2, 7, 4)):
            async with connected(rig, minProtocol=low, maxProtocol=high) as client:
                assert client.hello["protocol"] == spoken
                methods = client.hello["features"]["methods"]
                assert {"health", "sessions.unsubscribe", "approval.get"} <= set(methods)
    run(body())


def test_what_works_is_listed_whatever_the_protocol(rig, run):
    source = pathlib.Path(__file__).resolve().parents[3] / "schema" / "methods"
    methods = [row for path in sorted(source.glob("*.json")) for row in json.loads(path.read_text())["methods"]]
    served = {row["name"] for row in methods if "later" not in row}
    unlisted = {"connect", "config.repair", "device.pair.setupCode", "device.pair.setupStatus"}

    async def body():
        for protocol in (3, 4):
            async with connected(rig, minProtocol=protocol, maxProtocol=protocol) as client:
                listed = client.hello["features"]["methods"]
                assert len(listed) == len(set(listed)) and set(listed) == served - unlisted
    run(body())


def test_protocol_4_names_the_scope_that_is_missing(rig, run):
    async def body():
        async with connected(rig, scopes=["operator.read"], maxProtocol=4) as client:
            assert (await client.chat("x"))["error"] == {
                "code": "FORBIDDEN", "message": "missing scope: operator.write",
                "details": {"code": "MISSING_SCOPE", "missingScope": "operator.write",
                            "requiredScopes": ["operator.write"]}}
    run(body())


def test_protocol_4_lets_a_request_bring_its_trace(rig, run):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def body():
        async with connected(rig, maxProtocol=4) as client:
            ident = await client.send("health", traceparent=trace)
            assert (await client.answer(ident))["payload"]["trace"] == "0af7651916cd43dd8448eb211c80319c"
            for odd in ("", "nonsense", trace.upper(), "ff" + trace[2:], trace + "-x", trace[:-2] + "0A",
                        trace.replace("b7ad6b7169203331", "0" * 16)):  # a trace of its own then
                answer = await client.answer(await client.send("health", traceparent=odd))
                assert answer["payload"]["trace"] not in ("0af7651916cd43dd8448eb211c80319c", "0" * 32)
            for wrong in (7, "x" * 129):
                answer = await client.answer(await client.send("health", traceparent=wrong))
                assert "at /traceparent" in answer["error"]["message"]
        async with connected(rig) as client:
            answer = await client.answer(await client.send("health", traceparent=trace))
            assert answer["error"]["message"] == "invalid request frame: at root: unexpected property 'traceparent'"
    run(body())


def test_deltas_of_protocol_4_say_what_is_new(rig, run):
    async def body():
        async with connected(rig) as old, connected(rig, maxProtocol=4) as new:
            await new.chat("events=1 delta")
            (one, two) = (await old.event("chat"))["payload"], (await new.event("chat"))["payload"]
            assert "deltaText" not in one and two["deltaText"] == "new" and "_protocol4" not in two
            assert {**one, "deltaText": "new"} == two
    run(body())


def test_where_files_are_is_told_to_administrators_alone(rig, run):
    async def body():
        async with connected(rig, scopes=["operator.read"]) as client:
            assert not {"stateDir", "configPath", "authMode"} & set(client.hello["snapshot"])
    run(body())


def test_text_that_is_no_json_closes_and_says_so(rig, run):
    for text in ("this is not json", "", '{"type":"req","id":"1","method":"connect","params":{a}}'):
        assert run(first_words(rig, text)) == ([], 1000, "invalid request frame: not JSON")
    deep = '{"type":"req","id":"1","method":"connect","params":' + "[" * 200 + "]" * 200 + "}"
    assert run(first_words(rig, deep)) == ([], 1000, "invalid request frame: nested too deep")


def test_json_that_is_no_request_closes_as_policy(rig, run):
    assert run(first_words(rig, {"hello": 1})) == ([], 1008, "invalid request frame")


def test_the_first_request_must_be_connect(rig, run):
    answers, code, reason = run(first_words(rig, request("health")))
    message = "invalid handshake: first request must be connect"
    assert answers == [{"type": "res", "id": "1", "ok": False, "error": {"code": "INVALID_REQUEST", "message": message}}]
    assert (code, reason) == (1008, message)


def test_missing_connect_params_are_all_named(rig, run):
    answers, code, reason = run(first_words(rig, request("connect")))
    message = ("invalid connect params: must have required property 'minProtocol'; must have required property "
               "'maxProtocol'; must have required property 'client'")
    assert answers[0]["error"]["message"] == message
    assert code == 1008 and reason == message[:120]


def test_wrong_connect_params_are_named(rig, run):
    params = connect_params(extraneous=True, client={"id": "nope", "version": "1", "platform": "x", "mode": "cli"})
    answers, code, _ = run(first_words(rig, request("connect", params)))
    assert answers[0]["error"]["message"].startswith(
        "invalid connect params: at root: unexpected property 'extraneous'; at /client/id: must be equal to one of")
    assert code == 1008


def test_the_refusal_of_auth_reaches_the_peer_with_its_close_code(rig, run):
    answers, code, reason = run(first_words(rig, request("connect", connect_params(auth={"token": "wrong"}))))
    assert answers[0]["error"] == {"code": "INVALID_REQUEST", "message": "unauthorized: gateway token mismatch",
                                   "details": {"code": "AUTH_TOKEN_MISMATCH"}}
    assert (code, reason) == (1008, "unauthorized: gateway token mismatch")


def test_a_frame_before_hello_may_have_64_kib_and_no_more(rig, run):
    frame = json.dumps(request("connect", {"pad": ""}))
    exact = json.dumps(request("connect", {"pad": "x" * (65536 - len(frame))}))
    assert len(exact) == 65536
    assert run(first_words(rig, exact))[0][0]["error"]["code"] == "INVALID_REQUEST"
    assert run(first_words(rig, exact + " ")) == ([], 1009, "preauth payload too large")


def test_silence_ends_the_handshake(own_rig, run):
    rig = own_rig(OPENCLAW_HANDSHAKE_TIMEOUT_MS="300")
    assert run(first_words(rig)) == ([], 1000, "handshake timeout")


def test_too_many_sockets_before_hello_are_refused(own_rig, run):
    rig = own_rig(OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP="2")

    async def body():
        first = await websockets.connect(rig.url)
        second = await websockets.connect(rig.url)
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(rig.url)
        assert refused.value.status_code == 503
        await first.close()
        async with connected(rig):  # counts no longer once it is through
            third = await websockets.connect(rig.url)
            await third.close()
        await second.close()
    run(body())


def test_requests_may_follow_connect_in_the_same_packet(rig, run):
    async def body():
        async with websockets.connect(rig.url) as ws:
            await ws.recv()
            await ws.send(json.dumps(request("connect", connect_params(), "c")))
            await ws.send(json.dumps(request("health", {}, "h")))
            assert [json.loads(await ws.recv())["id"] for _ in range(2)] == ["c", "h"]
    run(body())


def test_a_binary_frame_is_read_like_text(rig, run):
    async def body():
        async with websockets.connect(rig.url) as ws:
            await ws.recv()
            await ws.send(json.dumps(request("connect", connect_params())).encode())
            assert json.loads(await ws.recv())["ok"]
    run(body())


# --- requests ----------------------------------------------------------------------------


def test_errors_have_the_words_of_the_protocol(rig, run):
    cases = [
        ({"type": "req", "id": "x1", "method": "", "params": {}}, "x1",
         "invalid request frame: at /method: must NOT have fewer than 1 characters"),
        ({"type": "nope"}, "invalid", "invalid request frame: must have required property 'id'; must have required "
                                      "property 'method'; at /type: must be equal to constant"),
        (request("no.such.method"), "1", "unknown method: no.such.method"),
        (request("no.such\u0001"), "1", "unknown method: no.such\u0001"),
        (request("connect"), "1", "connect is only valid as the first request"),
        (request("chat.send"), "1", "invalid chat.send params: must have required property 'sessionKey'; must have "
                                    "required property 'message'; must have required property 'idempotencyKey'"),
        (request("chat.history", {"sessionKey": 7}), "1", "invalid chat.history params: at /sessionKey: must be string"),
        (request("health", {"_client": {}}), "1", None),
        (request("chat.history", {"sessionKey": "main", "_client": {"connId": "x"}}), "1",
         "invalid chat.history params: at root: unexpected property '_client'"),
    ]

    async def body():
        async with connected(rig) as client:
            for frame, ident, message in cases:
                await client.ws.send(json.dumps(frame))
                answer = await client.receive()
                assert answer["id"] == ident
                if message:
                    assert answer["error"] == {"code": "INVALID_REQUEST", "message": message}
    run(body())


def test_rubbish_is_answered_and_the_connection_goes_on(rig, run):
    async def body():
        async with connected(rig) as client:
            for text in ("not json", "", "[1]", '{"type":"req","id":"1","method":"health","params":{a}}',
                         '{"type":"req","id":"1","method":"health","params":' + "[" * 200 + "]" * 200 + "}"):
                await client.ws.send(text)
                answer = await client.receive()
                assert not answer["ok"] and answer["error"]["message"].startswith("invalid request frame")
            assert (await client.call("health"))["ok"]
    run(body())


def test_scopes_are_asked_before_the_owner_is(rig, run):
    async def body():
        async with connected(rig, scopes=["operator.read"]) as client:
            assert (await client.chat("x"))["error"]["message"] == "missing scope: operator.write"
            assert (await client.call("nope"))["error"]["message"] == "missing scope: operator.admin"
            assert (await client.call("health"))["ok"]
    run(body())


def test_what_nobody_serves_yet_is_refused_by_the_name_of_its_capability(rig, run):
    source = pathlib.Path(__file__).resolve().parents[3] / "schema" / "methods"
    methods = [row for path in sorted(source.glob("*.json")) for row in json.loads(path.read_text())["methods"]]
    later = [row for row in methods if "later" in row]

    async def body():
        async with connected(rig) as client, connected(rig, scopes=[]) as nobody:
            listed = client.hello["features"]["methods"]
            assert not [row["name"] for row in later if row["name"] in listed]
            for row in (row for row in later if row["scope"] != "node"):
                answer = await client.call(row["name"])
                assert (answer["error"]["code"], answer["error"].get("retryable")) == ("UNAVAILABLE", None)
                assert answer["error"]["details"] == {"reason": "not-served", "capability": row["later"]}
                assert row["name"] in answer["error"]["message"] and row["later"] in answer["error"]["message"]
                answer = await nobody.call(row["name"])
                assert answer["error"]["message"] == f"missing scope: {row['scope']}"
    run(body())


def test_repeated_calls_of_a_wrong_role_end_the_connection(rig, run):
    async def body():
        async with connected(rig, role="node", scopes=[]) as client:
            with pytest.raises(websockets.ConnectionClosed):
                for i in range(12):
                    answer = await client.call("sessions.list")
                    assert answer["error"]["message"] == "unauthorized role: node" and i <= 10
            assert (client.ws.close_code, client.ws.close_reason) == (1008, "repeated unauthorized calls")
    run(body())


def test_failures_carry_what_the_owner_said(rig, run):
    async def body():
        async with connected(rig) as client:
            assert (await client.chat("refuse"))["error"] == {
                "code": "UNAVAILABLE", "message": "too often", "retryable": True, "retryAfterMs": 1500}
            answer = await client.call("logs.tail")  # the stand-in knows no such method
            assert answer["error"]["code"] == "INVALID_REQUEST"
    run(body())


def test_an_owner_that_dies_fails_the_call_and_is_there_again(rig, run):
    async def body():
        async with connected(rig) as client:
            answer = await client.chat("die")
            assert answer["error"]["code"] == "UNAVAILABLE"
            for _ in range(200):
                if (await client.chat("x"))["ok"]:
                    return
                await asyncio.sleep(0.02)
            raise AssertionError("the router did not come back")
    run(body())


def test_answers_of_every_frame_length_arrive_whole(rig, run):
    async def body():
        async with connected(rig) as client:
            for size in (1, 60, 70, 100, 65000, 65500, 65536, 1000000, 5000000):
                assert len((await client.chat(f"reply={size}"))["payload"]["text"]) == size
    run(body())


def test_a_large_request_in_many_pieces_arrives(rig, run):
    async def body():
        async with connected(rig) as client:
            text = "y" * 3000000
            frame = json.dumps(request("chat.send", {"sessionKey": "main", "message": text, "idempotencyKey": "k"}))
            await client.ws.send([frame[i:i + 7919] for i in range(0, len(frame), 7919)])
            assert (await client.receive())["ok"]
    run(body())


def test_a_message_above_the_limit_closes_as_too_big(rig, run):
    async def body():
        async with connected(rig) as client:
            with pytest.raises(websockets.ConnectionClosed):
                await client.ws.send("x" * 26214401)
                await client.receive()
            assert (client.ws.close_code, client.ws.close_reason) == (1009, "payload too large")
    run(body())


def test_two_phases_are_two_answers(rig, run):
    async def body():
        async with connected(rig) as client:
            ident = await client.send("agent", {"message": "x", "idempotencyKey": "k"})
            assert (await client.answer(ident))["payload"] == {"runId": "run-2", "status": "accepted", "acceptedAt": 7}
            assert (await client.answer(ident))["payload"] == {"status": "ok"}
    run(body())


def test_too_many_requests_in_flight_are_refused_one_by_one(rig, run):
    async def body():
        async with connected(rig) as client:
            frame = json.dumps(request("chat.send", {"sessionKey": "m", "message": "hang", "idempotencyKey": "k"}))
            for _ in range(1025):
                await client.ws.send(frame)
            answer = await client.receive()
            assert answer["error"]["code"] == "UNAVAILABLE" and answer["error"]["retryable"]
    run(body())


def test_answers_keep_the_id_as_it_was_written(rig, run):
    async def body():
        async with connected(rig) as client:
            await client.ws.send(r'{"type":"req","id":"\u00e9\"\n","method":"health"}')
            assert (await client.receive())["id"] == 'é"\n'
    run(body())


# --- events ------------------------------------------------------------------------------


def test_events_are_counted_per_connection_and_lose_internal_keys(rig, run):
    async def body():
        async with connected(rig) as one, connected(rig) as two:
            await one.chat("events=3")
            for client in (one, two):
                frames = [await client.event("chat") for _ in range(3)]
                assert [frame["seq"] for frame in frames] == [1, 2, 3]
                assert list(frames[0]) == ["type", "event", "payload", "seq"]
                assert "_scopeKey" not in frames[0]["payload"]
    run(body())


def test_events_need_their_scope(rig, run):
    async def body():
        async with connected(rig, scopes=["operator.pairing"]) as blind, connected(rig) as seeing:
            await seeing.chat("events=1")
            await seeing.event("chat")
            assert (await blind.call("health"))["ok"] and not blind.events
    run(body())


def test_session_events_go_to_subscribers_without_a_number(rig, run):
    async def body():
        async with connected(rig) as all_of_them, connected(rig) as one, connected(rig) as none:
            assert (await all_of_them.call("sessions.subscribe"))["payload"] == {"subscribed": True}
            answer = await one.call("sessions.messages.subscribe", {"key": "main"})
            assert answer["payload"] == {"subscribed": True, "key": "agent:main:main"}
            await none.chat("session")
            for client in (all_of_them, one):
                assert "seq" not in await client.event("session.message")
            await all_of_them.event("sessions.changed")
            assert (await one.call("health"))["ok"] and not one.events
            assert (await none.call("health"))["ok"] and not none.events
            assert (await one.call("sessions.messages.unsubscribe", {"key": "main"}))["payload"]["subscribed"] is False
            assert (await all_of_them.call("sessions.unsubscribe"))["payload"] == {"subscribed": False}
            await none.chat("session")
            for client in (all_of_them, one):
                assert (await client.call("health"))["ok"] and not client.events
            assert not (await one.call("sessions.messages.subscribe", {"key": "nobody"}))["ok"]
    run(body())


def test_a_newer_generation_of_auth_ends_older_connections(own_rig, run):
    rig = own_rig()

    async def body():
        async with connected(rig) as one, connected(rig) as two:
            await one.send("chat.send", {"sessionKey": "m", "message": "rotate", "idempotencyKey": "k"})
            for client in (one, two):
                with pytest.raises(websockets.ConnectionClosed):
                    while True:
                        await client.receive()
                assert (client.ws.close_code, client.ws.close_reason) == (4001, "gateway auth changed")
    run(body())


async def closed(client):
    """The answers before the end of a connection whose auth has changed."""
    said = []
    with pytest.raises(websockets.ConnectionClosed):
        while True:
            said.append(json.loads(await asyncio.wait_for(client.ws.recv(), 60)))
    assert (client.ws.close_code, client.ws.close_reason) == (4001, "gateway auth changed")
    return [(frame["id"], frame["ok"]) for frame in said if frame["type"] == "res"]


def test_whoever_changes_the_auth_is_told_so_before_its_connection_ends(own_rig, run):
    rig = own_rig()

    async def body():
        async with connected(rig) as writer, connected(rig) as other:
            ident = await writer.send("config.set", {"raw": "{}"})
            assert await closed(writer) == [(ident, True)]
            assert await closed(other) == []
    run(body())


def test_nothing_else_is_done_for_who_waits_for_its_last_answer(own_rig, run):
    rig = own_rig()

    async def body():
        async with connected(rig) as writer, connected(rig) as other:
            started = time.monotonic()
            await writer.send("config.set", {"raw": "hang"})
            assert await closed(other) == []  # which is owed nothing
            at_once = time.monotonic()
            await writer.send("chat.send", {"sessionKey": "m", "message": "refuse", "idempotencyKey": "k"})
            await writer.send("health")
            assert await closed(writer) == []
            assert at_once - started < 3 <= time.monotonic() - started
    run(body())


def test_a_revoked_credential_ends_its_connections_and_no_others(rig, run):
    async def body():
        client = {"id": "cli", "version": "1", "platform": "linux", "mode": "cli", "instanceId": "stolen"}
        async with connected(rig, client=client) as stolen, connected(rig) as other:
            ident = await stolen.send("chat.send", {"sessionKey": "m", "message": "revoke", "idempotencyKey": "k"})
            assert (await stolen.answer(ident))["ok"]  # what was said before comes first
            with pytest.raises(websockets.ConnectionClosed):
                await stolen.receive()
            assert (stolen.ws.close_code, stolen.ws.close_reason) == (1008, "device token revoked")
            assert (await other.call("health"))["ok"]
    run(body())


def test_headers_reach_auth_as_they_are_joined_when_repeated(rig, run):
    async def body():
        headers = [("X-Forwarded-For", "10.0.0.1"), ("x-forwarded-for", "10.0.0.2"), ("Tailscale-Other", "x")]
        async with connected(rig, extra_headers=headers) as client:
            assert (await client.call("health"))["payload"]["ip"] == "10.0.0.1, 10.0.0.2"
        async with connected(rig) as client:
            assert (await client.call("health"))["payload"]["ip"] == "127.0.0.1"
    run(body())


def test_targeted_events_reach_only_whom_they_name_and_have_no_number(rig, run):
    async def body():
        async with connected(rig) as one, connected(rig) as two:
            await one.chat(f"events=1 only={one.hello['server']['connId']}")
            await one.chat("events=1")
            first, second = await one.event("chat"), await one.event("chat")
            assert "seq" not in first and "_connIds" not in first["payload"] and second["seq"] == 1
            assert (await two.event("chat"))["seq"] == 1
            assert (await two.call("health"))["ok"] and not two.events
    run(body())


def test_presence_is_told_when_clients_come_and_go(rig, run):
    async def body():
        async with connected(rig) as client:
            before = (await client.call("health"))["payload"]
            async with connected(rig):
                inside = (await client.call("health"))["payload"]
                assert inside["joined"] == before["joined"] + 1
            for _ in range(200):
                if (await client.call("health"))["payload"]["left"] == before["left"] + 1:
                    return
                await asyncio.sleep(0.02)
            raise AssertionError("nobody said that it left")
    run(body())


# --- frames ------------------------------------------------------------------------------


def test_ping_is_answered_and_protocol_errors_are_named(rig, run):
    async def body():
        async with connected(rig) as client:
            await asyncio.wait_for(await client.ws.ping(b"x"), 5)
    run(body())
    for frame, code, reason in ((b"\x81\x01x", 1002, b"protocol error: frames of a client must be masked"),
                                (b"\xc1\x80\0\0\0\0", 1002, b"protocol error: a reserved bit is set"),
                                (masked(0, b"x"), 1002, b"protocol error: no message that could go on"),
                                (masked(1, b"\xff"), 1007, b"invalid UTF-8")):
        with stalled_client(rig) as sock:
            sock.sendall(frame)
            tail = b""
            while struct.pack(">H", code) + reason not in tail:
                more = sock.recv(4096)
                assert more, tail
                tail += more


def test_a_frame_cut_into_single_bytes_is_read(rig):
    with stalled_client(rig) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in masked(1, json.dumps(request("health", {}, "slow")).encode()):
            sock.sendall(bytes([byte]))
        seen = b""
        while b'"id":"slow","ok":true' not in seen:
            seen += sock.recv(1 << 16)


# --- the end -----------------------------------------------------------------------------


def test_a_stop_says_goodbye_to_everyone(own_rig, run):
    rig = own_rig()

    async def body():
        async with connected(rig) as one, connected(rig) as two:
            rig.process.terminate()
            for client in (one, two):
                event = await client.event("shutdown")
                assert event["payload"] == {"reason": "gateway stopping", "restartExpectedMs": None}
                assert event["seq"] == 1
                with pytest.raises(websockets.ConnectionClosed):
                    await client.receive()
                assert (client.ws.close_code, client.ws.close_reason) == (1012, "service restart")
    run(body())
    assert rig.process.wait(timeout=10) == 0


def descriptors(rig):
    return len(os.listdir(f"/proc/{rig.process.pid}/fd"))


def test_a_restart_of_the_edge_keeps_the_port_and_leaks_nothing(own_rig, run):
    rig = own_rig()

    async def once():
        async with connected(rig) as client, connected(rig) as other:
            await client.send("chat.send", {"sessionKey": "m", "message": "restart", "idempotencyKey": "k"})
            for peer in (client, other):
                goodbye = await peer.event("shutdown")
                assert goodbye["payload"] == {"reason": "gateway restarting", "restartExpectedMs": 1500}
                with pytest.raises(websockets.ConnectionClosed):
                    await peer.receive()
                assert peer.ws.close_code == 1012

    async def body():
        await once()
        async with connected(rig):  # waits in the backlog until the edge is there again
            before = descriptors(rig)
        for _ in range(5):
            await once()
        async with connected(rig) as client:
            assert (await client.call("health"))["ok"]
            for _ in range(200):
                if descriptors(rig) <= before:
                    return
                await asyncio.sleep(0.02)
            raise AssertionError(f"{before} descriptors became {descriptors(rig)}")
    run(body())


def test_a_stop_does_not_wait_for_a_stalled_client(own_rig, run):
    rig = own_rig()

    async def body():
        with stalled_client(rig):
            async with connected(rig) as client:
                for _ in range(8):
                    assert (await client.chat("events=1 size=1000000"))["ok"]
                rig.process.terminate()
                await client.event("shutdown")
            started = time.monotonic()
            assert await asyncio.to_thread(rig.process.wait, 10) == 0
            assert time.monotonic() - started < 5
    run(body())


def test_a_tick_comes_every_half_minute(early):
    seen = read_until(early, b'"event":"tick"').decode(errors="replace")
    tick, = re.findall(r'\{"type":"event","event":"tick","payload":\{"ts":(\d+)\},"seq":\d+\}', seen)
    assert abs(int(tick) / 1000 - time.time()) < 60
