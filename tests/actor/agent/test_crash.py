"""Nothing acknowledged is lost or doubled: killed at any moment, a full disk, a database of another release."""

import os
import random
import resource
import sqlite3
import time

import pytest

from actor_rig import Failed
from rig import text_of

UNAVAILABLE = 2


def config(provider, **more):
    return {"models": {"providers": {"mock": provider.setup(**more)}}, "agents": {"defaults": {"model": "mock/mock-1"}}}


def database(rig):
    return os.path.join(rig.state_dir, "db", "agent-main.sqlite")


def run_row(rig, run):
    with sqlite3.connect(f"file:{database(rig)}?mode=ro", uri=True) as db:
        return db.execute("SELECT state, attempts FROM runs WHERE id = ?", (run,)).fetchone()


def test_a_run_that_was_killed_is_run_again(make, provider):
    rig = make(config(provider))
    before = provider.stats()["texts"].get("SLOW again", 0)
    rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW again", "idempotencyKey": "k1"})
    rig.event("chat", lambda b: b["state"] == "delta")
    rig.kill()
    rig.start()
    rig.event("chat", lambda b: b["runId"] == "k1" and b["state"] == "delta")
    assert provider.stats()["texts"]["SLOW again"] == before + 2
    assert rig.said() == [("user", "SLOW again")]
    assert rig.call("chat.abort", {"sessionKey": "agent:main:s"})["runIds"] == ["k1"]


def test_a_run_that_kills_three_times_is_quarantined(make, provider):
    rig = make(config(provider))
    rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW poison", "idempotencyKey": "k1"})
    rig.event("chat", lambda b: b["state"] == "delta")
    for _ in range(2):
        rig.kill()
        rig.start()
        rig.event("chat", lambda b: b["state"] == "delta")
    rig.kill()
    rig.start()
    rig.until(lambda: rig.is_ready, "readiness")
    waited = rig.call("agent.wait", {"runId": "k1", "timeoutMs": 5000})
    assert waited["status"] == "error" and "quarantined" in waited["error"]
    assert [m["role"] for m in rig.history()] == ["user", "assistant"]
    assert text_of(rig.chat("and now?", "k2")["message"]) == "Hello from the mock model."


@pytest.fixture
def disk(tmp_path):
    """Whether the disk under the database is slow or broken: a file says it, see rig.c."""
    class Disk:
        name = str(tmp_path / "disk")

        def be(self, what):
            open(f"{self.name}.{what}", "w", encoding="utf-8").close()

        def get_well(self):
            for path in tmp_path.glob("disk.*"):
                path.unlink()
    yield Disk()
    Disk().get_well()


def test_nothing_is_acknowledged_before_the_disk_has_it_and_everything_else_goes_on(make, provider, disk):
    rig = make(config(provider), {"RIG_DISK": disk.name})
    rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW before", "idempotencyKey": "k1"})
    rig.event("agent", lambda b: b["data"].get("text", "").startswith("word0"))
    disk.be("slow")
    sent = [rig.send("chat.send", {"sessionKey": f"agent:main:{i}", "message": f"m{i}", "idempotencyKey": f"m{i}"})
            for i in range(3)]
    seen = len(rig.of_run("agent", "k1"))
    rig.until(lambda: len(rig.of_run("agent", "k1")) > seen + 5, "text of a run that was stored before")
    rig.call("agent_status", {})
    with rig.arrived:
        assert not any(number in rig.answers for number in sent), "accepted, and the disk does not have it"
        assert not [b for _, b in rig.events if b.get("runId", "").startswith("m")], "seen, and the disk does not have it"
    disk.get_well()
    for i, number in enumerate(sent):
        assert rig.answer(number)["runId"] == f"m{i}"
        rig.event("chat", lambda b, i=i: b["runId"] == f"m{i}" and b["state"] == "final")
    rig.call("chat.abort", {"sessionKey": "agent:main:s"})


def test_a_stop_while_the_disk_is_slow_ends_with_what_was_taken_stored(make, provider, disk):
    rig = make(config(provider), {"RIG_DISK": disk.name})
    rig.chat("first", "k0")
    disk.be("slow")
    rig.send("chat.send", {"sessionKey": "agent:main:s", "message": "second", "idempotencyKey": "k1"})
    rig.call("agent_status", {})  # behind it in the mailbox
    rig.process.terminate()
    disk.get_well()
    rig.stop()
    rig.start()
    assert [text for role, text in rig.said() if role == "user"] == ["first", "second"]


def test_a_disk_that_refuses_to_sync_makes_the_agent_begin_with_what_is_stored(make, provider, disk):
    rig = make(config(provider), {"RIG_DISK": disk.name})
    rig.chat("first", "k0")
    disk.be("broken")
    with pytest.raises(Failed) as failed:
        rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "second", "idempotencyKey": "k1"})
    assert failed.value.code == UNAVAILABLE
    assert "agent_store_not_synced" in rig.error_text() and "Input/output error" in rig.error_text()
    disk.get_well()

    def asked_again():
        try:
            return rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "second", "idempotencyKey": "k1"})
        except Failed as again:
            assert again.code == UNAVAILABLE, again
            return None
    rig.poll(asked_again, "the agent's next life")
    assert rig.call("agent.wait", {"runId": "k1", "timeoutMs": 10000})["status"] == "ok"
    assert [text for role, text in rig.said() if role == "user"] == ["first", "second"], "once, whatever was asked twice"


def test_an_orderly_stop_is_no_attempt(make, provider):
    rig = make(config(provider))
    rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "SLOW stop", "idempotencyKey": "k1"})
    for _ in range(5):
        rig.event("chat", lambda b: b["state"] == "delta")
        rig.stop()
        assert run_row(rig, "k1") == (1, 0)
        rig.start()
    rig.event("chat", lambda b: b["state"] == "delta")
    rig.call("chat.abort", {"sessionKey": "agent:main:s"})


def test_runs_that_waited_go_on_in_order(make, provider):
    rig = make(config(provider))
    for i in range(4):
        rig.call("chat.send", {"sessionKey": "agent:main:s", "message": f"SLOW {i}" if i == 0 else f"m{i}", "idempotencyKey": f"k{i}"})
    rig.kill()
    rig.start()
    rig.event("chat", lambda b: b["runId"] == "k0" and b["state"] == "delta")
    rig.call("chat.abort", {"sessionKey": "agent:main:s", "runId": "k0"})
    for i in range(1, 4):
        rig.event("chat", lambda b, i=i: b["runId"] == f"k{i}" and b["state"] == "final")
    said = rig.said()
    assert [t for r, t in said if r == "user"] == ["SLOW 0", "m1", "m2", "m3"]
    assert len(said) == 8


def test_a_completion_is_not_run_again_by_itself(make, provider):
    rig = make(config(provider))
    rig.send("agent_run", {"session_key": "agent:main:x", "idempotency_key": "k1", "messages": [{"role": "user", "content": "SLOW"}]},
             window=65536)
    rig.event("chat", lambda b: b["state"] == "delta")
    rig.kill()
    rig.start()
    waited = rig.call("agent.wait", {"runId": "k1", "timeoutMs": 5000})
    assert waited["status"] == "error" and "restarted" in waited["error"] and waited["stopReason"] == "restart"
    assert [message["role"] for message in rig.call("chat.history", {"sessionKey": "agent:main:x"})["messages"]] == ["user"]
    with pytest.raises(Failed) as failed:
        rig.call("agent", {"sessionKey": "agent:main:x", "idempotencyKey": "k1", "message": "SLOW"})
    assert failed.value.code == UNAVAILABLE and "same idempotency key" in str(failed.value)


def test_killed_at_any_moment_nothing_acknowledged_is_lost_or_doubled(make):
    chance = random.Random(7)
    rig = make()
    acknowledged = {}
    sent = 0
    for life in range(15):
        numbers = {}
        for _ in range(chance.randrange(5, 60)):
            key, session = f"k{sent}", f"agent:main:s{sent % 5}"
            numbers[rig.send("chat.send", {"sessionKey": session, "message": f"text {sent}", "idempotencyKey": key})] = (key, session, f"text {sent}")
            sent += 1
        wanted = chance.randrange(len(numbers))
        rig.until(lambda: sum(1 for n in numbers if rig.answers.get(n)) >= wanted, "some answers")
        time.sleep(chance.random() * 0.01)  # a moment of its own for each kill
        rig.kill()
        for number, what in numbers.items():
            items = rig.answers.get(number, [])
            if items and items[-1]["ok"]:
                acknowledged[what[0]] = what[1:]
        rig.start()
        if life % 2:  # a run may be killed twice, but three times would be quarantine
            for key in acknowledged:
                rig.call("agent.wait", {"runId": key, "timeoutMs": 10000})
    for key in acknowledged:
        assert rig.call("agent.wait", {"runId": key, "timeoutMs": 10000})["status"] == "ok"
    for s in range(5):
        session = f"agent:main:s{s}"
        said = rig.said(session)
        questions = [t for r, t in said if r == "user"]
        answers = [t for r, t in said if r == "assistant"]
        assert len(set(questions)) == len(questions)
        assert len(set(answers)) == len(answers)
        for key, (where, text) in acknowledged.items():
            if where == session:
                assert questions.count(text) == 1 and answers.count(f"Echo: {text}") == 1
        seqs = [m["__openclaw"]["seq"] for m in rig.history(session, limit=1000)]
        assert seqs == list(range(1, len(seqs) + 1))


def test_a_full_disk_is_a_typed_failure_and_passes(make):
    rig = make(start=False)
    rig.start(file_bytes_max=400000)
    problem = None
    sent = []
    for i in range(200):
        try:
            rig.call("chat.send", {"sessionKey": "agent:main:s", "message": f"{i} " + "x" * 5000, "idempotencyKey": f"k{i}"})
            sent.append(f"k{i}")
        except Failed as failed:
            problem = failed
            break
    assert problem.code == 70 and "nothing was stored" in problem.message and problem.retryable
    assert rig.call("chat.history", {"sessionKey": "agent:main:s", "limit": 1})["messages"]
    with pytest.raises(Failed, match="nothing was stored"):
        rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "y" * 50000, "idempotencyKey": "again"})
    resource.prlimit(rig.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for key in sent:
        assert rig.call("agent.wait", {"runId": key, "timeoutMs": 10000})["status"] in ("ok", "error")
    rig.poll(lambda: rig.call("agent_status", {})["store_error"] == "", "the end of the trouble")
    assert text_of(rig.chat("better now", "k-after")["message"]) == "Echo: better now"
    questions = [m for m in rig.history(limit=1000) if m["role"] == "user"]
    assert len(questions) == len(sent) + 1


def test_a_database_of_a_newer_release_is_left_alone(make):
    rig = make()
    rig.chat("hello", "k1")
    rig.stop()
    with sqlite3.connect(database(rig)) as db:
        db.execute("PRAGMA user_version = 99")
    rig.start(waits=False)
    rig.poll(lambda: "the database has format 99, this release reads up to 1" in rig.error_text(), "the refusal")
    with sqlite3.connect(database(rig)) as db:
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (2,)
    rig.kill()


def test_a_file_that_is_no_database_is_left_alone(make):
    rig = make(start=False)
    os.makedirs(os.path.join(rig.state_dir, "db"))
    with open(database(rig), "wb") as file:
        file.write(b"not a database at all " * 100)
    rig.start(waits=False)
    rig.poll(lambda: "not a database" in rig.error_text(), "the refusal")
    with open(database(rig), "rb") as file:
        assert file.read().startswith(b"not a database")
    rig.kill()


def test_history_survives_a_restart(make):
    rig = make()
    rig.chat("remember me", "k1")
    first = rig.history()
    rig.stop()
    rig.start()
    assert rig.history() == first
    again = rig.call("chat.send", {"sessionKey": "agent:main:s", "message": "remember me", "idempotencyKey": "k1"})
    assert again == {"runId": "k1", "status": "ok"}
    number = rig.send("agent", {"sessionKey": "agent:main:s", "message": "remember me", "idempotencyKey": "k1"}, window=4096)
    assert rig.answer(number)["result"]["payloads"][0]["text"] == "Echo: remember me"
