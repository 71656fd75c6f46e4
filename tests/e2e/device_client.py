"""A device: an Ed25519 key that signs what it asks for, as real clients do."""

import base64
import hashlib
import json
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client import Client


def plain(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Device:
    def __init__(self, name=None, platform="linux", client="cli", mode="cli", role="operator"):
        self.key = Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.id = hashlib.sha256(self.public).hexdigest()
        self.name, self.platform, self.client, self.mode, self.role = name, platform, client, mode, role
        self.token = None

    def sign(self, nonce, scopes, secret="", version=3, signed_at=None, **said):
        signed_at = signed_at or int(time.time() * 1000)
        parts = [f"v{version}", self.id, self.client, self.mode, said.get("role", self.role), ",".join(scopes),
                 str(signed_at), secret or "", nonce]
        if version == 3:
            parts += [said.get("platform", self.platform), ""]
        return {"id": self.id, "publicKey": plain(self.public), "signedAt": signed_at, "nonce": nonce,
                "signature": plain(self.key.sign("|".join(parts).encode()))}

    def params(self, nonce, scopes=(), auth=None, role=None, platform=None, version=3, signed_at=None, **changes):
        auth, role, platform = auth or {}, role or self.role, platform or self.platform
        secret = auth.get("token") or auth.get("deviceToken") or auth.get("bootstrapToken") or ""
        client = {"id": self.client, "version": "0.0.1", "platform": platform, "mode": self.mode}
        if self.name:
            client["displayName"] = self.name
        return {"minProtocol": 3, "maxProtocol": 3, "client": client, "role": role, "scopes": list(scopes),
                "auth": auth, "caps": [],
                "device": self.sign(nonce, scopes, secret, version, signed_at, role=role, platform=platform), **changes}

    def connect(self, gateway, scopes=(), auth=None, headers=(), **changes):
        """A connected client; raises CallError when it is refused."""
        return DeviceClient(self, gateway.port, scopes, auth, headers, changes)


class DeviceClient(Client):
    def __init__(self, device, port, scopes, auth, headers, changes):
        self.device, self.wanted = device, (scopes, auth, changes)
        super().__init__(port, None, headers=headers)
        told = self.hello["auth"].get("deviceToken")
        device.token = told or device.token

    def connect_params(self):
        scopes, auth, changes = self.wanted
        return self.device.params(self.challenge["nonce"], scopes, auth, **changes)


def setup_code(text):
    """What is in a setup code: a gateway's address and a token."""
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
