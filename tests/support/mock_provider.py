"""A provider that speaks the chat-completions API, and misbehaves on request.

Run as a program it prints {"port": N} and serves until its standard input ends. What it does is decided by a word in
the last user message:

  SLOW             a word every 30 ms
  FAIL500 FAIL401 FAIL429 FAIL400 CONTEXT   an error status; 401 repeats the key it was given, 429 has Retry-After: 7
  NOHEAD           takes the request and never answers
  STALL            one word, then silence; with ONCE as well only the first time that this is asked
  CUT              two words, then the connection is reset in the middle of the response
  UNFINISHED       two words, then a proper end of the response, without finish_reason or [DONE]
  NODONE           a whole answer without [DONE]
  NOUSAGE          a whole answer without usage
  RUBBISH          an event that is not JSON
  HTML             status 200 and a web page
  BROKEOFF         one word, then an error object in the stream
  TOOLCALL         the model calls a tool
  CLIENTTOOL:<n>   a word, then n calls of the tool that was offered, in pieces of their arguments
  HUGELINE         one event of 2 MiB
  HUGE             text without end
  HUGE:<n>         n pieces of 64 KiB
  TOKENS:<n>       n tokens as fast as they go
  CRLF             a whole answer with CR LF line ends, comments and event names

Everything else is answered with "Hello from the mock model." GET /stats tells what was asked: the number of requests,
of each last user message, of connections, and of responses that the client cut (with the times). Behind the result of a
tool it answers "It says", and what the tool said.
"""

import asyncio
import collections
import json
import re
import sys
import time

WORDS = ["Hello", " from", " the", " mock", " model", "."]


class Cut(Exception):
    """The connection is to be reset."""


class Provider:
    def __init__(self):
        self.requests = 0
        self.connections = 0
        self.cut_by_client = 0
        self.cut_times = []
        self.texts = collections.Counter()
        self.bodies = collections.deque(maxlen=100)
        self.headers = collections.deque(maxlen=100)
        self.server = None

    async def start(self):
        self.server = await asyncio.start_server(self.on_connection, "127.0.0.1", 0, limit=64 << 20)
        return self.server.sockets[0].getsockname()[1]

    async def on_connection(self, reader, writer):
        self.connections += 1
        try:
            while await self.exchange(reader, writer):
                pass
        except Cut:
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.cut_by_client += 1
            self.cut_times.append(time.time())
        finally:
            writer.close()

    async def exchange(self, reader, writer):
        first = await reader.read(1)
        if first in (b"", b"\x16"):  # the end, or someone who wants TLS
            writer.write(b"HTTP/1.1 400 X\r\n\r\n" if first else b"")
            return False
        head = first + await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if lines[0].startswith("GET /stats"):
            await self.send_json(writer, 200, self.stats())
            return True
        if lines[0].startswith("POST /v1/embeddings"):
            await self.embed(reader, writer, headers, json.loads(body))
            return True
        await Answer(self, reader, writer, headers).give(json.loads(body))
        return True

    def stats(self):
        return {"requests": self.requests, "connections": self.connections, "cut_by_client": self.cut_by_client, "cut_times": self.cut_times,
                "texts": self.texts, "bodies": list(self.bodies), "headers": list(self.headers)}

    async def embed(self, reader, writer, headers, body):
        """Two numbers for each text, in reverse order; the words of chat completions misbehave here as well."""
        texts = body["input"]
        self.requests += 1
        self.texts[texts[0]] += 1
        self.bodies.append(body)
        self.headers.append(headers)
        for marker in ("FAIL500", "FAIL401", "FAIL429", "FAIL400"):
            if marker in texts[0]:
                return await Answer(self, reader, writer, headers).fail(marker)
        if "NOHEAD" in texts[0]:
            await reader.read(1)
            raise ConnectionResetError
        data = [{"object": "embedding", "index": i, "embedding": [len(text), -0.125]} for i, text in enumerate(texts)]
        if "FEWER" in texts[0]:
            data.pop()
        return await self.send_json(writer, 200, {"object": "list", "data": data[::-1], "model": body["model"],
                                                  "usage": {"prompt_tokens": 3, "total_tokens": 3}})

    async def send_json(self, writer, status, value, headers=""):
        text = json.dumps(value).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}"
                     f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
        await writer.drain()


def content_text(content):
    return content if isinstance(content, str) else "\n".join(p.get("text", "") for p in content)


class Answer:
    def __init__(self, provider, reader, writer, headers):
        self.provider = provider
        self.reader = reader
        self.writer = writer
        self.headers = headers
        self.number = 0
        self.end = "\n"

    async def give(self, body):
        provider = self.provider
        text = next((content_text(m["content"]) for m in reversed(body["messages"]) if m["role"] == "user"), "")
        provider.requests += 1
        provider.texts[text] += 1
        provider.bodies.append(body)
        provider.headers.append(self.headers)
        self.number = provider.requests
        for marker in ("FAIL500", "FAIL401", "FAIL429", "FAIL400", "CONTEXT"):
            if marker in text:
                return await self.fail(marker)
        if "NOHEAD" in text:
            await self.reader.read(1)
            raise ConnectionResetError
        if "HTML" in text:
            page = b"<html>not an API</html>"
            self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
            return await self.writer.drain()
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        if body["messages"][-1]["role"] == "tool":
            await self.whole(text, ["It", " says ", content_text(body["messages"][-1]["content"])])
        elif "CLIENTTOOL" in text:
            await self.calls(int(text.partition("CLIENTTOOL:")[2] or 1), body["tools"])
        else:
            await self.stream(text)
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def fail(self, marker):
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        status, message, extra, code = {
            "FAIL500": (500, "mock upstream failure", "", None),
            "FAIL401": (401, f"Incorrect API key provided: {key}", "", "invalid_api_key"),
            "FAIL429": (429, "slow down", "Retry-After: 7\r\n", "rate_limit_exceeded"),
            "FAIL400": (400, "no such parameter", "", None),
            "CONTEXT": (400, "too many tokens", "", "context_length_exceeded"),
        }[marker]
        await self.provider.send_json(self.writer, status, {"error": {"message": message, "code": code}}, extra)

    def raw(self, text):
        data = text.encode()
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, value):
        text = value if isinstance(value, str) else json.dumps(value)
        self.raw(f"data: {text}{self.end}{self.end}")

    def chunk(self, delta, finish=None, **more):
        self.event({"id": f"chatcmpl-mock{self.number}", "object": "chat.completion.chunk",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})

    async def words(self, words, pause=0):
        for number, word in enumerate(words):
            self.chunk({"content": word})
            if pause or number % 64 == 63:
                await self.writer.drain()
                await asyncio.sleep(pause)
        await self.writer.drain()

    async def endless(self):
        """Each piece waits for its reader, so that nothing is left to do once the client has gone."""
        while True:
            self.chunk({"content": "y" * 65536})
            await self.writer.drain()

    async def forever_silent(self):
        await self.writer.drain()
        await self.reader.read(1)  # until the client goes
        raise ConnectionResetError

    async def stream(self, text):
        if "RUBBISH" in text:
            return self.event("{this is no JSON")
        if "HUGELINE" in text:
            return self.event("x" * (2 << 20))
        huge = re.search(r"HUGE:(\d+)", text)
        if huge:
            return await self.whole("", ["y" * 65536] * int(huge.group(1)))
        if "HUGE" in text:
            return await self.endless()
        if "STALL" in text and ("ONCE" not in text or self.provider.texts[text] == 1):
            await self.words(WORDS[:1])
            return await self.forever_silent()
        if "BROKEOFF" in text:
            await self.words(WORDS[:1])
            return self.event({"error": {"message": "the model fell over"}})
        if "TOOLCALL" in text:
            self.chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}]})
            self.chunk({}, "tool_calls")
            return self.event("[DONE]")
        if "CUT" in text or "UNFINISHED" in text:
            await self.words(WORDS[:2])
            if "CUT" in text:
                raise Cut
            return None
        return await self.whole(text)

    async def calls(self, count, tools):
        await self.words(["Well."])
        for index in range(count):
            function = {"name": tools[0]["function"]["name"], "arguments": ""}
            self.chunk({"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": function}]})
            for piece in ('{"city":', f' "Oslo{index}"}}'):
                self.chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
                await self.writer.drain()
        self.chunk({}, "tool_calls")
        self.event({"id": "u", "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}})
        self.event("[DONE]")

    async def whole(self, text, words=None):
        tokens = re.search(r"TOKENS:(\d+)", text)
        words = words or ([f" t{i}" for i in range(int(tokens.group(1)))] if tokens else WORDS)
        if "SLOW" in text:
            words = [f"word{i} " for i in range(200)]
        if "CRLF" in text:
            self.end = "\r\n"
            self.raw(": a comment\r\n\r\nevent: completion\r\n")
        self.chunk({"role": "assistant", "content": ""})
        await self.words(words, 0.03 if "SLOW" in text else 0)
        self.chunk({}, "stop")
        if "NOUSAGE" not in text:
            self.event({"id": "u", "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": len(words),
                                                          "total_tokens": 11 + len(words)}})
        if "NODONE" not in text:
            self.event("[DONE]")
        return None


async def serve():
    provider = Provider()
    print(json.dumps({"port": await provider.start()}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
