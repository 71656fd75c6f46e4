"""A provider that misbehaves, seen through both surfaces: a clear typed error, and everything else goes on."""

import http.client
import json
import os

import pytest

from client import CallError, Client, text_of
from gateway import until

HELLO = "Hello from the mock model."


@pytest.fixture(scope="module")
def gateway(topology, provider):
    from gateway import Gateway  # the fixture has its name here

    with Gateway(topology, config=provider.config(timeoutSeconds=1)) as running:
        yield running


def user(text):
    return {"model": "openclaw", "messages": [{"role": "user", "content": text}]}


def stream(gateway, text):
    """A streamed completion that is not read yet."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", "/v1/chat/completions", json.dumps({**user(text), "stream": True}),
                       {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"})
    return connection, connection.getresponse()


FAILURES = [("FAIL500", "500 mock upstream failure"), ("FAIL429", "429 slow down"), ("NOHEAD", "did not begin to answer"),
            ("STALL", "fell silent"), ("CUT", "cut"), ("UNFINISHED", "ended before"), ("RUBBISH", "no chat completion"),
            ("HTML", "other than a stream"), ("TOOLCALL", "called a tool"), ("HUGELINE", "larger than 1 MiB")]


@pytest.mark.parametrize("marker, problem", FAILURES)
def test_over_the_socket_it_is_an_event_with_the_reason(client, marker, problem):
    _, events = client.chat(marker, f"agent:main:ws-{marker}")
    assert events[-1]["state"] == "error"
    assert problem in events[-1]["errorMessage"]
    _, events = client.chat("and now?", f"agent:main:ws-{marker}")
    assert text_of(events[-1]["message"]) == HELLO


def test_the_log_tells_the_operator(gateway, client):
    client.chat("BROKEOFF", "agent:main:logged")
    path = os.path.join(gateway.state_dir, "logs", "openclaw.log")
    until(lambda: any("run_failed agent=main" in line and "the model fell over" in line for line in open(path)))


@pytest.mark.parametrize("marker, problem", FAILURES)
def test_over_http_it_is_an_error_body(gateway, marker, problem):
    status, _, text = gateway.complete(user(marker))
    assert status >= 400
    assert json.loads(text)["error"]["message"]
    status, _, text = gateway.complete(user("and now?"))
    assert json.loads(text)["choices"][0]["message"]["content"] == HELLO


@pytest.mark.parametrize("marker", ["FAIL500", "CUT", "STALL"])
def test_a_streamed_completion_ends(gateway, marker):
    connection, answer = stream(gateway, marker)
    body = answer.read().decode()
    connection.close()
    assert answer.status >= 400 or "error" in body or "[DONE]" in body


def test_the_two_phases_tell_the_failure(client):
    number = client.send("agent", {"message": "FAIL500", "sessionKey": "agent:main:two", "idempotencyKey": "fails"})
    assert client.answer(number)["status"] == "accepted"
    with pytest.raises(CallError) as failed:
        client.answer(number)
    assert failed.value.code == "UNAVAILABLE" and "500 mock upstream failure" in str(failed.value)


def test_the_frame_of_a_failed_second_phase_has_a_payload(gateway):
    with Client(gateway.port, gateway.token) as client:
        number = client.send("agent", {"message": "FAIL500", "sessionKey": "agent:main:two", "idempotencyKey": "fails-2"})
        client.answer(number)
        with pytest.raises(CallError):
            client.answer(number)
        number = client.send("agent", {"message": "FAIL500", "sessionKey": "agent:main:two", "idempotencyKey": "fails-2"})
        with pytest.raises(CallError, match="500 mock upstream failure"):
            client.answer(number)


def test_when_the_client_goes_the_transfer_ends(gateway, provider):
    before = provider.stats()["cut_by_client"]
    connection, answer = stream(gateway, "SLOW")
    assert b"data:" in answer.readline()
    answer.close()
    connection.close()
    until(lambda: provider.stats()["cut_by_client"] > before, 10, "the end of the transfer")


def test_abort_ends_the_transfer(client, provider):
    before = provider.stats()["cut_by_client"]
    run = client.call("chat.send", {"sessionKey": "agent:main:stop", "message": "SLOW", "idempotencyKey": "stop-me"})["runId"]
    client.wait_event("chat", lambda p: p["runId"] == run and p["state"] == "delta")
    assert client.call("chat.abort", {"sessionKey": "agent:main:stop", "runId": run})["aborted"] is True
    client.wait_event("chat", lambda p: p["runId"] == run and p["state"] == "aborted")
    until(lambda: provider.stats()["cut_by_client"] > before, 10, "the end of the transfer")


def test_others_are_not_held_up_by_a_provider_that_is_silent(gateway, client):
    number = client.send("agent", {"message": "STALL", "sessionKey": "agent:main:silent", "idempotencyKey": "silent"})
    assert client.answer(number)["status"] == "accepted"
    with Client(gateway.port, gateway.token) as other:
        _, events = other.chat("meanwhile", "agent:main:lively")
        assert events[-1]["state"] == "final"
        assert other.call("health")["ok"] is True
    with pytest.raises(CallError, match="fell silent"):
        client.answer(number)


def test_the_key_appears_nowhere(gateway):
    gateway.complete(user("FAIL401"))
    assert "sk-never-shown" not in "\n".join(gateway.logs())
