"""POST /v1/chat/completions and GET /v1/models: what clients of the OpenAI API rely on."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from client import Client, text_of
from gateway import BINARY, until

TOOL = {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


@pytest.fixture(scope="module")
def mock(topology, provider):
    from gateway import Gateway  # as in the fixtures of all tests

    with Gateway(topology, config=provider.config(timeoutSeconds=1)) as running:
        yield running


def user(text, **more):
    return {"model": "openclaw", "messages": [{"role": "user", "content": text}], **more}


def ask(gateway, body, headers=None):
    status, _, text = gateway.complete(body, headers)
    return status, json.loads(text)


def events(gateway, body, path="/v1/chat/completions"):
    """The parsed events of a streamed answer; the last is "DONE" when it ended well."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", path, json.dumps({**body, "stream": True}),
                       {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    lines = [line.decode().rstrip("\n") for line in answer if line.startswith(b"data: ")]
    connection.close()
    return ["DONE" if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def assembled(chunks):
    """What a client makes of the deltas: text, calls by index, the last finish_reason."""
    text, calls, finish = "", {}, None
    for chunk in chunks:
        if chunk == "DONE" or not chunk["choices"]:
            continue
        choice = chunk["choices"][0]
        finish = choice["finish_reason"] or finish
        text += choice["delta"].get("content") or ""
        for piece in choice["delta"].get("tool_calls", []):
            call = calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
            call["id"] += piece.get("id", "")
            call["name"] += piece["function"].get("name", "")
            call["arguments"] += piece["function"]["arguments"]
    return text, [calls[i] for i in sorted(calls)], finish


# --- models ----------------------------------------------------------------------------------------------------------

def test_every_agent_is_a_model(gateway):
    headers = {"Authorization": f"Bearer {gateway.token}"}
    status, _, text = gateway.request("GET", "/v1/models", headers=headers)
    assert status == 200 and {"openclaw", "openclaw/default", "openclaw/main"} <= {m["id"] for m in json.loads(text)["data"]}
    for name in ("openclaw", "openclaw%2Fmain", "openclaw/default"):
        status, _, text = gateway.request("GET", f"/v1/models/{name}", headers=headers)
        assert status == 200 and json.loads(text)["object"] == "model"
    status, _, text = gateway.request("GET", "/v1/models/openclaw%2Fnosuch", headers=headers)
    assert status == 404 and json.loads(text)["error"]["code"] == "model_not_found"


def test_unknown_agents_and_models_are_refused(gateway):
    status, answer = ask(gateway, user("x", model="openclaw/nosuch"))
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    assert ask(gateway, user("x"), {"x-openclaw-agent-id": "nosuch"})[0] == 404
    status, answer = ask(gateway, user("x"), {"x-openclaw-model": "nosuch/model"})
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    status, answer = ask(gateway, user("x", model="gpt-4"))
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


# --- tools of the client ---------------------------------------------------------------------------------------------

def test_a_tool_is_called_and_its_result_taken(mock, provider):
    ask_tools = user("CLIENTTOOL:1", tools=[TOOL])
    status, answer = ask(mock, ask_tools)
    choice = answer["choices"][0]
    assert (status, choice["finish_reason"], choice["message"]["content"]) == (200, "tool_calls", "Well.")
    call = choice["message"]["tool_calls"][0]
    assert call["type"] == "function" and call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo0"}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "3 degrees"}
    status, answer = ask(mock, {**ask_tools, "messages": [*ask_tools["messages"], choice["message"], result]})
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "It says 3 degrees")
    sent = provider.stats()["bodies"][-1]
    assert [m["role"] for m in sent["messages"]] == ["user", "assistant", "tool"]
    assert sent["messages"][1]["tool_calls"] == [call] and sent["tools"] == [TOOL]


def test_calls_are_streamed_in_pieces(mock):
    chunks = events(mock, user("CLIENTTOOL:3", tools=[TOOL], stream_options={"include_usage": True}))
    text, calls, finish = assembled(chunks)
    assert (text, finish, chunks[-1]) == ("Well.", "tool_calls", "DONE")
    assert [json.loads(c["arguments"])["city"] for c in calls] == ["Oslo0", "Oslo1", "Oslo2"]
    assert len({c["id"] for c in calls}) == 3
    assert chunks[-2]["usage"] == {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


def test_a_session_keeps_calls_and_results(mock, provider):
    headers = {"x-openclaw-session-key": "agent:main:tools"}
    _, answer = ask(mock, user("CLIENTTOOL:2", tools=[TOOL]), headers)
    calls = answer["choices"][0]["message"]["tool_calls"]
    results = [{"role": "tool", "tool_call_id": c["id"], "content": f"r{i}"} for i, c in enumerate(calls)]
    status, _ = ask(mock, {"model": "openclaw", "messages": results, "tools": [TOOL]}, headers)
    assert status == 200
    sent = provider.stats()["bodies"][-1]["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "tool"]
    assert [m["tool_call_id"] for m in sent[2:]] == [c["id"] for c in calls]
    with Client(mock.port, mock.token) as client:
        told = client.call("chat.history", {"sessionKey": "agent:main:tools"})["messages"]
    assert [m["role"] for m in told] == ["user", "assistant", "toolResult", "toolResult", "assistant"]
    assert told[1]["stopReason"] == "toolUse" and told[1]["content"][1]["arguments"] == {"city": "Oslo0"}
    assert [text_of(m) for m in told[2:4]] == ["r0", "r1"]


@pytest.mark.parametrize("topic", ["session.tool", "agent"])
def test_calls_and_results_are_events_of_their_session(mock, provider, topic):
    key = f"agent:main:tool-events-{topic}"

    def told(client, phase, call_id):
        return client.wait_event(topic, lambda event: event.get("sessionKey") == key and event["stream"] == "tool"
                                 and event["data"]["phase"] == phase and event["data"]["toolCallId"] == call_id)
    with Client(mock.port, mock.token) as client, Client(mock.port, mock.token) as other:
        client.call("sessions.subscribe")
        _, answer = ask(mock, user("CLIENTTOOL:2", tools=[TOOL]), {"x-openclaw-session-key": key})
        calls = answer["choices"][0]["message"]["tool_calls"]
        starts = [told(client, "start", call["id"]) for call in calls]
        assert [event["data"]["args"] for event in starts] == [json.loads(c["function"]["arguments"]) for c in calls]
        assert {event["data"]["name"] for event in starts} == {TOOL["function"]["name"]}
        assert {event["session"]["key"] for event in starts} == {key} and starts[0]["seq"] < starts[1]["seq"]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": f"r{i}"} for i, call in enumerate(calls)]
        ask(mock, {"model": "openclaw", "messages": results, "tools": [TOOL]}, {"x-openclaw-session-key": key})
        ends = [told(client, "result", call["id"]) for call in calls]
        assert [event["data"]["result"]["content"][0]["text"] for event in ends] == ["r0", "r1"]
        assert not any(event["data"]["isError"] for event in ends)
        assert {event["runId"] for event in ends}.isdisjoint({event["runId"] for event in starts})
        other.call("health")
        assert not any(event["event"] == "session.tool" for event in other.events)  # it did not ask


def test_a_call_that_nobody_answered_does_not_spoil_the_session(mock, provider):
    headers = {"x-openclaw-session-key": "agent:main:forgotten"}
    ask(mock, user("CLIENTTOOL:1", tools=[TOOL]), headers)
    assert ask(mock, user("never mind"), headers)[0] == 200
    sent = provider.stats()["bodies"][-1]["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "user"]
    assert ask(mock, {"model": "openclaw", "messages": [{"role": "tool", "tool_call_id": "lost", "content": "late"}]},
               headers)[0] == 200
    assert provider.stats()["bodies"][-1]["messages"][-1] == {"role": "user", "content": "late"}


def test_the_builtin_model_calls_a_tool_when_it_must(gateway):
    status, answer = ask(gateway, user("Oslo please", tools=[TOOL], tool_choice="required"))
    choice = answer["choices"][0]
    assert (status, choice["finish_reason"]) == (200, "tool_calls")
    call = choice["message"]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo please"}
    text, calls, finish = assembled(events(gateway, user("Oslo please", tools=[TOOL], tool_choice={
        "type": "function", "function": {"name": "get_weather"}})))
    assert (text, finish, json.loads(calls[0]["arguments"])) == ("", "tool_calls", {"city": "Oslo please"})


def test_a_repeat_of_an_ended_turn_has_its_calls_as_well(mock):
    headers = {"Idempotency-Key": "calls-once"}
    body = user("CLIENTTOOL:1", tools=[TOOL])
    first, again = [ask(mock, body, headers)[1]["choices"][0]["message"]["tool_calls"] for _ in range(2)]
    assert [c["id"] for c in first] == [c["id"] for c in again] == ["call_0"]
    assert json.loads(again[0]["function"]["arguments"]) == {"city": "Oslo0"}


# --- sessions, options, pictures -------------------------------------------------------------------------------------

def test_a_user_has_a_session_and_nobody_else(mock, provider):
    ask(mock, user("I am Ann", user="ann"))
    ask(mock, user("who am I?", user="ann"))
    assert [m["content"] for m in provider.stats()["bodies"][-1]["messages"]][::2] == ["I am Ann", "who am I?"]
    ask(mock, user("who am I?"))
    assert len(provider.stats()["bodies"][-1]["messages"]) == 1


def test_options_reach_the_provider(mock, provider):
    options = {"max_tokens": 7, "temperature": 0.5, "top_p": 0.25, "frequency_penalty": 0.5, "presence_penalty": -0.5,
               "seed": 7, "stop": ["x"], "response_format": {"type": "json_object"}}
    assert ask(mock, user("options", **options))[0] == 200
    sent = provider.stats()["bodies"][-1]
    assert {k: sent[k] for k in options} == options


def test_a_picture_comes_with_the_session(mock, provider):
    headers = {"x-openclaw-session-key": "agent:main:picture"}
    ask(mock, user("before"), headers)
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n1234").decode()
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    assert ask(mock, user(parts), headers)[0] == 200
    sent = provider.stats()["bodies"][-1]["messages"]
    assert sent[0]["content"] == "before" and sent[-1]["content"] == parts
    ask(mock, user("after"), headers)
    assert provider.stats()["bodies"][-1]["messages"][2]["content"] == "look\n[image image/png 12 bytes]"


# --- failures and ends -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("marker, status, code", [
    ("FAIL500", 502, "provider_failed"), ("FAIL401", 502, "provider_failed"), ("FAIL429", 429, "rate_limit_exceeded"),
    ("FAIL400", 400, "provider_refused"), ("CONTEXT", 400, "context_length_exceeded"), ("NOHEAD", 504, "timeout"),
    ("RUBBISH", 502, "provider_failed"), ("TOOLCALL", 502, "provider_failed")])
def test_a_failure_before_the_first_word_has_a_status(mock, marker, status, code):
    for stream in (False, True):
        got, headers, text = mock.complete(user(marker, stream=stream))
        assert (got, json.loads(text)["error"]["code"]) == (status, code)
        assert headers.get("Retry-After") == ("7" if marker == "FAIL429" else None)


@pytest.mark.parametrize("marker", ["CUT", "UNFINISHED", "BROKEOFF", "STALL"])
def test_a_broken_stream_ends_with_an_error(mock, marker):
    chunks = events(mock, user(marker))
    assert chunks[-1]["error"]["message"] and "DONE" not in chunks
    assert assembled(chunks[:-1])[2] is None


@pytest.mark.parametrize("stream", [True, False])
def test_the_provider_hears_of_a_client_that_leaves_within_100_ms(mock, provider, stream):
    def leave(number):
        before = len(provider.stats()["cut_times"])
        text = f"{'STALL' if stream else 'NOHEAD'} leaves {number}"
        body = json.dumps(user(text, stream=stream))
        sock = socket.create_connection(("127.0.0.1", mock.port))
        sock.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mock.token}\r\n"
                      f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        until(lambda: provider.stats()["texts"].get(text), 10, "the request at the provider")
        if stream:
            assert b"200 OK" in sock.recv(65536)
        left = time.time()
        sock.close()
        until(lambda: len(provider.stats()["cut_times"]) > before, 10, "the end of the transfer")
        return provider.stats()["cut_times"][-1] - left

    assert min(leave(number) for number in range(5)) < 0.1


def test_text_is_told_as_events_only_while_somebody_would_see_them(mock, tmp_path):
    def told(topic):
        return shown.read_text().count(f'"topic":"{topic}"')

    def agent_events():
        """How many one run had; the last thing that is told of a run is a chat event."""
        agent, chat = told("agent"), told("chat")
        assert ask(mock, user("TOKENS:50"))[0] == 200
        until(lambda: told("chat") > chat, 10, "the end of the run")
        return told("agent") - agent

    shown = tmp_path / "shown"
    with shown.open("w") as out:
        tap = subprocess.Popen(mock.command("bus", "tap", "--json", "--filter", "topic == agent || topic == chat"),
                               env=mock.environment, stdout=out)
    try:
        until(lambda: ask(mock, user("TOKENS:50"))[0] == 200 and told("chat"), 20, "the tap")
        until(lambda: agent_events() == 2, 20, "begin and end alone")
        with Client(mock.port, mock.token) as client:
            until(lambda: agent_events() > 2, 20, "text, for a client")
            client.wait_event("agent", lambda payload: payload["stream"] == "assistant")
        until(lambda: agent_events() == 2, 20, "begin and end alone again")
    finally:
        tap.send_signal(signal.SIGINT)
        tap.wait(10)


def test_who_comes_while_a_run_speaks_sees_its_text(mock):
    connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=20)
    connection.request("POST", "/v1/chat/completions", json.dumps(user("SLOW 200 tokens", stream=True)),
                       {"Authorization": f"Bearer {mock.token}", "Content-Type": "application/json"})
    with contextlib.closing(connection.getresponse()) as answer:
        answer.readline()
        with Client(mock.port, mock.token) as client:
            assert client.wait_event("agent", lambda payload: payload["stream"] == "assistant")["data"]["text"]


def repeated(gateway, text, headers):
    """What a client is told that asks again while parts of the gateway start; None: to come back."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        status, _, body = gateway.complete(user(text), headers)
        assert status in (200, 503), body
        return json.loads(body)["choices"][0]["message"]["content"] if status == 200 else None
    return None


def ran_twice_and_is_told_once(gateway, provider, key, text):
    assert provider.stats()["texts"][text] == 2
    with Client(gateway.port, gateway.token) as client:
        told = client.call("chat.history", {"sessionKey": key})["messages"]
    assert [(message["role"], text_of(message)) for message in told] == [
        ("user", text), ("assistant", "Hello from the mock model.")]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_turn_that_a_restart_ended_runs_again_once_for_its_repeats(fresh_gateway, provider, signum):
    running = fresh_gateway(config=provider.config()).start()
    text = f"STALL ONCE {running.port} {signum}"
    key = f"agent:main:cut-{running.port}"
    headers = {"Idempotency-Key": f"cut-{running.port}", "x-openclaw-session-key": key}

    def answered():
        return repeated(running, text, headers)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        first = pool.submit(running.complete, user(text), headers)
        until(lambda: provider.stats()["texts"].get(text), 10, "the request at the provider")
        if signum == signal.SIGKILL:
            supervisors = {host.process.pid for host in running.others()}
            for pid in set(running.children()) - supervisors:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signum)
        else:
            running.stop(signum)
            running.start()
        repeats = [pool.submit(until, answered, 60, "the answer") for _ in range(3)]
        assert [repeat.result() for repeat in repeats] == ["Hello from the mock model."] * 3
        assert first.exception() or first.result()[0] == 503
    until(lambda: running.get("/readyz")[0] == 200, 10, "readiness, before which a socket is told to wait")
    ran_twice_and_is_told_once(running, provider, key, text)


def test_a_turn_whose_edge_died_runs_again_once_for_its_repeats(fresh_gateway, provider, topology):
    if topology != "split":
        pytest.skip("the edge has no process of its own")
    running = fresh_gateway(config=provider.config()).start()
    text = f"STALL ONCE {running.port} edge"
    key = f"agent:main:edge-{running.port}"
    headers = {"Idempotency-Key": f"edge-{running.port}", "x-openclaw-session-key": key}

    def answered():
        return repeated(running, text, headers)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(running.complete, user(text), headers)
        until(lambda: provider.stats()["texts"].get(text), 10, "the request at the provider")
        hosts = json.loads(running.cli("bus", "actors", "--json").stdout)["hosts"]
        os.kill(next(host["pid"] for host in hosts if host["name"] == "edge"), signal.SIGKILL)
        assert first.exception() is not None
    assert until(answered, 30, "the answer") == "Hello from the mock model."
    ran_twice_and_is_told_once(running, provider, key, text)


def test_words_arrive_as_the_provider_says_them(mock):
    connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=20)
    connection.request("POST", "/v1/chat/completions", json.dumps(user("SLOW", stream=True)),
                       {"Authorization": f"Bearer {mock.token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    times = []
    while len(times) < 12:
        line = answer.readline()
        if b'"content"' in line:
            times.append(time.monotonic())
    answer.close()
    connection.close()
    assert times[-1] - times[0] > 0.2  # 30 ms apart at the provider: one by one, not in one piece


def test_reading_the_models_needs_less_than_talking(fresh_gateway):
    running = fresh_gateway(config={"gateway": {"mode": "local", "auth": {"mode": "none"}}}).start()
    reader = {"x-openclaw-scopes": "operator.read"}
    assert running.request("GET", "/v1/models", headers=reader)[0] == 200
    status, _, text = running.request("POST", "/v1/chat/completions", user("x"), reader)
    assert status == 403
    assert json.loads(text) == {"ok": False, "error": {"type": "forbidden", "message": "missing scope: operator.write"}}
    assert running.request("POST", "/v1/chat/completions", user("x"))[0] == 200


def test_the_switch_takes_the_paths_away(fresh_gateway):
    off = {"gateway": {"mode": "local", "auth": {"mode": "none"}, "http": {"endpoints": {"chatCompletions": {"enabled": False}}}}}
    running = fresh_gateway(config=off).start()
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
        status, _, text = running.request(method, path, user("x") if method == "POST" else None)
        error = json.loads(text)["error"]
        assert status == 404 and error["type"] == "not_found"
        assert "gateway.http.endpoints.chatCompletions.enabled" in error["message"]
    status, _, text = running.request("POST", "/v1/responses", {"model": "openclaw", "input": "x"})
    assert status == 404 and "gateway.http.endpoints.responses.enabled" in json.loads(text)["error"]["message"]
    status, _, text = running.request("POST", "/v1/nonsense", {})
    assert status == 404 and json.loads(text)["error"]["message"] == "Unknown path."


def test_readers_that_read_nothing_keep_nobody_from_an_answer(provider, fresh_gateway):
    config = provider.config(timeoutSeconds=4)  # which the one who waits must meet, too
    config["agents"]["defaults"]["maxConcurrent"] = 5
    running = fresh_gateway(config=config).start()
    body = json.dumps(user("HUGE:120", stream=True))
    request = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.token}\r\n"
               f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()

    def answered():
        status, told = ask(running, user("hello"))
        # Under the race detector an agent is at so much text for so long that it is called deaf for a moment.
        assert status == 200 or (status == 503 and "/tsan/" in BINARY), told
        return status == 200 and told["choices"][0]["message"]["content"]

    with contextlib.ExitStack() as stack:
        for _ in range(5):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", running.port))
            sock.sendall(request)
            assert sock.recv(16).startswith(b"HTTP/1.1 200")
        assert until(answered, 20, "the answer") == "Hello from the mock model."
