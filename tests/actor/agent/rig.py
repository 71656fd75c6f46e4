"""Commands one agent over the bus, and a provider beside it."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
RIG = os.environ.get("OPENCLAW_AGENT_RIG", os.path.join(ROOT, "build/dev/tests/actor/agent/agent_rig"))


class Provider:
    """The mock provider in a process of its own."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests/support/mock_provider.py")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=5) as answer:
            return json.load(answer)

    def setup(self, **more):
        return {"api": "openai-completions", "baseUrl": f"http://127.0.0.1:{self.port}/v1", "apiKey": "sk-secret-key",
                "models": [{"id": "mock-1", "name": "mock-1"}], **more}

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Failed(Exception):
    def __init__(self, answer):
        super().__init__(answer["message"])
        self.code = answer["code"]
        self.message = answer["message"]
        self.answer = answer


class Rig:
    """One life after another of one agent on one state directory."""

    def __init__(self, state_dir, config=None, environment=None):
        self.state_dir = str(state_dir)
        self.environment = environment or {}
        self.config_path = os.path.join(self.state_dir, "openclaw.json")
        self.process = None
        self.write_config(config or {})

    def write_config(self, config):
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump({"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"}}, **config}, file)

    def start(self, file_bytes_max=None, waits=True):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
        environment |= {"OPENCLAW_STATE_DIR": self.state_dir, "OPENCLAW_CONFIG_PATH": self.config_path,
                        **self.environment}
        self.errors = open(os.path.join(self.state_dir, "stderr.txt"), "ab")

        def limit():
            if file_bytes_max:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, resource.RLIM_INFINITY))

        self.process = subprocess.Popen([RIG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        env=environment, preexec_fn=limit, restore_signals=not file_bytes_max)
        self.next_id = 1
        self.answers = {}
        self.events = []
        self.arrived = threading.Condition()
        self.is_ready = False
        self.is_over = False
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        if waits:
            self.until(lambda: self.is_ready, "readiness")
        return self

    def read(self, stdout):
        for line in stdout:
            item = json.loads(line)
            with self.arrived:
                if "id" in item:
                    self.answers.setdefault(item["id"], []).append(item)
                elif "event" in item:
                    self.events.append((item["event"], item["body"]))
                else:
                    self.is_ready = True
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

    def poll(self, condition, what, timeout=15):
        """For what no message tells of; `condition` may itself call."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come; stderr: {self.error_text()}"
            time.sleep(0.02)

    def error_text(self):
        with open(os.path.join(self.state_dir, "stderr.txt"), encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def send(self, method, params, **more):
        number = self.next_id
        self.next_id += 1
        self.write({"id": number, "method": method, "params": params, **more})
        return number

    def write(self, line):
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, number, timeout=15):
        def last():
            items = self.answers.get(number, [])
            return items[-1] if items and "ok" in items[-1] else None
        item = self.until(last, f"the answer to {number}", timeout)
        if not item["ok"]:
            raise Failed(item)
        return item["body"]

    def call(self, method, params, **more):
        return self.answer(self.send(method, params, **more))

    def chunks(self, number, name):
        with self.arrived:
            return [a["body"] for a in self.answers.get(number, []) if a.get("chunk") == name]

    def event(self, name, match=lambda body: True, timeout=15):
        return self.until(lambda: next((b for n, b in self.events if n == name and match(b)), None), f"event {name}", timeout)

    def of_run(self, name, run):
        with self.arrived:
            return [b for n, b in self.events if n == name and b.get("runId") == run]

    def chat(self, text, key, session="agent:main:s"):
        """Sends one message and waits for the end of its run; returns the last chat event."""
        self.call("chat.send", {"sessionKey": session, "message": text, "idempotencyKey": key})
        return self.event("chat", lambda b: b["runId"] == key and b["state"] != "delta")

    def history(self, session="agent:main:s", **more):
        return self.call("chat.history", {"sessionKey": session, **more})["messages"]

    def said(self, session="agent:main:s"):
        return [(m["role"], text_of(m)) for m in self.history(session)]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
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


def text_of(message):
    return "\n".join(part["text"] for part in message["content"])
