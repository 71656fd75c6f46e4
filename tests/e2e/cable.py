#!/usr/bin/env python3
"""A cable between two network devices that it makes (TAP), as bad as it is asked to be.

It works wherever there is /dev/net/tun, also where the kernel has no netem. What happens to a frame depends on the seed
and on how many came before it in its direction, so the same frames fare the same again.

  cable.py NEAR FAR [--delay MS] [--jitter MS] [--loss %] [--duplicate %] [--reorder %] [--seed N]

Frames keep their order under jitter; one that is reordered comes up without the delay, ahead of all that are under way.
"""

import argparse
import collections
import contextlib
import fcntl
import os
import random
import select
import struct
import time

TUN = "/dev/net/tun"
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h
FRAME_MAX = 65536
UNDER_WAY_MAX = 8192  # as a switch with a full buffer, it drops what is beyond


def tap(name):
    fd = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


class Direction:
    def __init__(self, source, target, options, name):
        self.source, self.target, self.options = source, target, options
        self.random = random.Random(f"{options.seed} {name}")
        self.under_way = collections.deque()  # (when it arrives, frame), in the order of arrival

    def happens(self, percent):
        return self.random.random() * 100 < percent

    def deliver(self, frame):
        with contextlib.suppress(OSError):  # the device is down: the cable is out
            os.write(self.target, frame)

    def meet(self, frame, now):
        """Decides what becomes of a frame. Always as many random numbers, so that one fate does not change the next."""
        is_lost, is_twice, is_first = (self.happens(getattr(self.options, name)) for name in ("loss", "duplicate", "reorder"))
        late = self.options.delay + self.random.uniform(-self.options.jitter, self.options.jitter)
        if is_lost or len(self.under_way) >= UNDER_WAY_MAX:
            return
        if is_first:
            self.deliver(frame)
            return
        arrives = now + max(late, 0) / 1000
        if self.under_way:
            arrives = max(arrives, self.under_way[-1][0])
        self.under_way.extend([(arrives, frame)] * (2 if is_twice else 1))

    def take(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.meet(os.read(self.source, FRAME_MAX), time.monotonic())

    def give(self, now):
        while self.under_way and self.under_way[0][0] <= now:
            self.deliver(self.under_way.popleft()[1])


def carry(directions):
    sources = {each.source: each for each in directions}
    while True:
        due = [each.under_way[0][0] for each in directions if each.under_way]
        wait = max(min(due) - time.monotonic(), 0) if due else None
        for source in select.select(list(sources), [], [], wait)[0]:
            sources[source].take()
        for each in directions:
            each.give(time.monotonic())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("near")
    parser.add_argument("far")
    for name in ("delay", "jitter", "loss", "duplicate", "reorder"):
        parser.add_argument(f"--{name}", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    near, far = tap(options.near), tap(options.far)
    directions = [Direction(near, far, options, "there"), Direction(far, near, options, "back")]
    print("ready", flush=True)
    carry(directions)


if __name__ == "__main__":
    main()
