"""Whoever writes the config may be killed at any instant: the file is the old one or the new one, never anything else."""

import json
import os
import random
import signal
import subprocess
import threading
import time

from client import Client
from gateway import Gateway, until

KILLS = int(os.environ.get("OPENCLAW_TEST_KILLS", "20"))
HOST_KILLS = max(3, KILLS) if "OPENCLAW_TEST_KILLS" in os.environ else 3
TEXT = "// mine\n{\n  gateway: { mode: 'local', auth: { mode: 'token', token: 'x' } },\n  logging: { level: 'info' }, %s\n}\n"


def padding():
    return "env: { vars: { %s } }" % ", ".join(f"NAME_{i}: 'a value of some length'" for i in range(500))


def levels(text):
    """The level that a whole text has; an error when it is not whole."""
    assert text.startswith("// mine\n{") and text.rstrip().endswith("}") and "NAME_499" in text, text[:200]
    at = text.index("level: ") + len("level: ")
    return text[at:text.index(" ", at)].strip("'\",")


def test_the_command_line_is_killed_while_it_writes():
    gateway = Gateway()
    try:
        with open(gateway.config_path, "w", encoding="utf-8") as file:
            file.write(TEXT % padding())
        started = time.monotonic()
        assert gateway.cli("config", "set", "logging.level", "info").returncode == 0
        took, was = time.monotonic() - started, "info"
        seen = {"killed": 0, "changed": 0}
        environment = gateway.environment  # a search for leaks that is killed half-way reports that it could not finish
        environment["ASAN_OPTIONS"] += ":detect_leaks=0"
        for i in range(KILLS):
            want = ("debug", "warn", "info")[i % 3]
            with subprocess.Popen(gateway.command("config", "set", "logging.level", want), env=environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                time.sleep(random.uniform(took / 4, took * 1.1))
                process.kill()
                seen["killed"] += process.wait() == -signal.SIGKILL
            with open(gateway.config_path, encoding="utf-8") as file:
                now = levels(file.read())
            assert now in (was, want), (was, want, now)
            seen["changed"] += now != was
            was = now
        assert seen["killed"], seen
        assert gateway.cli("config", "set", "logging.level", "error").returncode == 0
        left = [name for name in os.listdir(gateway.state_dir) if name.endswith(".tmp")]
        assert not left, left
    finally:
        gateway.close()


def test_a_gateway_is_killed_while_it_writes():
    """Its host is; the supervising process starts another, which goes on with what is on the disk."""
    gateway = Gateway(config={"env": {"vars": {f"NAME_{i}": "a value" for i in range(200)}}}).start()
    stop, written = threading.Event(), []

    def write():
        number = 0
        while not stop.is_set():
            try:
                with Client(gateway.port, gateway.token) as client:
                    while not stop.is_set():
                        number += 1
                        now = client.call("config.get")
                        now["parsed"]["agents"]["defaults"]["workspace"] = f"/w{number}"
                        client.call("config.set", {"raw": json.dumps(now["parsed"]), "baseHash": now["hash"]})
                        written.append(number)
            except Exception:  # killed under our hands; the next round connects again
                time.sleep(0.02)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(HOST_KILLS):
            count = len(written)
            until(lambda: len(written) > count + 2, 20, "some writes")
            for pid in gateway.children():
                os.kill(pid, signal.SIGKILL)
            with open(gateway.config_path, encoding="utf-8") as file:
                config = json.load(file)
            assert len(config["env"]["vars"]) == 200 and config["agents"]["defaults"]["workspace"].startswith("/w")
            assert int(config["agents"]["defaults"]["workspace"][2:]) >= written[-1], "an answered write is on the disk"
    finally:
        stop.set()
        thread.join(30)
        gateway.close()
