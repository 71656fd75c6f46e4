"""Traces and metrics for a collector of OpenTelemetry, which is another process and speaks OTLP strictly."""

import json

import pytest

from client import Client
from collector import Process
from gateway import until
from test_process import tap

SECRET = "Bearer shown-to-the-collector-alone"
WORDS = "words that stay here"


@pytest.fixture
def collector():
    running = Process()
    yield running
    running.close()


def otel(collector, **more):
    return {"diagnostics": {"otel": {"enabled": True, "endpoint": collector.url, "protocol": "http/json",
                                     "flushIntervalMs": 1000, "serviceName": "under-test",
                                     "headers": {"Authorization": SECRET}, **more}}}


def talk(gateway, key="k1"):
    """One run, to its end."""
    with Client(gateway.port, gateway.token) as client:
        run = client.call("chat.send", {"sessionKey": "agent:main:main", "message": WORDS, "idempotencyKey": key})["runId"]
        assert client.call("agent.wait", {"runId": run, "timeoutMs": 10000})["status"] == "ok"


def spans_of(collector, name):
    return [span for span in collector.seen()["spans"] if span["name"] == name]


def test_one_request_is_one_trace_and_its_parts_lie_within(fresh_gateway, collector):
    running = fresh_gateway(config=otel(collector)).start()
    until(lambda: any("tap_attached" in line for line in running.logs()), 20, "the tap")
    watcher = tap(running, "--filter", "method == chat.send && kind == call && from ~ 'edge/*'", "--count", "1")
    talk(running)
    trace = json.loads(watcher.communicate(timeout=20)[0].splitlines()[0])["trace"]
    until(lambda: spans_of(collector, "chat.send"), 30, "the span of the request")
    root = next(span for span in spans_of(collector, "chat.send"))
    assert root["traceId"] == trace and "parentSpanId" not in root and root["status"]["code"] == 1
    assert root["attributes"]["openclaw.from"].startswith("edge/") and root["attributes"]["openclaw.to"] == "agent/main"
    seen = collector.seen()
    assert not seen["wrong"]
    ids = {span["spanId"] for span in seen["spans"] if span["traceId"] == trace}
    for span in seen["spans"]:
        if span["traceId"] == trace and "parentSpanId" in span:
            assert span["parentSpanId"] in ids
    assert seen["resources"][0]["service.name"] == "under-test" and seen["resources"][0]["service.version"]
    assert seen["headers"]["Authorization"] == SECRET


def test_a_call_lies_within_the_one_that_led_to_it(fresh_gateway, collector):
    running = fresh_gateway(config=otel(collector, metrics=False)).start()
    until(lambda: any("tap_attached" in line for line in running.logs()), 20, "the tap")

    def inner():
        with Client(running.port, running.token) as client:
            client.call("sessions.list")  # the router asks agents for it
        return spans_of(collector, "agent_sessions")

    inner_one = until(inner, 30, "what the router asked")
    outer = {span["spanId"]: span for span in spans_of(collector, "sessions.list")}
    within = [span for span in inner_one if span.get("parentSpanId") in outer]
    assert within
    assert within[0]["traceId"] == outer[within[0]["parentSpanId"]]["traceId"]
    assert not collector.seen()["metrics"]


@pytest.mark.usefixtures("only_once")
def test_numbers_are_those_of_the_page(fresh_gateway, collector):
    running = fresh_gateway(config=otel(collector, traces=False)).start()
    talk(running)

    def told():
        return collector.seen()["metrics"].get('openclaw_runs_total{"actor": "agent/main", "outcome": "ok"}')

    assert until(told, 30, "the number of runs") == 1
    seen = collector.seen()
    assert not seen["wrong"] and not seen["spans"]
    assert any(name.startswith("openclaw_rpc_seconds{") and value >= 1 for name, value in seen["metrics"].items())
    assert seen["metrics"]["openclaw_healthy{}"] == 1


@pytest.mark.usefixtures("only_once")
def test_nothing_of_a_body_and_no_secret_leaves_or_is_told(fresh_gateway, collector):
    running = fresh_gateway(config=otel(collector)).start()
    until(lambda: any("tap_attached" in line for line in running.logs()), 20, "the tap")
    talk(running)
    until(lambda: spans_of(collector, "chat.send"), 30, "the span of the request")
    said = json.dumps({name: value for name, value in collector.seen().items() if name != "headers"})
    assert WORDS not in said and running.token not in said
    assert not any("shown-to-the-collector-alone" in line for line in running.logs())
    assert "shown-to-the-collector-alone" not in running.cli("config", "get", "diagnostics", "--json").stdout


@pytest.mark.usefixtures("only_once")
def test_a_collector_that_is_gone_holds_nothing_up_and_is_named(fresh_gateway, collector):
    collector.fail_with(503)
    running = fresh_gateway(config=otel(collector)).start()
    until(lambda: any("tap_attached" in line for line in running.logs()), 20, "the tap")
    talk(running)
    until(lambda: "the collector at 127.0.0.1 takes no" in running.cli("health").stdout, 30, "its name in health")
    before = collector.seen()["requests"]
    talk(running, "k2")
    assert running.get("/readyz")[0] == 200
    assert len([line for line in running.logs() if "otel_refused" in line and "what=traces" in line]) <= 2  # file, stderr
    collector.fail_with(200)
    until(lambda: len(spans_of(collector, "chat.send")) == 2, 60, "both spans, once it takes them again")
    assert collector.seen()["requests"] - before < 60  # it was not hammered meanwhile
    until(lambda: "the collector" not in running.cli("health").stdout, 20, "its recovery")


@pytest.mark.usefixtures("only_once")
def test_it_is_off_unless_it_is_wanted(gateway):
    assert not any("otel_on" in line or "tap_attached" in line and "fail" in line for line in gateway.logs())


@pytest.mark.usefixtures("only_once")
def test_the_share_of_traces_is_kept(fresh_gateway, collector):
    running = fresh_gateway(config=otel(collector, sampleRate=0)).start()
    talk(running)
    until(lambda: collector.seen()["metrics"], 30, "numbers")
    assert not collector.seen()["spans"]


@pytest.mark.usefixtures("only_once")
@pytest.mark.parametrize("more, says", [
    ({"protocol": "grpc"}, "grpc is not spoken"),
    ({"endpoint": "https://collector.example"}, "must be http://host:port"),
    ({"headers": {"Bad Name": "x"}}, "cannot stand in a request"),
])
def test_what_cannot_be_done_is_said(fresh_gateway, collector, more, says):
    running = fresh_gateway(config=otel(collector, **more)).start()
    until(lambda: any(says in line for line in running.logs()), 20, "the reason")
    assert not collector.seen()["requests"]
