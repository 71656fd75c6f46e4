"""GET /metrics: the format to the letter, the numbers those of what happened, and nobody's without the right to read."""

import json
import threading

import pytest

from client import CallError, Client
from exposition import Bad, parse
from gateway import until
from test_process import Control


def scrape(gateway, token=None, **headers):
    return gateway.request("GET", "/metrics", headers={"Authorization": f"Bearer {token or gateway.token}", **headers})


def families(gateway):
    status, headers, text = scrape(gateway)
    assert status == 200, text
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(text)


def total(gateway, name, **labels):
    """The sum of all samples of that name whose labels are these."""
    return sum(number for family in families(gateway).values() for (sample, pairs), number in family.samples.items()
               if sample == name and labels.items() <= dict(pairs).items())


def test_the_parser_of_this_test_is_strict():
    good = '# HELP a b\n# TYPE a counter\na{x="1"} 2\n'
    assert parse(good)["a"].samples == {("a", (("x", "1"),)): 2.0}
    for bad in (good[:-1], good + 'a{x="1"} 3\n', good + "b 1\n", good.replace("counter", "count"), "a 1\n",
                good.replace('"1"', "1"), good.replace(" 2", " two"), good + "\n", good.replace("# HELP a b\n", ""),
                '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_sum 1\na_count 2\n'):
        with pytest.raises(Bad):
            parse(bad)


def test_everybody_is_told_of(gateway):
    known = families(gateway)
    actors = {dict(pairs)["actor"] for _, pairs in known["openclaw_actor_ready"].samples}
    assert {"auth", "config", "router", "health", "log", "edge/0", "agent/main", "channel/webchat"} <= actors
    hosts = {dict(pairs)["host"] for _, pairs in known["openclaw_process_resident_memory_bytes"].samples}
    named = {host["name"] for host in json.loads(gateway.cli("bus", "actors", "--json").stdout)["hosts"]}
    assert hosts == named | {"supervisor"} and len(named) >= 1
    assert {dict(pairs)["host"] for _, pairs in known["openclaw_process_cpu_seconds_total"].samples} == hosts
    assert all(number > 1 << 20 for number in known["openclaw_process_resident_memory_bytes"].samples.values())
    (_, version), = known["openclaw_build_info"].samples
    assert dict(version)["version"]
    assert known["openclaw_healthy"].samples == {("openclaw_healthy", ()): 1.0}
    assert {dict(pairs)["channel"] for _, pairs in known["openclaw_channel_up"].samples} == {"webchat"}


def test_numbers_are_those_of_what_happened(gateway, client):
    def now():
        return {"runs": total(gateway, "openclaw_runs_total", outcome="ok"),
                "asked": total(gateway, "openclaw_rpc_requests_total", method="status", outcome="ok"),
                "failed": total(gateway, "openclaw_rpc_requests_total", method="config.patch", outcome="error"),
                "timed": total(gateway, "openclaw_rpc_seconds_count", method="status"),
                "refused": total(gateway, "openclaw_rpc_refused_total"),
                "http": total(gateway, "openclaw_http_requests_total", route="/healthz", code="200"),
                "lost": total(gateway, "openclaw_http_requests_total", route="other", code="404"),
                "provider": total(gateway, "openclaw_provider_seconds_count", provider="builtin"),
                "opened": total(gateway, "openclaw_connections_total")}

    before = now()
    for _ in range(3):
        client.call("status")
    for _ in range(2):
        with pytest.raises(CallError):
            client.call("no.such.method")
    with pytest.raises(CallError):
        client.call("config.patch", {"raw": "{}", "baseHash": "0" * 64})
    client.chat("count me", "agent:main:metrics")
    gateway.get("/healthz")
    gateway.get("/api/nosuch")
    after = now()
    rose = {key: after[key] - before[key] for key in before}
    assert rose["asked"] == 3 and rose["timed"] == 3 and rose["refused"] == 2
    assert rose["failed"] == 1 and rose["runs"] == 1 and rose["provider"] == 1
    assert rose["http"] == 1 and rose["lost"] == 1 and rose["opened"] >= 11


def test_whoever_is_refused_is_counted_whatever_the_reason(gateway):
    def now():
        return {"rpc": total(gateway, "openclaw_rpc_refused_total"),
                "in": total(gateway, "openclaw_handshakes_total", outcome="ok"),
                "out": total(gateway, "openclaw_handshakes_total", outcome="refused"),
                "edge": total(gateway, "openclaw_rpc_requests_total", method="sessions.messages.subscribe", outcome="ok")}

    before = now()
    with pytest.raises(Exception):
        Client(gateway.port, "wrong")
    for protocol in (3, 4):
        with Client(gateway.port, gateway.token, scopes=["operator.read"], maxProtocol=protocol) as reader:
            for method, params in (("chat.send", {}), ("no.such.method", {}), ("chat.history", {}), ("cron.list", {})):
                with pytest.raises(CallError):
                    reader.call(method, params)
            reader.call("sessions.messages.subscribe", {"key": "main"})
    after = now()
    rose = {key: after[key] - before[key] for key in before}
    assert rose == {"rpc": 8, "in": 2, "out": 1, "edge": 2}


def test_clients_are_counted_by_protocol_and_gone_when_they_leave(gateway):
    assert total(gateway, "openclaw_clients") == 0
    with Client(gateway.port, gateway.token), Client(gateway.port, gateway.token, maxProtocol=4):
        assert total(gateway, "openclaw_clients", protocol="3") == 1
        assert total(gateway, "openclaw_clients", protocol="4") == 1
    until(lambda: total(gateway, "openclaw_clients") == 0, 5, "the end of both clients")


def test_time_in_handlers_and_mailboxes_adds_up(gateway, client):
    handled = total(gateway, "openclaw_actor_processing_seconds_count", actor="health")
    busy = total(gateway, "openclaw_actor_processing_seconds_sum", actor="health")
    for _ in range(20):
        client.call("health")
    assert total(gateway, "openclaw_actor_processing_seconds_count", actor="health") >= handled + 20
    assert 0 < total(gateway, "openclaw_actor_processing_seconds_sum", actor="health") - busy < 20
    assert total(gateway, "openclaw_actor_waiting_seconds_sum", actor="health") > 0


def test_the_next_life_of_an_actor_counts_on(fresh_gateway):
    gateway = fresh_gateway()
    gateway.start()
    before = total(gateway, "openclaw_actor_restarts_total", actor="channel/webchat")
    with Control(gateway) as control:
        control.ask(op="restart", address="channel/webchat")
    until(lambda: total(gateway, "openclaw_actor_ready", actor="channel/webchat") == 1 and
          total(gateway, "openclaw_actor_processing_seconds_count", actor="channel/webchat") > 0, 10, "its next life")
    assert total(gateway, "openclaw_actor_restarts_total", actor="channel/webchat") >= before
    row = next(one for one in json.loads(gateway.cli("bus", "actors", "--json").stdout)["actors"]
               if one["address"] == "health")
    assert row["handled"] > 0 and row["busyNs"] > 0 and row["waitedNs"] >= 0


def test_nobody_reads_without_the_right_to(gateway):
    assert scrape(gateway, token="wrong")[0] == 401
    assert gateway.request("GET", "/metrics")[0] == 401
    for method in ("POST", "PUT", "DELETE"):
        status, headers, _ = gateway.request(method, "/metrics", headers={"Authorization": f"Bearer {gateway.token}"})
        assert status == 405 and headers["Allow"] == "GET"


def test_texts_from_outside_make_no_samples(gateway, client):
    """Whatever clients name shows up nowhere: what is told apart is bounded."""
    lines = len(scrape(gateway)[2].splitlines())
    for i in range(50):
        gateway.get(f"/evil{i}")
        with pytest.raises(CallError):
            client.call(f'evil"{i}\n')
    text = scrape(gateway)[2]
    assert "evil" not in text and len(text.splitlines()) - lines < 60


def test_many_scrapes_at_once_all_get_the_whole(gateway):
    got = []
    threads = [threading.Thread(target=lambda: got.append(scrape(gateway))) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(got) == 24
    for status, _, text in got:
        assert status == 200 and parse(text)
