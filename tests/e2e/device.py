"""A device: an Ed25519 key and the signature that the handshake wants (RFC 8032, slow and small)."""

import base64
import hashlib
import os
import time

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _x_of(y):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    return P - x if x % 2 else x


def _add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    one, two = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    three, four = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = two - one, four - three, four + three, two + one
    return e * f % P, g * h % P, f * g % P, e * h % P


_BY = 4 * pow(5, P - 2, P) % P
_BX = _x_of(_BY)
BASE = (_BX, _BY, 1, _BX * _BY % P)


def _times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _add(result, point)
        point, number = _add(point, point), number >> 1
    return result


def _pack(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _number(data):
    return int.from_bytes(hashlib.sha512(data).digest(), "little")


def _b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Device:
    def __init__(self):
        digest = hashlib.sha512(os.urandom(32)).digest()
        self.secret = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
        self.prefix = digest[32:]
        self.public = _pack(_times(self.secret, BASE))
        self.id = hashlib.sha256(self.public).hexdigest()

    def sign(self, message):
        once = _number(self.prefix + message) % ORDER
        first = _pack(_times(once, BASE))
        second = (once + _number(first + self.public + message) * self.secret) % ORDER
        return first + second.to_bytes(32, "little")

    def params(self, challenge, client, role, scopes, token):
        """The member `device` of connect: version 3 of the signed text."""
        signed_at = int(time.time() * 1000)
        text = "|".join(["v3", self.id, client["id"], client["mode"], role, ",".join(scopes), str(signed_at), token,
                         challenge["nonce"], client["platform"].lower(), client.get("deviceFamily", "").lower()])
        return {"id": self.id, "publicKey": _b64(self.public), "signature": _b64(self.sign(text.encode())),
                "signedAt": signed_at, "nonce": challenge["nonce"]}
