"""A small WebSocket client that can also misbehave: frames are built by hand (RFC 6455)."""

import base64
import os
import socket
import struct
import time

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Closed(Exception):
    def __init__(self, code, reason):
        super().__init__(f"closed with {code}: {reason}")
        self.code, self.reason = code, reason


class Refused(Exception):
    def __init__(self, status, head):
        super().__init__(f"upgrade refused with {status}")
        self.status, self.head = status, head


def frame(opcode, payload, fin=True, masked=True):
    head = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + mask + mixed.to_bytes(len(payload), "big")


class WebSocket:
    def __init__(self, port, path="/", headers=(), timeout=10, tls=None):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.buffer = b""
        self.upgrade(port, path, headers)

    def upgrade(self, port, path, headers):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.fill(time.monotonic() + 10)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status = int(head.split()[1])
        if status != 101:
            raise Refused(status, head.decode())

    def fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing arrived in time")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(1 << 16)
        except socket.timeout as late:
            raise TimeoutError("nothing arrived in time") from late
        except ConnectionResetError as reset:
            raise Closed(1006, "reset") from reset
        if not data:
            raise Closed(1006, "the connection ended without a close frame")
        self.buffer += data

    def take(self, count, deadline):
        while len(self.buffer) < count:
            self.fill(deadline)
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def frame(self, deadline):
        first, second = self.take(2, deadline)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.take(2, deadline))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.take(8, deadline))[0]
        return bool(first & 0x80), first & 0x0F, self.take(length, deadline)

    def receive(self, timeout=10):
        """The next whole data message; answers pings on the way."""
        deadline, parts = time.monotonic() + timeout, b""
        while True:
            fin, opcode, payload = self.frame(deadline)
            if opcode == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed(code, payload[2:].decode(errors="replace"))
            if opcode == PING:
                self.send_raw(frame(PONG, payload))
            elif opcode != PONG:
                parts += payload
                if fin:
                    return parts

    def send(self, text):
        self.send_raw(frame(TEXT, text if isinstance(text, bytes) else text.encode()))

    def send_raw(self, data):
        self.sock.settimeout(10)
        self.sock.sendall(data)

    def close(self):
        try:
            self.send_raw(frame(CLOSE, struct.pack(">H", 1000)))
        except OSError:
            pass
        self.sock.close()
