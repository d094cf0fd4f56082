#!/usr/bin/python3
"""gcs_fake: Google Cloud Storage's JSON API, as far as its documentation says what holdfast needs of it.

There is no server of Google's that runs here, so this one is the test's own: it proves that both sides read the
documentation alike, no more. What it checks it checks in earnest: the signature, audience, scope and end of a service
account's statement, tokens, generations, byte ranges, and the rules of resumable uploads.

    gcs_fake.py PORT PUBLIC_KEY.pem [drop]     drop: the first piece of each resumable upload is taken by half

The token "lacks-VERB-VERB" is somebody's who may do all but that: create, get, list, delete.
"""
import base64
import datetime
import http.server
import json
import re
import secrets
import socketserver
import sys
import threading
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

PORT, DROP = int(sys.argv[1]), sys.argv[3:] == ["drop"]
with open(sys.argv[2], "rb") as f:
    KEY = serialization.load_pem_public_key(f.read())
LOCK, TOKENS, OBJECTS, SESSIONS = threading.Lock(), {}, {}, {}
BUCKET, ACCOUNT = "suite", "robot@test.invalid"


def unbase64(s):
    return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))


class Refused(Exception):
    def __init__(self, status, reason, message=""):
        self.status, self.reason, self.message = status, reason, message or reason


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        u = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(u.query))
        try:
            if u.path == "/token":
                return self.token()
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self.lacks = token.removeprefix("lacks-").split("-") if token.startswith("lacks-") else []
            if not self.lacks and TOKENS.get(token, 0) < time.time():
                raise Refused(401, "authError", "Invalid Credentials")
            m = re.fullmatch(r"(/upload)?/storage/v1/b/([^/]+)/o(?:/([^/]+))?", u.path)
            if not m:
                raise Refused(404, "notFound")
            if m[2] != BUCKET:
                raise Refused(404, "notFound", "The specified bucket does not exist.")
            self.may("create" if m[1] else "list" if not m[3] else "delete" if self.command == "DELETE" else "get")
            if m[1]:
                return self.upload()
            return self.object(urllib.parse.unquote(m[3])) if m[3] else self.listing()
        except Refused as r:
            self.answer(r.status, {"error": {"code": r.status, "message": r.message, "errors": [{"reason": r.reason}]}})

    do_GET = do_POST = do_PUT = do_DELETE = serve

    def may(self, verb):
        if verb in self.lacks:
            raise Refused(403, "forbidden", f"{ACCOUNT} does not have storage.objects.{verb} access to the Google Cloud "
                          f"Storage bucket. Permission 'storage.objects.{verb}' denied on resource (or it may not exist).")

    def token(self):
        form = dict(urllib.parse.parse_qsl(self.body.decode()))
        try:
            assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            head, claims, signature = form["assertion"].split(".")
            KEY.verify(unbase64(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            head, claims = json.loads(unbase64(head)), json.loads(unbase64(claims))
            assert head["alg"] == "RS256" and claims["iss"] == ACCOUNT
            assert claims["aud"] == f"http://{self.headers['Host']}/token"
            assert claims["scope"].endswith("/devstorage.read_write")
            assert claims["iat"] - 60 < time.time() < claims["exp"] <= claims["iat"] + 3600
        except (AssertionError, KeyError, ValueError, InvalidSignature) as e:
            return self.answer(400, {"error": "invalid_grant", "error_description": str(e)})
        token = secrets.token_hex(20)
        TOKENS[token] = time.time() + 3600
        return self.answer(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def store(self, name, data, new, kind="STANDARD"):
        with LOCK:
            if new and name in OBJECTS:
                raise Refused(412, "conditionNotMet")
            OBJECTS[name] = (data, datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
                             kind)

    @staticmethod
    def item(name):
        data, when, kind = OBJECTS[name]
        return {"name": name, "size": str(len(data)), "timeCreated": when.replace("+00:00", "Z"),
                "storageClass": kind}

    def object(self, name):
        with LOCK:
            if name not in OBJECTS:
                raise Refused(404, "notFound", f"No such object: {BUCKET}/{name}")
            data, item = OBJECTS[name][0], self.item(name)
            if self.command == "DELETE":
                del OBJECTS[name]
                return self.answer(204)
        if self.query.get("alt") != "media":
            return self.answer(200, item)
        m = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not m:
            return self.answer(200, data)
        first, last = int(m[1]), min(int(m[2]), len(data) - 1)
        if first >= len(data):
            raise Refused(416, "requestedRangeNotSatisfiable")
        return self.answer(206, data[first:last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}")

    def listing(self):
        size = min(int(self.query.get("maxResults", 1000)), 7)  # small pages: they are there to be turned
        with LOCK:
            names = sorted(n for n in OBJECTS
                           if n.startswith(self.query.get("prefix", "")) and n > self.query.get("pageToken", ""))
            page = {"items": [self.item(n) for n in names[:size]]}
        if len(names) > size:
            page["nextPageToken"] = names[size - 1]
        return self.answer(200, page)

    def upload(self):
        kind, name = self.query.get("uploadType"), self.query.get("name")
        new = self.query.get("ifGenerationMatch") == "0"
        if self.command == "POST" and kind == "media":
            self.store(name, self.body, new)
            return self.answer(200, {"name": name})
        if self.command == "POST" and kind == "resumable":
            key = secrets.token_hex(8)
            SESSIONS[key] = [name, new, int(self.headers["X-Upload-Content-Length"]), b"", DROP,
                             json.loads(self.body or b"{}").get("storageClass", "STANDARD")]
            return self.answer(200, Location=f"http://{self.headers['Host']}/upload/storage/v1/b/{BUCKET}/o?"
                               f"uploadType=resumable&upload_id={key}")
        session = SESSIONS.get(self.query.get("upload_id"))
        if session is None:
            raise Refused(404, "notFound")
        return self.piece(session)

    def piece(self, session):
        name, new, size, have, drop, kind = session
        m = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", self.headers["Content-Range"])
        if int(m[3]) != size:
            raise Refused(400, "badRequest")
        if m[1]:
            first, last = int(m[1]), int(m[2])
            if first != len(have) or last - first + 1 != len(self.body) or \
                    (last + 1 != size and len(self.body) % (256 << 10)):
                raise Refused(400, "badRequest", f"{first} is not {len(have)}")
            session[3] = have = have + (self.body[:len(self.body) // 2] if drop else self.body)
            session[4] = False
            if drop:
                raise Refused(503, "backendError")
        if len(have) == size:
            self.store(name, have, new, kind)
            return self.answer(200, {"name": name})
        return self.answer(308, **({"Range": f"bytes=0-{len(have) - 1}"} if have else {}))


class Service(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


Service(("127.0.0.1", PORT), Handler).serve_forever()
