"""gcs: a service account, and the test's own server of Google's JSON API (gcs_fake.py)."""
import json
import os
import sys
import urllib.request

from server import Server, free_port, listens, need_programs

FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gcs_fake.py")


class Gcs(Server):
    def __init__(self, folder, *args):
        need_programs("openssl")
        super().__init__(folder)
        self.port, self.args = free_port(), args

    def key(self, name, email="robot@test.invalid", port=None):
        """The key file of a service account, as Google's console gives it."""
        self.run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                 self.path(name + ".pem"))
        with open(self.path(name + ".pem")) as f:
            pem = f.read()
        with open(self.path(name + ".json"), "w") as f:
            json.dump({"type": "service_account", "client_email": email, "private_key": pem, "private_key_id": name,
                       "token_uri": f"http://127.0.0.1:{port or self.port}/token"}, f)
        return self.path(name + ".json")

    def up(self):
        self.key("robot")
        self.run("openssl", "pkey", "-in", self.path("robot.pem"), "-pubout", "-out", self.path("public.pem"))
        self.start("gcs", sys.executable, FAKE, self.port, self.path("public.pem"), *self.args)
        self.wait(lambda: listens(self.port), "gcs")
        return self

    def names(self, prefix):
        """What is in the bucket below it."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/storage/v1/b/suite/o?prefix={prefix}",
                                         headers={"Authorization": "Bearer lacks-nothing"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return [item["name"] for item in json.load(answer)["items"]]

    def reached_by(self, port=None):
        return {"HOLDFAST_GCS_ENDPOINT": f"http://127.0.0.1:{port or self.port}",
                "GOOGLE_APPLICATION_CREDENTIALS": self.path("robot.json")}
