"""What a provider can do wrong: each is a clear, typed failure, and the next turn works."""

import os
import signal
import time

import pytest

from actor_rig import Failed
from rig import text_of

FAIL_PROVIDER = 71


def ask(rig, text, session="agent:main:x"):
    return rig.call("agent_run", {"session_key": session, "messages": [{"role": "user", "content": text}]})


@pytest.mark.parametrize("marker, problem, retryable", [
    ("FAIL500", "500 mock upstream failure", True),
    ("FAIL429", "429 slow down", True),
    ("FAIL400", "400 no such parameter", False),
    ("CONTEXT", "400 too many tokens", False),
    ("NOHEAD", "did not begin to answer in time", True),
    ("STALL", "fell silent in the middle", True),
    ("CUT", "stream was cut", True),
    ("UNFINISHED", "stream ended before its answer did", True),
    ("RUBBISH", "no chat completion", False),
    ("HTML", "something other than a stream", False),
    ("BROKEOFF", "the provider broke off: the model fell over", True),
    ("TOOLCALL", "called a tool", False),
    ("HUGELINE", "an event larger than 1 MiB", False),
    ("HUGE", "larger than 8 MiB", False),
])
def test_it_is_a_typed_failure_and_the_next_turn_works(mock, marker, problem, retryable):
    with pytest.raises(Failed) as failed:
        ask(mock, marker)
    assert failed.value.code == FAIL_PROVIDER
    assert problem in failed.value.message
    assert failed.value.retryable is retryable
    assert ask(mock, "and now?")["text"] == "Hello from the mock model."


@pytest.mark.parametrize("marker", ["NODONE", "NOUSAGE", "CRLF"])
def test_small_liberties_are_taken_well(mock, marker):
    done = ask(mock, marker)
    assert done["text"] == "Hello from the mock model."
    assert done["usage"]["total"] == (0 if marker == "NOUSAGE" else 17)


def test_a_missing_http_library_is_a_typed_failure(make, provider, tmp_path):
    folder = tmp_path / "libraries"
    folder.mkdir()
    (folder / "libcurl.so.4").write_bytes(b"")
    rig = make(provider.config(), environment={"LD_LIBRARY_PATH": str(folder)})
    for _ in range(2):
        with pytest.raises(Failed) as failed:
            ask(rig, "hello")
        assert failed.value.code == FAIL_PROVIDER
        assert "the HTTP library is missing" in failed.value.message
        assert "libcurl4" in failed.value.message


def test_retry_after_is_passed_on(mock):
    with pytest.raises(Failed) as failed:
        ask(mock, "FAIL429")
    assert failed.value.answer["retryAfterMs"] == 7000


def test_a_key_is_never_repeated(mock):
    with pytest.raises(Failed) as failed:
        ask(mock, "FAIL401")
    assert failed.value.message == "401 Incorrect API key provided: [redacted]"
    mock.stop()
    assert "sk-never-shown" not in mock.error_text()


def test_the_key_is_sent_as_bearer(mock, provider):
    ask(mock, "hello")
    assert provider.stats()["headers"][-1]["authorization"] == "Bearer sk-never-shown"


def test_connections_are_kept(mock, provider):
    ask(mock, "first")
    before = provider.stats()
    for i in range(5):
        ask(mock, f"turn {i}")
    after = provider.stats()
    assert after["requests"] == before["requests"] + 5
    assert after["connections"] <= before["connections"] + 2  # the statistics take one each


def test_nobody_listens(make, provider):
    rig = make(provider.config(baseUrl="http://127.0.0.1:1/v1"))
    with pytest.raises(Failed, match="no connection to the provider"):
        ask(rig, "x")


def test_the_name_does_not_resolve(make, provider):
    rig = make(provider.config(baseUrl="http://no-such-host.invalid/v1"))
    with pytest.raises(Failed, match="host name does not resolve"):
        ask(rig, "x")


def test_tls_to_a_server_without_it(make, provider):
    rig = make(provider.config(baseUrl=f"https://127.0.0.1:{provider.port}/v1"))
    with pytest.raises(Failed, match="no secure connection|cut|failed"):
        ask(rig, "x")


@pytest.mark.parametrize("model, problem", [
    ("nobody/model", 'no provider "nobody" with a model "model" is configured'),
    ("builtin/other", 'no provider "builtin" with a model "other" is configured'),
    ("mock/", "a model is named provider/model"),
])
def test_an_unknown_model_is_named(mock, model, problem):
    with pytest.raises(Failed, match=problem):
        mock.call("agent_run", {"session_key": "agent:main:x", "model": model, "messages": [{"role": "user", "content": "x"}]})


def test_a_key_that_is_not_set_is_named(make, provider):
    rig = make(provider.config(apiKey={"source": "env", "provider": "default", "id": "NO_SUCH_KEY_HERE"}))
    with pytest.raises(Failed, match="apiKey"):
        ask(rig, "x")


def test_a_key_from_the_environment_is_used(make, provider):
    rig = make(provider.config(apiKey={"source": "env", "provider": "default", "id": "MY_TEST_KEY"}),
               environment={"MY_TEST_KEY": "sk-from-environment"})
    ask(rig, "x")
    assert provider.stats()["headers"][-1]["authorization"] == "Bearer sk-from-environment"


def test_a_failed_run_tells_everyone(mock):
    number = mock.send("agent", {"sessionKey": "agent:main:s", "message": "FAIL500", "idempotencyKey": "k1"}, window=65536)
    with pytest.raises(Failed) as failed:
        mock.answer(number)
    assert mock.chunks(number, "agent_accepted")[0]["runId"] == "k1"
    assert failed.value.answer["details"] == {"payload": {"runId": "k1", "status": "error", "summary": "500 mock upstream failure"}}
    end = mock.event("agent", lambda b: b["runId"] == "k1" and b["data"].get("phase") == "error")["data"]
    assert end["error"] == "500 mock upstream failure"
    chat = mock.event("chat", lambda b: b["runId"] == "k1" and b["state"] == "error")
    assert chat["errorMessage"] == "500 mock upstream failure" and chat["errorKind"] == "unknown"
    assert mock.call("agent.wait", {"runId": "k1", "timeoutMs": 0})["status"] == "error"
    again = mock.send("agent", {"sessionKey": "agent:main:s", "message": "FAIL500", "idempotencyKey": "k1"}, window=65536)
    with pytest.raises(Failed, match="500 mock upstream failure"):
        mock.answer(again)
    last = mock.history()[-1]
    assert last["stopReason"] == "error" and last["errorMessage"] == "500 mock upstream failure"
    assert mock.call("sessions.describe", {"key": "agent:main:s"})["session"]["status"] == "failed"


def test_what_was_said_before_the_cut_is_kept(mock):
    mock.chat("CUT", "k1")
    assert text_of(mock.history()[-1]) == "Hello from"


def test_a_run_may_not_take_longer_than_it_may(mock):
    with pytest.raises(Failed, match="took longer than it may"):
        mock.call("agent_run", {"session_key": "agent:main:x", "timeout_ms": 300, "messages": [{"role": "user", "content": "SLOW"}]})


def test_who_was_held_up_itself_does_not_take_the_provider_for_silent(make, provider):
    rig = make(provider.config(timeoutSeconds=1))
    rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW", "idempotencyKey": "k1"})
    rig.event("chat", lambda b: b["state"] == "delta")
    os.kill(rig.process.pid, signal.SIGSTOP)
    over = time.monotonic() + 1.5
    rig.poll(lambda: time.monotonic() > over, "the end of the provider's time")
    os.kill(rig.process.pid, signal.SIGCONT)
    rig.event("agent", lambda b: "word60 " in b["data"].get("text", ""))
    assert rig.call("chat.abort", {"sessionKey": "agent:main:s"})["runIds"] == ["k1"]


def test_many_tokens_arrive_whole(mock):
    done = ask(mock, "TOKENS:20000")
    assert done["text"] == "".join(f" t{i}" for i in range(20000))


def test_a_slow_reader_holds_the_provider_back(mock):
    number = mock.send("agent_run", {"session_key": "agent:main:x", "messages": [{"role": "user", "content": "TOKENS:200000"}]},
                       window=4096, grants=False)
    mock.until(lambda: mock.answers.get(number), "the first chunk")
    mock.call("agent_status", {})
    with mock.arrived:
        seen = sum(len(a["body"]["text"]) for a in mock.answers[number])
    assert seen < 300000
    for _ in range(200):
        mock.write({"id": number, "grant": 65536})
    done = mock.answer(number, 30)
    text = "".join(c["text"] for c in mock.chunks(number, "run_delta"))
    assert text == "".join(f" t{i}" for i in range(200000)) and "text" not in done


def stalled(rig, text, session):
    """A reader who takes one chunk and no more."""
    number = rig.send("agent_run", {"session_key": session, "messages": [{"role": "user", "content": text}]}, window=1,
                      grants=False)
    rig.until(lambda: rig.answers.get(number), "the first chunk", 60)  # behind whole answers of those before it
    return number


def streamed(rig, number):
    """Reads what is left."""
    rig.write({"id": number, "grant": 1 << 30})
    assert "text" not in rig.answer(number, 30)
    return "".join(c["text"] for c in rig.chunks(number, "run_delta"))


@pytest.fixture
def narrow(make, provider):
    setup = provider.config()
    setup["agents"]["defaults"]["maxConcurrent"] = 2
    return make(setup)


def test_stalled_readers_keep_nobody_from_their_turn(narrow):
    text = "".join(f" t{i}" for i in range(20000))
    numbers = [stalled(narrow, "TOKENS:20000", f"agent:main:stalled{i}") for i in range(2)]
    assert ask(narrow, "one")["text"] == "Hello from the mock model."
    assert [streamed(narrow, number) for number in numbers] == [text, text]


def test_a_stalled_reader_holds_neither_its_session_nor_the_others_of_its_run(narrow):
    text = "".join(f" t{i}" for i in range(20000))
    asked = {"session_key": "agent:main:stalled", "messages": [{"role": "user", "content": "TOKENS:20000"}],
             "idempotency_key": "k1"}
    number = narrow.send("agent_run", asked, window=1, grants=False)
    narrow.until(lambda: narrow.answers.get(number), "the first chunk")
    assert narrow.call("agent_run", asked)["text"] == text
    behind = stalled(narrow, "TOKENS:20000", "agent:main:stalled")
    assert ask(narrow, "next", "agent:main:stalled")["text"] == "Hello from the mock model."
    assert streamed(narrow, number) == streamed(narrow, behind) == text


def test_what_waits_for_stalled_readers_is_bounded_and_the_oldest_is_told(narrow):
    numbers = [stalled(narrow, "HUGE:120", f"agent:main:stalled{i}") for i in range(10)]
    assert ask(narrow, "one")["text"] == "Hello from the mock model."
    # Two run at a time, so either of the first two may have ended first.
    oldest = narrow.until(lambda: next((n for n in numbers[:2] if "ok" in narrow.answers[n][-1]), None), "the oldest's end", 30)
    with pytest.raises(Failed, match="not read in time; it stands in the transcript") as failed:
        narrow.answer(oldest)
    assert failed.value.retryable is True
    assert streamed(narrow, numbers[-1]) == "y" * 7864320
    assert narrow.call("sessions.describe", {"key": f"agent:main:stalled{numbers.index(oldest)}"})["session"]["status"] == "done"


def test_new_settings_are_used_for_the_next_turn(make, provider):
    rig = make(provider.config())
    number = rig.send("agent_run", {"session_key": "agent:main:y", "messages": [{"role": "user", "content": "SLOW"}]}, window=65536)
    rig.until(lambda: rig.answers.get(number), "the first chunk")
    changed = provider.config()
    changed["agents"]["defaults"]["model"] = "builtin/echo"
    rig.write_config(changed)
    rig.send("config_reload", {}, to="config")
    rig.poll(lambda: rig.call("agent_status", {})["provider"] == "builtin", "the new settings")
    assert ask(rig, "one")["text"] == "Echo: one"
    seen = len(rig.answers[number])
    rig.until(lambda: len(rig.answers[number]) > seen, "the old turn going on")
