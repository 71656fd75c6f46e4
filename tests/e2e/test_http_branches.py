"""POST /v1/responses that goes on from a response which is no longer the last one of its conversation."""

import concurrent.futures
import contextlib
import os
import signal
import sqlite3

import pytest

from client import Client, text_of
from gateway import until
from test_http_responses import ask, configured, events, sent

HELLO = "Hello from the mock model."


@pytest.fixture(scope="module")
def mock(topology, provider):
    from gateway import Gateway  # as in the fixtures of all tests

    with Gateway(topology, config=configured(provider.config(timeoutSeconds=1))) as running:
        yield running


def said(provider):
    """What the provider was shown last, without the answers, which are all alike."""
    return [message["content"] for message in sent(provider) if message["role"] == "user"]


def told(gateway, text, previous=None, headers=None, **more):
    status, answer = ask(gateway, {"input": text, **({"previous_response_id": previous} if previous else {}), **more}, headers)
    assert status == 200, answer
    assert answer["previous_response_id" if previous else "object"] == (previous or "response")
    return answer["id"]


def keys(gateway):
    with Client(gateway.port, gateway.token) as client:
        return {row["key"] for row in client.call("sessions.list", {"limit": 500})["sessions"]}


def test_an_older_response_is_gone_on_from_as_it_was(mock, provider):
    one = told(mock, "one")
    two = told(mock, "two", one)
    branch = told(mock, "three", one)
    assert said(provider) == ["one", "three"]
    told(mock, "four", two)
    assert said(provider) == ["one", "two", "four"]
    twig = told(mock, "five", branch)
    assert said(provider) == ["one", "three", "five"]
    told(mock, "six", branch)
    assert said(provider) == ["one", "three", "six"]
    told(mock, "seven", twig)
    assert said(provider) == ["one", "three", "five", "seven"]
    told(mock, "eight", one)
    assert said(provider) == ["one", "eight"]
    assert [message["role"] for message in sent(provider)] == ["user", "assistant", "user"]


def test_the_newest_response_is_gone_on_from_in_its_session(mock):
    before = keys(mock)
    one = told(mock, "linear one")
    told(mock, "linear three", told(mock, "linear two", one))
    (first,) = keys(mock) - before
    told(mock, "side", one)
    (second,) = keys(mock) - before - {first}
    assert second.startswith("agent:main:openresponses:")
    with Client(mock.port, mock.token) as client:
        for key, texts in ((first, ["linear one", HELLO, "linear two", HELLO, "linear three", HELLO]),
                           (second, ["linear one", HELLO, "side", HELLO])):
            messages = client.call("chat.history", {"sessionKey": key})["messages"]
            assert [text_of(message) for message in messages] == texts
            assert [message["__openclaw"]["seq"] for message in messages] == list(range(1, len(texts) + 1))


def test_a_branch_belongs_to_whom_its_origin_belongs_to(mock, provider):
    one = told(mock, "mine", user="ann")
    told(mock, "mine too", one, user="ann")
    branch = told(mock, "aside", one, user="ann")
    twig = told(mock, "further", branch, user="ann")
    told(mock, "aside again", branch, user="ann")
    assert said(provider) == ["mine", "aside", "aside again"]
    for previous in (one, branch, twig):
        status, answer = ask(mock, {"input": "x", "previous_response_id": previous, "user": "bob"})
        assert (status, answer["error"]["code"]) == (400, "previous_response_not_found")
    told(mock, "at last", user="ann")
    assert said(provider) == ["mine", "mine too", "at last"]


def test_who_names_the_session_stays_in_it(mock, provider):
    named = {"x-openclaw-session-key": "agent:main:desk"}
    one = told(mock, "first", headers=named)
    told(mock, "second", one, named)
    told(mock, "third", one, named)
    assert said(provider) == ["first", "second", "third"]
    status, answer = ask(mock, {"input": "x", "previous_response_id": one}, {"x-openclaw-session-key": "agent:main:other"})
    assert (status, answer["error"]["code"]) == (400, "previous_response_not_found")


def test_calls_of_a_branch_come_with_their_results(mock, provider):
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    _, first = ask(mock, {"input": "CLIENTTOOL:2", "tools": [tool]})
    calls = [item["call_id"] for item in first["output"] if item["type"] == "function_call"]
    for answer in ("rain", "snow"):
        results = [{"type": "function_call_output", "call_id": call, "output": answer} for call in calls]
        assert ask(mock, {"previous_response_id": first["id"], "input": results, "tools": [tool]})[0] == 200
        assert [message["content"] for message in sent(provider) if message["role"] == "tool"] == [answer] * 2


def test_many_go_on_from_one_response_at_once(mock, provider):
    one = told(mock, "root")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        ids = set(pool.map(lambda i: told(mock, f"leaf {i}", one), range(12)))
    shown = [[m["content"] for m in body["messages"] if m["role"] == "user"] for body in provider.stats()["bodies"][-12:]]
    assert len(ids) == 12 and sorted(shown) == sorted(["root", f"leaf {i}"] for i in range(12))


def test_a_repeat_makes_no_second_branch(mock):
    one = told(mock, "once")
    told(mock, "and on", one)
    key = {"Idempotency-Key": "branch-1"}
    assert told(mock, "aside", one, key) == "resp_branch-1"
    before = keys(mock)
    assert told(mock, "aside", one, key) == "resp_branch-1" and keys(mock) == before


def test_one_that_is_still_spoken_is_not_copied(mock, provider):
    """The first that goes on from it waits for its end; the next would have to copy what is not there yet."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(told, mock, "SLOW one", None, {"Idempotency-Key": "open-1"})
        until(lambda: any("SLOW one" in str(body) for body in provider.stats()["bodies"]), 10, "the first turn")
        second = pool.submit(told, mock, "behind it", "resp_open-1")
        with Client(mock.port, mock.token) as client:
            until(lambda: any(text_of(m) == "behind it" for key in keys(mock)
                              for m in client.call("chat.history", {"sessionKey": key})["messages"]), 10, "the second turn")
        status, answer = ask(mock, {"input": "x", "previous_response_id": "resp_open-1"})
        assert status == 503 and "not ended" in answer["error"]["message"]
        first.result(20)
        second.result(20)
    told(mock, "aside", "resp_open-1")
    assert said(provider) == ["SLOW one", "aside"]


def test_a_stream_branches_as_well(mock, provider):
    one = told(mock, "streamed root")
    told(mock, "next", one)
    found = events(mock, {"input": "aside", "previous_response_id": one})
    assert found[-1] == (None, "DONE") and said(provider) == ["streamed root", "aside"]


def test_what_is_too_long_to_copy_says_so(fresh_gateway, provider):
    running = fresh_gateway(config=configured(provider.config())).start()  # in which it may take its time
    session = {"x-openclaw-session-key": "agent:main:long"}
    for _ in range(3):
        last = told(running, "x" * 1_500_000, headers=session)
    told(running, "on", last)
    status, answer = ask(running, {"input": "aside", "previous_response_id": last})
    assert status == 400 and "4 MiB" in answer["error"]["message"] and answer["error"]["type"] == "invalid_request_error"


def lengths(gateway):
    """For each branch in the database, the texts of its messages in their order."""
    path = os.path.join(gateway.agents_dir, "db", "agent-main.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as base:
        rows = base.execute("SELECT b.session_n, s.messages_n, (SELECT count(*) FROM messages WHERE place >> 32 = b.session_n), "
                            "(SELECT count(*) FROM runs WHERE session_n = b.session_n) FROM branches b "
                            "LEFT JOIN sessions s ON s.n = b.session_n").fetchall()
    return rows


def test_sigkill_leaves_no_half_of_a_branch(fresh_gateway, provider):
    """Killed while branches are made: each is there as a whole, with its run, or not at all."""
    running = fresh_gateway(config=configured(provider.config())).start()
    one = told(running, "root")
    for i in range(10):
        last = told(running, f"more {i}", one if i == 0 else last)
    told(running, "behind", last)

    def go(i):
        with contextlib.suppress(OSError, ValueError):
            ask(running, {"input": f"aside {i}", "previous_response_id": last})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for round_n in range(3):
            done = [pool.submit(go, i) for i in range(40)]
            before = len(lengths(running))
            until(lambda: len(lengths(running)) >= before + 3, 10, "some branches")
            for pid in running.processes():
                os.kill(pid, signal.SIGKILL)
            running.process.wait(10)
            concurrent.futures.wait(done)
            for _, messages_n, found_n, runs_n in lengths(running):
                assert messages_n == found_n >= 23 and runs_n == 1
            running.start()
    told(running, "after it all", last)
    assert said(provider) == ["root", *[f"more {i}" for i in range(10)], "after it all"]
