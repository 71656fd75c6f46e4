#!/usr/bin/env python3
"""Kills random processes of a gateway under load, and counts what was lost, doubled, reordered, refused or late.

While senders talk to agents (each message under an idempotency key, sent again under the same key until it is
acknowledged) and callers open connections in a loop, one child after the other gets SIGKILL. At the end every
acknowledged message must stand in its session exactly once and in its order, no connection attempt may have been refused,
and after every kill the gateway must have answered again within the limit. With --signal STOP they are not killed but
stopped, so that they hang, and the gateway has to find that out by itself. With --topology tcp the agents are elsewhere,
with a supervisor of their own; what needs root is then:

  --mode partition  elsewhere is a machine of its own, whose cable is pulled and put back: nothing may be started again for
                    that, and whoever sends must get on within the limit
  --mode machines   three machines: any process on any of them is killed, those that supervise too, and cables are pulled,
                    while frames are late, lost, doubled and reordered as the options say, and one machine's clock is wrong

  tests/chaos/kill.py [--kills 200] [--signal KILL|STOP] [--topology inproc|ipc|tcp] [--mode kill|partition|machines]
                      [--recovery 1.0] [--seed N] [--latency 40] [--jitter 10] [--loss 1] [--duplicate 0.5]
                      [--reorder 0.5] [--skew -180]
"""

import argparse
import contextlib
import os
import sys

import rig
from machines import Machines

import netns  # where it is, rig told
from gateway import TOPOLOGIES, clock_library

SKIPPED = 77  # as ctest is told
CABLE = (("latency", "delay", 40), ("jitter", "jitter", 10), ("loss", "loss", 1), ("duplicate", "duplicate", 0.5),
         ("reorder", "reorder", 0.5))


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=int(os.environ.get("OPENCLAW_CHAOS_KILLS", "200")))
    parser.add_argument("--signal", choices=["KILL", "STOP"], default="KILL")
    parser.add_argument("--mode", choices=["kill", "partition", "machines"], default="kill",
                        help="the last two with --topology tcp")
    parser.add_argument("--topology", choices=sorted(TOPOLOGIES), default="inproc")
    parser.add_argument("--recovery", type=float, default=float(os.environ.get("OPENCLAW_TEST_RECOVERY_S", "1")),
                        help="seconds within which the gateway must answer again (default 1)")
    parser.add_argument("--pause", type=float, default=0.4, help="mean seconds of work between kills")
    parser.add_argument("--senders", type=int, default=3)
    parser.add_argument("--callers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    for name, _, usual in CABLE:
        parser.add_argument(f"--{name}", type=float, default=usual, help="of --mode machines, in each direction; "
                            + ("ms" if name in ("latency", "jitter") else "%%"))
    parser.add_argument("--skew", type=float, default=-180, help="of --mode machines: how wrong one clock is, in seconds")
    return parser.parse_args(words)


def why_not(options):
    """None when this can be done here, else the reason."""
    if options.mode == "kill":
        return None
    if options.topology != "tcp":
        return f"a {options.mode} run is between machines: --topology tcp"
    if options.mode == "partition":
        return netns.why_not()
    return netns.why_no_bad_cable() or (None if clock_library() or not options.skew else "libfaketime is not installed")


def network_of(options):
    if options.mode == "kill":
        return contextlib.nullcontext()
    if options.mode == "partition":
        return netns.Switch()
    words = [word for name, asked, _ in CABLE for word in (f"--{asked}", str(getattr(options, name)))]
    return netns.Switch(bad=words, seed=options.seed)


def main():
    options = options_of(sys.argv[1:])
    reason = why_not(options)
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    with network_of(options) as network:
        return 0 if rig.run((Machines if options.mode == "machines" else rig.Rig)(options, network)) else 1


if __name__ == "__main__":
    sys.exit(main())
