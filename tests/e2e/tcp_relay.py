"""Somebody on the way between two machines: hands on what TCP connections carry, until they are forgotten."""

import contextlib
import socket
import struct
import threading


class Relay(contextlib.AbstractContextManager):
    def __init__(self, port, target):
        self.target, self.ways, self.is_over = target, [], False
        self.lock = threading.Lock()
        self.server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.server.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.target), 5)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                with self.lock:
                    self.ways.append((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=pair, daemon=True).start()

    @staticmethod
    def carry(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def forget(self):
        """Each side is told by a reset, as by a router that has lost its memory; how many connections there were."""
        with self.lock:
            ways, self.ways = self.ways, []
        for sock in (each for way in ways for each in way):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RD)  # wakes who reads from it
            sock.close()
        return len(ways)

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self.server.close()
        self.forget()
