"""The main job: one conversation with an agent, through both surfaces, over every topology."""

import concurrent.futures
import http.client
import json

import pytest

from client import CallError, Client, text_of


def history(client, session):
    return client.call("chat.history", {"sessionKey": session, "limit": 50})["messages"]


def sse(gateway, body):
    """Asks for a streamed completion; yields the parsed chunks and at last the word DONE."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", "/v1/chat/completions", json.dumps({**body, "stream": True}),
                       {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("Content-Type").startswith("text/event-stream")
    for line in answer:
        line = line.decode().rstrip("\r\n")
        if line.startswith("data: "):
            yield "DONE" if line == "data: [DONE]" else json.loads(line[6:])
    connection.close()


def user(text):
    return {"model": "openclaw", "messages": [{"role": "user", "content": text}]}


def test_a_message_is_acknowledged_streamed_and_finished(client):
    run, events = client.chat("one two three four five", "agent:main:stream")
    assert run
    assert [e["state"] for e in events[:-1]] == ["delta"] * (len(events) - 1)
    assert events[-1]["state"] == "final"
    texts = [text_of(e["message"]) for e in events]
    assert "one two three four five" in texts[-1]
    assert all(texts[-1].startswith(text) for text in texts)
    numbers = [e["seq"] for e in events]
    assert numbers == sorted(numbers)


def test_agent_events_tell_start_deltas_and_end(client):
    run, events = client.chat("alpha beta gamma", "agent:main:agent-events")
    mine = [e["payload"] for e in client.events if e["event"] == "agent" and e["payload"]["runId"] == run]
    assert mine[0]["stream"] == "lifecycle" and mine[0]["data"]["phase"] == "start"
    deltas = [e["data"] for e in mine if e["stream"] == "assistant"]
    assert len(deltas) >= 3
    assert "".join(d["delta"] for d in deltas) == deltas[-1]["text"] == text_of(events[-1]["message"])


def test_event_numbers_of_a_connection_have_no_gap(gateway):
    with Client(gateway.port, gateway.token) as client:
        client.chat("a b c d e f", "agent:main:gapless")
        numbers = [e["seq"] for e in client.events if "seq" in e]
        assert numbers == sorted(numbers)


def test_history_holds_what_was_said(client):
    client.chat("remember the milk", "agent:main:history")
    said = [(m["role"], text_of(m)) for m in history(client, "agent:main:history")]
    assert said[0] == ("user", "remember the milk")
    assert said[1][0] == "assistant" and "remember the milk" in said[1][1]


def test_the_same_key_twice_is_one_message(client):
    first, _ = client.chat("only once", "agent:main:twice", key="the-same-key")
    again = client.call("chat.send", {"sessionKey": "agent:main:twice", "message": "only once",
                                      "idempotencyKey": "the-same-key"})
    assert again["runId"] == first
    assert len([m for m in history(client, "agent:main:twice") if m["role"] == "user"]) == 1


def test_another_client_sees_the_run(gateway, client):
    with Client(gateway.port, gateway.token) as other:
        run, events = client.chat("seen by two", "agent:main:shared")
        seen = other.wait_event("chat", lambda p: p["runId"] == run and p["state"] == "final")
        assert text_of(seen["message"]) == text_of(events[-1]["message"])


def test_agent_answers_in_two_phases(client):
    number = client.send("agent", {"message": "two phases please", "sessionKey": "agent:main:two",
                                   "idempotencyKey": "two-phase-key"})
    accepted = client.answer(number)
    assert accepted["status"] == "accepted"
    done = client.answer(number)
    assert done["status"] == "ok" and done["runId"] == accepted["runId"]
    assert "two phases please" in done["result"]["payloads"][0]["text"]
    waited = client.call("agent.wait", {"runId": accepted["runId"], "timeoutMs": 2000})
    assert waited["status"] == "ok"


def test_a_session_is_listed_after_its_first_message(client):
    client.chat("list me", "agent:main:listed")
    keys = [row["key"] for row in client.call("sessions.list", {})["sessions"]]
    assert "agent:main:listed" in keys


def test_http_completion_answers_whole(gateway):
    status, _, text = gateway.complete(user("whole answer please"))
    assert status == 200, text
    answer = json.loads(text)
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert "whole answer please" in answer["choices"][0]["message"]["content"]


def test_http_completion_streams(gateway):
    chunks = list(sse(gateway, user("stream these five words now")))
    assert chunks[-1] == "DONE"
    assert {c["object"] for c in chunks[:-1]} == {"chat.completion.chunk"}
    assert len({c["id"] for c in chunks[:-1]}) == 1
    words = [c["choices"][0]["delta"].get("content") or "" for c in chunks[:-1] if c["choices"]]
    assert "stream these five words now" in "".join(words)
    assert len([w for w in words if w]) > 1


def test_streamed_and_whole_answers_agree(gateway):
    whole = json.loads(gateway.complete(user("the same either way"))[2])["choices"][0]["message"]["content"]
    parts = [c["choices"][0]["delta"].get("content") or "" for c in sse(gateway, user("the same either way"))
             if c != "DONE" and c["choices"]]
    assert "".join(parts) == whole


def test_a_named_session_is_shared_between_the_surfaces(gateway, client):
    status, _, _ = gateway.complete(user("said over http"), {"x-openclaw-session-key": "agent:main:both"})
    assert status == 200
    client.chat("said over the socket", "agent:main:both")
    said = [text_of(m) for m in history(client, "agent:main:both") if m["role"] == "user"]
    assert said == ["said over http", "said over the socket"]


@pytest.mark.parametrize("method, field", [("health", "ok"), ("status", "sessions"), ("agents.list", "agents")])
def test_overviews_answer(client, method, field):
    assert field in client.call(method)


def test_many_conversations_at_once_stay_apart(client):
    runs = {}
    for i in range(20):
        text = f"number {i} of twenty"
        sent = client.send("chat.send", {"sessionKey": f"agent:main:many-{i}", "message": text,
                                         "idempotencyKey": f"many-{i}"})
        runs[client.answer(sent)["runId"]] = text
    for run, text in runs.items():
        final = client.wait_event("chat", lambda p, run=run: p["runId"] == run and p["state"] == "final")
        assert text in text_of(final["message"])


def test_the_first_requests_may_all_come_at_once(fresh_gateway):
    running = fresh_gateway().start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: running.complete(user(f"first {i}")), range(8)))
    assert [status for status, _, _ in answers] == [200] * 8, answers


def test_a_wrong_token_is_refused(gateway):
    with pytest.raises(CallError) as refused:
        Client(gateway.port, "not the token")
    assert refused.value.code in ("INVALID_REQUEST", "NOT_PAIRED", "UNAUTHORIZED")
    status, _, text = gateway.complete(user("x"), {"Authorization": "Bearer wrong"})
    assert status == 401 and json.loads(text)["error"]["message"]


def test_hello_names_protocol_and_version(client):
    assert client.hello["type"] == "hello-ok" and client.hello["protocol"] == 3
    assert client.hello["server"]["version"] == "2026.5.7"


def test_an_image_is_named_where_only_text_can_be_said(gateway):
    content = [{"type": "text", "text": "look"},
               {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 400}}]
    status, _, text = gateway.complete({"model": "openclaw", "messages": [{"role": "user", "content": content}]})
    assert status == 200, text
    assert json.loads(text)["choices"][0]["message"]["content"] == "Echo: look\n[image image/png 1200 bytes]"
