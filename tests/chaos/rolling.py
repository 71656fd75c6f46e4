#!/usr/bin/env python3
"""Starts every process of a deployment again, in order and under load, and counts whom that turned away.

One after the other: each host of the gateway; with --topology tcp the host of the other machine, and the process that
supervises it there; all hosts of the gateway at once; and the gateway's supervising process itself, which takes up its
program anew. Meanwhile senders talk to agents and guests come: each opens a connection, says hello, asks one thing and
goes. Nothing may be lost, doubled or reordered, no connection refused, and none may end without a word: who was let in is
answered, or told by a close frame, or an answer with a time to come back, that the gateway restarts.

  tests/chaos/rolling.py [--rounds 5] [--topology inproc|ipc|tcp] [--recovery 3] [--seed N]
"""

import argparse
import collections
import os
import socket
import sys
import time

import rig
from client import CallError, Client
from gateway import TOPOLOGIES, until
from ws import Closed, Refused

RETURN_S = 60
RESTART, GOING_AWAY = 1012, 1001


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", dest="kills", type=int, default=5)
    parser.add_argument("--topology", choices=sorted(TOPOLOGIES), default="inproc")
    parser.add_argument("--recovery", type=float, default=float(os.environ.get("OPENCLAW_TEST_RECOVERY_S", "3")),
                        help="seconds within which everybody must get on again")
    parser.add_argument("--pause", type=float, default=0.2)
    parser.add_argument("--senders", type=int, default=3)
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--guests", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    return parser.parse_args(words)


class Guest(rig.Worker):
    """Comes by WebSocket and by HTTP in turns."""

    def __init__(self, made_for):
        super().__init__(made_for)
        self.fates = collections.Counter()
        self.cut = []

    def step(self):
        for visit in (self.by_socket, self.by_http):
            try:
                self.fates[visit()] += 1
            except ConnectionRefusedError as error:
                self.rig.on_refused(error)
            except (OSError, EOFError) as error:
                self.cut.append(f"{time.strftime('%H:%M:%S')} {visit.__name__}: {error!r}")
            self.rig.is_over.wait(0.002)

    def by_socket(self):
        try:
            with Client(self.rig.gateway.port, self.rig.gateway.token) as client:
                client.call("health")
                return "served"
        except CallError as error:
            assert error.error.get("retryable"), error
            return "to come back"
        except Refused as error:
            assert error.status == 503, error
            return "to come back"
        except Closed as closed:
            if closed.code not in (RESTART, GOING_AWAY):
                raise EOFError(str(closed)) from closed
            return "told of the restart"

    def by_http(self):
        with socket.create_connection(("127.0.0.1", self.rig.gateway.port), timeout=20) as sock:
            sock.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            head = sock.recv(4096)
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")):
            raise EOFError(f"answered with {head[:60]}")
        return "served"


class Rolling(rig.Rig):
    def __init__(self, options, network=None):
        super().__init__(options, network)
        self.guests = [Guest(self) for _ in range(options.guests)]
        self.callers += self.guests  # they run as these do
        for guest in self.guests:
            guest.made = 0
        self.steps = [(f"host {name}", lambda name=name: self.restart(self.control, name)) for name in self.local_hosts()]
        if self.gateway.elsewhere:
            there = rig.Control(self.gateway.elsewhere.state_dir)
            self.steps += [("the host elsewhere", lambda: self.restart(there, "agents")),
                           ("its supervisor", lambda: self.upgrade(self.gateway.elsewhere.environment))]
        self.steps += [("all hosts", lambda: self.restart_all()), ("the gateway's supervisor", lambda: self.upgrade(None))]

    def local_hosts(self):
        return {"inproc": ["main"], "ipc": ["agents", "main"], "tcp": ["main"]}[self.options.topology]

    def restart(self, control, name):
        before = next(host for host in control.hosts() if host["name"] == name)["pid"]
        control.ask(op="restart", address=f"host/{name}")
        until(lambda: next(h for h in control.hosts() if h["name"] == name)["pid"] not in (before, None), RETURN_S, name)

    def restart_all(self):
        before = {host["pid"] for host in self.control.hosts() if host["pid"]}
        done = self.gateway.cli("gateway", "restart")
        assert done.returncode == 0, done.stderr
        until(lambda: not before & {host["pid"] for host in self.control.hosts()}, RETURN_S, "fresh processes")

    def upgrade(self, environment):
        done = self.gateway.cli("gateway", "restart", "--upgrade", environment=environment, timeout=RETURN_S)
        assert done.returncode == 0, (done.stdout, done.stderr)

    def do_one(self, number):
        for what, deed in self.steps:
            pids = {self.gateway.process.pid} | ({self.gateway.elsewhere.process.pid} if self.gateway.elsewhere else set())
            began = time.monotonic()
            deed()
            until(lambda: self.is_whole() and self.answers(), RETURN_S, f"a whole gateway after {what} ({number})")
            self.until_all_get_on(f"work after {what} ({number})")
            self.recovered(began, f"{what} ({number})")
            assert pids <= set(self.gateway.processes()), "a supervising process has another number"

    def report(self, verdict, broken):
        self.refused += [cut for guest in self.guests for cut in guest.cut]
        super().report(verdict, broken)
        fates = sum((guest.fates for guest in self.guests), collections.Counter())
        print("guests: " + ", ".join(f"{n} {fate}" for fate, n in sorted(fates.items())))

    def deeds(self):
        return f"{self.options.kills} rounds, {len(self.recoveries)} restarts in order"


if __name__ == "__main__":
    sys.exit(0 if rig.run(Rolling(options_of(sys.argv[1:]))) else 1)
