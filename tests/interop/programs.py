"""Programs of the original that are left running."""

import contextlib
import os
import signal
import subprocess

SLOW = 150  # seconds that one may take until it serves, on a machine that is busy


def start(client, output, *words, **environment):
    """The original's program, left running."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
    with open(os.path.join(client.home, output), "wb") as file:
        return subprocess.Popen(
            [client.node_path, os.path.join(client.modules, "openclaw/openclaw.mjs"), *words], stdin=subprocess.DEVNULL,
            stdout=file, stderr=file, cwd=client.home, start_new_session=True,
            env={**kept, "HOME": client.home, "OPENCLAW_STATE_DIR": client.home, "NODE_PATH": client.modules,
                 "NO_COLOR": "1", "OPENCLAW_CONFIG_PATH": os.path.join(client.home, "openclaw.json"), **environment})


def stop(process):
    """It and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def said(client, output):
    with open(os.path.join(client.home, output), encoding="utf-8", errors="replace") as file:
        return file.read()[-4000:]
