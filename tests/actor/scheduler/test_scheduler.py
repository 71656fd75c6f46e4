"""The scheduler alone, by a clock that only moves when a test moves it."""

import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TESTS, "actor/rig"))

from actor_rig import ActorRig, program_of  # noqa: E402

START = 1768816800000  # 2026-01-19 10:00 UTC, a Monday
MINUTE = 60000
HOUR = 60 * MINUTE
UNAVAILABLE = 2


class Rig(ActorRig):
    program = program_of("scheduler")
    to = "scheduler"

    def __init__(self, folder, heartbeat, channels=None):
        super().__init__(folder, {"agents": {"defaults": {"userTimezone": "UTC", "heartbeat": heartbeat}},
                                  "channels": channels or {}})
        self.now = START

    def start(self):
        self.items = []
        self.launch(str(self.now))
        self.next(lambda i: i.get("event") == "scheduler_changed")
        return self

    def take(self, item):
        super().take(item)
        self.items.append(item)

    def next(self, fits, timeout=10):
        """Takes the first item that fits, here or to come."""
        def found():
            return next((i for i, item in enumerate(self.items) if fits(item)), -1) + 1
        return self.items.pop(self.until(found, "what fits", timeout) - 1)

    def order(self, **what):
        self.write(what)

    def call(self, method, **params):
        return super().call(method, params)

    def move(self, to, **more):
        self.now = to
        self.order(clock=to, **more)

    def alarm(self, fits=lambda at: True):
        """The newest time that the alarm was set to."""
        with self.arrived:
            seen = [i["alarm"] for i in self.items if "alarm" in i]
        return seen[-1] if seen else self.next(lambda i: "alarm" in i)["alarm"]

    def settled_alarm(self):
        self.call("last-heartbeat")  # whatever was under way before this is over
        return self.alarm()

    def asked(self, method="agent_heartbeat"):
        return self.next(lambda i: i.get("method") == method and "asked" in i)

    def is_silent(self):
        self.call("last-heartbeat")
        with self.arrived:
            return not [i for i in self.items if i.get("method") == "agent_heartbeat"]

    def done(self, asked, outcome="ok-token", text="", reason="", tasks=(), channel=""):
        self.order(answer=asked["asked"], body={"session_key": "agent:main:main", "outcome": outcome, "reason": reason,
                                                "text": text, "channel": channel, "tasks": list(tasks)})
        return self.event()

    def event(self):
        return self.next(lambda i: i.get("event") == "heartbeat")["body"]

    def wake(self, mode="now", **more):
        number = self.send("wake", {"mode": mode, "text": "x", **more})
        note = self.asked("agent_note")
        self.order(answer=note["asked"], body={"session_key": more.get("sessionKey", "agent:main:main"), "agent_id": "main"})
        assert self.answer(number) == {"ok": True}


@pytest.fixture
def make(tmp_path):
    made = []

    def build(heartbeat, **more):
        made.append(Rig(tmp_path, heartbeat, **more))
        return made[-1].start()

    yield build
    for rig in made:
        rig.stop()


def test_nothing_happens_before_it_is_due_and_then_once(make):
    rig = make({"every": "30m"})
    due = rig.settled_alarm()
    assert START + 15 * MINUTE <= due < START + 45 * MINUTE
    rig.move(due - 1)
    assert rig.is_silent()
    rig.move(due)
    asked = rig.asked()
    assert asked["body"]["agent_id"] == "main" and not asked["body"]["is_urgent"]
    assert rig.done(asked)["reason"] == "interval"
    assert rig.settled_alarm() == due + 30 * MINUTE
    assert rig.is_silent()


def test_without_heartbeats_no_alarm_is_set(make):
    assert make({"every": "0m"}).settled_alarm() == 0


def test_one_that_is_under_way_is_not_begun_again(make):
    rig = make({"every": "30m"})
    due = rig.settled_alarm()
    rig.move(due)
    asked = rig.asked()
    rig.move(due + 75 * MINUTE)
    assert rig.is_silent() and rig.settled_alarm() == 0
    rig.wake()
    assert rig.is_silent()
    rig.done(asked)
    again = rig.asked()  # the wake, and the slots that were missed with it
    assert again["body"]["is_urgent"]
    rig.done(again)
    assert rig.settled_alarm() > rig.now


def test_wakes_that_come_together_are_one(make):
    rig = make({"every": "30m"})
    rig.wake()
    rig.wake()
    assert rig.is_silent() and rig.settled_alarm() == START + 250
    rig.move(START + 250)
    rig.done(rig.asked())
    rig.wake("next-heartbeat")
    rig.move(START + HOUR // 4 - 1)
    assert rig.is_silent()


def test_the_sixth_within_a_minute_waits(make):
    rig = make({"every": "60m"})
    for i in range(5):
        rig.wake()
        rig.move(rig.now + 250)
        rig.done(rig.asked())
    rig.wake()
    rig.move(rig.now + 250)
    assert rig.is_silent() and rig.settled_alarm() == START + 250 + MINUTE
    rig.move(START + 250 + MINUTE)
    rig.done(rig.asked())


@pytest.mark.parametrize("kills", [True, False])
def test_what_had_begun_goes_on_after_a_restart_by_its_id(make, kills):
    rig = make({"every": "30m"})
    due = rig.settled_alarm()
    rig.move(due)
    first = rig.asked()["body"]["run_id"]
    rig.kill() if kills else rig.stop()
    rig.start()
    again = rig.asked()
    assert again["body"]["run_id"] == first
    rig.done(again)
    assert rig.settled_alarm() == due + 30 * MINUTE and rig.is_silent()


def test_a_heartbeat_that_crashes_everything_is_given_up(make):
    rig = make({"every": "30m"})
    rig.move(rig.settled_alarm())
    for _ in range(3):
        rig.asked()
        rig.kill()
        rig.start()
    assert rig.event()["status"] == "failed" and rig.is_silent()


@pytest.mark.parametrize("late,runs", [(29 * MINUTE, True), (31 * MINUTE, False)])
def test_a_due_time_that_was_missed_is_made_up_for_once(make, late, runs):
    rig = make({"every": "30m"})
    due = rig.settled_alarm()
    rig.kill()
    rig.now = due + late
    rig.start()
    if runs:
        rig.done(rig.asked())
    assert rig.is_silent() and rig.settled_alarm() > rig.now


def test_a_wake_that_was_promised_outlives_a_crash(make):
    rig = make({"every": "30m"})
    rig.wake()
    rig.kill()
    rig.start()
    assert rig.asked()["body"]["is_urgent"]


def test_the_order_to_be_silent_outlives_a_crash(make):
    rig = make({"every": "30m"})
    assert rig.call("set-heartbeats", enabled=False) == {"ok": True, "enabled": False}
    assert rig.settled_alarm() == 0
    rig.kill()
    rig.start()
    assert rig.settled_alarm() == 0 and rig.call("scheduler_read")["is_on"] is False
    rig.call("set-heartbeats", enabled=True)
    assert rig.settled_alarm() > rig.now


def test_a_clock_that_is_set_is_looked_at_again(make):
    rig = make({"every": "30m"})
    due = rig.settled_alarm()
    rig.move(START - 365 * 24 * HOUR, set=True)
    assert rig.settled_alarm() < rig.now + 45 * MINUTE and rig.is_silent()
    rig.move(due + 365 * 24 * HOUR, set=True)  # a year on: nothing of it is made up for
    assert rig.is_silent() and rig.now < rig.settled_alarm() < rig.now + 45 * MINUTE


def test_the_night_is_left_out(make):
    rig = make({"every": "30m", "activeHours": {"start": "09:00", "end": "10:30"}})
    due = rig.settled_alarm()
    if due < START + 30 * MINUTE:
        rig.move(due)
        rig.done(rig.asked())
        due = rig.settled_alarm()
    morning = START + 23 * HOUR  # 09:00 on the day after
    assert morning <= due < morning + 30 * MINUTE
    rig.move(START + 12 * HOUR)
    rig.wake()
    rig.move(rig.now + 250)
    assert rig.event()["reason"] == "quiet-hours" and rig.is_silent()


def test_an_agent_that_is_overloaded_is_asked_again(make):
    rig = make({"every": "30m"})
    rig.move(rig.settled_alarm())
    first = rig.asked()
    rig.order(fail=first["asked"], code=UNAVAILABLE, message="full")
    rig.call("last-heartbeat")
    assert rig.settled_alarm() == rig.now + 1000
    rig.move(rig.now + 1000)
    again = rig.asked()
    assert again["body"]["run_id"] == first["body"]["run_id"]
    assert rig.done(again)["status"] == "ok-token"


def test_a_provider_that_fails_is_told_and_waited_for(make):
    rig = make({"every": "30m"})
    due = rig.settled_alarm()
    rig.move(due)
    rig.order(fail=rig.asked()["asked"], message="500")
    event = rig.event()
    assert (event["status"], event["reason"], event["indicatorType"]) == ("failed", "500", "error")
    assert rig.settled_alarm() == due + 30 * MINUTE


def test_other_work_goes_first_and_that_is_told_once(make):
    rig = make({"every": "30m"})
    rig.move(rig.settled_alarm())
    asked = rig.asked()
    rig.order(chunk=asked["asked"])
    assert rig.event()["reason"] == "requests-in-flight"
    rig.done(asked)


def test_tasks_are_remembered(make):
    rig = make({"every": "30m"})
    rig.move(rig.settled_alarm())
    asked = rig.asked()
    assert asked["body"]["tasks"] == {}
    began = rig.now
    rig.done(asked, tasks=["mail"])
    rig.kill()
    rig.start()
    rig.wake()
    rig.move(rig.now + 250)
    assert rig.asked()["body"]["tasks"] == {"mail": began}


def test_an_alert_goes_to_its_channel_and_the_same_one_not_twice(make):
    rig = make({"every": "30m", "target": "pigeon", "to": "user:1"})
    rig.wake()
    rig.move(rig.now + 250)
    asked = rig.asked()
    event = rig.done(asked, "alert", "The door is open")
    sent = rig.next(lambda i: "delivered" in i)["body"]
    assert (sent["text"], sent["to"], sent["idempotency_key"]) == \
        ("The door is open", "user:1", "heartbeat:" + asked["body"]["run_id"])
    assert (event["status"], event["channel"], event["to"], event["preview"]) == \
        ("sent", "pigeon", "user:1", "The door is open")
    rig.wake()
    rig.move(rig.now + 250)
    assert rig.done(rig.asked(), "alert", "The door is open")["reason"] == "duplicate"
    rig.wake()
    rig.move(rig.now + 24 * HOUR)
    assert rig.done(rig.asked(), "alert", "The door is open")["status"] == "sent"


@pytest.mark.parametrize("heartbeat,channel,why", [
    ({"target": "last"}, "webchat", "no-target"), ({"target": "pigeon", "accountId": "x"}, "", "unknown-account"),
    ({"target": "last", "directPolicy": "block"}, "pigeon", "dm-blocked")])
def test_an_alert_without_a_way_out_stays(make, heartbeat, channel, why):
    rig = make({"every": "30m", **heartbeat})
    rig.wake()
    rig.move(rig.now + 250)
    event = rig.done(rig.asked(), "alert", "The door", channel=channel)
    assert (event["status"], event["reason"], event["preview"]) == ("skipped", why, "The door")


def test_what_is_seen_on_a_channel_is_for_its_settings(make):
    rig = make({"every": "30m", "target": "last"},
               channels={"pigeon": {"heartbeat": {"showOk": True, "showAlerts": False, "useIndicator": False}}})
    rig.wake()
    rig.move(rig.now + 250)
    event = rig.done(rig.asked(), channel="pigeon")
    assert rig.next(lambda i: "delivered" in i)["body"]["text"] == "HEARTBEAT_OK"
    assert event["silent"] is False and "indicatorType" not in event
    rig.wake()
    rig.move(rig.now + 250)
    assert rig.done(rig.asked(), "alert", "x", channel="pigeon")["reason"] == "alerts-disabled"


def test_where_nothing_is_seen_no_model_is_asked(make):
    rig = make({"every": "30m", "target": "pigeon"},
               channels={"defaults": {"heartbeat": {"showAlerts": False, "useIndicator": False}}})
    rig.wake()
    rig.move(rig.now + 250)
    assert rig.event()["reason"] == "alerts-disabled" and rig.is_silent()
