"""A gateway that says what a test tells it to, for the ways a real one fails only rarely."""

import asyncio
import json
import threading

import websockets

SCOPES = ["operator.admin", "operator.read", "operator.write"]


def answer(request, payload):
    return {"type": "res", "id": request["id"], "ok": True, "payload": payload}


def refusal(request, message, code="INVALID_REQUEST", **more):
    return {"type": "res", "id": request["id"], "ok": False, "error": {"code": code, "message": message, **more}}


def hello(request):
    return answer(request, {"type": "hello-ok", "protocol": 3,
                            "server": {"version": "0-fake", "connId": "c"},
                            "auth": {"role": "operator", "scopes": request["params"].get("scopes", SCOPES)},
                            "snapshot": {"presence": []}})


class FakeGateway:
    """`on_connect(socket, request)` and `on_request(socket, request)` are coroutines; None means the usual."""

    def __init__(self, on_connect=None, on_request=None, challenge=True):
        self.on_connect, self.on_request, self.challenge = on_connect, on_request, challenge
        self.requests = []
        self.closes = []
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self.ready.wait(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(10)

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.serve())

    async def serve(self):
        self.stop = asyncio.Event()
        async with websockets.serve(self.talk, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await self.stop.wait()

    async def talk(self, socket):
        try:
            if self.challenge:
                await self.say(socket, {"type": "event", "event": "connect.challenge",
                                        "payload": {"nonce": "n-1", "ts": 1}})
            async for text in socket:
                request = json.loads(text)
                self.requests.append(request)
                await self.react(socket, request)
        except websockets.ConnectionClosed:
            pass
        finally:
            self.closes.append(socket.close_code)

    async def react(self, socket, request):
        if request["method"] == "connect":
            if self.on_connect:
                await self.on_connect(socket, request)
            else:
                await self.say(socket, hello(request))
        elif self.on_request:
            await self.on_request(socket, request)
        else:
            await self.say(socket, answer(request, {"ok": True}))

    @staticmethod
    async def say(socket, frame):
        await socket.send(json.dumps(frame))

    def asked(self, method):
        return [request for request in self.requests if request["method"] == method]
