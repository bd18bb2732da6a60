"""A small OpenID Connect issuer: discovery, authorization code flow, signed tokens. Its page asks who one is.

Whoever is chosen there logs in.

It keeps to OpenID Connect Core 1.0, section 3.1: codes are for one use, by the client that asked and with its secret;
the nonce comes back in the token, which is signed with a key of its own that `jwks_uri` gives.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "workbench", "a secret of the tests"
PEOPLE = {  # by what stands on the button: claims
    "ada": {"email": "ada@example.org", "email_verified": True},
    "bob": {"email": "bob@example.org", "email_verified": True},
    "eve": {"email": "eve@elsewhere.net", "email_verified": True},
    "mallory": {"email": "ada@example.org", "email_verified": False},
    "in-letters": {"email": "ada@example.org", "email_verified": "false"},
    "unsaid": {"email": "ada@example.org"},
}


class Issuer(ThreadingHTTPServer):
    """Serves at `url` until it is closed. forge: sign tokens with another key than the one that is published."""

    daemon_threads = True

    def __init__(self, redirect: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url, self.redirect, self.forge = f"http://127.0.0.1:{self.server_port}", redirect, False
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.other = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []  # paths
        self.refused: list[str] = []  # why


class _Handler(BaseHTTPRequestHandler):
    server: Issuer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        at, query = urlsplit(self.path), {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        self.server.asked.append(at.path)
        if at.path == "/.well-known/openid-configuration":
            self._json(_discovery(self.server.url))
        elif at.path == "/jwks":
            self._json({"keys": [self.server.key.as_dict(private=False)]})
        elif at.path == "/authorize":
            self._ask(query)
        elif at.path == "/choose":
            self._send_back(query)
        else:
            self._json({"error": "not found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        given = {k: v[0] for k, v in parse_qs(body).items()}
        self.server.asked.append(self.path)
        why = self._wrong(given)
        if why:
            self.server.refused.append(why)
            self._json({"error": "invalid_grant", "error_description": why}, 400)
            return
        asked = self.server.codes.pop(given["code"])
        now = int(time.time())
        claims = {"iss": self.server.url, "aud": CLIENT, "sub": asked["who"], "iat": now, "exp": now + 600}
        claims |= {"nonce": asked["nonce"], **PEOPLE[asked["who"]]}
        key = self.server.other if self.server.forge else self.server.key
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)
        self._json({"access_token": secrets.token_hex(8), "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def _wrong(self, given: dict[str, str]) -> str:
        kind, _, coded = self.headers.get("Authorization", "").partition(" ")
        said = base64.b64decode(coded).decode() if kind == "Basic" else ""
        if said != f"{CLIENT}:{SECRET}" and (given.get("client_id"), given.get("client_secret")) != (CLIENT, SECRET):
            return "another client"
        asked = self.server.codes.get(given.get("code", ""))
        if asked is None:
            return "no such code, or it was used before"
        if given.get("redirect_uri") != self.server.redirect:
            return "another address"
        if challenge := asked.get("code_challenge"):
            digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).decode().rstrip("=") != challenge:
                return "another verifier"
        return ""

    def _ask(self, query: dict[str, str]) -> None:
        if query.get("client_id") != CLIENT or query.get("redirect_uri") != self.server.redirect:
            self._json({"error": "unauthorized_client"}, 400)
            return
        kept = {name: query.get(name, "") for name in ("state", "nonce", "code_challenge")}
        links = "".join(
            f'<p><a id="{who}" href="/choose?{html.escape(urlencode({"who": who, **kept}))}">{who}</a></p>'
            for who in PEOPLE
        )
        self._reply(f"<!doctype html><title>Who are you?</title>{links}".encode(), "text/html")

    def _send_back(self, query: dict[str, str]) -> None:
        code = secrets.token_hex(16)
        self.server.codes[code] = query
        self.send_response(302)
        self.send_header("Location", f"{self.server.redirect}?{urlencode({'code': code, 'state': query['state']})}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, value: object, status: int = 200) -> None:
        self._reply(json.dumps(value).encode(), "application/json", status)

    def _reply(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _discovery(url: str) -> dict[str, object]:
    places = {"authorization": "authorize", "token": "token"}
    return {
        "issuer": url,
        "jwks_uri": f"{url}/jwks",
        **{f"{name}_endpoint": f"{url}/{path}" for name, path in places.items()},
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
    }


@contextmanager
def issuing(redirect: str) -> Iterator[Issuer]:
    """An issuer for one client, which is sent back to `redirect`."""
    issuer = Issuer(redirect)
    thread = threading.Thread(target=issuer.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.shutdown()
        issuer.server_close()
