"""Runs the real program in a state directory of its own, and proves that nothing of it stays behind."""

import contextlib
import glob
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("OPENCLAW_TEST_BINARY", os.path.join(ROOT, "build/dev/openclaw"))
TOKEN = "token-of-the-tests"
TOPOLOGIES = {"inproc": None, "ipc": os.path.join(ROOT, "deploy/topologies/split-agents.json5"),
              "split": os.path.join(ROOT, "deploy/topologies/split-process.json5"),
              "tcp": os.path.join(ROOT, "deploy/topologies/split-host.json5")}


def until(condition, timeout=10, what="the condition"):
    """Polls until `condition` yields something true, and returns it."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not hold within {timeout} s")
        time.sleep(0.02)


def free_port():
    """Below the range from which the kernel takes the ports of clients, so that nobody takes it before we listen."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def clock_library():
    """What gives a program a wrong clock (package faketime); None where it is not installed."""
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)


class Elsewhere:
    """A host of the topology split-host, with a state and keys of its own, and no config; with a network (netns.py) on
    a machine of its own."""

    def __init__(self, gateway, host="agents"):
        self.gateway = gateway
        self.host = host
        self.process = None
        self.skew_s = 0  # its clock is off by so much; set it before the start
        self.extra = {}  # of its environment
        self.prefix = gateway.network.machine(host) if gateway.network else []
        self.state_dir = os.path.join(gateway.state_dir, f"elsewhere-{host}")
        self.output = os.path.join(gateway.state_dir, f"elsewhere-{host}.txt")
        self.topology_path = os.path.join(gateway.state_dir, "topology.json5")
        os.makedirs(self.state_dir, exist_ok=True)
        self.key = self.keygen(self.environment)
        allowed = gateway.cli("bus", "allow", host, self.key)
        assert allowed.returncode == 0, allowed.stderr
        if not os.path.exists(self.topology_path):
            self.write_topology(self.keygen(gateway.environment))

    @property
    def environment(self):
        return {**self.gateway.environment, **self.clock(), "OPENCLAW_STATE_DIR": self.state_dir,
                "OPENCLAW_CONFIG_PATH": os.path.join(self.state_dir, "none.json"), **self.extra}

    def clock(self):
        """Time goes on as it does, from a wrong start. ASan wants to be loaded first, and is linked in anyway."""
        if not self.skew_s:
            return {}
        asan = self.gateway.environment["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        return {"LD_PRELOAD": clock_library(), "FAKETIME": f"{self.skew_s:+g}", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "ASAN_OPTIONS": asan}

    def keygen(self, environment):
        done = self.gateway.cli("bus", "keygen", "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["publicKey"]

    def write_topology(self, key):
        with open(TOPOLOGIES["tcp"], encoding="utf-8") as file:
            text = file.read()
        address = self.gateway.network.gateway if self.gateway.network else "127.0.0.1"
        self.port = free_port()  # where it joins
        for old, new in (("the-public-key-that-bus-keygen-prints-00", key), ("10.0.0.1:18800", f"{address}:{self.port}")):
            assert old in text
            text = text.replace(old, new)
        with open(self.topology_path, "w", encoding="utf-8") as file:
            file.write(text)

    def spawn(self):
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self.prefix + self.gateway.command("host", self.host, "--topology", self.topology_path), env=self.environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def text(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        """It joins, and joins again, by itself; the gateway is not ready without."""
        if not self.process or self.process.poll() is not None:
            self.spawn()

    def stop(self, timeout=15):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout)


class Gateway:
    def __init__(self, topology="inproc", config=None, state_dir=None, environment=None, arguments=(), network=None):
        self.mark = uuid.uuid4().hex
        self.port = free_port()
        self.token = TOKEN
        self.owns_state = state_dir is None
        self.state_dir = state_dir or tempfile.mkdtemp(prefix="openclaw-e2e-")
        self.sanitizer_log = os.path.join(self.state_dir, "sanitizer")
        self.output = os.path.join(self.state_dir, "output.txt")
        self.arguments = list(arguments)
        self.network = network  # of netns.py
        self.elsewhere = None  # with topology tcp: the other machine, as far as one can be had here
        self.more = []  # and further ones
        self.topology = topology
        if TOPOLOGIES[topology] and topology != "tcp":
            self.arguments += ["--topology", TOPOLOGIES[topology]]
        self.extra = environment or {}
        self.is_port_given = True  # by flag; else the config says it
        self.tls = None  # the ssl.SSLContext to talk to it with; None: it speaks plainly
        self.process = None
        self.config_path = os.path.join(self.state_dir, "openclaw.json")
        if not os.path.exists(self.config_path):
            self.write_config(config or {})
        if topology == "tcp":
            self.elsewhere = Elsewhere(self)
            self.arguments += ["--topology", self.elsewhere.topology_path]

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *what):
        self.close()

    def others(self):
        return ([self.elsewhere] if self.elsewhere else []) + self.more

    def add_host(self, host, *actors):
        """One more host of the topology, on a machine of its own. Before the start."""
        with open(self.elsewhere.topology_path, encoding="utf-8") as file:
            text = file.read()
        row = f'hosts: {{\n    {host}: {{ link: "tcp", actors: {json.dumps(actors)} }},'
        with open(self.elsewhere.topology_path, "w", encoding="utf-8") as file:
            file.write(text.replace("hosts: {", row, 1))
        self.more.append(Elsewhere(self, host))

    def write_config(self, changes):
        config = {
            "gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN},
                        "http": {"endpoints": {"chatCompletions": {"enabled": True}}}},
            "agents": {"defaults": {"model": {"primary": "builtin/echo"}}},
        }
        for key, value in changes.items():
            config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(config, file)

    @property
    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
        options = f"log_path='{self.sanitizer_log}':log_exe_name=1"
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            kept[name] = f"{kept[name]}:{options}" if kept.get(name) else options
        return {**kept, "HOME": self.state_dir, "OPENCLAW_STATE_DIR": self.state_dir,
                "OPENCLAW_CONFIG_PATH": self.config_path, "OPENCLAW_TEST_MARK": self.mark, **self.extra}

    def command(self, *words):
        return [BINARY, *words]

    def cli(self, *words, timeout=30, environment=None, **options):
        """Runs the command line against this gateway; returns the finished process."""
        return subprocess.run(self.command(*words), env={**self.environment, "OPENCLAW_GATEWAY_PORT": str(self.port),
                                                         **(environment or {})},
                              capture_output=True, text=True, timeout=timeout, check=False, **options)

    def spawn(self):
        port = ["--port", str(self.port)] if self.is_port_given else []
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self.command("gateway", "run", *port, *self.arguments),
                env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)
        for each in self.others():
            each.start()
        return self

    def start(self):
        self.spawn()
        until(self.is_ready_or_gone, 15, "readiness")
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.text()}")
        return self

    def is_ready_or_gone(self):
        if self.process.poll() is not None:
            return True
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def text(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    def logs(self):
        """What the log file and the output say, as lines."""
        lines = self.text().splitlines()
        for folder, _, names in os.walk(self.state_dir):
            for name in names:
                if name.endswith(".log"):
                    with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                        lines += file.read().splitlines()
        return lines

    @property
    def agents_dir(self):
        """The state directory of the machine on which its agents run."""
        return self.elsewhere.state_dir if self.elsewhere else self.state_dir

    def told(self):
        """What all its machines log, as lines."""
        return self.logs() + [line for each in self.others() for line in each.text().splitlines()]

    def processes(self):
        """Every live process that descends from this gateway or its command line."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if self.mark.encode() in file.read():
                        found.append(int(pid))
        return found

    def children(self):
        """Those that a supervising process starts again; that of another machine is not one of them."""
        keepers = {each.process.pid for each in self.others() if each.process}
        return [pid for pid in self.processes() if pid != self.process.pid and pid not in keepers]

    def stop(self, signum=signal.SIGTERM, timeout=15):
        for each in self.others():
            each.stop(timeout)
        if self.process and self.process.poll() is None:
            self.process.send_signal(signum)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                for pid in self.processes():
                    os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"it did not stop within {timeout} s:\n{self.text()[-4000:]}") from None
        return self.process.returncode if self.process else None

    def here(self):
        """Those of its own machine; the other ones run on without it."""
        away = [f"OPENCLAW_STATE_DIR={each.state_dir}".encode() for each in self.others()]
        found = []
        for pid in self.processes():
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if not set(away) & set(file.read().split(b"\0")):
                        found.append(pid)
        return found

    def check_nothing_left(self):
        until(lambda: not self.processes(), 5, "the end of every process of the gateway")

    def check_nothing_left_here(self):
        until(lambda: not self.here(), 5, "the end of every process of the gateway's machine")

    def sanitizer_reports(self):
        reports = []
        for name in os.listdir(self.state_dir):
            if name.startswith("sanitizer."):
                with open(os.path.join(self.state_dir, name), encoding="utf-8", errors="replace") as file:
                    reports.append(file.read())
        return reports

    def close(self):
        """Ends the life of this gateway: stopped, nothing left behind, no sanitizer report."""
        try:
            code = self.stop()
            self.check_nothing_left()
            reports = self.sanitizer_reports()
            assert not reports, "\n".join(reports)[:8000]
            return code
        finally:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self.owns_state:
                shutil.rmtree(self.state_dir, ignore_errors=True)

    def request(self, method, path, body=None, headers=None, timeout=20):
        """One HTTP exchange: (status, headers, body as text)."""
        connection = (http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.tls)
                      if self.tls else http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout))
        try:
            if isinstance(body, (dict, list)):
                body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def get(self, path, timeout=5):
        status, _, text = self.request("GET", path, timeout=timeout)
        return status, text

    def complete(self, body, headers=None, timeout=20):
        return self.request("POST", "/v1/chat/completions", body,
                            {"Authorization": f"Bearer {self.token}", **(headers or {})}, timeout)
