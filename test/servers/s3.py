"""s3: a signed request by boto-less means: enough to make buckets and to look at what is in them."""
import datetime
import hashlib
import hmac
import http.client
import re
import urllib.parse


class Bucket:
    def __init__(self, endpoint, name, access, secret, region="us-east-1"):
        self.endpoint, self.name = urllib.parse.urlparse(endpoint), name
        self.access, self.secret, self.region = access, secret, region

    def request(self, method, key="", query=None, body=b"", headers=None):
        """(status, headers, body)"""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        path = urllib.parse.quote(f"/{self.name}" + (f"/{key}" if key else ""), safe="/-_.~")
        asked = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}"
                         for k, v in sorted((query or {}).items()))
        h = {"host": self.endpoint.netloc, "x-amz-date": now,
             "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), **(headers or {})}
        signed = sorted(k for k in h if k == "host" or k.startswith("x-amz-"))
        canonical = "\n".join([method, path, asked, *[f"{k}:{h[k]}" for k in signed], "", ";".join(signed),
                               h["x-amz-content-sha256"]])
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key_bytes = b"AWS4" + self.secret.encode()
        for part in scope.split("/"):
            key_bytes = hmac.new(key_bytes, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key_bytes, text.encode(), hashlib.sha256).hexdigest()
        h["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={';'.join(signed)}, "
                              f"Signature={signature}")
        c = http.client.HTTPConnection(self.endpoint.hostname, self.endpoint.port, timeout=60)
        try:
            c.request(method, path + (f"?{asked}" if asked else ""), body, h)
            r = c.getresponse()
            return r.status, dict(r.getheaders()), r.read()
        finally:
            c.close()

    def make(self, lock=False):
        status, _, body = self.request("PUT", headers={"x-amz-bucket-object-lock-enabled": "true"} if lock else None)
        assert status == 200, body
        return self

    def keys(self, prefix=""):
        found, token = [], None
        while True:
            query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
            status, _, body = self.request("GET", query=query)
            assert status == 200, body
            found += re.findall(r"<Key>(.*?)</Key>", body.decode())
            more = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", body.decode())
            if not more:
                return found
            token = more[1]
