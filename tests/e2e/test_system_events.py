"""What agents are told without being asked: by operators, by nodes; and presence that programs report."""

import http.server
import json
import threading

import pytest
from client import CallError
from gateway import Gateway, until
from node_client import NodeClient


class Provider:
    """Answers every question with one word, and keeps the questions."""

    def __init__(self):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"])
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for delta, finish in (({"role": "assistant", "content": "fine"}, None), ({}, "stop")):
                    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
                             "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.write(b"data: [DONE]\n\n")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def config(self):
        address = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        return {"models": {"providers": {"mock": {"api": "openai-completions", "baseUrl": address, "apiKey": "sk-x",
                                                  "models": [{"id": "mock-1", "name": "mock-1"}]}}},
                "agents": {"defaults": {"model": {"primary": "mock/mock-1"}}}}


@pytest.fixture(scope="module")
def provider():
    running = Provider()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture(scope="module")
def gateway(topology, provider):
    with Gateway(topology, config=provider.config()) as running:
        yield running


def told_before(provider, question):
    """What the provider was told right before that question, and the question."""
    messages = next(m for m in reversed(provider.asked) if question in str(m[-1]["content"]))
    return messages[-2]


def test_an_event_reaches_the_main_session_with_its_next_turn(gateway, client, provider):
    assert client.call("wake", {"mode": "next-heartbeat", "text": "the build\nis red"}) == {"ok": True}
    client.chat("what is up?", session="agent:main:main")
    told = told_before(provider, "what is up?")
    assert told["role"] == "user"
    first, second = told["content"].rstrip("\n").split("\n")
    assert first.startswith("System: [") and first.endswith(" UTC] the build") and second == "System: is red"
    client.chat("and now?", session="agent:main:main")
    assert "System:" not in str(told_before(provider, "and now?")["content"])


def test_an_event_without_words_is_refused(client):
    for method, params in (("wake", {"mode": "now", "text": "  "}), ("system-event", {})):
        with pytest.raises(CallError) as caught:
            client.call(method, params)
        assert caught.value.error["message"] == "text required"


def test_the_command_line_sends_events(gateway, client, provider):
    done = gateway.cli("system", "event", "--text", "from the shell", "--mode", "now", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == {"ok": True}
    client.chat("who spoke?", session="agent:main:main")
    told_before(provider, "who spoke?")
    # With this turn, or with the one that it woke, whichever was first.
    assert "from the shell" in str(provider.asked)


def test_a_program_reports_who_is_there(client):
    report = {"text": "Node: ref-host (192.0.2.9) · mode remote", "instanceId": "inst-z", "host": "ref-host",
              "mode": "remote", "reason": "periodic", "lastInputSeconds": 12}
    assert client.call("system-event", report) == {"ok": True}
    row = next(r for r in client.call("system-presence") if r.get("instanceId") == "inst-z")
    assert (row["host"], row["mode"], row["reason"], row["text"]) == ("ref-host", "remote", "periodic", report["text"])
    assert client.wait_event("presence", lambda p: any(r.get("instanceId") == "inst-z" for r in p["presence"]))
    assert client.call("system-event", {**report, "mode": "local"}) == {"ok": True}
    row = next(r for r in client.call("system-presence") if r.get("instanceId") == "inst-z")
    assert row["mode"] == "local"


def test_heartbeats_are_turned_off_and_on(gateway, client):
    assert client.call("set-heartbeats", {"enabled": False}) == {"ok": True, "enabled": False}
    assert gateway.cli("system", "heartbeat", "enable").stdout == "Heartbeats are on\n"
    with pytest.raises(CallError):
        client.call("set-heartbeats", {})


def test_what_a_node_reports_is_marked_as_not_trusted(gateway, client, provider):
    with NodeClient(gateway.port, gateway.token) as node:
        said = {"sessionKey": "agent:main:main", "runId": "r9", "exitCode": 2, "output": "no such\nfile"}
        assert node.call("node.event", {"event": "exec.finished", "payloadJSON": json.dumps(said)})["reason"] == "noted"
        quiet = {"event": "exec.finished", "payload": {"exitCode": 0, "sessionKey": "agent:main:main"}}
        assert node.call("node.event", quiet)["reason"] == "no_news"

        def told():
            client.chat("what did it say?", session="agent:main:main")
            return "(untrusted)" in str(told_before(provider, "what did it say?")["content"]) and \
                told_before(provider, "what did it say?")["content"]

        line = until(told, 10, "the report")
        assert line.startswith("System (untrusted): [")
        assert f"Exec finished (node={node.node_id} id=r9, code 2): no such file" in line


def test_a_node_speaks_to_an_agent_and_shows_its_answer(gateway, client, provider):
    with NodeClient(gateway.port, gateway.token) as node:
        key = "agent:main:voice"
        follow = {"event": "chat.subscribe", "payloadJSON": json.dumps({"sessionKey": key})}
        assert node.call("node.event", follow) == {"ok": True}
        said = {"event": "voice.transcript", "payload": {"text": "hello from the kitchen", "sessionKey": key}}
        assert node.call("node.event", said)["handled"] is True
        shown = node.wait_event("chat", lambda p: p["state"] == "final")
        assert shown["sessionKey"] == key
        assert provider.asked[-1][-1]["content"].endswith("hello from the kitchen")
        client.chat("not for the node", session="agent:main:other")
        assert node.call("node.event", {**follow, "event": "chat.unsubscribe"}) == {"ok": True}
        assert all(e["payload"]["sessionKey"] == key for e in node.events if e["event"] == "chat")
