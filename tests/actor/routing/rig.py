"""Commands router, health, webchat and their agents over the bus."""

import json
import os
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
RIG = os.environ.get("OPENCLAW_ROUTING_RIG", os.path.join(ROOT, "build/dev/tests/actor/routing/routing_rig"))

INVALID_REQUEST, UNAVAILABLE, TIMEOUT, CANCELLED, AGENT_UNKNOWN = 1, 2, 3, 4, 72


class Failed(Exception):
    def __init__(self, answer):
        super().__init__(answer["message"])
        self.code = answer["code"]
        self.message = answer["message"]
        self.retryable = answer["retryable"]


class Rig:
    """One life after another on one state directory."""

    def __init__(self, state_dir, config=None):
        self.state_dir = str(state_dir)
        self.config_path = os.path.join(self.state_dir, "openclaw.json")
        self.process = None
        self.write_config(config or {})

    def write_config(self, config):
        whole = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"}}, **config}
        with open(self.config_path + ".new", "w", encoding="utf-8") as file:
            json.dump(whole, file)
        os.replace(self.config_path + ".new", self.config_path)

    def reconfigure(self, config):
        self.write_config(config)
        self.write({"cast": "config_reload", "to": "config", "params": {}})

    def start(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
        environment |= {"OPENCLAW_STATE_DIR": self.state_dir, "OPENCLAW_CONFIG_PATH": self.config_path}
        self.errors = open(os.path.join(self.state_dir, "stderr.txt"), "ab")
        self.process = subprocess.Popen([RIG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        env=environment)
        self.next_id = 1
        self.answers = {}
        self.events = []
        self.lives = {}
        self.life_log = []
        self.arrived = threading.Condition()
        self.is_over = False
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        for address in ("config", "router", "health", "channel/webchat"):
            self.until(lambda: self.lives.get(address) == "ready", f"{address} to be ready")
        return self

    def read(self, stdout):
        for line in stdout:
            item = json.loads(line)
            with self.arrived:
                if "id" in item:
                    self.answers.setdefault(item["id"], []).append(item)
                elif "event" in item:
                    self.events.append((item["event"], item["body"]))
                elif "life" in item:
                    self.lives[item["life"]] = item["state"]
                    self.life_log.append((item["life"], item["state"]))
                self.arrived.notify_all()
        with self.arrived:
            self.is_over = True
            self.arrived.notify_all()

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

    def ask_until(self, condition, method, params=None, **more):
        """Asks again and again until the answer is as it should be; returns it."""
        deadline = time.monotonic() + 15
        while True:
            answer = self.call(method, params, **more)
            if condition(answer):
                return answer
            assert time.monotonic() < deadline, f"{method} never answered as expected, last: {json.dumps(answer)[:2000]}"

    def error_text(self):
        with open(os.path.join(self.state_dir, "stderr.txt"), encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def write(self, line):
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def send(self, method, params=None, **more):
        number = self.next_id
        self.next_id += 1
        self.write({"id": number, "method": method, "params": params or {}, **more})
        return number

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

    def health(self, method, params=None, **more):
        return self.call(method, params, to="health", **more)

    def cast(self, name, params, to="health"):
        self.write({"cast": name, "to": to, "params": params})

    def join(self, conn, scopes=("operator.read",), mode="ui", **more):
        self.cast("presence_join", {"conn_id": conn, "client_id": "test", "mode": mode, "role": "operator",
                                    "scopes": list(scopes), **more})

    def leave(self, conn):
        self.cast("presence_leave", {"conn_id": conn})

    def restart(self, address):
        """Restarts one actor and waits until it serves again."""
        count = len(self.life_log)
        self.write({"restart": address})
        self.until(lambda: any(life == (address, "ready") for life in self.life_log[count:])
                   and self.lives[address] == "ready", f"{address} to be ready again")

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
