"""Commands router, health, webchat and their agents over the bus."""

import json
import time

from actor_rig import ActorRig, program_of

INVALID_REQUEST, UNAVAILABLE, TIMEOUT, CANCELLED, AGENT_UNKNOWN = 1, 2, 3, 4, 72


class Rig(ActorRig):
    program = program_of("routing")
    to = "router"

    def reconfigure(self, config):
        self.write_config(config)
        self.cast("config_reload", {}, to="config")

    def start(self):
        self.lives = {}
        self.life_log = []
        self.launch()
        for address in ("config", "router", "health", "channel/webchat"):
            self.until(lambda: self.lives.get(address) == "ready", f"{address} to be ready")
        return self

    def take(self, item):
        super().take(item)
        if "life" in item:
            self.lives[item["life"]] = item["state"]
            self.life_log.append((item["life"], item["state"]))

    def ask_until(self, condition, method, params=None, **more):
        """Asks again and again until the answer is as it should be; returns it."""
        deadline = time.monotonic() + 15
        while True:
            answer = self.call(method, params, **more)
            if condition(answer):
                return answer
            assert time.monotonic() < deadline, f"{method} never answered as expected, last: {json.dumps(answer)[:2000]}"

    def health(self, method, params=None, **more):
        return self.call(method, params, to="health", **more)

    def join(self, conn, scopes=("operator.read",), mode="ui", **more):
        self.cast("presence_join", {"conn_id": conn, "client_id": "test", "mode": mode, "role": "operator",
                                    "scopes": list(scopes), **more}, to="health")

    def leave(self, conn):
        self.cast("presence_leave", {"conn_id": conn}, to="health")

    def restart(self, address):
        """Restarts one actor and waits until it serves again."""
        count = len(self.life_log)
        self.write({"restart": address})
        self.until(lambda: any(life == (address, "ready") for life in self.life_log[count:])
                   and self.lives[address] == "ready", f"{address} to be ready again")
