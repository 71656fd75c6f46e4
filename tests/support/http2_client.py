"""A client of HTTP/2 that does as it is told: python3-h2 for what is right, bytes for what is not."""

import collections
import json
import socket
import struct
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
ENHANCE_YOUR_CALM = 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A field that no table is used for (RFC 7541 §6.2.2)."""
    def text(data):
        head = bytes([len(data)]) if len(data) < 127 else b"\x7f" + number(len(data) - 127)
        return head + data

    def number(n):
        out = b""
        while n >= 128:
            out, n = out + bytes([n % 128 + 128]), n // 128
        return out + bytes([n])

    return b"\x00" + text(name.encode("latin-1")) + text(value.encode("latin-1"))


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


def head(method="GET", path="/healthz", scheme="http", authority="localhost", more=()):
    return [(":method", method), (":path", path), (":scheme", scheme), (":authority", authority), *more]


def connect(port, timeout=20):
    sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # words that room was made do not wait for each other
    return sock


def frames_of(data):
    """(kind, flags, stream, payload) of each whole frame."""
    at = 0
    while at + 9 <= len(data):
        length = int.from_bytes(data[at:at + 3], "big")
        yield data[at + 3], data[at + 4], int.from_bytes(data[at + 5:at + 9], "big"), data[at + 9:at + 9 + length]
        at += 9 + length


class Answer:
    def __init__(self):
        self.status, self.headers, self.informed = None, {}, []
        self.data, self.times = b"", []
        self.is_ended, self.reset = False, None

    @property
    def text(self):
        return self.data.decode()

    @property
    def is_over(self):
        return self.is_ended or self.reset is not None


class Http2:
    """One connection. `held`: streams whose data is taken and never given room for again."""

    def __init__(self, port, tls=None, window=None, sock=None, is_strict=True, timeout=20):
        self.sock = sock or connect(port, timeout)
        if tls:
            tls.set_alpn_protocols(["h2", "http/1.1"])
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
            assert self.sock.selected_alpn_protocol() == "h2"
        self.scheme = "https" if tls else "http"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=is_strict,
            normalize_outbound_headers=is_strict))
        self.answers = collections.defaultdict(Answer)
        self.held, self.pongs, self.goaway, self.is_closed = set(), 0, None, False
        self.limits = {}
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        self.send(self.h2.data_to_send())

    def send(self, data):
        """Bytes as they are. The other side may have hung up: what it said is still there to be read."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def begin(self, method, path, headers=None, is_end=False, authority="localhost"):
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":path", path), (":scheme", self.scheme), (":authority", authority)]
        self.h2.send_headers(stream, fields + [(k.lower(), str(v)) for k, v in (headers or {}).items()], is_end)
        self.flush()
        return stream

    def ask(self, method, path, body=None, headers=None, **more):
        """Sends a whole request; returns its stream."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        elif isinstance(body, str):
            body = body.encode()
        if body is not None:
            headers.setdefault("Content-Length", len(body))
        stream = self.begin(method, path, headers, not body, **more)
        if body:
            self.body(stream, body, True)
        return stream

    def body(self, stream, data, is_end):
        """As fast as there is room; false when the answer came before all was sent."""
        at = 0
        while True:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if at == len(data) or room:
                piece = data[at:at + room]
                at += len(piece)
                self.h2.send_data(stream, piece, is_end and at == len(data))
                self.flush()
                if at == len(data):
                    return True
            else:
                self.read()
            if self.answers[stream].is_over or self.is_closed:
                return False

    def read(self):
        """What has come, at least something; false at the end of the connection."""
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_closed = True
            return False
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            raise AssertionError(f"the gateway broke the protocol: {error!r}") from error
        for event in events:
            self.take(event)
        self.flush()
        return True

    def take(self, event):
        answer = self.answers[event.stream_id] if getattr(event, "stream_id", None) else None
        if isinstance(event, h2.events.ResponseReceived):
            fields = dict(event.headers)
            answer.status, answer.headers = int(fields.pop(":status")), fields
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.informed.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.DataReceived):
            answer.data += event.data
            answer.times.append(time.monotonic())
            if event.flow_controlled_length and event.stream_id not in self.held:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.is_ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = int(event.error_code)
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self.limits.update({int(code): change.new_value for code, change in event.changed_settings.items()})

    def until(self, condition):
        while not condition():
            if not self.read():
                assert condition(), f"the connection ended (GOAWAY {self.goaway})"

    def wait(self, *streams):
        self.until(lambda: all(self.answers[stream].is_over for stream in streams))
        return self.answers[streams[0]]

    def reset(self, stream, code=8):
        self.h2.reset_stream(stream, code)
        self.flush()

    def request(self, *args, **more):
        return self.wait(self.ask(*args, **more))

    def read_to_end(self):
        while self.read():
            pass
