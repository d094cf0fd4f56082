"""azurite: Azure Blob Storage as Microsoft's own emulator keeps it, from npm (tools/install-azurite)."""
import base64
import hashlib
import hmac
import http.client
import os
import time
import urllib.parse

from server import Server, free_port, listens

ACCOUNT = "devstoreaccount1"
# The emulator's key, which its documentation publishes.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "npm", "node_modules", ".bin",
                       "azurite-blob")
VERSION = "2021-12-02"


def hmac64(text):
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()


class Azurite(Server):
    def __init__(self, folder):
        super().__init__(folder)
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def up(self):
        self.start("azurite", PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", self.port, "-l", self.path("data"),
                   "--silent", "--disableTelemetry", "--skipApiVersionCheck")
        self.wait(lambda: listens(self.port), "azurite")
        return self

    def request(self, method, path, query=None, body=b"", headers=None):
        """(status, headers, body) of a request with the account's key."""
        query = query or {}
        h = {"x-ms-date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), "x-ms-version": VERSION,
             **(headers or {})}
        known = "".join(f"{k}:{h[k]}\n" for k in sorted(h) if k.startswith("x-ms-"))
        resource = f"/{ACCOUNT}/{ACCOUNT}{path}" + "".join(f"\n{k}:{query[k]}" for k in sorted(query))
        text = "\n".join([method, "", "", str(len(body) or ""), *[""] * 8]) + "\n" + known + resource
        h["authorization"] = f"SharedKey {ACCOUNT}:{hmac64(text)}"
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            asked = "?" + urllib.parse.urlencode(query) if query else ""
            c.request(method, f"/{ACCOUNT}{path}{asked}", body, h)
            r = c.getresponse()
            return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
        finally:
            c.close()

    def make(self, container):
        status, _, body = self.request("PUT", f"/{container}", {"restype": "container"})
        assert status == 201, body
        return self

    def sas(self, container, permissions, seconds=3600):
        """A shared access signature of the service, for one container."""
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        text = "\n".join([permissions, "", end, f"/blob/{ACCOUNT}/{container}", "", "", "http,https", VERSION, "c",
                          *[""] * 7])
        return urllib.parse.urlencode({"sp": permissions, "se": end, "spr": "http,https", "sv": VERSION, "sr": "c",
                                       "sig": hmac64(text)})

    def reached_by(self, port=None):
        return {"HOLDFAST_AZURE_ENDPOINT": f"http://127.0.0.1:{port or self.port}/{ACCOUNT}"}
