#!/usr/bin/env python3
"""Edits the config of a gateway under load, at random, and looks at what is in force all the while.

Edits are valid and not, torn and finished a moment later, in place, by rename, by taking the file away for a moment,
and of an included file as well; some make the edge start again. Meanwhile senders talk to agents and callers open
connections (as in rig.py). Whatever is in force must be one of the valid texts, never a mixture of two, never an
older one than was seen before; whenever the edits pause, it must be the last valid one. No connection may be refused,
no message lost, no run without its end.

  tests/chaos/edits.py [--edits 1000] [--topology inproc|ipc] [--seed N]
"""

import argparse
import collections
import json
import os
import sys
import threading
import time

import rig
from client import CallError, Client
from gateway import TOPOLOGIES, until

INVALID = ("broken text", "wrong value", "unknown key", "include broken")
DEBOUNCE_MS = 20
ROOM = 100000000
KINDS = collections.OrderedDict([  # kind → how often, of 100
    ("rename", 22), ("in place", 16), ("torn", 12), ("away", 6), ("include", 12), ("include in place", 6),
    ("broken text", 6), ("wrong value", 6), ("unknown key", 4), ("include broken", 4), ("same again", 3),
    ("edge restart", 3),
])


class Observer(threading.Thread):
    """Asks what is in force, as often as it is answered."""

    def __init__(self, rig):
        super().__init__(daemon=True)
        self.rig, self.wrong, self.looks, self.newest = rig, [], 0, (0, 0)

    def run(self):
        client = None
        while not self.rig.is_over.is_set():
            try:
                client = client or Client(self.rig.gateway.port, self.rig.gateway.token)
                self.look(client.call("config.get", timeout=10)["config"])
            except ConnectionRefusedError as error:
                self.rig.refused.append(repr(error))
            except (*rig.GONE, CallError):
                client = None  # the edge is starting again
                self.rig.is_over.wait(0.01)

    def look(self, config):
        seen, problem = in_force(config)
        self.looks += 1
        if problem:
            self.wrong.append(problem)
        elif seen[0] < self.newest[0] or seen[1] < self.newest[1]:
            self.wrong.append(f"{seen} after {self.newest}")
        self.newest = seen


def in_force(config):
    """The numbers of the two files, and what is wrong with them: each stands twice in its file."""
    main = (config["agents"]["defaults"]["workspace"], config["messages"]["responsePrefix"])
    part = (config["logging"]["redactPatterns"][0], config["logging"]["maxFileBytes"] - ROOM)
    if main[0] != f"/w{main[1]}" or part[0] != str(part[1]):
        return None, f"half of one and half of another: {main} {part}"
    return (int(main[1]), int(part[0])), None


class Rig(rig.Rig):
    def __init__(self, options):
        options.kills = options.recovery = options.pause = 0
        super().__init__(options)
        self.main = self.part = 0  # numbers of the last valid texts
        self.chars = 200
        self.count = collections.Counter()
        self.observer = Observer(self)
        self.settled = []
        self.include = os.path.join(self.gateway.state_dir, "part.json5")
        self.put(self.include, self.include_text(), "rename")
        self.put(self.gateway.config_path, self.main_text(), "rename")

    # --- texts ----------------------------------------------------------------------------------------

    def main_text(self):
        config = {
            "gateway": {"mode": "local", "auth": {"mode": "token", "token": self.gateway.token},
                        "reload": {"debounceMs": DEBOUNCE_MS}, "webchat": {"chatHistoryMaxChars": 100000 + self.chars}},
            "agents": {"defaults": {"model": {"primary": "builtin/echo"}, "workspace": f"/w{self.main}"}},
            "logging": {"$include": "./part.json5"},
            "messages": {"responsePrefix": str(self.main)},
        }
        return "// by hand\n" + json.dumps(config, indent=self.main % 3)

    def include_text(self):
        return "{ redactPatterns: ['%d'], %s maxFileBytes: %d } // part\n" % (self.part, "/* room */ " * 50,
                                                                              ROOM + self.part)

    @staticmethod
    def put(path, text, how):
        if how == "rename":
            with open(path + ".swp", "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(path + ".swp", path)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    # --- edits -----------------------------------------------------------------------------------------

    def edit(self, kind):
        path, how = self.gateway.config_path, "rename" if self.random.random() < 0.5 else "in place"
        if kind in ("include", "include in place"):
            self.part += 1
            self.put(self.include, self.include_text(), "in place" if "place" in kind else "rename")
        elif kind == "include broken":
            self.put(self.include, self.random.choice(["{ level: {", "{ level: 7 }", ""]), how)
        elif kind == "broken text":
            self.put(path, self.random.choice(["{", "", "no json", self.main_text()[:-9]]), how)
        elif kind == "wrong value":
            self.put(path, self.main_text().replace('"local"', '"nowhere"'), how)
        elif kind == "unknown key":
            self.put(path, self.main_text().replace('"mode": "token"', '"mode": "token", "tokn": 1'), how)
        elif kind != "same again":
            self.main += 1
            self.chars += kind == "edge restart"
            self.put_valid(path, kind)
        self.count[kind] += 1
        self.is_valid = kind not in INVALID
        if kind == "same again":
            self.restore()

    def put_valid(self, path, kind):
        text = self.main_text()
        if kind == "torn":
            self.put(path, text[:self.random.randrange(len(text))], "in place")
            self.is_over.wait(self.random.choice([0, 0.005, 0.06]))
        elif kind == "away":
            os.rename(path, path + ".away")
            self.is_over.wait(self.random.choice([0, 0.01, 0.08]))
        self.put(path, text, "in place" if kind == "in place" else "rename")

    def restore(self):
        """Both files hold their last valid texts again."""
        self.put(self.include, self.include_text(), "rename")
        self.put(self.gateway.config_path, self.main_text(), "in place")

    def ask(self):
        while True:
            try:
                if not self.asker:
                    self.asker = Client(self.gateway.port, self.gateway.token)
                return self.asker.call("config.get", timeout=10)
            except (*rig.GONE, CallError):
                self.asker = None
                time.sleep(0.01)

    def settle(self):
        """Edits pause: the last valid texts are in force, and what is not valid has been noticed."""
        wanted, began = (self.main, self.part), time.monotonic()

        def is_settled():
            now = self.ask()
            return in_force(now["config"])[0] == wanted and now["valid"] == self.is_valid
        until(is_settled, 20, f"{wanted} in force, valid {self.is_valid}")
        self.settled.append(time.monotonic() - began)

    def kill_all(self):
        kinds, weights = zip(*KINDS.items())
        self.asker, self.is_valid = None, True
        self.observer.start()
        for number in range(self.options.edits):
            if not self.is_valid:
                self.restore()  # the next valid text is of both files
                self.is_valid = True
            kind = self.random.choices(kinds, weights)[0]
            if kind in INVALID:
                self.settle()  # what is written over before anybody could see it never was
            self.edit(kind)
            self.is_over.wait(self.random.choice([0, 0, 0.01, 0.03, 0.1]))
            if number % 5 == 4 or number + 1 == self.options.edits:
                self.settle()
            assert self.gateway.process.poll() is None, "the supervising process ended"
        self.restore()
        self.is_valid = True
        self.settle()

    def verify(self):
        self.observer.join(30)
        verdict = super().verify()
        self.late += self.observer.wrong
        if verdict.unanswered:
            self.late.append(f"{verdict.unanswered} messages without an answer")
        return verdict

    def deeds(self):
        return f"{sum(self.count.values())} edits"

    def report(self, verdict, broken):
        super().report(verdict, broken)
        times = sorted(self.settled)
        print(f"edits: {', '.join(f'{n} {kind}' for kind, n in self.count.items())}; "
              f"{self.observer.looks} looks at what is in force, {len(self.observer.wrong)} wrong; after a pause in force "
              f"within {times[-1] * 1000:.0f} ms, median {times[len(times) // 2] * 1000:.0f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=int(os.environ.get("OPENCLAW_CHAOS_EDITS", "1000")))
    parser.add_argument("--topology", choices=sorted(TOPOLOGIES), default="inproc")
    parser.add_argument("--senders", type=int, default=3)
    parser.add_argument("--callers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    return 0 if rig.run(Rig(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
