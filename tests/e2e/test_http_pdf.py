"""PDF and HEIC, which models do not take: text and pictures made of them by programs of the system."""

import base64
import contextlib
import copy
import ctypes
import glob
import json
import os
import threading

import pytest

from gateway import Gateway, until
from test_http_responses import ask, configured, sent

# 64 x 64 red pixels, by heif-enc.
HEIC = ("AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAUJtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAA"
        "AAAAABAAAAImlsb2MAAAAAREAAAQABAAAAAAFmAAEAAAAAAAAAGQAAACNpaW5mAAAAAAABAAAAFWluZmUCAAAAAAEAAGh2YzEAAAAAwmlwcnAA"
        "AACkaXBjbwAAAHhodmNDAQNwAAAAAAAAAAAAHvAA/P34+AAADwMgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQCEAAQArQgEBA3AAAAMAkA"
        "AAAwAAAwAeoCCBBZbqSSmubgQEDAgAAAMACAAAAwAIQCIAAQAHRAHBcrAiQAAAABRpc3BlAAAAAAAAAEAAAABAAAAAEHBpeGkAAAAAAwgICAAA"
        "ABZpcG1hAAAAAAAAAAEAAQOBAoMAAAAhbWRhdAAAABUoAa8EGPx5OOv/+llP31AXbAxHQ4A=")
LINE = "Hello from page %d of a small PDF."


def pdf(*pages, more=b""):
    """A PDF whose pages have these contents."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    made = [b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % (3 + 2 * i) for i in range(len(pages))), len(pages))]
    for i, content in enumerate(pages):
        made.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents %d 0 R /Resources << /Font << /F1 %s >> >> >>"
                    % (4 + 2 * i, font))
        made.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    out, places = b"%PDF-1.4\n" + more, []
    for i, item in enumerate(made, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (i, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(made) + 1, table, len(made) + 1, len(out))


def words(*lines):
    return b"BT /F1 4 Tf 10 90 Td %s ET" % b" 0 -5 Td ".join(b"(%s) Tj" % line.encode() for line in lines)


DRAWN = b"1 0 0 rg 10 10 50 50 re f"


@pytest.fixture(scope="module")
def mock(topology, provider):
    with Gateway(topology, config=configured(provider.config(timeoutSeconds=1))) as running:
        yield running


def file_part(data, name="a.pdf"):
    return {"type": "input_file", "filename": name, "file_data": "data:application/pdf;base64," + base64.b64encode(data).decode()}


def read(gateway, *parts, headers=None):
    return ask(gateway, {"input": [{"role": "user", "content": [{"type": "input_text", "text": "read"}, *parts]}]}, headers)


def pictures(provider):
    """Head and size of each picture that the provider was shown last."""
    content = sent(provider)[-1]["content"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    assert all(url.startswith("data:image/jpeg;base64,") for url in urls)
    return [size_of(base64.b64decode(url.split(",")[1])) for url in urls]


def size_of(jpeg):
    """Width and height, from the frame header (ITU T.81 B.2.2)."""
    assert jpeg[:2] == b"\xff\xd8"
    at = 2
    while jpeg[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(jpeg[at + 2:at + 4], "big")
    return int.from_bytes(jpeg[at + 7:at + 9], "big"), int.from_bytes(jpeg[at + 5:at + 7], "big")


def test_the_text_of_a_pdf_reaches_the_model_as_words_of_a_stranger(mock, provider):
    pages = [words(LINE % i, *["and more of it, and more"] * 4) for i in (1, 2)]
    assert read(mock, file_part(pdf(*pages)), headers={"x-openclaw-session-key": "agent:main:pdf"})[0] == 200
    system, question = sent(provider)
    assert LINE % 1 in system["content"] and LINE % 2 in system["content"] and "EXTERNAL_UNTRUSTED_CONTENT" in system["content"]
    assert question["content"].startswith("read\n[file a.pdf ")
    ask(mock, {"input": "later"}, {"x-openclaw-session-key": "agent:main:pdf"})
    assert LINE % 1 not in json.dumps(sent(provider))


def test_pages_without_text_are_shown(mock, provider):
    assert read(mock, file_part(pdf(*[DRAWN] * 6)))[0] == 200
    assert "[PDF content rendered to images]" in sent(provider)[0]["content"]
    assert pictures(provider) == [(2000, 1000)] * 4


def test_limits_of_the_config_count(topology, provider):
    config = copy.deepcopy(configured(provider.config()))
    config["gateway"]["http"]["endpoints"]["responses"]["files"] = {
        "maxChars": 20, "pdf": {"maxPages": 2, "maxPixels": 10000, "minTextChars": 10}}
    with Gateway(topology, config=config) as running:
        assert read(running, file_part(pdf(*[DRAWN] * 3)))[0] == 200
        assert pictures(provider) == [(100, 50)] * 2
        assert read(running, file_part(pdf(words("a"), words("b"), words("third page"))))[0] == 200
        assert len(pictures(provider)) == 2, "the third page is not looked at"
        assert read(running, file_part(pdf(words(LINE % 1))))[0] == 200
        assert "Hello from page 1 of" in sent(provider)[0]["content"] and "small" not in sent(provider)[0]["content"]


@pytest.mark.parametrize("data", [b"%PDF-1.4\nrubbish", b"no PDF at all", pdf(words("x"))[:200], b"%PDF-1.7\n" + os.urandom(2000)])
def test_what_is_no_pdf_is_said(mock, data):
    status, answer = read(mock, file_part(data))
    assert status == 400 and "cannot be read as PDF" in answer["error"]["message"] and answer["error"]["type"] == "invalid_request_error"


def test_a_heic_picture_becomes_a_jpeg(mock, provider):
    for mime in ("image/heic", "image/heif", "image/png"):
        assert read(mock, {"type": "input_image", "image_url": f"data:{mime};base64,{HEIC}", "detail": "low"})[0] == 200
        assert pictures(provider) == [(64, 64)] and sent(provider)[-1]["content"][-1]["image_url"]["detail"] == "low"
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": f"data:image/heic;base64,{HEIC}"}}]
    assert mock.complete({"model": "openclaw", "messages": [{"role": "user", "content": content}]})[0] == 200
    assert pictures(provider) == [(64, 64)]
    assert not glob.glob("/tmp/openclaw-????????-????-*"), "what it needed is gone"


def test_what_is_no_heic_is_said(mock):
    broken = base64.b64encode(base64.b64decode(HEIC)[:60]).decode()
    status, answer = read(mock, {"type": "input_image", "image_url": f"data:image/heic;base64,{broken}"})
    assert status == 400 and "cannot be read as HEIC" in answer["error"]["message"]


def test_the_package_is_named_that_is_not_installed(topology, provider, tmp_path):
    with Gateway(topology, config=configured(provider.config()), environment={"PATH": str(tmp_path)}) as running:
        status, answer = read(running, file_part(pdf(words("x"))))
        assert status == 400 and "apt install poppler-utils" in answer["error"]["message"]
        status, answer = read(running, {"type": "input_image", "image_url": f"data:image/heic;base64,{HEIC}"})
        assert status == 400 and "apt install libheif-examples" in answer["error"]["message"]


def program(folder, name, text):
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def programs(gateway, word):
    """Processes of that name below one of this gateway; they have an environment of their own."""
    ours, found = set(gateway.processes()), []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            if name == word and int(rest.split()[1]) in ours:
                found.append(int(pid))
    return found


def test_a_program_that_hangs_holds_nobody_up_and_ends_with_its_client(topology, provider, tmp_path):
    """Two run at a time; the others wait. Who leaves takes the program along."""
    program(tmp_path, "pdftotext", "#!/bin/sh\nexec sleep 1000\n")
    with Gateway(topology, config=configured(provider.config()), environment={"PATH": str(tmp_path)}) as running:
        def hang():
            with contextlib.suppress(OSError):
                running.request("POST", "/v1/responses", {"model": "openclaw", "input": [
                    {"role": "user", "content": [file_part(pdf(words("x")))]}]}, {"Authorization": f"Bearer {running.token}"}, timeout=3)
        threads = [threading.Thread(target=hang) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(programs(running, "sleep")) == 2, 10, "two programs")
        assert ask(running, {"input": "meanwhile"})[0] == 200
        for thread in threads:
            thread.join()
        until(lambda: not programs(running, "sleep"), 10, "the end of the programs")


LANDLOCK_CREATE_RULESET = 444
SPY = """#!/usr/bin/python3
import os, socket, sys
told = []
def tries(name, what):
    try:
        what()
        told.append(name + " was let through")
    except Exception as error:
        told.append(name + " " + error.__class__.__name__)
tries("socket", lambda: socket.socket())
tries("fork", lambda: os.fork() or os._exit(0))
tries("exec", lambda: os.posix_spawn("/usr/bin/true", ["true"], {}))
tries("state", lambda: open(%r).read(1))
tries("passwd", lambda: open("/etc/passwd").read(1))
tries("write", lambda: open(%r, "w").write("x"))
tries("kill", lambda: os.kill(os.getppid(), 0))
tries("memory", lambda: bytearray(2 << 30))
told.append("environment " + ",".join(sorted(os.environ)))
print("; ".join(told) + "; " + "x" * 300)
"""


def test_the_program_can_do_nothing_but_compute(topology, provider, tmp_path):
    """No network, no process, no file of ours: a PDF that takes the program over has gained nothing."""
    with Gateway(topology, config=configured(provider.config()), environment={"PATH": str(tmp_path)}) as running:
        program(tmp_path, "pdftotext", SPY % (running.config_path, str(tmp_path / "made")))
        os.chmod(tmp_path, 0o755)
        status, answer = read(running, file_part(pdf(words("x"))))
        assert status == 200, answer
        told = sent(provider)[0]["content"]
    for name in ("socket", "fork", "exec", "kill"):
        assert f"{name} PermissionError" in told, told
    assert "memory MemoryError" in told and "environment HOME,LC_ALL,PATH;" in told
    if ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) > 0:  # the version that the kernel has
        for name in ("state", "passwd", "write"):
            assert f"{name} PermissionError" in told, told
        assert "let through" not in told and not (tmp_path / "made").exists()
