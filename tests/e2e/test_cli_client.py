"""The command line against a gateway that misbehaves on purpose, and against none at all."""

import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from fake_gateway import FakeGateway, answer, hello, refusal
from gateway import BINARY, free_port, until

SECRET = "secret-of-this-test"


@pytest.fixture
def environment(tmp_path):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_") and k != "NO_COLOR"}
    return {**kept, "HOME": str(tmp_path), "OPENCLAW_GATEWAY_TOKEN": SECRET}


@pytest.fixture
def openclaw(environment):
    def run(*words, timeout=20, **more):
        return subprocess.run([BINARY, *map(str, words)], env={**environment, **more}, capture_output=True,
                              text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    return run


@pytest.mark.parametrize("how", ["reset", "closed", "never accepted"])
def test_a_connection_that_is_cut_off_before_the_answer_is_not_waited_for(openclaw, how):
    """As a gateway does that ends just then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def cut():
            if how == "never accepted":
                select.select([server], [], [], 20)
            else:
                peer = server.accept()[0]
                if how == "reset":
                    peer.recv(1)
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
            server.close()

        port = server.getsockname()[1]
        thread = threading.Thread(target=cut)
        thread.start()
        began = time.monotonic()
        done = openclaw("health", "--url", f"ws://127.0.0.1:{port}", "--timeout", 15000)
        thread.join(20)
        assert done.returncode == 69 and time.monotonic() - began < 10, done.stderr
        assert "no answer from" not in done.stderr, done.stderr


@pytest.mark.parametrize("words, said", [
    (["gatway"], "did you mean 'gateway'"),
    (["gateway", "cal"], "did you mean 'gateway call'"),
    (["gateway", "start"], "'gateway start' is not served by this version: `openclaw gateway`"),
    (["gateway", "install", "--force"], "not served by this version"),
    (["sessions", "--json"], "sessions.list"),
    (["models", "list"], "models.list"),
    (["agents", "list"], "openclaw config get agents"),
    (["onboard"], "openclaw setup"),
    (["tui"], "openclaw agent"),
    (["--json"], "--json needs a command"),
    (["agent", "-m", "x", "--thinking", "banana"], "not 'banana'"),
    (["config", "patch", "--file", "/nofile"], "/nofile cannot be read: No such file"),
    (["config", "set"], "openclaw config set --help"),
    (["cron", "list"], "'cron' is not served by this version"),
    (["qr", "--limited", "--voice-node"], "exclude each other"),
    (["channels", "add"], "openclaw config set"),
    (["gateway", "--raw-stream"], "openclaw bus tap"),
    (["agent", "--local", "-m", "x"], "openclaw gateway"),
    (["approvals", "resolve", "x", "maybe"], "allow-once, allow-always or deny"),
    (["nodes", "camera", "snap", "--node", "x", "--device-id", "y"], "names one camera"),
    (["nodes", "notify", "--node", "x"], "--title <text>"),
    (["node", "run"], "openclaw nodes"),
    (["health", "--jsno"], "did you mean '--json'"),
    (["health", "--timeout", "soon"], "whole number"),
    (["gateway", "call"], "<method>"),
    (["gateway", "call", "health", "--params", "{"], "--params is not JSON"),
    (["gateway", "call", "health", "--params", "[]"], "must be a JSON object"),
    (["agent"], "--message"),
    (["health", "extra"], "does not take 'extra'"),
    (["--profile", "a/b", "health"], "profile"),
    (["health", "--url", "somewhere"], "ws://"),
    (["health", "--url", "ws://me:secret@host"], "no credentials in an address"),
    (["gateway", "status", "--no-probe", "--require-rpc"], "--no-probe"),
])
def test_a_wrong_command_line_is_explained_and_ends_with_2(openclaw, words, said):
    done = openclaw(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("words", [[], ["gateway"], ["gateway", "run"], ["gateway", "call"], ["gateway", "status"],
                                   ["gateway", "probe"], ["gateway", "health"], ["bus"], ["bus", "tap"],
                                   ["bus", "actors"], ["agent"], ["status"], ["health"], ["logs"]])
def test_every_command_has_help(openclaw, words):
    done = openclaw(*words, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("Usage: " + " ".join(["openclaw", *words]))
    assert max(map(len, done.stdout.splitlines())) <= 90
    assert openclaw("help", *words).stdout == done.stdout


def test_version_names_the_version_alone(openclaw):
    assert re.fullmatch(r"OpenClaw \d+\.\d+\.\d+\n", openclaw("--version").stdout)
    assert openclaw("--version", "--json").stdout == openclaw("--json", "-V").stdout == openclaw("--version").stdout


def test_nothing_listening_is_69_with_what_to_do(openclaw):
    done = openclaw("health", "--port", free_port())
    assert (done.returncode, done.stdout) == (69, "")
    assert "Connection refused" in done.stderr and "openclaw gateway" in done.stderr


def test_probe_of_nothing_tells_so_as_json(openclaw):
    port = free_port()
    done = openclaw("gateway", "probe", "--json", "--port", port)
    report = json.loads(done.stdout)
    assert done.returncode == 69
    assert report["ok"] is False and report["capability"] == "unknown" and report["primaryTargetId"] is None
    assert "no_gateway_reachable" in [warning["code"] for warning in report["warnings"]]  # others may run beside
    connect = report["targets"][0]["connect"]
    assert connect["ok"] is False and connect["close"] == {"code": 1006, "reason": ""}


def test_status_of_nothing_is_a_report_too(openclaw):
    port = free_port()
    done = openclaw("gateway", "status", "--json", "--port", port)
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["rpc"]["ok"] is False and report["port"]["status"] == "free"
    assert report["service"]["runtime"]["status"] == "stopped"
    assert openclaw("gateway", "status", "--require-rpc", "--port", port).returncode == 69


def test_a_server_that_is_no_gateway_is_named_as_such(openclaw):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    done = openclaw("health", "--port", server.server_port)
    server.shutdown()
    thread.join(10)
    server.server_close()
    assert done.returncode == 69 and "is no gateway" in done.stderr


def test_a_silent_server_is_given_up_on(openclaw):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        begun = time.monotonic()
        done = openclaw("health", "--port", listener.getsockname()[1], "--timeout", "300")
        assert done.returncode == 75 and "within 300 ms" in done.stderr
        assert time.monotonic() - begun < 5


def test_the_wrong_token_is_77_and_names_its_source(openclaw):
    async def on_connect(socket, request):
        assert request["params"]["auth"] == {"token": SECRET}
        await FakeGateway.say(socket, refusal(request, "unauthorized: gateway token mismatch",
                                              details={"code": "AUTH_TOKEN_MISMATCH"}))
        await socket.close(1008, "unauthorized")

    with FakeGateway(on_connect) as fake:
        done = openclaw("health", "--port", fake.port)
    assert (done.returncode, done.stdout) == (77, "")
    assert "OPENCLAW_GATEWAY_TOKEN" in done.stderr and "gateway.auth.token" in done.stderr
    assert "is not the one of the state directory" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.parametrize("command", [("gateway", "status"), ("gateway", "probe"), ("status",)], ids=" ".join)
def test_a_report_says_that_another_gateway_answers_there(openclaw, command):
    async def on_connect(socket, request):
        await FakeGateway.say(socket, refusal(request, "unauthorized: gateway token mismatch",
                                              details={"code": "AUTH_TOKEN_MISMATCH"}))
        await socket.close(1008, "unauthorized")

    with FakeGateway(on_connect) as fake:
        said = openclaw(*command, OPENCLAW_GATEWAY_PORT=str(fake.port)).stdout
    assert "is not the one of the state directory" in said and SECRET not in said, said


def test_a_device_token_taken_for_the_shared_one_is_named_with_what_helps(openclaw):
    async def on_connect(socket, request):
        if "auth" not in request["params"]:
            await issue(socket, request)
            return
        await FakeGateway.say(socket, refusal(request, "unauthorized: gateway token mismatch",
                                              details={"code": "AUTH_TOKEN_MISMATCH"}))

    with FakeGateway(on_connect) as fake:
        url = f"ws://127.0.0.1:{fake.port}"
        assert openclaw("gateway", "call", "health", "--url", url).returncode == 0
        done = openclaw("gateway", "call", "health", "--url", url)
    assert done.returncode == 77 and "device-auth.json" in done.stderr and "give --token once" in done.stderr


def test_a_line_to_type_means_the_same_profile(openclaw):
    for words in (("bus", "tap"), ("bus", "actors"), ("gateway", "stop")):
        assert "start one with `openclaw --profile zz gateway`" in openclaw("--profile", "zz", *words).stderr, words
    assert "start one with `openclaw --profile zz gateway`" in openclaw("--profile", "zz", "health", "--port",
                                                                        free_port()).stderr


def test_an_unknown_command_names_the_help_of_its_group(openclaw):
    assert "openclaw devices --help shows" in openclaw("devices", "frob").stderr
    assert "openclaw gateway --help shows" in openclaw("gateway", "frob").stderr
    assert "openclaw --help shows" in openclaw("frob").stderr


def test_a_starting_gateway_is_waited_for(openclaw):
    seen = []

    async def on_connect(socket, request):
        seen.append(request)
        if len(seen) < 3:
            await FakeGateway.say(socket, refusal(request, "gateway starting; retry shortly", "UNAVAILABLE",
                                                  retryable=True, retryAfterMs=50))
            await socket.close(1013, "gateway starting")
        else:
            await FakeGateway.say(socket, hello(request))

    with FakeGateway(on_connect) as fake:
        done = openclaw("gateway", "call", "health", "--port", fake.port)
    assert done.returncode == 0 and json.loads(done.stdout) == {"ok": True}
    assert len(seen) == 3


def test_a_connection_lost_before_the_answer_is_69_with_the_reason(openclaw):
    async def on_request(socket, request):
        await socket.close(1012, "service restart")

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("gateway", "call", "health", "--port", fake.port)
    assert done.returncode == 69
    assert "health" in done.stderr and "1012" in done.stderr and "service restart" in done.stderr


def test_an_answer_that_never_comes_is_75(openclaw):
    async def on_request(socket, request):
        pass

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("gateway", "call", "health", "--port", fake.port, "--timeout", "200")
    assert done.returncode == 75 and "within 200 ms" in done.stderr


@pytest.mark.parametrize("noise", ["not json", "[]", "{\"type\":", "{}" * 2, "[" * 500])
def test_rubbish_from_the_gateway_is_an_error_of_its_own(openclaw, noise):
    async def on_request(socket, request):
        await socket.send(noise)

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("gateway", "call", "health", "--port", fake.port)
    assert done.returncode == 70 and "protocol" in done.stderr


def test_unknown_frames_and_answers_to_nobody_are_passed_over(openclaw):
    async def on_request(socket, request):
        await FakeGateway.say(socket, {"type": "novelty", "x": 1})
        await FakeGateway.say(socket, {"type": "res", "id": "somebody else", "ok": True, "payload": 1})
        await FakeGateway.say(socket, {"type": "event", "event": "novelty", "payload": None})
        await FakeGateway.say(socket, answer(request, {"mine": True}))

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("gateway", "call", "health", "--port", fake.port)
    assert json.loads(done.stdout) == {"mine": True}


def test_only_the_first_of_many_answers_counts(openclaw):
    async def on_request(socket, request):
        for n in range(50):
            await FakeGateway.say(socket, answer(request, {"n": n}))

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("gateway", "call", "health", "--port", fake.port)
    assert json.loads(done.stdout) == {"n": 0}


def test_a_large_answer_in_fragments_comes_through(openclaw):
    text = "wörd " * 800_000

    async def on_request(socket, request):
        frame = json.dumps(answer(request, {"text": text}), ensure_ascii=False)
        await socket.send([frame[at:at + 65_537] for at in range(0, len(frame), 65_537)])

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("gateway", "call", "health", "--port", fake.port)
    assert json.loads(done.stdout) == {"text": text}


def test_values_come_through_call_unchanged(openclaw):
    value = {"big": 2**63, "small": -(2**63), "real": 0.1, "text": "ä\u2028\"\\\n", "deep": [[{}], [None, True]],
             "": [], "empty": {}}

    async def on_request(socket, request):
        await FakeGateway.say(socket, answer(request, request["params"]))

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("gateway", "call", "echo", "--params", json.dumps(value), "--port", fake.port)
    assert json.loads(done.stdout) == value


def test_the_goodbye_is_in_order(openclaw):
    with FakeGateway() as fake:
        assert openclaw("gateway", "call", "health", "--port", fake.port).returncode == 0
        until(lambda: fake.closes, what="the close")
        assert fake.closes[0] in (1000, 1005)


def test_an_address_given_does_not_get_the_secrets_of_this_machine(openclaw):
    with FakeGateway() as fake:
        openclaw("gateway", "call", "health", "--url", f"ws://127.0.0.1:{fake.port}")
        openclaw("gateway", "call", "health", "--url", f"ws://127.0.0.1:{fake.port}", "--token", "other")
    first, second = (request["params"] for request in fake.asked("connect"))
    assert "token" not in first.get("auth", {})
    assert second["auth"] == {"token": "other"}
    assert SECRET not in json.dumps(fake.requests)


def test_without_a_secret_the_device_identifies_itself(openclaw, tmp_path):
    with FakeGateway() as fake:
        for _ in range(2):
            openclaw("gateway", "call", "health", "--port", fake.port, OPENCLAW_GATEWAY_TOKEN="")
    first, second = (request["params"]["device"] for request in fake.asked("connect"))
    assert first["id"] == second["id"] and len(first["id"]) == 64 and first["nonce"] == "n-1"
    identity = tmp_path / ".openclaw/identity/device.json"
    assert identity.stat().st_mode & 0o777 == 0o600
    assert json.loads(identity.read_text())["deviceId"] == first["id"]


async def issue(socket, request):
    frame = hello(request)
    frame["payload"]["auth"]["deviceToken"] = "issued-token"
    await FakeGateway.say(socket, frame)


def test_an_issued_device_token_is_used_the_next_time(openclaw):
    with FakeGateway(issue) as fake:
        for _ in range(2):
            openclaw("gateway", "call", "health", "--port", fake.port, OPENCLAW_GATEWAY_TOKEN="")
    first, second = (request["params"] for request in fake.asked("connect"))
    assert "auth" not in first and second["auth"] == {"token": "issued-token"}


@pytest.mark.parametrize("named_by", ["--url", "OPENCLAW_GATEWAY_URL", "--port"])
def test_a_device_token_goes_only_to_the_gateway_that_issued_it(openclaw, tmp_path, named_by):
    with FakeGateway(issue) as own, FakeGateway() as stranger:
        config = tmp_path / ".openclaw" / "openclaw.json"
        config.parent.mkdir()
        config.write_text(json.dumps({"gateway": {"mode": "local", "port": own.port}}))
        auth_file = tmp_path / ".openclaw/identity/device-auth.json"

        def ask(*words, **more):
            assert openclaw("gateway", "call", "health", *words, **{"OPENCLAW_GATEWAY_TOKEN": "", **more}).returncode == 0

        def to_stranger():
            url = f"ws://127.0.0.1:{stranger.port}"
            words = {"--url": ("--url", url), "--port": ("--port", stranger.port)}.get(named_by, ())
            ask(*words, **({named_by: url} if not words else {}))

        ask()
        to_stranger()
        kept = json.loads(auth_file.read_text())
        assert kept["tokens"]["operator"]["token"] == "issued-token"  # where the original looks
        device = kept["deviceId"]
        auth_file.write_text(json.dumps({"version": 1, "deviceId": device,
                                         "tokens": {"operator": {"token": "old-token", "role": "operator"}}}))
        ask()
        to_stranger()
    assert [c["params"].get("auth") for c in own.asked("connect")] == [None, {"token": "old-token"}]
    assert len(stranger.asked("connect")) == 2
    assert all("auth" not in c["params"] and c["params"]["device"]["id"] == device for c in stranger.asked("connect"))


def test_a_refused_device_token_is_named_as_what_was_used(openclaw):
    async def on_connect(socket, request):
        if "auth" not in request["params"]:
            await issue(socket, request)
            return
        await FakeGateway.say(socket, refusal(request, "unauthorized: device token mismatch",
                                              details={"code": "AUTH_DEVICE_TOKEN_MISMATCH"}))

    with FakeGateway(on_connect) as fake:
        url = f"ws://127.0.0.1:{fake.port}"
        assert openclaw("gateway", "call", "health", "--url", url).returncode == 0
        done = openclaw("gateway", "call", "health", "--url", url)
    assert done.returncode == 77 and "device-auth.json" in done.stderr and "no credentials" not in done.stderr
    assert "issued-token" not in done.stderr


def test_a_pairing_request_is_named(openclaw):
    async def on_connect(socket, request):
        await FakeGateway.say(socket, refusal(request, "pairing required: device is not approved yet", "NOT_PAIRED",
                                              details={"code": "PAIRING_REQUIRED", "requestId": "req-77"}))

    with FakeGateway(on_connect) as fake:
        done = openclaw("health", "--port", fake.port, OPENCLAW_GATEWAY_TOKEN="")
        assert done.returncode == 77 and "`openclaw devices approve req-77` on the gateway" in done.stderr
        told = openclaw("status", "--port", fake.port, OPENCLAW_GATEWAY_TOKEN="").stdout
    assert "pairing required" in told and "`openclaw devices approve req-77` on the gateway" in told


def test_status_tells_an_unpaired_device_so(openclaw, tmp_path):
    """What a gateway elsewhere does with its secret from a client that shows no device."""
    async def on_connect(socket, request):
        frame = hello(request)
        frame["payload"]["auth"]["scopes"] = []
        await FakeGateway.say(socket, frame)

    async def on_request(socket, request):
        await FakeGateway.say(socket, refusal(request, "missing scope: operator.read"))

    with FakeGateway(on_connect, on_request) as fake:
        done = openclaw("status", "--url", f"ws://127.0.0.1:{fake.port}", "--token", SECRET)
    assert "pairing required" in done.stdout and "`openclaw health`" in done.stdout
    assert not (tmp_path / ".openclaw/identity").exists()


def test_a_gateway_that_is_not_well_is_1(openclaw):
    async def on_request(socket, request):
        await FakeGateway.say(socket, answer(request, {"ok": False, "degraded": "agent/main is down", "agents": []}))

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("health", "--port", fake.port)
        assert done.returncode == 1 and "agent/main is down" in done.stdout
        assert json.loads(openclaw("health", "--json", "--port", fake.port).stdout)["ok"] is False


async def two_phases(socket, request):
    if request["method"] != "agent":
        await FakeGateway.say(socket, answer(request, {"ok": True}))
        return
    run = request["params"]["idempotencyKey"]
    await FakeGateway.say(socket, answer(request, {"runId": run, "status": "accepted", "acceptedAt": 1}))
    for delta in ("Hello", " wor", "ld"):
        await FakeGateway.say(socket, {"type": "event", "event": "agent", "payload": {
            "runId": run, "sessionKey": "agent:main:main", "stream": "assistant", "data": {"delta": delta}}})
    if request["params"]["message"] == "wait":
        return
    await FakeGateway.say(socket, answer(request, {"runId": run, "status": "ok", "summary": "completed", "result": {
        "payloads": [{"text": "Hello world", "mediaUrl": None}], "meta": {}}}))


def test_agent_prints_the_reply(openclaw):
    with FakeGateway(on_request=two_phases) as fake:
        done = openclaw("agent", "--agent", "main", "-m", "hi", "--port", fake.port)
        assert (done.returncode, done.stdout, done.stderr) == (0, "Hello world\n", "")
        whole = json.loads(openclaw("agent", "-m", "hi", "--json", "--port", fake.port).stdout)
    assert whole["status"] == "ok" and whole["result"]["payloads"][0]["text"] == "Hello world"
    sent = fake.asked("agent")[0]["params"]
    assert sent["message"] == "hi" and sent["agentId"] == "main" and sent["idempotencyKey"]


def test_expect_final_waits_for_the_second_answer(openclaw):
    params = json.dumps({"message": "hi", "idempotencyKey": "k"})
    with FakeGateway(on_request=two_phases) as fake:
        first = openclaw("gateway", "call", "agent", "--params", params, "--port", fake.port)
        final = openclaw("gateway", "call", "agent", "--params", params, "--expect-final", "--port", fake.port)
    assert json.loads(first.stdout or "{}").get("status") == "accepted", first.stderr
    assert final.returncode == 0, final.stderr
    assert json.loads(final.stdout)["status"] == "ok"


def on_terminal(environment, words):
    """Starts the command on a terminal of its own; returns (process, terminal)."""
    try:
        ours, theirs = pty.openpty()
    except OSError as none:
        pytest.skip(f"this root has no terminals: {none}")
    process = subprocess.Popen([BINARY, *map(str, words)], env={**environment, "TERM": "xterm"}, stdin=theirs,
                               stdout=theirs, stderr=subprocess.PIPE, start_new_session=True)
    os.close(theirs)
    return process, ours


def terminal_text(terminal, wanted):
    text = b""
    while wanted not in text:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        text += part
    return text


def test_on_a_terminal_words_appear_as_they_come_and_ctrl_c_aborts(environment):
    with FakeGateway(on_request=two_phases) as fake:
        process, terminal = on_terminal(environment, ["agent", "-m", "wait", "--port", fake.port])
        assert b"Hello world" in terminal_text(terminal, b"Hello world")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        process.stderr.close()
        os.close(terminal)
        until(lambda: fake.asked("chat.abort"), what="the abort")
        asked = fake.asked("chat.abort")[0]["params"]
    assert asked["sessionKey"] == "agent:main:main" and asked["runId"]


def test_control_characters_of_a_reply_do_not_reach_the_terminal(environment):
    async def on_request(socket, request):
        run = request["params"]["idempotencyKey"]
        await FakeGateway.say(socket, answer(request, {"runId": run, "status": "ok", "result": {
            "payloads": [{"text": "red \x1b[31m bell \x07 c1 \x9b1m end"}]}}))

    with FakeGateway(on_request=on_request) as fake:
        process, terminal = on_terminal(environment, ["agent", "-m", "x", "--port", fake.port])
        text = terminal_text(terminal, b"end")
        assert process.wait(10) == 0
        process.stderr.close()
        os.close(terminal)
    assert b"\x1b" not in text and b"\x07" not in text and b"\xc2\x9b" not in text
    assert rb"\x1b[31m" in text


@pytest.mark.parametrize("extra, has_colour", [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)])
def test_colour_is_for_terminals_and_can_be_turned_off(environment, extra, has_colour):
    process, terminal = on_terminal({**environment, **extra}, ["--help"])
    text = terminal_text(terminal, b"Print this help")
    process.stderr.close()
    os.close(terminal)
    process.wait(10)
    assert (b"\x1b[" in text) == has_colour


def log_answer(request, lines, cursor):
    return answer(request, {"file": "/x/openclaw.log", "cursor": cursor, "size": cursor, "lines": lines,
                            "truncated": False, "reset": False})


LINE = json.dumps({"time": "2026-11-22T15:52:19.128+00:00", "0": json.dumps({"subsystem": "edge"}),
                   "_meta": {"logLevelName": "WARN"}, "message": "slow \x1b[2J client"})


def test_logs_are_lines_for_people_and_objects_for_programs(openclaw):
    async def on_request(socket, request):
        await FakeGateway.say(socket, log_answer(request, [LINE, "no json"], 7))

    with FakeGateway(on_request=on_request) as fake:
        plain = openclaw("logs", "--limit", "9", "--port", fake.port).stdout
        records = [json.loads(line) for line in
                   openclaw("logs", "--json", "--port", fake.port).stdout.splitlines()]
    assert plain == "2026-11-22T15:52:19.128+00:00 warn  edge: slow \\x1b[2J client\nno json\n"
    assert [record["type"] for record in records] == ["meta", "log", "raw"]
    assert records[0]["cursor"] == 7
    assert records[1]["level"] == "warn" and records[1]["subsystem"] == "edge" and records[1]["raw"] == LINE
    assert fake.asked("logs.tail")[0]["params"] == {"limit": 9, "maxBytes": 250000}


def test_the_log_of_a_gateway_that_is_down_is_read_from_its_file(openclaw, tmp_path):
    logs = tmp_path / ".openclaw/logs"
    logs.mkdir(parents=True)
    (logs / "openclaw.log").write_text(f"first\n{LINE}\n")
    port = free_port()
    done = openclaw("logs", "--limit", "1", "--json", "--port", port)
    assert done.returncode == 0 and str(logs) in done.stderr
    assert json.loads(done.stdout)["subsystem"] == "edge"
    other = openclaw("logs", "--url", f"ws://127.0.0.1:{port}")
    assert (other.returncode, other.stdout) == (69, "")


def follow(environment, port, *words):
    return subprocess.Popen([BINARY, "logs", "--follow", "--json", "--interval", "20", "--port", str(port), *words],
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_following_survives_a_restart_of_the_gateway(environment):
    cursors = []

    async def on_request(socket, request):
        cursors.append(request["params"].get("cursor"))
        if len(cursors) == 2:
            await socket.close(1012, "service restart")
        else:
            await FakeGateway.say(socket, log_answer(request, [f"line {len(cursors)}"], len(cursors)))

    with FakeGateway(on_request=on_request) as fake:
        process = follow(environment, fake.port)
        records = [json.loads(process.stdout.readline()) for _ in range(5)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130
    assert [record["type"] for record in records] == ["meta", "raw", "notice", "notice", "raw"]
    assert records[4]["raw"] == "line 3"
    assert cursors[:3] == [None, 1, 1]


def test_a_reader_that_went_away_ends_following_quietly(environment):
    count = [0]

    async def on_request(socket, request):
        count[0] += 1
        await FakeGateway.say(socket, log_answer(request, ["x"], count[0]))

    with FakeGateway(on_request=on_request) as fake:
        process = follow(environment, fake.port)
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
        process.stderr.close()


def test_a_full_disk_is_not_mistaken_for_success(environment):
    with FakeGateway() as fake, open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "gateway", "call", "health", "--port", str(fake.port)], env=environment,
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "cannot be written" in done.stderr


def test_a_broken_config_is_78_unless_one_only_looks(openclaw, tmp_path):
    state = tmp_path / ".openclaw"
    state.mkdir()
    (state / "openclaw.json").write_text("{ gateway: { port: ")
    done = openclaw("health")
    assert done.returncode == 78 and "openclaw.json" in done.stderr
    report = json.loads(openclaw("gateway", "status", "--json", "--no-probe").stdout)
    assert report["config"]["cli"]["valid"] is False


def test_with_a_broken_config_the_log_file_is_shown_all_the_same(openclaw, tmp_path):
    state = tmp_path / ".openclaw"
    (state / "logs").mkdir(parents=True)
    (state / "openclaw.json").write_text("{ gateway: { port: ")
    (state / "logs/openclaw.log").write_text("the last words\n")
    done = openclaw("logs", OPENCLAW_GATEWAY_TOKEN="")
    assert done.returncode == 0 and "the last words" in done.stdout
    assert "openclaw.json" in done.stderr and "openclaw.log" in done.stderr


def test_port_and_token_come_from_the_config(openclaw, tmp_path):
    with FakeGateway() as fake:
        state = tmp_path / ".openclaw-work"
        state.mkdir()
        (state / "openclaw.json").write_text(
            "{ gateway: { mode: 'local', port: %d, auth: { mode: 'token', token: 'of-config' } } }" % fake.port)
        done = openclaw("--profile", "work", "gateway", "call", "health", OPENCLAW_GATEWAY_TOKEN="")
        assert done.returncode == 0, done.stderr
    assert fake.asked("connect")[0]["params"]["auth"]["token"] == "of-config"


def test_what_would_turn_or_hide_text_is_shown_as_an_escape(environment):
    """Directions and zero widths would have a name read as another; what joins signs and letters of words stays."""
    shown = "a\u202eb\u2066c\u200fd\u061ce\ufefff\u200bg\u200dh"
    kept = "\U0001f469\u200d\U0001f4bb \u2764\ufe0f\u200d\U0001f525 \u0645\u06cc\u200c\u062e\u0648"

    async def on_request(socket, request):
        run = request["params"]["idempotencyKey"]
        await FakeGateway.say(socket, answer(request, {"runId": run, "status": "ok", "result": {
            "payloads": [{"text": f"{shown} {kept} c1 \x9b1m end"}]}}))

    with FakeGateway(on_request=on_request) as fake:
        process, terminal = on_terminal(environment, ["agent", "-m", "x", "--port", fake.port])
        text = terminal_text(terminal, b"end")
        assert process.wait(10) == 0
        process.stderr.close()
        os.close(terminal)
    assert rb"a\u{202E}b\u{2066}c\u{200F}d\u{61C}e\u{FEFF}f\u{200B}g\u{200D}h " in text
    assert kept.encode() in text
    assert rb"c1 \xc2\x9b1m" in text and b"\x9b1m" not in text


def test_channels_are_shown_with_what_is_wrong_with_them(openclaw):
    """Five accounts, each off or broken in a way of its own; what they say of themselves does not reach the terminal raw."""
    accounts = {
        "telegram": [{"accountId": "alerts", "healthState": "up", "outbox": {"queued": 3, "unknown": 1, "dead": 2}},
                     {"accountId": "off", "enabled": False, "running": False}],
        "slack": [{"accountId": "default", "configured": False},
                  {"accountId": "ops", "probe": {"ok": False}, "lastError": "404 from\x1b[31m the far side"},
                  {"accountId": "home", "linked": False}]}

    async def on_request(socket, request):
        await FakeGateway.say(socket, answer(request, {"channelLabels": {"telegram": "Telegram"},
                                                       "channelAccounts": accounts}))

    with FakeGateway(on_request=on_request) as fake:
        done = openclaw("channels", "status", "--probe", "--timeout", "4000", "--port", fake.port)
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()]
    assert rows[1:6] == [["Telegram", "alerts", "up", "-", "-", "3, 1 unknown, 2 dead"],
                         ["Telegram", "off", "disabled", "-", "-", "0"],
                         ["slack", "default", "not configured", "-", "-", "0"],
                         ["slack", "ops", "probe failed", "-", "-", "0"],
                         ["slack", "home", "not linked", "-", "-", "0"]]
    assert rows[6] == ["slack ops: 404 from\\x1b[31m the far side"]
    asked = [request for request in fake.requests if request["method"] == "channels.status"]
    assert [request["params"] for request in asked] == [{"probe": True, "timeoutMs": 4000}]
