"""Commands one agent over the bus."""

import resource
import signal
import time

from actor_rig import ActorRig, program_of


class Rig(ActorRig):
    program = program_of("agent")
    to = "agent/main"

    def start(self, file_bytes_max=None, waits=True):
        def limit():
            if file_bytes_max:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, resource.RLIM_INFINITY))

        self.launch(preexec_fn=limit, restore_signals=not file_bytes_max)
        if waits:
            self.until(lambda: self.is_ready, "readiness")
        return self

    def poll(self, condition, what, timeout=15):
        """For what no message tells of; `condition` may itself call."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come; stderr: {self.error_text()}"
            time.sleep(0.02)

    def chunks(self, number, name):
        with self.arrived:
            return [a["body"] for a in self.answers.get(number, []) if a.get("chunk") == name]

    def of_run(self, name, run):
        with self.arrived:
            return [b for n, b in self.events if n == name and b.get("runId") == run]

    def chat(self, text, key, session="agent:main:s"):
        return super().chat(text, key, session)

    def history(self, session="agent:main:s", **more):
        return self.call("chat.history", {"sessionKey": session, **more})["messages"]

    def said(self, session="agent:main:s"):
        return [(m["role"], text_of(m)) for m in self.history(session)]


def text_of(message):
    return "\n".join(part["text"] for part in message["content"])
