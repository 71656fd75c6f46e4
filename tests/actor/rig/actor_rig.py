"""Commands actors over the bus: the other side of rig.c."""

import json
import os
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))


def program_of(part):
    return os.environ.get(f"OPENCLAW_{part.upper()}_RIG", os.path.join(ROOT, f"build/dev/tests/actor/{part}/{part}_rig"))


class Failed(Exception):
    def __init__(self, answer):
        super().__init__(answer["message"])
        self.code = answer["code"]
        self.message = answer["message"]
        self.retryable = answer["retryable"]
        self.answer = answer


class ActorRig:
    """One life after another on one state directory."""

    program = None
    to = None  # whom a call is for that names nobody

    def __init__(self, state_dir, config=None, environment=None):
        self.state_dir = str(state_dir)
        self.environment = environment or {}
        self.config_path = os.path.join(self.state_dir, "openclaw.json")
        self.process = None
        self.write_config(config or {})

    def write_config(self, config):
        whole = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"}}, **config}
        with open(self.config_path + ".new", "w", encoding="utf-8") as file:
            json.dump(whole, file)
        os.replace(self.config_path + ".new", self.config_path)

    def launch(self, *arguments, **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
        environment |= {"OPENCLAW_STATE_DIR": self.state_dir, "OPENCLAW_CONFIG_PATH": self.config_path,
                        **self.environment}
        self.next_id = 1
        self.answers = {}
        self.events = []
        self.arrived = threading.Condition()
        self.is_ready = False
        self.is_over = False
        with open(os.path.join(self.state_dir, "stderr.txt"), "ab") as errors:
            self.process = subprocess.Popen([self.program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors, env=environment, **more)
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def read(self, stdout):
        for line in stdout:
            item = json.loads(line)
            with self.arrived:
                self.take(item)
                self.arrived.notify_all()
        with self.arrived:
            self.is_over = True
            self.arrived.notify_all()

    def take(self, item):
        if "id" in item:
            self.answers.setdefault(item["id"], []).append(item)
        elif "event" in item:
            self.events.append((item["event"], item["body"]))
        elif "ready" in item:
            self.is_ready = True

    def until(self, condition, what="the condition", timeout=15):
        deadline = time.monotonic() + timeout
        with self.arrived:
            while True:
                value = condition()
                if value:
                    return value
                left = deadline - time.monotonic()
                assert not self.is_over, f"the rig ended while waiting for {what}: {self.error_text()}"
                assert left > 0, f"{what} did not come; stderr: {self.error_text()}"
                self.arrived.wait(left)

    def error_text(self):
        with open(os.path.join(self.state_dir, "stderr.txt"), encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def write(self, order):
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def send(self, method, params=None, **more):
        number = self.next_id
        self.next_id += 1
        self.write({"id": number, "to": self.to, "method": method, "params": params or {}, **more})
        return number

    def cast(self, name, params, to):
        self.write({"to": to, "method": name, "params": params})

    def item(self, number, timeout=15):
        def last():
            items = self.answers.get(number, [])
            return items[-1] if items and "ok" in items[-1] else None
        return self.until(last, f"the answer to {number}", timeout)

    def answer(self, number, timeout=15):
        item = self.item(number, timeout)
        if not item["ok"]:
            raise Failed(item)
        return item["body"]

    def call(self, method, params=None, **more):
        return self.answer(self.send(method, params, **more))

    def event(self, name, match=lambda body: True, timeout=15):
        return self.until(lambda: next((b for n, b in self.events if n == name and match(b)), None), f"event {name}", timeout)

    def chat(self, text, key, session):
        """Sends one message and waits for the end of its run; returns the last chat event."""
        self.call("chat.send", {"sessionKey": session, "message": text, "idempotencyKey": key})
        return self.event("chat", lambda b: b["runId"] == key and b["state"] != "delta")

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.reader.join(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            try:
                code = self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
            self.reader.join(10)
            assert code == 0, f"the rig ended with {code}: {self.error_text()}"
