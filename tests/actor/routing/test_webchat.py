"""What waits in the outbox is neither lost nor sent twice."""

import os
import sqlite3

import pytest

from actor_rig import Failed


def deliver(rig, key, text="hello", session="agent:main:main", **more):
    return rig.call("channel_deliver", {"idempotency_key": key, "session_key": session, "text": text, **more},
                    to="channel/webchat")


def state(rig):
    return rig.call("channel_status", {}, to="channel/webchat")


def rows(rig):
    path = os.path.join(rig.state_dir, "db", "channel-webchat-default.sqlite")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute("SELECT key, state FROM outbox ORDER BY id").fetchall()


def shown(rig, key):
    with rig.arrived:
        return [body for name, body in rig.events if name == "chat" and body["runId"] == key]


def test_a_delivery_is_shown_once_to_those_who_are_connected(one):
    one.join("c1")
    one.event("clients_changed")
    assert deliver(one, "d1", "good news")["is_repeat"] is False
    event = one.event("chat", lambda b: b["runId"] == "d1")
    assert event["state"] == "final" and event["message"]["content"][0]["text"] == "good news"
    assert event["sessionKey"] == event["_scopeKey"] == "agent:main:main"
    one.ask_until(lambda s: s["queued_n"] == 0 and s["outbound_n"] == 1 and s["last_outbound_at"] > 0,
                  "channel_status", to="channel/webchat")
    again = deliver(one, "d1", "good news")
    assert (again["is_repeat"], again["state"]) == (True, "sent")
    assert len(shown(one, "d1")) == 1 and rows(one) == [("d1", 2)]


def test_without_a_reader_it_waits_also_across_a_kill(one):
    assert deliver(one, "d1")["state"] == "queued"
    assert deliver(one, "d1")["is_repeat"]
    assert state(one)["queued_n"] == 1 and state(one)["oldest_queued_at"] > 0
    one.kill()
    assert rows(one) == [("d1", 0)]
    one.start()
    assert state(one)["queued_n"] == 1
    one.join("c1")
    one.event("chat", lambda b: b["runId"] == "d1")
    one.ask_until(lambda s: s["queued_n"] == 0, "channel_status", to="channel/webchat")
    assert rows(one) == [("d1", 2)]


def test_what_may_have_been_sent_is_not_sent_again_by_itself(one):
    deliver(one, "d1")
    one.kill()
    path = os.path.join(one.state_dir, "db", "channel-webchat-default.sqlite")
    with sqlite3.connect(path) as db:  # as a kill between the two syncs leaves it
        db.execute("UPDATE outbox SET state = 1")
    one.start()
    one.join("c1")
    one.event("clients_changed")
    assert state(one)["unknown_n"] == 1
    again = deliver(one, "d1")
    assert (again["is_repeat"], again["state"]) == (True, "unknown")
    assert shown(one, "d1") == []
    health = one.ask_until(lambda h: "unknown fate" in h.get("degraded", ""), "health", to="health")
    assert health["channels"]["webchat"]["outbox"]["unknown"] == 1


def test_order_is_kept(one):
    for number in range(100):
        deliver(one, f"d{number}", str(number))
    one.join("c1")
    one.until(lambda: len([1 for n, _ in one.events if n == "chat"]) == 100, "all of them")
    assert [b["runId"] for n, b in one.events if n == "chat"] == [f"d{number}" for number in range(100)]


def test_traffic_of_clients_is_counted(one):
    one.join("c1")
    one.event("clients_changed")
    one.chat("hello", "k1", "main")
    seen = one.ask_until(lambda s: s["inbound_n"] == 1 and s["outbound_n"] == 1, "channel_status", to="channel/webchat")
    assert seen["last_inbound_at"] > 0 and seen["state"] == "up"


def test_a_restart_of_the_channel_keeps_what_waits(one):
    deliver(one, "d1")
    one.restart("channel/webchat")
    assert state(one)["queued_n"] == 1
    one.join("c1")
    one.event("chat", lambda b: b["runId"] == "d1")


def test_an_outbox_that_is_no_database_refuses_and_says_so(make, tmp_path):
    os.makedirs(tmp_path / "db")
    (tmp_path / "db" / "channel-webchat-default.sqlite").write_bytes(b"this is no database" * 1000)
    rig = make()
    with pytest.raises(Failed) as failure:
        deliver(rig, "d1")
    assert "cannot be opened" in failure.value.message
    assert state(rig)["state"] == "degraded"
    rig.ask_until(lambda h: "channel/webchat is degraded" in h.get("degraded", ""), "health", to="health")


@pytest.mark.parametrize("params", [{"session_key": "s", "text": "x"}, {"idempotency_key": "", "session_key": "s", "text": "x"},
                                    {"idempotency_key": "k", "session_key": "s"}, {"idempotency_key": "k" * 600, "session_key": "s", "text": "x"}])
def test_a_delivery_that_is_not_whole_is_refused(one, params):
    with pytest.raises(Failed) as failure:
        one.call("channel_deliver", params, to="channel/webchat")
    assert failure.value.code == 1 and rows(one) == []
