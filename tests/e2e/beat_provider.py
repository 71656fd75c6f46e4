"""A provider of one test: it answers heartbeats as it is told, everything else with one word, and keeps what it was asked."""

import http.server
import json
import threading


class BeatProvider:
    def __init__(self):
        self.asked = []  # messages of each request, oldest first
        self.models = []
        self.answer = "HEARTBEAT_OK"  # to heartbeats
        self.hold = threading.Event()  # answers wait for it
        self.hold.set()
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                outer.serve(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()

    def serve(self, request):
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.asked.append(body["messages"])
        self.models.append(body["model"])
        answer = self.answer if is_beat(body["messages"]) else "fine"
        self.hold.wait(30)
        request.send_response(self.status)
        request.send_header("Content-Type", "text/event-stream" if self.status == 200 else "application/json")
        request.end_headers()
        if self.status != 200:
            request.wfile.write(b'{"error": {"message": "mock failure"}}')
            return
        for delta, finish in (({"role": "assistant", "content": answer}, None), ({}, "stop")):
            chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
                     "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
            request.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        request.wfile.write(b"data: [DONE]\n\n")

    def all(self, agent):
        """What an agent asked that says its name in its system prompt."""
        return [messages for messages in self.asked if messages[0]["content"] == f"You are {agent}."]

    def beats(self, agent=None):
        return [messages for messages in (self.all(agent) if agent else self.asked) if is_beat(messages)]

    def config(self, **defaults):
        address = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        models = [{"id": "mock-1", "name": "mock-1"}, {"id": "small", "name": "small"}]
        return {"models": {"providers": {"mock": {"api": "openai-completions", "baseUrl": address, "apiKey": "sk-x",
                                                  "models": models}}},
                "agents": {"defaults": {"model": {"primary": "mock/mock-1"}, **defaults}}}


def is_beat(messages):
    return any(m["role"] == "system" and "This turn is a heartbeat" in m["content"] for m in messages)
