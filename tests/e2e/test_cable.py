"""The bad cables that other tests use: frames fare as it was asked, and the same again with the same seed."""

import collections
import contextlib
import json
import os
import subprocess
import sys

import pytest

import netns

pytestmark = [pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") not in (None, "inproc"), reason="about no gateway"),
              pytest.mark.skipif(bool(netns.why_no_bad_cable()), reason=f"needs devices: {netns.why_no_bad_cable()}")]
FRAMES = 3000
# Sends numbered frames at one end of the cable, by the device `near`, and tells when each came out of `far`.
ENDS = f"""
import json, select, socket, struct, time
KIND = 0x88B5  # for experiments (IEEE 802)
near, far = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(KIND)) for _ in range(2))
near.bind(("near", KIND))
far.bind(("far", KIND))
far.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
sent, came, last = [], [], time.monotonic()
while time.monotonic() < last + 0.5:
    if len(sent) < {FRAMES}:
        sent.append(time.monotonic())
        near.send(b"\\xff" * 12 + struct.pack("!HI", KIND, len(sent) - 1) + bytes(46))
    while select.select([far], [], [], 0.0002)[0]:
        number = struct.unpack_from("!I", far.recv(2048), 14)[0]
        last = time.monotonic()
        came.append((number, last - sent[number]))
print(json.dumps(came))
"""


@contextlib.contextmanager
def bench(*words):
    """A namespace with both ends of one cable in it, and nobody else to say anything there."""
    space = f"oc-cable-{os.getpid()}"
    netns.ip("netns", "add", space)
    inside = ["ip", "netns", "exec", space]
    try:
        subprocess.run([*inside, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"], check=True)
        with subprocess.Popen([*inside, sys.executable, netns.CABLE, "near", "far", *words], stdout=subprocess.PIPE,
                              text=True) as cable:
            try:
                assert cable.stdout.readline() == "ready\n"
                for name in ("near", "far"):
                    netns.ip("-n", space, "link", "set", name, "txqueuelen", str(2 * FRAMES), "up")
                yield inside
            finally:
                cable.kill()
    finally:
        netns.ip("netns", "del", space)


def carried(*words):
    with bench(*words) as inside:
        done = subprocess.run([*inside, sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_a_good_cable_changes_nothing():
    assert [number for number, _ in carried()] == list(range(FRAMES))


def test_frames_are_lost_and_doubled_as_often_as_asked_and_the_same_ones_again():
    words = ["--loss", "10", "--duplicate", "5", "--seed"]
    first, again, other = ([number for number, _ in carried(*words, seed)] for seed in ("1", "1", "2"))
    assert first == again and first != other
    assert first == sorted(first), "nobody asked for another order"
    times = collections.Counter(first)
    assert 0.08 * FRAMES < FRAMES - len(times) < 0.12 * FRAMES
    assert 0.03 * FRAMES < sum(1 for n in times.values() if n == 2) < 0.065 * FRAMES and max(times.values()) == 2


def test_frames_are_late_as_asked_and_some_overtake():
    came = carried("--delay", "40", "--jitter", "10", "--reorder", "5")
    numbers = [number for number, _ in came]
    assert sorted(numbers) == list(range(FRAMES))
    ahead = {number for i, number in enumerate(numbers) if min(numbers[i:]) < number}
    assert 0.03 * FRAMES < len(ahead) < 0.07 * FRAMES, "jitter alone changes no order, and one in twenty overtakes"
    late = sorted(late for number, late in came if number not in ahead)
    at_once = FRAMES // 100  # the first ones had nobody to overtake
    assert late[at_once] >= 0.0299 and late[len(late) // 2] >= 0.039
