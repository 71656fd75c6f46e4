"""A model provider for a test: mock_provider.py in a process of its own."""

import json
import os
import subprocess
import sys
import urllib.request

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mock_provider.py")


class Provider:
    key = "sk-never-shown"

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=5) as answer:
            return json.load(answer)

    def setup(self, **more):
        """What stands under models.providers."""
        return {"api": "openai-completions", "baseUrl": f"http://127.0.0.1:{self.port}/v1", "apiKey": self.key,
                "models": [{"id": "mock-1", "name": "mock-1"}], **more}

    def config(self, **more):
        """A config whose agents ask it."""
        return {"models": {"providers": {"mock": self.setup(**more)}},
                "agents": {"defaults": {"model": {"primary": "mock/mock-1"}}}}

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
