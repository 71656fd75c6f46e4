"""A gateway under load: senders, callers, one deed after the other, and at the end the oracle's verdict."""

import collections
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import oracle  # noqa: E402
from client import CallError, Client, text_of  # noqa: E402
from gateway import Gateway, until  # noqa: E402
from ws import Closed, Refused  # noqa: E402

SESSION_MESSAGES = 60  # then a sender starts a new session, so that one history call can show a whole one
GONE = (OSError, Closed, Refused, EOFError, TimeoutError)


class Control:
    """The operator's socket: one request, one answer."""

    def __init__(self, state_dir):
        self.path = os.path.join(state_dir, "run", "control.sock")

    def ask(self, **request):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(self.path)
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile() as file:
                answer = json.loads(file.readline())
        assert answer["ok"], answer
        return answer["result"]

    def hosts(self):
        return self.ask(op="status")["hosts"]


class Worker(threading.Thread):
    def __init__(self, rig):
        super().__init__(daemon=True)
        self.rig, self.broken = rig, None

    def run(self):
        try:
            while not self.rig.is_over.is_set():
                self.step()
        except Exception as error:  # noqa: BLE001 - told at the end, with its thread's name
            self.broken = error


class Sender(Worker):
    """One person writing to an agent, who sends again until told that it was received."""

    def __init__(self, rig, number):
        super().__init__(rig)
        self.number, self.client, self.sent = number, None, 0
        self.acknowledged = collections.defaultdict(list)  # session → keys
        self.tried = collections.defaultdict(list)
        self.resent = 0

    def session(self):
        agent = self.rig.agents[self.number % len(self.rig.agents)]
        return f"agent:{agent}:chaos-{self.number}-{self.sent // SESSION_MESSAGES}"

    def drop(self):
        if self.client:
            self.client.socket.close()
        self.client = None

    def attempt(self, session, key):
        """True when the gateway has the message."""
        try:
            if not self.client:
                self.client = Client(self.rig.gateway.port, self.rig.gateway.token)
            self.client.call("chat.send", {"sessionKey": session, "message": f"mark {key}", "idempotencyKey": key}, 5)
            self.client.events.clear()
            return True
        except ConnectionRefusedError as error:
            self.rig.on_refused(error)
        except GONE:
            self.drop()
        except CallError as error:
            if not error.error.get("retryable"):
                raise
        return False

    def step(self):
        session, key, first = self.session(), uuid.uuid4().hex, True
        self.tried[session].append(key)
        while not self.attempt(session, key):
            self.resent += 1
            if self.rig.is_over.wait(0.01 if first else 0.03):
                return
            first = False
        self.acknowledged[session].append(key)
        self.sent += 1


class Caller(Worker):
    """Opens a connection and asks for a sign of life, again and again; waiting is fine, being refused is not."""

    def __init__(self, rig):
        super().__init__(rig)
        self.made = 0

    def step(self):
        try:
            with socket.create_connection(("127.0.0.1", self.rig.gateway.port), timeout=5) as sock:
                self.made += 1
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                sock.recv(1024)
        except ConnectionRefusedError as error:
            self.rig.on_refused(error)
        except OSError:
            pass  # it was taken by a process that was killed then; the connection had been accepted
        self.rig.is_over.wait(0.002)


class Rig:
    agents = ("main",)  # senders take turns in whom they write to
    config = None

    def __init__(self, options, network=None):
        self.options = options
        self.random = random.Random(options.seed)
        self.network = network
        self.gateway = Gateway(options.topology, config=self.config, network=self.network)
        self.control = Control(self.gateway.state_dir)
        self.is_over = threading.Event()
        self.refused = []
        self.recoveries = []
        self.late = []
        self.senders = [Sender(self, i) for i in range(options.senders)]
        self.callers = [Caller(self) for _ in range(options.callers)]

    def on_refused(self, error):
        self.refused.append(repr(error))

    def is_whole(self):
        return all(host["state"] == "ready" for host in self.control.hosts())

    def answers(self):
        try:
            return self.gateway.get("/readyz", timeout=1)[0] == 200
        except OSError:
            return False

    def pid_of(self, host):
        """The supervisor of another machine knows the process there."""
        if host["pid"]:
            return host["pid"]
        there = Control(self.gateway.elsewhere.state_dir)
        return next(each["pid"] for each in there.hosts() if each["name"] == host["name"])

    def cut_one(self, number):
        """A cable is out for a while; some cuts are so short that nobody notices."""
        pids = sorted(self.gateway.processes())
        self.network.cut("agents")
        self.is_over.wait(self.random.uniform(0.2, 4))
        self.network.mend("agents")
        mended = time.monotonic()
        self.until_all_get_on(f"work after cut {number}")
        self.recovered(mended, f"cut {number}")
        assert sorted(self.gateway.processes()) == pids, "something was started again for a cut"

    def until_all_get_on(self, what):
        before = [sender.sent for sender in self.senders]
        until(lambda: all(s.sent > n or s.broken for s, n in zip(self.senders, before)), 30, what)

    def recovered(self, since, what):
        took = time.monotonic() - since
        self.recoveries.append(took)
        if took > self.options.recovery:
            self.late.append(f"{what}: {took:.2f} s")

    def kill_one(self, number):
        host = self.random.choice(self.control.hosts())
        os.kill(self.pid_of(host), signal.Signals[f"SIG{self.options.signal}"])
        killed = time.monotonic()
        until(lambda: self.host_is_back(host), 30, f"the return of host {host['name']} after kill {number}")
        until(self.answers, 30, f"readiness after kill {number}")
        self.recovered(killed, f"kill {number} of {host['name']}")

    def host_is_back(self, was):
        now = next(host for host in self.control.hosts() if host["name"] == was["name"])
        return now["state"] == "ready" and now["incarnation"] != was["incarnation"]

    def do_one(self, number):
        (self.cut_one if self.network else self.kill_one)(number)

    def kill_all(self):
        for number in range(self.options.kills):
            until(self.is_whole, 30, "a whole gateway")
            # Some kills hit a gateway that has just come back, most one that is at work.
            self.is_over.wait(self.random.uniform(0.0, 2 * self.options.pause))
            self.do_one(number)
            assert self.gateway.process.poll() is None, "the supervising process ended"
            if sys.stdout.isatty():
                print(f"\r{number + 1} of {self.options.kills}", end="", flush=True)

    @staticmethod
    def messages(client, session):
        """All of one session. A machine that is busy, or badly reached, may be taken for gone for a moment."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return client.call("chat.history", {"sessionKey": session, "limit": 1000}, 20)["messages"]
            except CallError as error:
                if not error.error.get("retryable") or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def history(self, client, session):
        """The texts of one session by role."""
        return [(message["role"], text_of(message)) for message in self.messages(client, session)]

    def verify(self):
        """What the sessions hold once the runs that were under way have ended. The last deed may not be over yet, and
        take the connection of who looks along."""
        deadline = time.monotonic() + 10
        while True:
            try:
                verdict = self.look()
                if verdict.unanswered == 0 or time.monotonic() > deadline:
                    return verdict
            except GONE:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def look(self):
        verdict = oracle.Verdict()
        with Client(self.gateway.port, self.gateway.token) as client:
            for sender in self.senders:
                for session, keys in sender.tried.items():
                    verdict.judge(session, keys, sender.acknowledged[session], self.history(client, session))
        return verdict

    def run(self):
        self.gateway.start()
        workers = self.senders + self.callers
        for worker in workers:
            worker.start()
        try:
            self.kill_all()
            until(self.is_whole, 30, "a whole gateway")
        finally:
            self.is_over.set()
            for worker in workers:
                worker.join(30)
        broken = [f"{type(w).__name__}: {w.broken!r}" for w in workers if w.broken]
        verdict = self.verify()
        self.report(verdict, broken)
        return verdict.is_good() and not (self.refused or self.late or broken)

    def deeds(self):
        return f"{len(self.recoveries)} times " + ("cut off" if self.network else f"SIG{self.options.signal}")

    def report(self, verdict, broken):
        times = sorted(self.recoveries)
        print(f"\n{self.options.topology}: {self.deeds()}, seed {self.options.seed}; {verdict.total} messages acknowledged, "
              f"{sum(s.resent for s in self.senders)} sent again, {sum(c.made for c in self.callers)} connections")
        if times:
            print(f"recovery: median {times[len(times) // 2] * 1000:.0f} ms, worst {times[-1] * 1000:.0f} ms")
        faults = {**verdict.faults(), "refused": self.refused, "late": self.late, "broken": broken}
        print(", ".join(f"{name} {len(items)}" for name, items in faults.items()) +
              f", without an answer {verdict.unanswered}")
        for name, items in faults.items():
            for item in items[:5]:
                print(f"  {name}: {item}")


def run(rig):
    is_good = False
    try:
        is_good = rig.run()
    finally:
        if not is_good:
            print("\n".join(rig.gateway.logs()[-60:]), file=sys.stderr)
        rig.gateway.close()
    return is_good
