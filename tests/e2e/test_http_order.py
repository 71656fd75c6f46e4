"""What leaves on one connection leaves in its order: streamed bodies and small answers behind one another, to a reader who
takes them in drops, while others ask as well."""

import json
import socket
import threading

WORDS = " ".join(f"w{n}" for n in range(1500))


def request(gateway, method, path, body=None):
    text = json.dumps(body).encode() if body is not None else b""
    return (f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n").encode() + text


def chunks(reader):
    while True:
        size = int(reader.readline(), 16)
        data = reader.read(size)
        assert len(data) == size and reader.readline() == b"\r\n"
        if not size:
            return
        yield data


def answer(reader):
    """(status, body) of the next one."""
    status = int(reader.readline().split()[1])
    head = dict(line.rstrip().lower().split(b": ", 1) for line in iter(reader.readline, b"\r\n"))
    if head.get(b"transfer-encoding") == b"chunked":
        return status, b"".join(chunks(reader))
    return status, reader.read(int(head[b"content-length"]))


def said(body):
    lines = [line.removeprefix("data: ") for line in body.decode().splitlines() if line]
    assert lines[-1] == "[DONE]"
    parts = [json.loads(line) for line in lines[:-1]]
    assert len({part["id"] for part in parts}) == 1, "pieces of another answer"
    return "".join(part["choices"][0]["delta"].get("content") or "" for part in parts if part["choices"])


def exchanges(gateway, rounds, take):
    """Streams and small answers by turns, all asked for at once on one connection, and read `take` bytes at a time."""
    stream = request(gateway, "POST", "/v1/chat/completions",
                     {"model": "openclaw", "stream": True, "messages": [{"role": "user", "content": WORDS}]})
    whole = request(gateway, "POST", "/v1/chat/completions",
                    {"model": "openclaw", "messages": [{"role": "user", "content": "short"}]})
    small = request(gateway, "GET", "/v1/models")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, take)
        sock.settimeout(60)
        sock.connect(("127.0.0.1", gateway.port))
        sender = threading.Thread(target=sock.sendall, args=((stream + small + whole + small) * rounds,))
        sender.start()
        reader = sock.makefile("rb", buffering=take)
        for _ in range(rounds):
            status, body = answer(reader)
            assert status == 200 and WORDS in said(body)
            status, body = answer(reader)
            assert status == 200 and json.loads(body)["object"] == "list"
            status, body = answer(reader)
            assert status == 200 and "short" in json.loads(body)["choices"][0]["message"]["content"]
            status, body = answer(reader)
            assert status == 200 and json.loads(body)["object"] == "list"
        sender.join()
        reader.close()


def test_streams_and_small_answers_of_one_connection_leave_in_their_order(gateway):
    problems = []

    def run(take):
        try:
            exchanges(gateway, 3, take)
        except BaseException as why:  # told by the test itself
            problems.append((take, repr(why)))

    readers = [threading.Thread(target=run, args=(take,)) for take in (512, 2048, 16384, 65536)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert not problems
