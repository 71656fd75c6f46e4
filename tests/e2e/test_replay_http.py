"""What OpenClaw Gateway 2026.5.7 answered over HTTP, held against what ours answers: the recorded exchanges, asked again.

tests/data/traces/http holds one file for each exchange, one request and its answer a line. Status, headers and body are
compared field by field; `replay.json` beside them names what is not served, and each difference that is meant.
"""

import http.client
import json
import os

import pytest

from gateway import ROOT, Gateway
from replay import Meant, compare, load
from test_replay import FOLDER, PLAN, merged

HTTP = os.path.join(FOLDER, "http")
TRACES = {name[:-6]: load(os.path.join(HTTP, name)) for name in sorted(os.listdir(HTTP)) if name.endswith(".jsonl")}
ALWAYS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
          "permissions-policy": "camera=(), microphone=(self), geolocation=()"}

with open(os.path.join(HTTP, "replay.json"), encoding="utf-8") as stream:
    OWN = json.load(stream)

PLAYED = [name for name in TRACES if name not in OWN["not yet"]]
MEANT, RUN = Meant(OWN["differences"]), set()


def config_of(name, provider):
    config = merged(merged(PLAN["config"], {"gateway": {"trustedProxies": ["127.0.0.1"]}}), OWN["config of"].get(name, {}))
    config["models"]["providers"]["mock"]["baseUrl"] = f"http://127.0.0.1:{provider.port}/v1"
    return config


@pytest.fixture(scope="module")
def gateway_of(topology, provider):
    """One for all exchanges with the same config."""
    running = {}

    def get(name):
        config = config_of(name, provider)
        key = json.dumps(config)
        if key not in running:
            running[key] = Gateway(topology, config=config)
            running[key].start()
        return running[key]

    yield get
    for each in running.values():
        each.close()


def events_of(text):
    """Server-sent events, as the recorded ones are kept."""
    for block in text.split("\n\n"):
        lines = [line.split(":", 1) for line in block.splitlines() if ":" in line]
        fields = {key: value.strip() for key, value in lines}
        if "data" in fields and fields["data"] != "[DONE]":
            yield {**fields, "data": json.loads(fields["data"])}


def whole(answer):
    """The pieces of a streamed text are cut as the provider cuts them: all together they count."""
    if "events" not in answer:
        return answer
    said, events = "", json.loads(json.dumps(answer["events"]))
    for event in events:
        for choice in event["data"].get("choices", ()):
            if "content" in choice["delta"]:
                said, choice["delta"]["content"] = said + choice["delta"]["content"], "…"
    return {**answer, "events": events, "said": said}


def ask(port, asked):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = asked.get("body")
    connection.request(asked["method"], asked["path"], None if body is None else iter([body.encode()]),
                       asked.get("headers", {}), encode_chunked=True)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    got = {"status": answer.status, "headers": {key.lower(): value for key, value in answer.getheaders()}}
    kind = got["headers"].get("content-type", "")
    if "event-stream" in kind:
        got["events"], got["done"] = list(events_of(text)), "data: [DONE]\n\n" in text
    elif "json" in kind and text:
        got["json"] = json.loads(text)
    else:
        got["text"] = text
    return got


def names_in(want, got, names):
    """What later requests may name: ids of ours for recorded ones."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in want.keys() & got.keys():
            if key in ("id", "call_id") and isinstance(want[key], str):
                names[want[key]] = got[key]
            names_in(want[key], got[key], names)
    elif isinstance(want, list) and isinstance(got, list):
        for one, other in zip(want, got):
            names_in(one, other, names)


def translated(asked, names):
    text = json.dumps(asked)
    for recorded, ours in names.items():
        text = text.replace(json.dumps(recorded)[1:-1], json.dumps(ours)[1:-1])
    return json.loads(text)


@pytest.mark.parametrize("name", PLAYED)
def test_the_answers_over_http_are_those_that_were_recorded(name, gateway_of):
    gateway, names, unmeant = gateway_of(name), {}, []
    for number, row in enumerate(TRACES[name], 1):
        got = ask(gateway.port, translated(row["ask"], names))
        assert {key: got["headers"].get(key) for key in ALWAYS} == ALWAYS
        names_in(row["answer"].get("json"), got.get("json"), names)
        where = f"{row['ask']['method']} {row['ask']['path']}"
        for at, what in compare(whole(row["answer"]), whole(got), where):
            if not MEANT.has(name, at, what):
                unmeant.append(f"{number}: {at}: {what}")
    RUN.add(name)
    assert not unmeant, "\n".join(unmeant)


def test_every_difference_over_http_that_is_meant_still_is_one():
    assert set(OWN["not yet"]) <= set(TRACES)
    if RUN != set(PLAYED):
        pytest.skip("not all exchanges were played")
    assert not MEANT.stale()
