"""moto_s3: Moto's server, which knows S3's classes of storage: what is in an archive is not read before it is thawed.

How long thawing takes it is told: `thaws_after(looks)`.
"""
import http.client
import json

from server import Server, free_port, listens


class Moto(Server):
    def __init__(self, folder):
        super().__init__(folder)
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def up(self):
        self.start("moto", "moto_server", "-H", "127.0.0.1", "-p", self.port)
        self.wait(lambda: listens(self.port), "moto")
        return self

    def thaws_after(self, looks):
        """Once somebody looked so often at what was asked for; 0: at once."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        how = {"progression": "manual", "times": looks} if looks else {"progression": "immediate"}
        c.request("POST", "/moto-api/state-manager/set-transition",
                  json.dumps({"model_name": "s3::keyrestore", "transition": how}), {"Content-Type": "application/json"})
        assert c.getresponse().status == 201
        c.close()
        return self
