"""What is fetched for a stranger, and what is not."""

import http.server
import json
import os
import subprocess
import threading
import time

import pytest

RIG = os.environ.get("FETCH_RIG", "build/dev/tests/integration/fetch/fetch_rig")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.server.asked.append((self.path, dict(self.headers)))
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        port = self.server.server_port
        if self.path == "/slow":
            self.answer(200, Content_Length="100")
            time.sleep(1.5)
        elif self.path.startswith("/again/"):
            left = int(self.path[7:])
            self.answer(302, Location=f"/again/{left - 1}" if left else "/file")
        elif self.path.startswith("/to/"):
            self.answer(307, Location=self.path[4:].replace("PORT", str(port)))
        elif self.path == "/gone":
            self.answer(404, b"no")
        elif self.path == "/cut":
            self.answer(200, b"x", Content_Length="100")
            self.close_connection = True
        elif self.path == "/endless":
            self.answer(200, b"x" * 65536, Content_Length=str(1 << 30))
            self.close_connection = True
        else:
            self.answer(200, b"hello", Content_Type="Text/Plain; charset=utf-8")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    running = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)  # 127.0.0.2 as well
    running.asked = []
    thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield running
    running.shutdown()


def fetch(server, path, size=1000, redirects=3, timeout=5000, hosts=None, host="127.0.0.1", environment=None):
    url = path if path.startswith("http") else f"http://{host}:{server.server_port}{path}"
    words = [RIG, url, str(size), str(redirects), str(timeout)] + ([json.dumps(hosts)] if hosts else [])
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, env={**os.environ, **(environment or {})})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_file_comes_with_its_type(server):
    assert fetch(server, "/file") == {"problem": "", "mime": "text/plain", "bytes": 5}


def test_redirects_are_followed_up_to_a_limit(server):
    assert fetch(server, "/again/2")["bytes"] == 5
    assert fetch(server, "/again/3")["problem"] == "it is redirected too often"
    assert fetch(server, "/again/0", redirects=0)["problem"] == "it is redirected too often"


@pytest.mark.parametrize("target, words", [
    ("http://127.0.0.2:PORT/file", "public network"), ("http://[::1]:PORT/file", "public network"),
    ("http://localhost:PORT/file", "local network"), ("file:///etc/passwd", "no http or https"),
    ("http://u:p@127.0.0.1:PORT/file", "without a login"), ("gopher://127.0.0.1/", "no http or https")])
def test_a_redirect_is_judged_like_the_first_url(server, target, words):
    before = len(server.asked)
    assert words in fetch(server, f"/to/{target}")["problem"]
    assert len(server.asked) == before + 1


def test_nothing_is_sent_to_an_address_that_is_refused(server):
    before = len(server.asked)
    for host in ("127.0.0.2", "[::ffff:127.0.0.2]", "0.0.0.0", "2130706434", "0177.0.0.2"):
        assert "public network" in fetch(server, "/file", host=host)["problem"], host
    assert len(server.asked) == before


def test_no_proxy_is_asked(server):
    proxy = f"http://127.0.0.1:{server.server_port}"
    before = len(server.asked)
    told = fetch(server, "http://127.0.0.3:1/x", environment={"http_proxy": proxy, "all_proxy": proxy})
    assert "public network" in told["problem"] and len(server.asked) == before


def test_a_list_of_hosts_holds_for_redirects_as_well(server):
    assert fetch(server, "/file", hosts=["127.0.0.1"])["bytes"] == 5
    assert "urlAllowlist" in fetch(server, "/file", hosts=["cdn.example"])["problem"]
    assert "urlAllowlist" in fetch(server, "/to/http://elsewhere.example/x", hosts=["127.0.0.1"])["problem"]


@pytest.mark.parametrize("path, words", [("/endless", "larger than 1000 bytes"), ("/gone", "status 404"), ("/cut", "broke off")])
def test_what_goes_wrong_is_told(server, path, words):
    assert words in fetch(server, path)["problem"]


def test_time_runs_out(server):
    began = time.monotonic()
    assert fetch(server, "/slow", timeout=300)["problem"] == "its host did not answer in time"
    assert time.monotonic() - began < 1.4


def test_nothing_of_the_gateway_is_told(server):
    fetch(server, "/file")
    headers = {k.lower() for k in server.asked[-1][1]}
    assert headers == {"host", "user-agent", "accept"}
