"""Web content on the gateway's port: the start page, a directory in its place, and what neither ever gives out."""

import json
import os
import socket

from gateway import Gateway, until

NAVIGATES = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Dest": "document"}
FETCHES = {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}


def test_the_start_page_and_its_parts(gateway):
    status, headers, page = gateway.request("GET", "/", headers=NAVIGATES)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"
    assert "style=" not in page and "<script>" not in page  # the policy would stop them
    for part in ("start.css", "start.js", "gateway.js", "device.js", "favicon.svg"):
        assert gateway.request("GET", f"/{part}", headers=FETCHES)[0] == 200, part
    assert gateway.request("GET", "/", headers={**NAVIGATES, "If-None-Match": headers["ETag"]})[::2] == (304, "")
    assert gateway.request("HEAD", "/")[::2] == (200, "")
    assert gateway.request("GET", "/chat?session=main", headers=NAVIGATES)[2] == page


def test_programs_get_no_page(gateway):
    for path in ("/v1/nope", "/api/x", "/nope", "/nope.js", "/__openclaw__/x"):
        assert gateway.request("GET", path, headers=FETCHES)[0] == 404, path
    for path in ("/v1/nope", "/api/x", "/nope.js", "/a/b/c", "/..%2f..%2fetc/passwd"):
        assert gateway.request("GET", path, headers=NAVIGATES)[0] == 404, path
    assert gateway.request("POST", "/", body="x")[0] == 404


def test_settings_are_for_who_may_read(gateway):
    path = "/__openclaw/control-ui-config.json"
    assert gateway.request("GET", path, headers=FETCHES)[0] == 401
    status, headers, text = gateway.request("GET", path, headers={"Authorization": f"Bearer {gateway.token}"})
    assert status == 200 and headers["Content-Type"] == "application/json; charset=utf-8"
    settings = json.loads(text)
    assert settings["assistantAgentId"] == "main" and settings["basePath"] == "" and settings["serverVersion"]


def site_of(tmp_path):
    root = tmp_path / "site"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("<html><script>alert(1)</script>the page</html>")
    (root / "assets" / "app-01234567.js").write_bytes(os.urandom(3 << 20))
    (root / ".env").write_text("hidden")
    (tmp_path / "secret.txt").write_text("outside")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "in.html").symlink_to("index.html")
    os.mkfifo(root / "pipe.txt")
    return root


def test_a_directory_takes_its_place_while_running(tmp_path, topology):
    root = site_of(tmp_path)
    running = Gateway(topology)
    try:
        running.start()
        running.write_config({"gateway": {"controlUi": {"root": str(root), "basePath": "/claw/",
                                                        "chatMessageMaxWidth": "960px"},
                                          "http": {"securityHeaders": {"strictTransportSecurity": "max-age=1"}}},
                              "ui": {"assistant": {"name": "Bärbel"}}})
        until(lambda: "the page" in running.request("GET", "/claw/", headers=NAVIGATES)[2], 10, "the directory")
        status, headers, page = running.request("GET", "/claw/chat", headers=NAVIGATES)
        assert status == 200 and "the page" in page
        assert "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='" in headers["Content-Security-Policy"]
        assert headers["Strict-Transport-Security"] == "max-age=1"
        assert running.request("GET", "/claw/in.html", headers=FETCHES)[2] == page
        status, headers, _ = running.request("GET", "/claw?a=b", headers=NAVIGATES)
        assert (status, headers["Location"]) == (302, "/claw/?a=b")
        for path in ("/claw/out.txt", "/claw/pipe.txt", "/claw/.env", "/claw/assets", "/claw/assets/", "/",
                     "/claw/%2e%2e/x",
                     "/claw/assets/gone.js", "/claw/" + "a" * 300):
            assert running.request("GET", path, headers=FETCHES)[0] == 404, path
        settings = json.loads(running.request("GET", "/claw/__openclaw/control-ui-config.json",
                                              headers={"Authorization": f"Bearer {running.token}"})[2])
        assert settings["assistantName"] == "Bärbel" and settings["chatMessageMaxWidth"] == "960px"
        big_file_arrives_whole(running, root)
        running.write_config({"gateway": {"controlUi": {"root": str(tmp_path / "gone")}}})
        until(lambda: running.request("GET", "/claw/", headers=NAVIGATES)[0] == 503, 10, "the missing directory")
        assert "gateway.controlUi.root" in running.request("GET", "/claw/", headers=NAVIGATES)[2]
        running.write_config({"gateway": {"controlUi": {"enabled": False}}})
        until(lambda: running.request("GET", "/claw/", headers=NAVIGATES)[0] == 404, 10, "no web content")
    finally:
        running.close()


def big_file_arrives_whole(running, root):
    """Also to a reader who takes it in drops, on a connection that is used again, and to one who hangs up midway."""
    path, content = "/claw/assets/app-01234567.js", (root / "assets" / "app-01234567.js").read_bytes()
    ask = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as gone:
        gone.sendall(ask)
        assert gone.recv(100)
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.sendall(ask + ask.replace(b"GET", b"HEAD") + ask)
        reader = slow.makefile("rb")
        for has_body in (True, False, True):
            assert b" 200 " in reader.readline()
            head = dict(line.rstrip().split(b": ", 1) for line in iter(reader.readline, b"\r\n"))
            assert head[b"Content-Length"] == str(len(content)).encode()
            assert head[b"Cache-Control"] == b"public, max-age=31536000, immutable"
            assert not has_body or reader.read(len(content)) == content
