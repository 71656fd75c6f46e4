"""A client of the gateway's protocol, as small as a real one can be."""

import itertools
import json
import time

import results
from ws import Closed, WebSocket

ALL_SCOPES = ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing"]


class CallError(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.error = error
        self.code = error.get("code")


def once(pairs):
    """An object of JSON, each of whose keys stands there once."""
    made = dict(pairs)
    assert len(made) == len(pairs), f"a key stands twice: {[key for key, _ in pairs]}"
    return made


class Client:
    tls = None  # an ssl.SSLContext

    def __init__(self, port, token, scopes=None, headers=(), **changes):
        self.socket = self.open_socket(port, headers)
        self.events = []
        self.answers = {}
        self.methods = {}  # id -> method
        self.ids = itertools.count(1)
        self.challenge = self.wait_event("connect.challenge")
        self.token, self.scopes, self.changes = token, ALL_SCOPES if scopes is None else scopes, changes
        self.hello = self.call("connect", self.connect_params())

    def open_socket(self, port, headers):
        return WebSocket(port, headers=headers, tls=self.tls)

    def connect_params(self):
        return {
            "minProtocol": 3, "maxProtocol": 3,
            "client": {"id": "gateway-client", "version": "0.0.1", "platform": "linux", "mode": "backend"},
            "role": "operator", "scopes": self.scopes, "caps": ["tool-events"],
            "auth": {"token": self.token}, **self.changes,
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def wait_closed(self, timeout=15):
        """The close frame that ends this connection: (code, reason)."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.read(deadline)
            except Closed as closed:
                return closed.code, closed.reason

    def read(self, deadline):
        got = json.loads(self.socket.receive(max(deadline - time.monotonic(), 0.001)), object_pairs_hook=once)
        if got["type"] == "event":
            self.events.append(got)
        elif got["type"] == "res":
            self.answers.setdefault(got["id"], []).append(got)

    def send(self, method, params=None, **more):
        """Asks, and returns the id under which answers will come. `more` stands beside the params."""
        number = f"r{next(self.ids)}"
        self.methods[number] = method
        self.socket.send(json.dumps({"type": "req", "id": number, "method": method, "params": params or {}, **more}))
        return number

    def answer(self, number, timeout=15):
        deadline = time.monotonic() + timeout
        while not self.answers.get(number):
            self.read(deadline)
        got = self.answers[number].pop(0)
        if not got["ok"]:
            raise CallError(got["error"])
        results.hold(self.methods[number], got.get("payload"))
        return got.get("payload")

    def call(self, method, params=None, timeout=15):
        return self.answer(self.send(method, params), timeout)

    def wait_event(self, name, where=lambda payload: True, timeout=15):
        """The payload of the first event of that name, already here or to come; it is consumed."""
        deadline, seen = time.monotonic() + timeout, 0
        while True:
            for i in range(seen, len(self.events)):
                if self.events[i]["event"] == name and where(self.events[i]["payload"]):
                    return self.events.pop(i)["payload"]
            seen = len(self.events)
            self.read(deadline)

    def chat(self, message, session="agent:main:e2e", key=None, timeout=20):
        """Sends one message and waits for its end. Returns (run id, the chat events of the run)."""
        key = key or f"key-{time.monotonic_ns()}"
        run = self.call("chat.send", {"sessionKey": session, "message": message, "idempotencyKey": key})["runId"]
        final = self.wait_event("chat", lambda p: p["runId"] == run and p["state"] in ("final", "error", "aborted"),
                                timeout)
        before = [e["payload"] for e in self.events if e["event"] == "chat" and e["payload"]["runId"] == run]
        return run, before + [final]


def text_of(message):
    content = message["content"]
    return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)
