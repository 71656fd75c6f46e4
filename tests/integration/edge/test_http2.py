"""Streams of one connection of HTTP/2: what those cost that are not read, or not finished, and who pays for it."""

import json

from conftest import TOKEN
from http2_client import Http2
from test_slow_clients import MIB, measured, memory

COMPLETIONS = "/v1/chat/completions"
AUTH = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def small_rig(own_rig):
    return own_rig(ASAN_OPTIONS="quarantine_size_mb=1")


def chat(wire, script, **more):
    return wire.ask("POST", COMPLETIONS, {"messages": [{"role": "user", "content": script}], **more}, AUTH)


def more_room(wire, size):
    """For the connection as a whole; streams keep the window that they have."""
    wire.h2.increment_flow_control_window(size)
    wire.flush()


@measured
def test_streams_that_are_not_read_are_held_back_and_the_others_are_not(own_rig):
    rig = small_rig(own_rig)
    with Http2(rig.port) as wire:
        assert wire.wait(chat(wire, "deltas=3", stream=True)).is_ended
        before = memory(rig)
        more_room(wire, 1 << 30)
        wire.held = {chat(wire, "deltas=400 size=10000", stream=True) for _ in range(100)}  # 400 MB
        wire.until(lambda: all(len(wire.answers[each].data) >= 65535 for each in wire.held))
        for _ in range(20):
            assert wire.wait(chat(wire, "deltas=20 size=10", stream=True)).is_ended
        assert memory(rig) - before < 96 * MIB, (memory(rig) - before) / MIB
        one = min(wire.held)
        wire.held.remove(one)  # it reads again, and has missed nothing
        wire.h2.acknowledge_received_data(65535, one)
        wire.flush()
        text = wire.wait(one).data
        assert text.count(b"w" * 10000) == 400 and text.rstrip().endswith(b"[DONE]")


@measured
def test_unfinished_bodies_stay_within_the_budget_and_the_largest_are_told(own_rig):
    rig = small_rig(own_rig)
    with Http2(rig.port) as wire:
        before, most = memory(rig), 0
        streams = []
        for _ in range(9):
            streams.append(wire.begin("POST", COMPLETIONS, {**AUTH, "Content-Length": 19 * MIB}))
            wire.body(streams[-1], b"x" * (18 * MIB), False)
            most = max(most, memory(rig))
        told = [wire.answers[each] for each in streams if wire.answers[each].status]
        assert len(told) >= 2 and all(each.status == 503 and each.headers["retry-after"] == "1" for each in told)
        assert json.loads(told[0].text)["error"]["type"] == "api_error"
        assert most - before < 192 * MIB, (most - before) / MIB
        assert wire.wait(chat(wire, "deltas=3", stream=True)).is_ended
