"""Behind a real nginx: it terminates TLS, says who the user is, and passes WebSockets and streams through."""

import json
import os
import subprocess
import time

import pytest

from client import ALL_SCOPES, CallError, Client
from gateway import free_port, until
from pki import Signed, trusting

NGINX = "/usr/sbin/nginx"
PAGE = {"client": {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "webchat"},
        "minProtocol": 3, "maxProtocol": 3}

CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        location / {{
            proxy_pass {scheme}://127.0.0.1:{gateway};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_read_timeout 60s;
            proxy_set_header Host $host:$server_port;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Forwarded-User {user};
        }}
    }}
}}
"""


class Nginx:
    """In a folder of its own, as whoever runs the tests."""

    def __init__(self, folder, gateway, user="ann@example.com", scheme="http"):
        self.port, self.folder = free_port(), folder
        self.root = Signed("root", is_authority=True)
        cert, key = Signed("proxy", by=self.root).write(folder, "proxy")
        with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=folder, port=self.port, cert=cert, key=key, gateway=gateway.port, user=user,
                                     scheme=scheme))
        self.process = subprocess.Popen([NGINX, "-p", folder, "-c", os.path.join(folder, "nginx.conf")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.tls = trusting(self.root)

    def __enter__(self):
        until(self.is_listening, 10, "nginx")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def is_listening(self):
        assert self.process.poll() is None, open(os.path.join(self.folder, "error.log"), encoding="utf-8").read()
        try:
            return self.request("GET", "/healthz")[0]
        except OSError:
            return False

    def request(self, method, path, body=None):
        import http.client
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.tls)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()


def trusting_config(port=None, **gateway):
    return {"gateway": {"mode": "local", "trustedProxies": ["127.0.0.1"],
                        "auth": {"mode": "trusted-proxy",
                                 "trustedProxy": {"userHeader": "X-Forwarded-User", "allowUsers": ["ann@example.com"],
                                                  "allowLoopback": True}},
                        "controlUi": {"allowedOrigins": ["https://ui.example.com"]}, **gateway}}


@pytest.fixture(scope="module", autouse=True)
def once(topology):
    if topology == "ipc":
        pytest.skip("HTTP ends at the edge, which is where it is in both")


@pytest.fixture(scope="module")
def behind(topology):
    from gateway import Gateway
    with Gateway(topology, config=trusting_config(
        http={"securityHeaders": {"strictTransportSecurity": "max-age=300; includeSubDomains"}})) as running:
        yield running


@pytest.fixture
def nginx(behind, tmp_path):
    with Nginx(str(tmp_path), behind) as running:
        yield running


def page(nginx, **changes):
    class Page(Client):
        tls = nginx.tls
    return Page(nginx.port, None, headers=["Origin: https://ui.example.com"], auth={}, **{**PAGE, **changes})


def test_the_user_of_the_proxy_gets_in_over_a_websocket_and_talks(nginx):
    with page(nginx) as client:
        assert set(client.hello["auth"]["scopes"]) == set(ALL_SCOPES)
        assert client.call("health")["ok"] is True
        client.chat("hello through nginx", "agent:main:nginx")


def test_another_user_does_not(behind, tmp_path):
    with Nginx(str(tmp_path), behind, user="eve@example.com") as nginx:
        with pytest.raises(CallError):
            page(nginx)
        body = {"model": "openclaw", "messages": [{"role": "user", "content": "x"}]}
        assert nginx.request("POST", "/v1/chat/completions", body)[0] == 401


def test_a_large_event_and_a_large_request_pass_whole(nginx):
    with page(nginx) as client:
        words = "word " * 40000
        assert words.strip() in json.dumps(client.chat(words, "agent:main:large")[1][-1])


def test_a_stream_passes_as_it_comes(nginx):
    words = " ".join(f"w{i}" for i in range(2000))
    body = {"model": "openclaw", "stream": True, "messages": [{"role": "user", "content": words}]}
    status, headers, text = nginx.request("POST", "/v1/chat/completions", body)
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream")
    assert text.rstrip().endswith("data: [DONE]") and "w1999" in text


def test_security_headers_reach_the_browser(nginx):
    for path in ("/healthz", "/nosuch", "/v1/nosuch"):
        _, headers, _ = nginx.request("GET", path)
        assert headers["Strict-Transport-Security"] == "max-age=300; includeSubDomains"
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert "camera=()" in headers["Permissions-Policy"]


def test_a_page_that_leaves_is_gone_from_the_list(nginx):
    first = page(nginx, client={**PAGE["client"], "displayName": "passing by"})
    with page(nginx) as client:
        first.socket.sock.close()
        began = time.monotonic()
        until(lambda: count_of(client) == 1, 5, "the end of the first page")
        assert time.monotonic() - began < 5


def count_of(client):
    return sum("203.0.113" not in json.dumps(row) and row.get("mode") == "webchat" and row.get("reason") != "disconnect"
               for row in client.call("system-presence"))


def test_nginx_and_the_gateway_speak_tls_to_each_other(fresh_gateway, tmp_path):
    from pki import careless
    gateway = fresh_gateway(config=trusting_config(tls={"enabled": True}))
    gateway.tls = careless()
    gateway.start()
    with Nginx(str(tmp_path), gateway, scheme="https") as nginx, page(nginx) as client:
        assert client.call("health")["ok"] is True


@pytest.mark.parametrize("value, headers", [
    (False, None), ("", None), ("  max-age=1  ", "max-age=1"), (None, None),
])
def test_hsts_is_what_the_config_says(fresh_gateway, value, headers):
    made = {} if value is None else {"http": {"securityHeaders": {"strictTransportSecurity": value}}}
    gateway = fresh_gateway(config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": "t" * 20}, **made}})
    gateway.start()
    assert gateway.request("GET", "/healthz")[1].get("Strict-Transport-Security") == headers


def test_hsts_that_would_split_a_header_does_not_start(fresh_gateway):
    gateway = fresh_gateway(config={"gateway": {
        "mode": "local", "auth": {"mode": "token", "token": "t" * 20},
        "http": {"securityHeaders": {"strictTransportSecurity": "max-age=1\r\nSet-Cookie: x=1"}}}})
    gateway.spawn()
    until(lambda: gateway.process.poll() is not None, 10, "its end")
    assert gateway.process.returncode == 78 and "strictTransportSecurity" in gateway.text()
