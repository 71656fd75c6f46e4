"""A program on a terminal of its own, talked to as a person would."""

import os
import pty
import select
import subprocess
import time


class Terminal:
    def __init__(self, command, environment, stdout=None):
        self.near, far = pty.openpty()
        self.seen = ""
        self.at = 0  # what lies before was answered
        self.process = subprocess.Popen(command, env=environment, stdin=far, stderr=far, stdout=stdout or far,
                                        start_new_session=True)
        os.close(far)

    def expect(self, text, timeout=20):
        """Waits until `text` appears behind everything that was answered before."""
        deadline = time.monotonic() + timeout
        while text not in self.seen[self.at:]:
            if time.monotonic() > deadline or not self.read(deadline - time.monotonic()):
                raise AssertionError(f"no {text!r} in what came after the last answer:\n{self.seen[self.at:]}")
        self.at = self.seen.index(text, self.at) + len(text)

    def read(self, timeout):
        ready, _, _ = select.select([self.near], [], [], max(timeout, 0))
        try:
            data = os.read(self.near, 65536) if ready else b""
        except OSError:  # the other side is closed
            data = b""
        self.seen += data.decode(errors="replace")
        return data

    def answer(self, question, text):
        self.expect(question)
        os.write(self.near, (text + "\n").encode())

    def end_of_input(self, question):
        self.expect(question)
        os.write(self.near, b"\x04")

    def wait(self, timeout=20):
        deadline = time.monotonic() + timeout
        while self.read(deadline - time.monotonic()):
            pass
        return self.process.wait(timeout)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.near)
