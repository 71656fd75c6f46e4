"""Credentials of a provider beyond its key: headers, another way to authenticate, certificates; all of them may be references."""

import contextlib
import json
import socket
import ssl
import threading

import pytest

from client import CallError, Client
from gateway import until
from pki import Signed, key_pem
from test_secrets import config_of, last_key, model, put, ref, run, save


class Front:
    """TLS before a plain port, for clients with a certificate of `authority` alone."""

    def __init__(self, port, folder, authority):
        self.port_behind = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*Signed("front", by=authority).write(folder, "front"))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(cadata=authority.pem.decode())
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.carry, args=(self.listener.accept()[0],), daemon=True).start()

    def carry(self, plain):
        with contextlib.suppress(OSError), self.context.wrap_socket(plain, server_side=True) as client, \
                socket.create_connection(("127.0.0.1", self.port_behind)) as behind:
            threading.Thread(target=self.copy, args=(client, behind), daemon=True).start()
            self.copy(behind, client)

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)

    def close(self):
        self.listener.close()


def served(gateway, provider, keys, url=None, **request):
    put(gateway, "keys.json", json.dumps(keys))
    config = model(provider, "k-config")
    entry = config["models"]["providers"]["mock"]
    entry.update(request=request, headers={"X-Own": "own", "X-Both": "own", "Authorization": "none"})
    entry["baseUrl"] = url or entry["baseUrl"]
    save(gateway, **config, secrets={"providers": {"disk": {"source": "file", "path": "~/keys.json"}}},
         gateway={**config_of(gateway)["gateway"], "reload": {"debounceMs": 20}})
    return gateway


def disk(name):
    return ref("file", "disk", f"/{name}")


@pytest.mark.parametrize("mode", ["authorization-bearer", "header"])
def test_another_way_to_authenticate_takes_the_place_of_the_key(only_once, fresh_gateway, provider, mode):
    auth = {"mode": mode, "token": disk("a")} if mode == "authorization-bearer" else \
           {"mode": mode, "headerName": "X-Api-Key", "prefix": "Key ", "value": disk("a")}
    gateway = served(fresh_gateway(), provider, {"a": "a-secret", "h": "h-secret"}, auth=auth,
                     headers={"X-More": disk("h"), "x-both": "more"}).start()
    with Client(gateway.port, gateway.token) as client:
        run(client)
        headers = provider.stats()["headers"][-1]
        assert headers["x-own"] == "own" and headers["x-more"] == "h-secret" and headers["x-both"] == "more"
        if mode == "header":
            assert headers["x-api-key"] == "Key a-secret" and "authorization" not in headers
        else:
            assert last_key(provider) == "Bearer a-secret"
        put(gateway, "keys.json", json.dumps({"h": "h-secret"}))
        with pytest.raises(CallError, match="request.auth"):
            client.call("secrets.reload")


def test_a_reference_in_a_request_that_fails_is_told(only_once, fresh_gateway, provider):
    gateway = served(fresh_gateway(), provider, {}, auth={"mode": "authorization-bearer", "token": disk("a")}).start()
    with Client(gateway.port, gateway.token) as client:
        asked = len(provider.stats()["headers"])
        assert "models.providers.mock.request.auth.token refers to a secret that is not available" in run(client)
        assert len(provider.stats()["headers"]) == asked


def test_certificates_may_be_references(only_once, fresh_gateway, provider):
    gateway = fresh_gateway()
    authority = Signed("authority", is_authority=True)
    own = Signed("client", by=authority)
    front = Front(provider.port, gateway.state_dir, authority)
    keys = {"ca": authority.pem.decode(), "cert": own.pem.decode(), "key": key_pem(own.key, b"pass-0001").decode(),
            "pass": "pass-0001"}
    tls = {"ca": disk("ca"), "cert": disk("cert"), "key": disk("key"), "passphrase": disk("pass")}
    url = f"https://127.0.0.1:{front.port}/v1"
    try:
        served(gateway, provider, keys, url, tls=tls).start()
        with Client(gateway.port, gateway.token) as client:
            asked = len(provider.stats()["headers"])
            run(client)
            assert len(provider.stats()["headers"]) == asked + 1
            config = config_of(gateway)
            config["models"]["providers"]["mock"]["request"]["tls"] = {"ca": disk("ca")}
            config["models"]["providers"]["mock"]["baseUrl"] = url + "/"  # a connection of its own
            save(gateway, **config)
            until(lambda: "stream was cut" in run(client), 10, "the refusal without a certificate")  # TLS 1.3 tells late
            config["models"]["providers"]["mock"]["request"]["tls"]["insecureSkipVerify"] = True
            save(gateway, **config)
            until(lambda: "insecureSkipVerify must not be true" in run(client), 10, "our own refusal")
    finally:
        front.close()
