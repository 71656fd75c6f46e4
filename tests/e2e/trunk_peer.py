"""The end of a trunk in a host of another machine, by hand: docs/bus-wire.md, "Between machines"."""

import os

import msgpack
import zmq

HELLO, WELCOME, REFUSED, DATA, BEAT = 1, 2, 3, 4, 5
CALL, CAST = 1, 4


class Peer:
    """Speaks for the host `agents`, in whatever way a test wants."""

    def __init__(self, gateway):
        with open(os.path.join(gateway.elsewhere.state_dir, "bus/curve.cert_secret"), encoding="utf-8") as file:
            lines = dict(line.strip().split(" = ", 1) for line in file if " = " in line)
        with open(gateway.elsewhere.topology_path, encoding="utf-8") as file:
            text = file.read()
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_publickey = lines["public-key"].strip('"').encode()
        self.socket.curve_secretkey = lines["secret-key"].strip('"').encode()
        self.socket.curve_serverkey = text.split("curve: \"")[1][:40].encode()
        self.socket.connect(text.split("endpoint: \"")[1].split("\"")[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.context.term()

    def send(self, kind, *frames, number=0, seen=0):
        self.socket.send_multipart([bytes([kind, 0]) + number.to_bytes(8, "big") + seen.to_bytes(8, "big"), *frames])

    def hello(self, **changes):
        self.send(HELLO, msgpack.packb({"least": 1, "most": 1, "host": "agents", "session": 0, "seen": 0, **changes}))

    def join(self):
        """Says what a host's node says first; the incarnation that it got."""
        self.hello()
        kind, (welcome,) = self.hear()
        assert kind == WELCOME
        self.incarnation, self.number = welcome["incarnation"], 0
        self.say("supervisor", "bus.hello", {"host": "agents", "pid": 1, "incarnation": self.incarnation})

    def say(self, to, name, body, kind=CAST, sender="host/agents", via=""):
        self.number += 1
        header = [1, kind, self.number, 0, sender, to, name, 1000, bytes(16), 0, "", self.incarnation, via, 0]
        self.send(DATA, msgpack.packb(header), msgpack.packb(body), number=self.number)

    def hear(self):
        assert self.socket.poll(5000), "no answer"
        head, *frames = self.socket.recv_multipart()
        return head[0], [msgpack.unpackb(frame) for frame in frames]
