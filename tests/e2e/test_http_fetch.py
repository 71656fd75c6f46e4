"""What stands under a URL of the public network reaches the model.

The tests run in a network of their own, which is one machine that has public addresses: nothing leaves this one."""

import base64
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
from gateway import Gateway

INSIDE = os.environ.get("OPENCLAW_TEST_NETWORK")
HOSTS = """127.0.0.1 localhost
8.8.8.8 files.example
8.8.4.4 pictures.example a.pictures.example
127.0.0.1 turned.example
"""
ADDRESSES = ["8.8.8.8/32", "8.8.4.4/32", "10.1.2.3/32", "2606:4700::1111/128"]
PNG = b"\x89PNG\r\n\x1a\nrest"
inside = pytest.mark.skipif(not INSIDE, reason="runs in a network of its own, by the first test")


@pytest.mark.skipif(bool(INSIDE), reason="this is that network")
def test_in_a_network_of_its_own(topology, tmp_path):
    new = ["unshare", "-r", "-n", "-m", "--"]
    if subprocess.run([*new, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network of its own is to be had here")
    (tmp_path / "hosts").write_text(HOSTS)
    script = "ip link set lo up && mount --bind \"$1\" /etc/hosts && shift && " + "".join(
        f"ip addr add {address} dev lo {'nodad ' if ':' in address else ''}&& " for address in ADDRESSES) + 'exec "$@"'
    environment = {**os.environ, "OPENCLAW_TEST_NETWORK": "1", "OPENCLAW_TEST_TOPOLOGY": topology}
    done = subprocess.run([*new, "sh", "-c", script, "sh", str(tmp_path / "hosts"), sys.executable, "-m", "pytest", "-q",
                           "-p", "no:cacheprovider", __file__], env=environment, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0 and "passed" in done.stdout, done.stdout + done.stderr


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        port = self.server.server_port
        answers = {
            "/text": (200, b"# words of a stranger", {"Content-Type": "text/markdown; charset=utf-8"}),
            "/picture": (200, PNG, {"Content-Type": "application/octet-stream"}),
            "/large": (200, b"x" * (6 << 20), {"Content-Type": "text/plain"}),
            "/on": (302, b"", {"Location": f"http://pictures.example:{port}/text"}),
            "/in": (302, b"", {"Location": f"http://10.1.2.3:{port}/text"}),
            "/round": (302, b"", {"Location": f"http://turned.example:{port}/text"}),
        }
        status, body, headers = answers.get(self.path, (404, b"", {}))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = 10  # IPv6, and IPv4 in it
    daemon_threads = True

    def handle_error(self, *_):
        pass  # whoever asked may have left


@pytest.fixture(scope="module")
def server():
    running = Server(("::", 0), Handler)
    running.asked = []
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def config_of(provider, **responses):
    return {**provider.config(), "gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"}, "http": {
        "endpoints": {"responses": {"enabled": True, **responses},
                      "chatCompletions": {"enabled": True, "images": {"allowUrl": True}}}}}}


@pytest.fixture(scope="module")
def gateway(topology, provider):
    with Gateway(topology, config=config_of(provider)) as running:
        yield running


def ask(gateway, *content):
    status, _, text = gateway.request("POST", "/v1/responses", {"model": "openclaw", "input": [
        {"role": "user", "content": list(content)}]}, {"Authorization": f"Bearer {gateway.token}"})
    return status, json.loads(text)


def sent(provider):
    return provider.stats()["bodies"][-1]["messages"]


@inside
@pytest.mark.parametrize("host", ["8.8.8.8", "files.example", "[2606:4700::1111]"])
def test_a_file_is_fetched_and_read(gateway, provider, server, host):
    server.asked.clear()
    assert ask(gateway, {"type": "input_file", "file_url": f"http://{host}:{server.server_port}/text"})[0] == 200
    system = next(m for m in sent(provider) if m["role"] == "system")
    assert "# words of a stranger" in system["content"] and "<<<EXTERNAL_UNTRUSTED_CONTENT" in system["content"]
    (path, headers), = server.asked
    assert path == "/text" and headers["User-Agent"] == "openclaw"
    assert not {"Authorization", "Cookie", "Referer"} & set(headers)


@inside
def test_a_picture_is_fetched_and_shown(gateway, provider, server):
    url = f"http://pictures.example:{server.server_port}/picture"
    shown = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert ask(gateway, {"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": url})[0] == 200
    assert sent(provider)[-1]["content"][-1]["image_url"]["url"] == shown
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    status, _, _ = gateway.request("POST", "/v1/chat/completions", {"model": "openclaw", "messages": [
        {"role": "user", "content": parts}]}, {"Authorization": f"Bearer {gateway.token}"})
    assert status == 200 and sent(provider)[-1]["content"][-1]["image_url"]["url"] == shown


@inside
def test_a_redirect_is_followed_within_the_public_network_alone(gateway, provider, server):
    port = server.server_port
    server.asked.clear()
    assert ask(gateway, {"type": "input_file", "file_url": f"http://files.example:{port}/on"})[0] == 200
    assert [path for path, _ in server.asked] == ["/on", "/text"]
    for path in ("/in", "/round"):
        server.asked.clear()
        status, answer = ask(gateway, {"type": "input_file", "file_url": f"http://files.example:{port}{path}"})
        assert status == 400 and "public network" in answer["error"]["message"]
        assert [asked for asked, _ in server.asked] == [path]


@inside
def test_a_name_is_judged_by_what_it_means(gateway, server):
    server.asked.clear()
    status, answer = ask(gateway, {"type": "input_file", "file_url": f"http://turned.example:{server.server_port}/text"})
    assert status == 400 and "public network" in answer["error"]["message"] and not server.asked


@inside
def test_what_is_too_large_or_not_there_is_said(gateway, server):
    for path, words in (("/large", "large"), ("/nothing", "404")):
        status, answer = ask(gateway, {"type": "input_file", "file_url": f"http://files.example:{server.server_port}{path}"})
        assert status == 400 and words in answer["error"]["message"], answer


@inside
def test_hosts_of_the_list_are_asked_and_no_others(topology, provider, server):
    rules = {"allowUrl": True, "urlAllowlist": ["*.pictures.example"]}
    with Gateway(topology, config=config_of(provider, images=rules)) as running:
        def picture(host):
            return ask(running, {"type": "input_text", "text": "x"},
                       {"type": "input_image", "image_url": f"http://{host}:{server.server_port}/picture"})
        assert picture("a.pictures.example")[0] == 200
        for host in ("pictures.example", "files.example"):
            status, answer = picture(host)
            assert status == 400 and "urlAllowlist" in answer["error"]["message"]
