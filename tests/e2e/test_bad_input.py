"""Bad input gets a clear typed answer, and nobody else notices."""

import json

import pytest

from client import CallError, Client
from ws import TEXT, Closed, Refused, WebSocket, frame


@pytest.fixture(autouse=True)
def the_others_go_on(gateway):
    """Whatever a test does, a second client is served before and after it."""
    with Client(gateway.port, gateway.token) as bystander:
        bystander.call("health")
        yield
        bystander.call("health")
        assert "fine" in json.dumps(bystander.chat("fine", "agent:main:bystander")[1][-1])


def refusal(client, method, params):
    with pytest.raises(CallError) as refused:
        client.call(method, params)
    assert refused.value.error["message"]
    return refused.value


def test_an_unknown_method_is_named(client):
    assert "no.such.method" in str(refusal(client, "no.such.method", {}))


@pytest.mark.parametrize("params", [
    {}, {"sessionKey": 7, "message": "x", "idempotencyKey": "k"}, {"sessionKey": "agent:main:x", "message": ["x"]},
    {"sessionKey": "agent:main:x", "message": "x", "idempotencyKey": ""},
    {"sessionKey": "s" * 4096, "message": "x", "idempotencyKey": "k"},
])
def test_wrong_types_are_invalid_requests(client, params):
    assert refusal(client, "chat.send", params).code == "INVALID_REQUEST"


def test_params_that_are_no_object_are_refused(client):
    client.socket.send(json.dumps({"type": "req", "id": "p", "method": "chat.send", "params": [1]}))
    with pytest.raises(CallError) as refused:
        client.answer("p")
    assert refused.value.code == "INVALID_REQUEST"


def answer_or_close(client, payload, opcode=TEXT):
    """Either a typed refusal, or a close frame with a protocol reason; silence is neither."""
    client.socket.send_raw(frame(opcode, payload))
    try:
        while True:
            got = json.loads(client.socket.receive(10))
            if got["type"] == "res":
                assert not got["ok"] and got["error"]["code"] == "INVALID_REQUEST"
                return got
    except Closed as closed:
        assert closed.code in (1000, 1002, 1003, 1007, 1008, 1009), closed
        return closed


@pytest.mark.parametrize("payload", [
    b"not json", b"{", b'{"type":"req"', b"[]", b"null", b'"text"', b"{}", b'{"type":"nope"}',
    b'{"type":"req","id":"x","method":""}', b'{"type":"req","id":7,"method":"health"}',
    b'{"type":"req","id":"x","method":"health","extra":1}', b'{"type":"req","id":"x","method":"health"} trailing',
    b'{"type":"req","id":"x\x00y","method":"health"}', b'{"type":"req","id":"x","method":"hea\xff\xfelth"}',
    b'{"type":"req","id":"\\ud800","method":7}', b'{"type":"req","id":"x","method":"health","params":1e999}',
    b"[" * 50000, b'{"type":"req","id":"x","method":"health","params":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
], ids=lambda payload: payload[:48].decode("latin-1"))
def test_what_is_no_request_is_refused(client, payload):
    answer_or_close(client, payload)


def test_a_frame_past_the_limit_closes_its_connection_alone(client):
    with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)) as ended:
        client.socket.send_raw(frame(TEXT, b'{"type":"req","id":"big","method":"health","params":{"p":"'
                                     + b"x" * (26 << 20) + b'"}}'))
        while True:
            client.socket.receive(10)
    if isinstance(ended.value, Closed):
        assert ended.value.code in (1009, 1006)


def test_before_the_handshake_frames_are_small(gateway):
    socket = WebSocket(gateway.port)
    socket.receive()
    with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)):
        socket.send(json.dumps({"type": "req", "id": "big", "method": "connect", "params": {"pad": "x" * 70000}}))
        while True:
            socket.receive(5)


def test_an_unmasked_frame_ends_the_connection(client):
    with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)):
        client.socket.send_raw(frame(TEXT, b'{"type":"req","id":"u","method":"health"}', masked=False))
        while True:
            client.socket.receive(5)


def test_a_message_in_many_fragments_is_one_message(client):
    text = json.dumps({"type": "req", "id": "frag", "method": "health", "params": {}}).encode()
    client.methods["frag"] = "health"
    for i in range(len(text)):
        client.socket.send_raw(frame(TEXT if i == 0 else 0, text[i:i + 1], fin=i == len(text) - 1))
    assert client.answer("frag")


def test_the_first_request_must_be_connect(gateway):
    socket = WebSocket(gateway.port)
    socket.receive()
    socket.send(json.dumps({"type": "req", "id": "1", "method": "health", "params": {}}))
    answer = json.loads(socket.receive())
    assert answer["ok"] is False and answer["error"]["code"] == "INVALID_REQUEST"
    with pytest.raises(Closed) as closed:
        socket.receive()
    assert closed.value.code == 1008


def test_a_protocol_we_do_not_speak_is_refused(gateway):
    with pytest.raises(CallError) as refused:
        Client(gateway.port, gateway.token, minProtocol=90, maxProtocol=99)
    assert refused.value.code == "INVALID_REQUEST"


@pytest.mark.parametrize("key", ["minProtocol", "maxProtocol"])
@pytest.mark.parametrize("number", [2**63, 2**64 - 1])
def test_a_number_too_large_for_anybody_is_called_one(gateway, key, number):
    with pytest.raises(CallError) as refused:
        Client(gateway.port, gateway.token, **{key: number})
    assert refused.value.code == "INVALID_REQUEST" and f"at /{key}" in refused.value.error["message"]


@pytest.mark.parametrize("body, status", [
    (b"{bad json", 400), (b"", 400), (b"[]", 400), (b"{}", 400), (b'{"model":"openclaw","messages":[]}', 400),
    (b'{"model":"gpt-4","messages":[{"role":"user","content":"x"}]}', 400),
    (b'{"model":"openclaw/nosuch","messages":[{"role":"user","content":"x"}]}', 404),
    (b'{"model":"openclaw","messages":"x"}', 400), (b"[" * 100000, 400),
], ids=lambda value: str(value)[:60])
def test_http_refuses_with_a_typed_body(gateway, body, status):
    got, _, text = gateway.request("POST", "/v1/chat/completions", body, {
        "Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"})
    assert got == status, text
    error = json.loads(text)["error"]
    assert error["message"] and error["type"]


def test_http_has_no_other_method_for_completions(gateway):
    status, _, _ = gateway.request("GET", "/v1/chat/completions", headers={"Authorization": f"Bearer {gateway.token}"})
    assert status == 405


def test_http_refuses_a_body_past_the_limit(gateway):
    body = b'{"model":"openclaw","messages":[{"role":"user","content":"' + b"x" * (21 << 20) + b'"}]}'
    try:
        status, _, text = gateway.request("POST", "/v1/chat/completions", body, {
            "Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"})
    except (BrokenPipeError, ConnectionResetError):
        return
    assert status == 413 and json.loads(text)["error"]["message"]


def test_an_unknown_path_is_not_found(gateway):
    assert gateway.get("/no/such/path")[0] in (404, 405)


def test_an_upgrade_with_rubbish_is_refused(gateway):
    with pytest.raises((Refused, Closed, TimeoutError)):
        WebSocket(gateway.port, headers=("Sec-WebSocket-Version: 7",), path="/ \x01")
