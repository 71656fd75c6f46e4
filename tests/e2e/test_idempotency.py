"""A repeated key never does the work twice: while the first is at it, later, after a reconnect, after a restart."""

import json
import threading
import time

import pytest

from client import CallError, Client
from gateway import until
from node_client import NodeClient, approve
from test_process import Control

SESSION = "agent:main:once"


def said(client, words):
    """How often the person said it, as the history has it."""
    history = client.call("chat.history", {"sessionKey": SESSION})
    return sum(words in json.dumps(message) for message in history["messages"] if message["role"] == "user")


def chat(client, words, key):
    return client.call("chat.send", {"sessionKey": SESSION, "message": words, "idempotencyKey": key})


def edge_restart(gateway):
    with Control(gateway) as control:
        life = next(a for a in control.ask(op="actors")["actors"] if a["address"] == "edge/0")["incarnation"]
        control.ask(op="restart", address="edge/0")

        def is_back():
            now = next(a for a in control.ask(op="actors")["actors"] if a["address"] == "edge/0")
            return now["incarnation"] > life and now["state"] == "ready"

        until(is_back, 10, "the next life of the edge")


def test_a_message_sent_again_is_the_same_message(gateway, client):
    first = chat(client, "exactly once, please", "key-chat")
    again = chat(client, "exactly once, please", "key-chat")
    assert again["runId"] == first["runId"]
    client.wait_event("chat", lambda p: p["runId"] == first["runId"] and p["state"] == "final")
    with Client(gateway.port, gateway.token) as later:
        assert chat(later, "exactly once, please", "key-chat") == {"runId": first["runId"], "status": "ok"}
        assert said(later, "exactly once") == 1


def test_it_is_still_the_same_after_a_restart_of_the_edge(gateway):
    with Client(gateway.port, gateway.token) as client:
        first = chat(client, "and only once", "key-restart")
        edge_restart(gateway)
    with Client(gateway.port, gateway.token) as client:
        assert chat(client, "and only once", "key-restart")["runId"] == first["runId"]
        assert said(client, "and only once") == 1


def test_a_run_asked_for_twice_at_once_is_one_run_with_two_answers(gateway):
    words = {"message": "a run of many words " * 40, "sessionKey": SESSION, "idempotencyKey": "key-agent"}
    ends = []

    def ask():
        with Client(gateway.port, gateway.token) as client:
            number = client.send("agent", words)
            first = client.answer(number)
            # Whoever comes when the run is over already gets its end at once.
            ends.append((first["runId"], client.answer(number) if first["status"] == "accepted" else first))

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert len(ends) == 2 and ends[0][0] == ends[1][0], ends
    assert ends[0][1]["status"] == ends[1][1]["status"] == "ok"
    with Client(gateway.port, gateway.token) as client:
        number = client.send("agent", words)
        later = client.answer(number)
        assert later["runId"] == ends[0][0]
        assert said(client, "a run of many words") == 1


def test_a_command_of_a_node_runs_once_also_behind_a_restart_of_the_edge(gateway):
    """While the first is under way, by another connection, after a reconnect, and when the node itself is gone."""
    with Client(gateway.port, gateway.token) as client, NodeClient(gateway.port, gateway.token) as node, \
            Client(gateway.port, gateway.token) as other:
        approve(client, node)
        asked = {"nodeId": node.node_id, "command": "system.which", "params": {}, "idempotencyKey": "key-node"}
        numbers = [(each, each.send("node.invoke", asked)) for each in (client, other)]
        node.succeed(node.asked(), {"n": 1})
        assert [each.answer(number)["payload"] for each, number in numbers] == [{"n": 1}] * 2
    with Client(gateway.port, gateway.token) as client:
        assert client.call("node.invoke", asked)["payload"] == {"n": 1}
        edge_restart(gateway)
    with Client(gateway.port, gateway.token) as client:
        assert client.call("node.invoke", asked)["payload"] == {"n": 1}
        with pytest.raises(CallError) as refused:
            client.call("node.invoke", {**asked, "idempotencyKey": "another"})
        assert refused.value.error["message"] == "node not connected"


def test_methods_that_need_a_key_say_so(client):
    for method, params in (("chat.send", {"sessionKey": SESSION, "message": "x"}), ("agent", {"message": "x"}),
                           ("node.invoke", {"nodeId": "n", "command": "system.which"})):
        number = client.send(method, params)
        while number not in client.answers:
            client.read(time.monotonic() + 10)
        error = client.answers[number].pop()["error"]
        assert error["message"] == f"invalid {method} params: must have required property 'idempotencyKey'"
