"""The tap: what passes on the bus, live and recorded, and who may see it."""

import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import xml.dom.minidom

import pytest

from client import Client
from gateway import BINARY, TOPOLOGIES, until
from test_process import Control, hosts, is_whole, tap, told


def call(gateway, method="health", **params):
    """A call of a client that went well."""
    return gateway.cli("gateway", "call", method, "--token", gateway.token, "--params", json.dumps(params)).returncode == 0


def lines(done):
    """What a command that went well printed."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_host_that_does_not_hear_of_a_tap_has_a_name(fresh_gateway):
    running = fresh_gateway(topology="ipc").start()
    agents = next(host for host in hosts(running) if host["name"] == "agents")
    os.kill(agents["pid"], signal.SIGSTOP)  # it is ended for that, and the next one hears of the tap when it comes
    watcher = tap(running, "--filter", "to == agent/main && method == chat.send && kind == call", "--count", "1")
    until(lambda: is_whole(running) and any(host["pid"] != agents["pid"] for host in hosts(running) if host["name"] == "agents"),
          20, "the return of the host")
    refused = [line for line in running.logs() if "tap_host_refused" in line]
    assert all("host=agents" in line or '"host":"agents"' in line for line in refused), refused
    until(lambda: call(running, "chat.send", sessionKey="agent:main:x", message="hi", idempotencyKey="k1")
          and watcher.poll() is not None, 20, "what passes there")
    assert len(watcher.communicate(timeout=10)[0].splitlines()) == 1


def test_the_tap_shows_a_call_and_its_answer_in_order(gateway):
    watcher = tap(gateway, "--filter", "method == health", "--count", "2")
    until(lambda: gateway.cli("gateway", "call", "health", "--token", gateway.token).returncode == 0
          and watcher.poll() is not None, 20, "two envelopes")
    seen = [json.loads(line) for line in watcher.communicate(timeout=10)[0].splitlines()]
    assert [each["kind"] for each in seen] == ["call", "reply"]
    assert seen[0]["trace"] == seen[1]["trace"] and len(seen[0]["trace"]) == 32
    assert seen[0]["to"] == "health" and seen[1]["from"] == "health"
    assert seen[1]["latencyMs"] >= 0 and seen[0]["ts"] <= seen[1]["ts"]
    assert seen[0]["bytes"] > 0


def test_the_tap_never_shows_a_secret(gateway):
    watcher = tap(gateway, "--bodies", "--filter", "method ~ auth_* || method ~ connect*", "--count", "4")
    until(lambda: gateway.cli("gateway", "call", "health", "--token", gateway.token).returncode == 0
          and watcher.poll() is not None, 60, "the words of two clients")
    said = watcher.communicate(timeout=20)[0]
    assert "auth_connect" in said and gateway.token not in said


def test_the_tap_outlives_a_host(fresh_gateway):
    running = fresh_gateway(topology="ipc").start()
    watcher = tap(running, "--filter", "from == agent/main", "--count", "1")
    os.kill(next(host for host in hosts(running) if host["name"] == "agents")["pid"], signal.SIGKILL)
    seen = json.loads(watcher.communicate(timeout=20)[0].splitlines()[0])
    assert seen["from"] == "agent/main"


def test_the_tap_is_detached_when_its_watcher_dies(gateway):
    before = told(gateway, "tap_detached client=")
    watcher = tap(gateway, "--filter", "bytes < 0")
    watcher.kill()
    watcher.communicate(timeout=10)
    until(lambda: told(gateway, "tap_detached client=") > before, 10, "the end of the tap")


def test_the_tap_takes_no_endpoint_of_others(gateway):
    run = os.path.join(gateway.state_dir, "run")
    with Control(gateway) as control:
        for endpoint in ("tcp://127.0.0.1:1", "ipc:///tmp/x.sock", f"ipc://{run}/control.sock", f"ipc://{run}/tap-",
                         f"ipc://{run}/tap-../../x", f"ipc://{run}/tap-{'x' * 200}"):
            assert control.line(json.dumps({"op": "tap", "endpoint": endpoint}) + "\n")["ok"] is False, endpoint


def test_a_wrong_filter_names_its_column(gateway):
    done = gateway.cli("bus", "tap", "--filter", "to == x && bytez > 3")
    assert done.returncode == 2 and "column 12" in done.stderr
    with Control(gateway) as control:
        answer = control.line(json.dumps({"op": "tap", "endpoint": f"ipc://{gateway.state_dir}/run/tap-x",
                                          "filter": "to = x"}) + "\n")
    assert not answer["ok"] and "column 4" in answer["error"]["message"]


def test_a_filter_is_judged_where_envelopes_are_sent(gateway):
    """By what the watcher cannot see as well: the session that a body is about, and the time until an answer."""
    watchers = [tap(gateway, "--count", "1", "--filter", each) for each in (
        "session == agent:main:judged && method == chat.send", "method == health && latency > 0 && kind == reply",
        "to == \"health\" && bytes > 10 && (kind == call || kind == cast) && !(method ~ bus.*)",
        "method == health && latency > 1000000s")]
    assert any("tap_attached client=" in line and "uid=" in line and "session == agent:main:judged" in line
               for line in gateway.logs()), "who watches what is logged"
    until(lambda: call(gateway, "chat.send", sessionKey="agent:main:judged", message="hi", idempotencyKey="judged")
          and call(gateway)
          and all(each.poll() is not None for each in watchers[:-1]), 60, "one envelope for each")
    first, second, third = [json.loads(each.communicate(timeout=10)[0]) for each in watchers[:-1]]
    assert first["session"] == "agent:main:judged" and "body" not in first
    assert second["latencyMs"] > 0
    assert third["to"] == "health" and third["bytes"] > 10
    watchers[-1].terminate()
    assert watchers[-1].communicate(timeout=10)[0] == ""


def test_bus_commands_without_a_gateway_say_so(fresh_gateway):
    nobody = fresh_gateway()
    for words in (("bus", "actors"), ("bus", "tap")):
        done = nobody.cli(*words)
        assert done.returncode == 69 and "no gateway runs" in done.stderr


# --- recordings --------------------------------------------------------------------------------------------


def test_a_recording_has_what_passed_and_is_read_with_the_same_filters(gateway, tmp_path):
    path = str(tmp_path / "bus.tap")
    watcher = tap(gateway, "--record", path, "--bodies", "--filter", "kind != credit")
    assert call(gateway)
    assert call(gateway, "chat.send", sessionKey="agent:main:taped", message="hi", idempotencyKey="taped")
    until(lambda: os.path.getsize(path) > 16 and any(
        one.get("body", {}).get("sessionKey") == "agent:main:taped"
        for one in lines(gateway.cli("bus", "tap", "--read", path, "--json", "--bodies"))), 10, "what is on disk already")
    watcher.send_signal(signal.SIGINT)
    said = watcher.communicate(timeout=10)[1]
    assert watcher.returncode == 130 and "envelopes recorded" in said, said
    every = lines(gateway.cli("bus", "tap", "--read", path, "--json"))
    assert len(every) > 10 and all(one["kind"] != "credit" and "body" not in one for one in every)
    assert [one["ts"] for one in every] == sorted(one["ts"] for one in every)
    answers = lines(gateway.cli("bus", "tap", "--read", path, "--json", "--filter",
                                "method == health && kind == reply && latency > 0 && from == health"))
    assert answers and all(one["latencyMs"] > 0 for one in answers)
    trace = answers[0]["trace"]
    same = lines(gateway.cli("bus", "tap", "--read", path, "--json", "--filter", f"trace == {trace}"))
    assert {one["trace"] for one in same} == {trace} and {"call", "reply"} <= {one["kind"] for one in same}
    assert gateway.token not in gateway.cli("bus", "tap", "--read", path, "--bodies").stdout
    part = str(tmp_path / "part.tap")
    copied = gateway.cli("bus", "tap", "--read", path, "--record", part, "--filter", f"trace == {trace}")
    assert copied.returncode == 0 and f"{len(same)} envelopes" in copied.stderr
    assert lines(gateway.cli("bus", "tap", "--read", part, "--json")) == same
    assert gateway.cli("bus", "tap", "--read", path, "--record", part).returncode == 1, "nothing is written over"
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_recording_is_asked_for_what_nobody_asked_for_while_it_was_made(gateway, tmp_path):
    """Whatever filter: by session without bodies, by size and by a trace in either spelling; up to the last message."""
    path = str(tmp_path / "all.tap")
    watcher = tap(gateway, "--record", path)
    assert call(gateway, "chat.send", sessionKey="agent:main:later", message="hi", idempotencyKey="later")
    with Client(gateway.port, gateway.token) as client:
        client.call("chat.history", {"sessionKey": "agent:main:later"})
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=10)

    def read(expression):
        return lines(gateway.cli("bus", "tap", "--read", path, "--json", "--filter", expression))

    about = read("session == agent:main:later")
    assert {"chat.send", "chat.history"} <= {one.get("method") for one in about}
    assert {"chat", "session.message"} <= {one.get("topic") for one in about}
    assert all(one["session"] == "agent:main:later" and "body" not in one for one in about)
    last = read("method == chat.history && kind == reply")
    assert len(last) == 1 and read(f"trace == {last[0]['trace'].upper()} && kind == reply && method == chat.history") == last
    assert read(f"size == {last[0]['bytes']} && method == chat.history && kind == reply") == last
    assert not read("size > 1M")


def test_a_trace_shows_where_the_time_of_one_request_went(gateway, tmp_path):
    path = str(tmp_path / "times.tap")
    recorder = tap(gateway, "--record", path, "--times")
    before = told(gateway, "tap_attached client=")
    tracer = subprocess.Popen(gateway.command("bus", "trace", "--json", "--filter", "method == chat.send"),
                              env=gateway.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: told(gateway, "tap_attached client=") > before, 10, "the tracer")
    assert call(gateway, "chat.send", sessionKey="agent:main:traced", message="hi", idempotencyKey="traced")
    traced = json.loads(tracer.communicate(timeout=30)[0])
    way = [(one["kind"], one["from"], one["to"], one["depth"]) for one in traced["messages"]]
    assert way[0] == ("call", "edge/0", "router", 0)
    assert ("call", "edge/0", "agent/main", 1) in way, "the router hands it on while it handles it"
    first = traced["messages"][0]
    reply = next(one for one in traced["messages"] if (one["kind"], one["from"], one["to"]) == ("reply", "agent/main", "edge/0"))
    assert all(one["wireMs"] > -1 and one["waitMs"] >= 0 and one["handlerMs"] > 0 for one in traced["messages"])
    assert 0 < first["answerMs"] <= traced["spanMs"] and reply["atMs"] == first["answerMs"]
    events = [one for one in traced["messages"] if one["kind"] == "publish" and one["to"] == "edge/0"]
    assert {"agent", "chat", "session.message", "sessions.changed"} <= {one["topic"] for one in events}
    assert all(one["from"] == "agent/main" and one["depth"] > 0 for one in events)
    assert max(one["atMs"] for one in events) > reply["atMs"], "what comes of it behind the answer belongs to it"
    recorder.send_signal(signal.SIGINT)
    recorder.communicate(timeout=10)
    read = json.loads(gateway.cli("bus", "trace", traced["trace"], "--read", path, "--json").stdout)
    assert read == traced, "a recording knows the same"
    shown = gateway.cli("bus", "trace", "--filter", "kind == reply && method == chat.send", "--read", path).stdout
    assert traced["trace"] in shown and "router > agent/main call (handed on) chat.send" in shown


def test_a_trace_that_is_none_or_not_there_is_refused(gateway, tmp_path):
    assert gateway.cli("bus", "trace", "xyz").returncode == 2
    done = gateway.cli("bus", "trace", "0" * 31 + "1", "--duration", "1")
    assert done.returncode == 1 and "no message" in done.stderr


def test_what_is_no_recording_is_refused(gateway, tmp_path):
    path = str(tmp_path / "x")
    with open(path, "w", encoding="utf-8") as file:
        file.write("something else altogether")
    for name in (path, str(tmp_path / "nothing"), str(tmp_path)):
        done = gateway.cli("bus", "tap", "--read", name)
        assert done.returncode == 1 and name in done.stderr and not done.stdout


# --- what the actors do --------------------------------------------------------------------------------------


def test_top_shows_rates_times_and_memory(gateway):
    with Client(gateway.port, gateway.token) as client:
        before = told(gateway, "tap_attached client=")
        top = subprocess.Popen(gateway.command("bus", "top", "--json"), env=gateway.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: told(gateway, "tap_attached client=") > before, 10, "the tap of top")
        looks = []
        reader = threading.Thread(target=lambda: looks.extend(json.loads(line) for line in top.stdout))
        reader.start()
        until(lambda: client.call("health") and len(looks) >= 2, 20, "two looks")
        top.send_signal(signal.SIGINT)
        reader.join(10)
        assert top.wait(10) == 130
    health = {actor["address"]: actor for actor in looks[-1]["actors"]}["health"]
    assert health["inPerSecond"] > 5 and health["outPerSecond"] > 5 and 0 < health["busy"] < 1
    for times in ("waitMs", "handlerMs", "answerMs"):
        assert 0 <= health[times]["p50"] <= health[times]["p99"] <= health[times]["max"] < 1000 and health[times]["n"] > 5
    assert health["mailboxMsgsMax"] > 0 and looks[-1]["dropped"] == 0
    assert all(host["rssBytes"] > 1 << 20 and host["cpu"] >= 0 for host in looks[-1]["hosts"])
    assert looks[-1]["actors"][0]["inPerSecond"] >= health["inPerSecond"], "the busiest stands first"


def test_top_once_is_a_table(gateway):
    done = gateway.cli("bus", "top", "--once")
    assert done.returncode == 0 and done.stdout.startswith("ACTOR") and "\nHOST" in done.stdout
    assert {actor["address"] for actor in json.loads(gateway.cli("bus", "actors", "--json").stdout)["actors"]} <= set(
        done.stdout.split())


def test_the_graph_shows_who_talks_to_whom(gateway):
    assert call(gateway, "chat.send", sessionKey="agent:main:drawn", message="hi", idempotencyKey="drawn")
    known = json.loads(gateway.cli("bus", "graph", "--json").stdout)["actors"]
    edge = next(actor for actor in known if actor["address"] == "edge/0")
    assert {link["to"] for link in edge["links"] if link["msgs"]} >= {"auth", "config", "router"}
    agent = next(actor for actor in known if actor["address"] == "agent/main")
    assert "edge/0" in next(topic["to"] for topic in agent["topics"] if topic["name"] == "chat")
    dot = gateway.cli("bus", "graph").stdout
    assert dot.startswith("digraph bus {") and '[label="agent/main"]' in dot and "host/main" not in dot
    assert '[label="host/main"]' in gateway.cli("bus", "graph", "--all").stdout
    assert gateway.cli("bus", "graph", "--format", "mermaid").stdout.startswith("flowchart LR\n")
    drawn = xml.dom.minidom.parseString(gateway.cli("bus", "graph", "--format", "svg").stdout)
    texts = {text.firstChild.data for text in drawn.getElementsByTagName("text")}
    assert {actor["address"] for actor in known if not actor["address"].startswith("host/")} <= texts
    assert gateway.cli("bus", "graph", "--format", "png").returncode == 2


# --- by hand -------------------------------------------------------------------------------------------------


def test_one_call_by_hand_is_answered_and_logged(gateway):
    done = gateway.cli("bus", "call", "health", "health", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and answer["from"] == "health" and answer["latencyMs"] > 0 and len(answer["trace"]) == 32
    assert answer["reply"]["ok"] is True
    assert any("bus_call" in line and "address=health method=health" in line and f"uid={os.getuid()}" in line
               for line in gateway.logs())
    shown = gateway.cli("bus", "call", "router", "sessions.list", "{}")
    assert "sessions" in json.loads(shown.stdout), shown.stderr
    assert gateway.cli("bus", "call", "health", "presence_leave", '{"conn_id": "nobody"}').returncode == 0, "a cast"


def test_a_call_by_hand_shows_no_secret(gateway):
    done = gateway.cli("bus", "call", "config", "config_read", '{"path": "gateway.auth"}')
    assert done.returncode == 0 and gateway.token not in done.stdout, done.stdout


def test_a_call_by_hand_streams(gateway):
    done = gateway.cli("bus", "call", "router", "agent", "--stream", "--json", json.dumps(
        {"message": "one two three", "sessionKey": "agent:main:byhand", "idempotencyKey": "byhand"}))
    answer = json.loads(done.stdout)
    assert [chunk["name"] for chunk in answer["chunks"]][0] == "agent_accepted", done.stdout
    assert answer["from"] == "agent/main" and answer["reply"]["status"] == "ok"


def test_what_goes_wrong_with_a_call_by_hand_is_told(gateway):
    for words, says in ((("nobody", "health"), "there is no actor"), (("log", "health"), "no method"),
                        (("health", "nonsense"), "no call or cast"), (("router", "chat.send"), "required"),
                        (("health", "health", "--timeout", "1"), None)):
        done = gateway.cli("bus", "call", *words)
        assert says is None or (done.returncode == 1 and says in done.stderr), done.stderr
    assert gateway.cli("bus", "call", "health", "health", "{").returncode == 2
    assert gateway.cli("bus", "call", "health", "health", "[1]").returncode == 2


# --- Wireshark -----------------------------------------------------------------------------------------------

DISSECTOR = os.path.join(os.path.dirname(BINARY), "schema/gen/openclaw_bus.lua")
needs_tshark = pytest.mark.skipif(not shutil.which("tshark") or not os.path.exists(DISSECTOR), reason="there is no tshark")


def packets(capture):
    """The packets of a capture file: (seconds, microseconds, bytes)."""
    at = 24
    while at < len(capture):
        seconds, micros, length, _ = struct.unpack_from("=IIII", capture, at)
        yield seconds, micros, capture[at + 16:at + 16 + length]
        at += 16 + length


def tcp_capture(streams):
    """A capture of one TCP connection: (is from the server, bytes) for each segment."""
    out = struct.pack("=IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101)
    sequence = [1000, 5000]
    for number, (side, data) in enumerate(streams):
        ports = (40000, 45555) if not side else (45555, 40000)
        tcp = struct.pack("!HHIIBBHHH", *ports, sequence[side], sequence[not side], 5 << 4, 0x18, 65535, 0, 0)
        sequence[side] += len(data)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(data), number, 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
        packet = ip + tcp + data
        out += struct.pack("=IIII", 1700000000, number, len(packet), len(packet)) + packet
    return out


def dissected(path, wanted, *fields):
    """What tshark finds: for each packet that a display filter holds for, the values of some fields."""
    done = subprocess.run(["tshark", "-X", f"lua_script:{DISSECTOR}", "-r", path, "-Y", wanted, "-T", "json",
                           *[word for field in fields for word in ("-e", f"openclaw_bus.{field}")]],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    layers = [packet["_source"]["layers"] for packet in json.loads(done.stdout or "[]")]
    return [tuple(layer.get(f"openclaw_bus.{field}") for field in fields) for layer in layers]


@pytest.fixture(scope="module")
def recorded(gateway, tmp_path_factory):
    """A recording of one message to an agent, and the same as a capture."""
    path = str(tmp_path_factory.mktemp("record") / "bus.tap")
    watcher = tap(gateway, "--record", path, "--bodies", "--times")
    assert call(gateway, "chat.send", sessionKey="agent:main:caught", message="hi", idempotencyKey="caught")
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=10)
    capture = path + ".pcap"
    with open(capture, "wb") as file:
        subprocess.run(gateway.command("bus", "tap", "--read", path, "--bodies", "--pcap"), stdout=file, check=True,
                       env=gateway.environment, timeout=30)
    return path, capture


def test_a_capture_has_a_packet_for_each_record(gateway, recorded):
    path, capture = recorded
    every = lines(gateway.cli("bus", "tap", "--read", path, "--json"))
    with open(capture, "rb") as file:
        caught = list(packets(file.read()))
    assert len(caught) == len(every)
    for one, (seconds, micros, data) in zip(every, caught):
        assert abs(one["ts"] - (seconds * 1000 + micros / 1000)) < 0.01
        assert data[0] == 4 and data[2:6] == b"\3TAP" and one["from"].encode() in data and one["to"].encode() in data


@needs_tshark
def test_the_dissector_reads_a_capture_of_the_tap(gateway, recorded):
    path, capture = recorded
    every = lines(gateway.cli("bus", "tap", "--read", path, "--json"))
    found = dissected(capture, "openclaw_bus.version == 1", "kind", "from", "to", "id", "corr", "trace", "bytes")
    assert len(found) == len(every)
    for one, (kind, sender, to, number, corr, trace, size) in zip(every, found):
        assert (kind, sender, to) == ([one["kind"]], [one["from"]], [one["to"]])
        assert (number, size) == ([str(one["id"])], [str(one["bytes"])])
        assert corr == ([str(one["corr"])] if "corr" in one else ["0"]) and trace == ([one["trace"]] if one["trace"] else None)
    says = dissected(capture, 'openclaw_bus.method == "chat.send" && openclaw_bus.kind == "call" && !openclaw_bus.via',
                     "summary", "value")
    assert "A message of a person into a session" in says[0][0][0]
    assert "sessionKey=\"agent:main:caught\"" in says[0][1]
    assert not dissected(capture, "openclaw_bus.malformed.expert", "kind")


@needs_tshark
def test_the_dissector_reads_zmtp_on_tcp(recorded, tmp_path):
    with open(recorded[1], "rb") as file:
        messages = [data[2 + data[1]:] for _, _, data in packets(file.read()) if b"handledBy" not in data]
    greeting = b"\xff" + bytes(8) + b"\x7f\3\1NULL".ljust(55, b"\0")
    ready = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\4PUSH"
    assert len(greeting) == 64 and len(ready) == 2 + ready[1]
    stream = ready + b"".join(messages)
    cut = [stream[at:at + 700] for at in range(0, len(stream), 700)]
    path = str(tmp_path / "tcp.pcap")
    with open(path, "wb") as file:
        file.write(tcp_capture([(0, greeting[:10]), (1, greeting), (0, greeting[10:]), (1, ready)] + [(0, part) for part in cut]))
    found = dissected(path, "openclaw_bus.version", "id")
    assert sum(len(ids[0]) for ids in found) == len(messages), "each message once, however the segments fall"
    assert not dissected(path, "openclaw_bus.malformed.expert", "kind")
    assert ["NULL"] in [each[0] for each in dissected(path, "openclaw_bus.mechanism", "mechanism")]
    curve = messages[0][:1] + b"\x20\x07MESSAGE" + bytes(24)
    with open(path, "wb") as file:
        file.write(tcp_capture([(0, greeting), (0, b"\0" + curve[1:])]))
    assert len(dissected(path, "openclaw_bus.encrypted", "encrypted")) == 1


# --- replay --------------------------------------------------------------------------------------------------


def test_a_recording_replays_to_the_same_answers(gateway, topology, tmp_path):
    path = str(tmp_path / "bus.tap")
    watcher = tap(gateway, "--record", path, "--bodies")
    for number in range(3):
        assert call(gateway, "chat.send", sessionKey="agent:main:again", message=f"say {number}", idempotencyKey=f"again{number}")
        until(lambda number=number: f"Echo: say {number}" in gateway.cli(
            "gateway", "call", "chat.history", "--token", gateway.token, "--params",
            '{"sessionKey": "agent:main:again"}').stdout, 10, "the answer")
    for stream in (False, True):
        assert gateway.complete({"model": "openclaw", "stream": stream,
                                 "messages": [{"role": "user", "content": "by HTTP"}]})[0] == 200
    assert not call(gateway, "chat.history", sessionKey="agent:nobody:main"), "a failure is an answer, too"
    assert call(gateway, "health"), "what is about the process is not asked again"
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=10)
    # What another machine said is asked again on this one alone: the gateway of a replay has no other.
    words = ["--topology", TOPOLOGIES[topology]] if TOPOLOGIES[topology] and topology != "tcp" else []
    with tempfile.TemporaryDirectory(prefix="oc-") as place:
        done = gateway.cli("bus", "replay", path, "--json", *words, timeout=60, environment={"TMPDIR": place})
        again = gateway.cli("bus", "replay", path, "--json", timeout=60, environment={"TMPDIR": place})
        assert not os.listdir(place), "the gateway of a replay leaves nothing behind"
    told_by = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    assert told_by[-1]["type"] == "summary" and told_by[-1]["differing"] == told_by[-1]["missing"] == 0
    methods = [one["method"] for one in told_by if one["type"] == "answer"]
    assert methods.count("chat.send") == 3 and methods.count("agent_run") == 2 and "chat.history" in methods and "health" not in methods
    assert sum(one["type"] == "event" and one["topic"] == "chat" for one in told_by) == 3
    assert [one["result"] for one in map(json.loads, again.stdout.splitlines()[:-1])] == ["same"] * (len(told_by) - 1)


def test_a_replay_shows_what_differs(gateway, tmp_path):
    path = str(tmp_path / "bus.tap")
    watcher = tap(gateway, "--record", path, "--bodies")
    assert call(gateway, "chat.send", sessionKey="agent:main:other", message="hi", idempotencyKey="other")
    until(lambda: "Echo: hi" in gateway.cli("gateway", "call", "chat.history", "--token", gateway.token, "--params",
                                            '{"sessionKey": "agent:main:other"}').stdout, 10, "the answer")
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=10)
    config = str(tmp_path / "other.json")
    with open(config, "w", encoding="utf-8") as file:
        json.dump({"gateway": {"mode": "local", "auth": {"mode": "token", "token": "other"}},
                   "agents": {"defaults": {"model": {"primary": "builtin/echo"}}, "list": [{"id": "another"}]}}, file)
    done = gateway.cli("bus", "replay", path, "--config", config, "--timeout", "2000", timeout=60)
    assert done.returncode == 1 and "differs  chat.send" in done.stdout and "missing  chat event" in done.stdout
    assert "recorded  " in done.stdout and "replayed  " in done.stdout, done.stdout
    plain = str(tmp_path / "plain.tap")
    assert gateway.cli("bus", "tap", "--read", path, "--record", plain).returncode == 0
    none = gateway.cli("bus", "replay", plain)
    assert none.returncode == 1 and "no bodies" in none.stderr


def test_a_watch_that_ends_by_itself_says_when(gateway):
    said = gateway.cli("bus", "tap", "--duration", "1").stderr
    assert "watching for 1 s; Ctrl-C ends it before" in said and "end with" not in said
