"""Parts of files (RFC 9110 §14), as players of sound and film ask for them: of a site's directory, of the canvas and of
files that a conversation shows, over HTTP/1.1 and HTTP/2."""

import http.client
from urllib.parse import urlencode

import pytest
from gateway import Gateway
from http2_client import Http2

FILM = bytes(range(251)) * 1000
SIZE = len(FILM)
PAGE = "<html><body>a page</body></html>"


@pytest.fixture(scope="module")
def shown(topology, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "film.mp4").write_bytes(FILM)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "index.html").write_text(PAGE)
    config = {"gateway": {"controlUi": {"root": str(folder)}}, "canvasHost": {"root": str(folder)},
              "agents": {"list": [{"id": "main", "workspace": str(folder)}]}}
    with Gateway(topology, config) as running:
        running.media = "/__openclaw__/assistant-media?" + urlencode({"source": str(folder / "film.mp4")})
        yield running


def ask(gateway, path="/film.mp4", method="GET", **fields):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {gateway.token}",
                                                  **{name.replace("_", "-"): value for name, value in fields.items()}})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("said, first, end", [
    ("bytes=0-0", 0, 1), ("bytes=0-", 0, SIZE), ("bytes=100-199", 100, 200), (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
    ("bytes=-300", SIZE - 300, SIZE), (f"bytes=-{SIZE * 2}", 0, SIZE), (f"bytes=65530-{SIZE * 9}", 65530, SIZE),
    ("bytes=70000-140000", 70000, 140001), ("BYTES= 1-2", 1, 3),
])
def test_a_part_is_sent(shown, said, first, end):
    for path in ("/film.mp4", "/__openclaw__/canvas/film.mp4", shown.media):
        status, headers, body = ask(shown, path, Range=said)
        assert (status, headers["Content-Range"]) == (206, f"bytes {first}-{end - 1}/{SIZE}"), path
        assert headers["Content-Length"] == str(end - first) and headers["Content-Type"] == "video/mp4"
        assert headers["Accept-Ranges"] == "bytes" and headers["X-Content-Type-Options"] == "nosniff"
        assert body == FILM[first:end], path


@pytest.mark.parametrize("said", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", "bytes=99999999999999999999999-"])
def test_what_is_behind_the_end_is_416(shown, said):
    status, headers, body = ask(shown, Range=said)
    assert (status, headers["Content-Range"], headers["Content-Length"], body) == (416, f"bytes */{SIZE}", "0", b"")


@pytest.mark.parametrize("said", ["bytes=0-1,5-6", "bytes=5-1", "bytes=", "lines=0-1", "bytes=a-b", "bytes=" + "0-1," * 60])
def test_several_and_what_is_no_range_are_answered_with_the_whole(shown, said):
    status, headers, body = ask(shown, Range=said)
    assert (status, len(body), headers["Accept-Ranges"]) == (200, SIZE, "bytes") and "Content-Range" not in headers


def test_only_of_the_version_that_is_known(shown):
    etag = ask(shown)[1]["ETag"]
    for given, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200), ("Sun, 22 Nov 2026 16:18:53 GMT", 200),
                          ('"' + "x" * 100 + '"', 200)):
        assert ask(shown, Range="bytes=1-2", If_Range=given)[0] == status, given
    status, headers, body = ask(shown, Range="bytes=1-2", If_None_Match=etag)
    assert (status, headers["Content-Length"], body) == (304, str(SIZE), b""), "the length is that of the whole"
    assert ask(shown, "/__openclaw__/canvas/film.mp4", Range="bytes=1-2", If_Range=etag)[0] == 200, "it tells no tag"


def test_head_tells_that_parts_are_served_and_sends_none(shown):
    status, headers, body = ask(shown, method="HEAD", Range="bytes=1-2")
    assert (status, headers["Content-Length"], headers["Accept-Ranges"], body) == (200, str(SIZE), "bytes", b"")
    assert "Content-Range" not in headers


def test_pages_and_empty_files_are_whole(shown):
    status, headers, body = ask(shown, "/index.html", Range="bytes=0-3")
    assert (status, body.decode()) == (200, PAGE) and "Accept-Ranges" not in headers
    assert ask(shown, "/__openclaw__/canvas/index.html", Range="bytes=0-3")[0] == 200
    assert ask(shown, "/empty.mp4", Range="bytes=-5")[::2] == (200, b"")
    assert ask(shown, "/empty.mp4", Range="bytes=0-")[0] == 416


def test_a_connection_goes_on_behind_a_part(shown):
    connection = http.client.HTTPConnection("127.0.0.1", shown.port, timeout=20)
    for said, status in (("bytes=5-9", 206), (f"bytes={SIZE}-", 416), ("bytes=0-1", 206)):
        connection.request("GET", "/film.mp4", headers={"Range": said})
        answer = connection.getresponse()
        assert (answer.status, len(answer.read())) == (status, {206: int(answer.getheader("Content-Length")), 416: 0}[status])
    connection.close()


def test_the_same_over_http2(shown):
    with Http2(shown.port) as wire:
        part = wire.request("GET", "/film.mp4", headers={"range": "bytes=65000-200000"})
        assert (part.status, part.headers["content-range"]) == (206, f"bytes 65000-200000/{SIZE}")
        assert part.data == FILM[65000:200001] and part.is_ended
        beyond = wire.request("GET", "/film.mp4", headers={"range": f"bytes={SIZE}-"})
        assert (beyond.status, beyond.data, beyond.is_ended) == (416, b"", True)
