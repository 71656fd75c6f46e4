"""Clients that come from elsewhere, as far as the gateway can see."""

import socket
import threading

FAR = ["X-Forwarded-For: 203.0.113.7"]


class FromAfar:
    """A proxy that the gateway trusts: who comes through it comes from elsewhere."""

    def __init__(self, port, address="127.0.0.1"):
        self.target = port
        self.server = socket.create_server((address, 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near):
        far = socket.create_connection(("127.0.0.1", self.target))
        head = b""
        while b"\r\n\r\n" not in head:
            data = near.recv(65536)
            if not data:
                return
            head += data
        first, rest = head.split(b"\r\n", 1)
        far.sendall(first + f"\r\n{FAR[0]}\r\n".encode() + rest)
        threading.Thread(target=self.pump, args=(far, near), daemon=True).start()
        self.pump(near, far)

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
