"""One agent with the built-in provider: messages, runs, events, reading."""

import pytest

from actor_rig import Failed
from rig import text_of


def test_a_message_is_acknowledged_and_answered(echo):
    answer = echo.call("chat.send", {"sessionKey": "agent:main:s", "message": "one two three", "idempotencyKey": "k1"})
    assert answer == {"runId": "k1", "status": "started"}
    final = echo.event("chat", lambda b: b["state"] == "final")
    assert text_of(final["message"]) == "Echo: one two three"
    assert echo.said() == [("user", "one two three"), ("assistant", "Echo: one two three")]


def test_events_come_in_the_order_of_the_protocol(echo):
    echo.chat("so that the subscribers of each topic are known", "k0")
    echo.event("sessions.changed", lambda b: b.get("messageSeq") == 2)
    echo.events.clear()
    echo.chat("a b c", "k1")
    echo.event("sessions.changed", lambda b: b.get("messageSeq") == 4)
    order = [(name, b.get("state") or b.get("phase") or b.get("stream") or b["message"]["role"],
              b.get("data", {}).get("phase")) for name, b in echo.events]
    assert order[0] == ("agent", "lifecycle", "start")
    assert order[1] == ("sessions.changed", "start", None)
    started = echo.events[1][1]
    assert started["status"] == "running" and "endedAt" not in started, "as it was then, though it has ended since"
    assert echo.event("sessions.changed", lambda b: b["phase"] == "end")["status"] == "done"
    assert order[2:4] == [("session.message", "user", None), ("sessions.changed", "message", None)]
    assert order[-6:] == [("agent", "lifecycle", "end"), ("chat", "delta", None), ("chat", "final", None),
                          ("sessions.changed", "end", None), ("session.message", "assistant", None),
                          ("sessions.changed", "message", None)]


def test_agent_events_carry_the_text_so_far_and_what_is_new(echo):
    echo.chat("alpha beta gamma", "k1")
    mine = [b for b in echo.of_run("agent", "k1") if b["stream"] == "assistant"]
    assert len(mine) == 4
    assert "".join(b["data"]["delta"] for b in mine) == mine[-1]["data"]["text"] == "Echo: alpha beta gamma"
    assert [b["seq"] for b in echo.of_run("agent", "k1")] == list(range(1, 7))


def test_the_first_chat_delta_is_not_delayed_and_the_rest_is_throttled(echo):
    echo.chat("word " * 50, "k1")
    deltas = [b for b in echo.of_run("chat", "k1") if b["state"] == "delta"]
    assert text_of(deltas[0]["message"]) == "Echo:"
    assert len(deltas) < 10


def test_a_repeated_key_runs_nothing_again(echo):
    echo.chat("only once", "k1")
    again = echo.call("chat.send", {"sessionKey": "agent:main:s", "message": "only once", "idempotencyKey": "k1"})
    assert again == {"runId": "k1", "status": "ok"}
    assert len(echo.history()) == 2


def test_a_key_repeated_in_one_breath_is_in_flight(echo):
    numbers = [echo.send("chat.send", {"sessionKey": "agent:main:s", "message": "x", "idempotencyKey": "k1"})
               for _ in range(3)]
    assert [echo.answer(n)["status"] for n in numbers][0] == "started"
    assert {echo.answer(n)["status"] for n in numbers[1:]} <= {"in_flight", "ok"}
    echo.event("chat", lambda b: b["state"] == "final")
    assert len(echo.history()) == 2


def test_agent_answers_in_two_phases(echo):
    number = echo.send("agent", {"sessionKey": "agent:main:s", "message": "hi", "idempotencyKey": "k1"}, window=65536)
    done = echo.answer(number)
    accepted = echo.chunks(number, "agent_accepted")
    assert len(accepted) == 1 and accepted[0]["runId"] == "k1" and accepted[0]["status"] == "accepted"
    assert done["status"] == "ok" and done["summary"] == "completed"
    assert done["result"]["payloads"] == [{"text": "Echo: hi", "mediaUrl": None}]
    assert done["result"]["meta"]["agentMeta"]["usage"] == {"input": 1, "output": 2, "total": 3}
    again = echo.send("agent", {"sessionKey": "agent:main:s", "message": "hi", "idempotencyKey": "k1"}, window=65536)
    assert echo.answer(again) == done
    assert echo.chunks(again, "agent_accepted") == []


def test_agent_wait_answers_at_once_for_a_run_that_ended(echo):
    echo.chat("x", "k1")
    waited = echo.call("agent.wait", {"runId": "k1", "timeoutMs": 5000})
    assert waited["status"] == "ok" and waited["endedAt"] and waited["stopReason"] == "stop"


def test_agent_wait_gives_up_on_an_unknown_run(echo):
    assert echo.call("agent.wait", {"runId": "nobody", "timeoutMs": 20}) == {"runId": "nobody", "status": "timeout"}


def test_agent_wait_sees_a_run_that_comes_later(echo):
    number = echo.send("agent.wait", {"runId": "k1", "timeoutMs": 10000})
    echo.chat("x", "k1")
    assert echo.answer(number)["status"] == "ok"


def test_a_completion_comes_whole(echo):
    done = echo.call("agent_run", {"session_key": "agent:main:openai:1", "messages": [{"role": "user", "content": "hello you"}]})
    assert done["text"] == "Echo: hello you" and done["finish_reason"] == "stop"
    assert done["usage"] == {"input": 2, "output": 3, "total": 5}
    assert done["provider"] == "builtin" and done["model"] == "echo"


def test_a_completion_streams_under_credit(echo):
    number = echo.send("agent_run", {"session_key": "agent:main:openai:1",
                                     "messages": [{"role": "user", "content": "word " * 40}]}, window=64, grants=False)
    echo.until(lambda: len(echo.answers.get(number, [])) >= 1, "the first chunk")
    total = ""
    while True:
        with echo.arrived:
            items = list(echo.answers[number])
        if "ok" in items[-1]:
            break
        seen = len(items)
        echo.write({"id": number, "grant": 64})
        echo.until(lambda seen=seen: len(echo.answers[number]) > seen, "another chunk")
    total = "".join(c["text"] for c in echo.chunks(number, "run_delta"))
    assert total == "Echo: " + "word " * 40 or total == "Echo: " + ("word " * 40).rstrip()
    assert "text" not in items[-1]["body"]


def test_a_completion_whose_asker_goes_is_aborted(make, provider):
    rig = make({"models": {"providers": {"mock": provider.setup()}}, "agents": {"defaults": {"model": "mock/mock-1"}}})
    before = provider.stats()["cut_by_client"]
    number = rig.send("agent_run", {"session_key": "agent:main:x", "idempotency_key": "gone",
                                    "messages": [{"role": "user", "content": "SLOW"}]}, window=65536)
    rig.until(lambda: rig.answers.get(number), "the first chunk")
    rig.write({"id": number, "cancel": True})
    ended = rig.event("agent", lambda b: b["runId"] == "gone" and b["data"].get("phase") == "end")
    assert ended["data"]["aborted"] is True
    rig.until(lambda: provider.stats()["cut_by_client"] > before, "the end of the transfer")


def test_a_conversation_of_the_asker_is_its_own(make, provider):
    rig = make({"models": {"providers": {"mock": provider.setup()}}, "agents": {"defaults": {"model": "mock/mock-1"}}})
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "first"},
                {"role": "assistant", "content": "one"}, {"role": "user", "content": [{"type": "text", "text": "second"}]}]
    rig.call("agent_run", {"session_key": "agent:main:x", "messages": messages, "max_tokens": 7, "temperature": 0.5,
                           "stop": ["X"]})
    body = provider.stats()["bodies"][-1]
    assert body["messages"] == messages[:3] + [{"role": "user", "content": "second"}]
    assert body["max_tokens"] == 7 and body["temperature"] == 0.5 and body["stop"] == ["X"]
    assert body["stream"] is True and body["stream_options"] == {"include_usage": True}


def test_a_session_remembers(make, provider):
    rig = make({"models": {"providers": {"mock": provider.setup()}},
                "agents": {"defaults": {"model": "mock/mock-1", "systemPromptOverride": "you are a test"}}})
    rig.chat("first", "k1")
    rig.chat("second", "k2")
    assert provider.stats()["bodies"][-1]["messages"] == [
        {"role": "system", "content": "you are a test"}, {"role": "user", "content": "first"},
        {"role": "assistant", "content": "Hello from the mock model."}, {"role": "user", "content": "second"}]


def test_runs_of_one_session_wait_for_each_other(make, provider):
    rig = make({"models": {"providers": {"mock": provider.setup()}}, "agents": {"defaults": {"model": "mock/mock-1"}}})
    for i in range(5):
        rig.send("chat.send", {"sessionKey": "agent:main:s", "message": f"m{i}", "idempotencyKey": f"k{i}"})
    for i in range(5):
        rig.event("chat", lambda b, i=i: b["runId"] == f"k{i}" and b["state"] == "final")
    last = provider.stats()["bodies"][-1]["messages"]
    assert [m["content"] for m in last] == [t for i in range(4) for t in (f"m{i}", "Hello from the mock model.")] + ["m4"]
    starts = [(b["runId"], b["data"]["phase"]) for n, b in rig.events if n == "agent" and b["stream"] == "lifecycle"]
    assert starts == [(f"k{i}", phase) for i in range(5) for phase in ("start", "end")]


def test_too_many_runs_of_one_session_are_refused(make, provider):
    rig = make({"models": {"providers": {"mock": provider.setup()}}, "agents": {"defaults": {"model": "mock/mock-1"}}})
    numbers = [rig.send("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW", "idempotencyKey": f"k{i}"})
               for i in range(66)]
    for number in numbers[:64]:
        assert rig.answer(number)["status"] == "started"
    with pytest.raises(Failed, match="too many runs wait for this session"):
        rig.answer(numbers[64])
    aborted = rig.call("chat.abort", {"sessionKey": "agent:main:s"})
    assert aborted["runIds"] == [f"k{i}" for i in range(64)]


def test_abort_ends_one_run_with_what_it_said(make, provider):
    rig = make({"models": {"providers": {"mock": provider.setup()}}, "agents": {"defaults": {"model": "mock/mock-1"}}})
    rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW", "idempotencyKey": "k1"})
    waiting = rig.send("agent", {"sessionKey": "agent:main:s", "message": "SLOW", "idempotencyKey": "k1"}, window=4096)
    rig.event("chat", lambda b: b["state"] == "delta")
    again = rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW", "idempotencyKey": "k1"})
    assert again == {"runId": "k1", "status": "in_flight"}
    assert rig.call("chat.abort", {"sessionKey": "agent:main:s", "runId": "other"}) == {"ok": True, "aborted": False, "runIds": []}
    assert rig.call("chat.abort", {"sessionKey": "agent:main:s", "runId": "k1"}) == {"ok": True, "aborted": True, "runIds": ["k1"]}
    chat = rig.event("chat", lambda b: b["state"] == "aborted")
    assert chat["stopReason"] == "rpc" and text_of(chat["message"]).startswith("word0")
    end = rig.of_run("agent", "k1")[-1]
    assert end["data"]["phase"] == "end" and end["data"]["status"] == "cancelled" and end["seq"] == chat["seq"]
    done = rig.answer(waiting)
    assert done["status"] == "timeout" and done["summary"] == "aborted" and done["stopReason"] == "rpc"
    last = rig.history()[-1]
    assert last["stopReason"] == "aborted" and last["openclawAbort"] == {"aborted": True, "origin": "rpc", "runId": "k1"}


def test_the_word_stop_aborts(make, provider):
    rig = make({"models": {"providers": {"mock": provider.setup()}}, "agents": {"defaults": {"model": "mock/mock-1"}}})
    rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW", "idempotencyKey": "k1"})
    assert rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "/stop", "idempotencyKey": "k2"}) == {
        "ok": True, "aborted": True, "runIds": ["k1"]}
    assert rig.event("chat", lambda b: b["state"] == "aborted")["stopReason"] == "stop"


def test_history_is_limited_in_messages_and_characters(echo):
    for i in range(5):
        echo.chat(f"message {i} " + "z" * 100, f"k{i}")
    assert len(echo.history(limit=3)) == 3
    cut = echo.history(limit=1, maxChars=10)[0]
    assert text_of(cut).startswith("Echo: mess") and "cut" in text_of(cut)
    assert [m["__openclaw"]["seq"] for m in echo.history()] == list(range(1, 11))


def test_an_unknown_session_has_no_history(echo):
    assert echo.call("chat.history", {"sessionKey": "agent:main:never"}) == {
        "sessionKey": "agent:main:never", "messages": [], "thinkingLevel": "off"}


def test_sessions_are_listed_newest_first(echo):
    for name in ("a", "b", "c"):
        echo.chat("hello " + name, "k" + name, f"agent:main:{name}")
    listed = echo.call("agent_sessions", {"limit": 2, "include_last_message": True, "include_derived_titles": True})
    assert [r["key"] for r in listed["rows"]] == ["agent:main:c", "agent:main:b"] and listed["total"] == 3
    row = listed["rows"][0]
    assert row["derivedTitle"] == "hello c" and row["lastMessagePreview"] == "Echo: hello c"
    assert row["status"] == "done" and row["totalTokens"] == 5 and row["origin"]["provider"] == "webchat"
    assert echo.call("agent_sessions", {"search": "MAIN:B"})["total"] == 1
    assert listed["defaults"]["modelProvider"] == "builtin"


def test_describe_and_preview(echo):
    echo.chat("hello", "k1")
    assert echo.call("sessions.describe", {"key": "agent:main:s"})["session"]["key"] == "agent:main:s"
    assert echo.call("sessions.describe", {"key": "agent:main:none"}) == {"session": None}
    previews = echo.call("sessions.preview", {"keys": ["agent:main:s", "agent:main:none"], "limit": 1})["previews"]
    assert previews == [{"key": "agent:main:s", "status": "ok", "items": [{"role": "assistant", "text": "Echo: hello"}]},
                        {"key": "agent:main:none", "status": "missing", "items": []}]


def test_status_and_run_find(echo):
    echo.chat("hello", "k1")
    state = echo.call("agent_status", {})
    assert state["sessions_n"] == 1 and state["runs_active"] == 0 and state["last_ok_at"] and state["store_error"] == ""
    assert echo.call("agent_run_find", {"run_id": "k1"}) == {"is_known": True, "state": "done", "session_key": "agent:main:s"}
    assert echo.call("agent_run_find", {"run_id": "k2"}) == {"is_known": False}


@pytest.mark.parametrize("message, problem", [("", "message or attachment required"),
                                              ("a\0b", "message must not contain null bytes")])
def test_bad_messages_are_refused(echo, message, problem):
    with pytest.raises(Failed, match=problem):
        echo.call("chat.send", {"sessionKey": "agent:main:s", "message": message, "idempotencyKey": "k1"})
    assert echo.history() == []


def test_a_long_message_is_echoed_in_few_steps(echo):
    text = "word " * 20000
    echo.chat(text, "k1")
    deltas = [b for b in echo.of_run("agent", "k1") if b["stream"] == "assistant"]
    assert len(deltas) <= 257
    assert deltas[-1]["data"]["text"].rstrip() == "Echo: " + text.rstrip()


def test_a_hundred_sessions_at_once(echo):
    numbers = [echo.send("chat.send", {"sessionKey": f"agent:main:n{i}", "message": f"text {i}", "idempotencyKey": f"k{i}"})
               for i in range(100)]
    for number in numbers:
        assert echo.answer(number)["status"] == "started"
    for i in range(100):
        final = echo.event("chat", lambda b, i=i: b["runId"] == f"k{i}" and b["state"] == "final")
        assert text_of(final["message"]) == f"Echo: text {i}"


def test_one_of_a_crowd_of_runs_is_shown_less_often_and_streamed_as_before(make, provider):
    """Beside 31 runs that go on for a while, events of another one keep 16 ms apart; whoever streams it gets all of it."""
    setup = provider.config()
    setup["agents"]["defaults"]["maxConcurrent"] = 32
    rig = make(setup)

    def run(key, text, **more):
        return rig.send("agent_run", {"session_key": f"agent:main:{key}", "idempotency_key": key,
                                      "messages": [{"role": "user", "content": text}], **more}, window=1 << 20)

    crowd = [run(f"crowd{i}", "SLOW") for i in range(31)]
    for number in crowd:
        rig.until(lambda number=number: rig.answers.get(number), "the first word", 30)
    text = " ".join(f"w{i}" for i in range(800))
    number = run("one", text, model="builtin/echo")
    rig.answer(number, 30)
    assert "".join(chunk["text"] for chunk in rig.chunks(number, "run_delta")) == "Echo: " + text
    rig.event("agent", lambda b: b["runId"] == "one" and b["data"].get("phase") == "end")
    events = [b for b in rig.of_run("agent", "one") if b["stream"] == "assistant"]
    assert "".join(b["data"]["delta"] for b in events) == events[-1]["data"]["text"] == "Echo: " + text
    assert events[-1]["ts"] - events[0]["ts"] >= (len(events) - 2) * 16 - 100  # the last one comes with the end
