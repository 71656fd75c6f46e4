"""A collector that speaks OTLP over HTTP with JSON, strictly: what breaks the protocol is answered with 400 and told.

As a program it prints {"port": N} and serves until its standard input ends. GET /seen tells what came: the spans, the
newest value of each metric, what was wrong, and the headers of the last request. PUT /status/<n> makes it answer so from
then on.
"""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request


def check(is_right, what):
    if not is_right:
        raise ValueError(what)


def keys(value, *known):
    check(isinstance(value, dict) and not set(value) - set(known), f"unknown keys {set(value) - set(known)}")


def is_count(value):
    """64-bit numbers are strings in the JSON of protobuf."""
    return isinstance(value, str) and re.fullmatch(r"\d+", value) is not None


def attributes(items):
    found = {}
    for item in items:
        keys(item, "key", "value")
        (kind, value), = item["value"].items()
        check(kind == "stringValue" and isinstance(value, str) or kind == "intValue" and is_count(value), f"value {item}")
        check(item["key"] not in found, f"twice: {item['key']}")
        found[item["key"]] = value
    return found


def span(item):
    keys(item, "traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes",
         "status")
    check(re.fullmatch(r"[0-9a-f]{32}", item["traceId"]) and int(item["traceId"], 16), "traceId")
    for name in ("spanId", "parentSpanId"):
        check(name not in item and name != "spanId" or re.fullmatch(r"[0-9a-f]{16}", item[name]), name)
    check(item["name"] and item["kind"] in range(1, 6), "name or kind")
    check(is_count(item["startTimeUnixNano"]) and is_count(item["endTimeUnixNano"]), "times")
    check(int(item["endTimeUnixNano"]) >= int(item["startTimeUnixNano"]), "it ends before it begins")
    keys(item["status"], "code")
    check(item["status"]["code"] in (0, 1, 2), "status")
    return {**item, "attributes": attributes(item["attributes"])}


def point(kind, item):
    check(is_count(item["timeUnixNano"]), "time of a point")
    if kind == "histogram":
        keys(item, "attributes", "timeUnixNano", "startTimeUnixNano", "count", "sum", "bucketCounts", "explicitBounds")
        check(len(item["bucketCounts"]) == len(item["explicitBounds"]) + 1, "buckets and bounds")
        check(item["explicitBounds"] == sorted(item["explicitBounds"]), "the order of bounds")
        check(sum(map(int, item["bucketCounts"])) == int(item["count"]), "buckets do not make up the count")
        return int(item["count"])
    if kind == "summary":
        keys(item, "attributes", "timeUnixNano", "startTimeUnixNano", "count", "sum", "quantileValues")
        return int(item["count"])
    keys(item, "attributes", "timeUnixNano", "startTimeUnixNano", "asDouble")
    return float(item["asDouble"])


def metric(item):
    (kind, data), = ((key, value) for key, value in item.items() if key != "name")
    check(kind in ("gauge", "sum", "histogram", "summary"), f"kind {kind}")
    check(kind not in ("sum", "histogram") or data["aggregationTemporality"] == 2, "temporality")
    check(kind != "sum" or data["isMonotonic"] is True, "monotonic")
    return {item["name"] + json.dumps(attributes(each["attributes"]), sort_keys=True): point(kind, each)
            for each in data["dataPoints"]}


class Collector(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.status = 200
        self.seen = {"spans": [], "metrics": {}, "resources": [], "wrong": [], "headers": {}, "requests": 0}

    def take(self, path, body):
        if path == "/v1/traces":
            keys(body, "resourceSpans")
            parts = [(group["resource"], [span(each) for scope in group["scopeSpans"] for each in scope["spans"]])
                     for group in body["resourceSpans"]]
            for resource, spans in parts:
                self.seen["resources"].append(attributes(resource["attributes"]))
                self.seen["spans"] += spans
        else:
            keys(body, "resourceMetrics")
            for group in body["resourceMetrics"]:
                self.seen["resources"].append(attributes(group["resource"]["attributes"]))
                for scope in group["scopeMetrics"]:
                    for each in scope["metrics"]:
                        self.seen["metrics"].update(metric(each))


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        with self.server.lock:
            self.answer(200, self.server.seen)

    def do_PUT(self):
        self.server.status = int(self.path.rsplit("/", 1)[1])
        self.answer(200, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            seen = self.server.seen
            seen["requests"] += 1
            seen["headers"] = dict(self.headers)
            if self.server.status != 200:
                return self.answer(self.server.status, {})
            try:
                check(self.path in ("/v1/traces", "/v1/metrics"), f"path {self.path}")
                check(self.headers["Content-Type"] == "application/json", "content type")
                self.server.take(self.path, json.loads(body))
            except Exception as error:
                seen["wrong"].append(f"{self.path}: {error!r}")
                return self.answer(400, {"message": str(error)})
            return self.answer(200, {"partialSuccess": {}})

    def log_message(self, *_):
        pass


class Process:
    """The collector in a process of its own."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"

    def ask(self, path, method="GET"):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method=method), timeout=10) as answer:
            return json.load(answer)

    def seen(self):
        return self.ask("/seen")

    def fail_with(self, status):
        self.ask(f"/status/{status}", "PUT")

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


if __name__ == "__main__":
    server = Collector()
    print(json.dumps({"port": server.server_port}), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
