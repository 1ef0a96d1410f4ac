"""An OpenID provider over real HTTP that signs with real keys, and lies as a test tells it to.

It shares no code with what is tested: tokens are put together by hand (RFC 7515).
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SECRET = "the client's secret"
CLIENT = "lamproom"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def as_json(value: object) -> str:
    return encoded(json.dumps(value).encode())


class Provider:
    """Everything a test may change stands here; `with` runs it."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.kid = "first"
        self.person: dict[str, Any] = {"sub": "17", "name": "Zhang San", "groups": ["dispatch"]}
        self.sign: Callable[[dict[str, Any]], str] = self.rs256
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.about: dict[str, Any] = {}
        self.answer: Callable[[dict[str, str]], dict[str, str]] = lambda answer: answer
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/mine"

    def __enter__(self) -> "Provider":
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # ---- what it answers ----

    def get(self, url: str) -> tuple[int, dict[str, Any], str | None]:
        path, query = urlsplit(url).path, urlsplit(url).query
        self.asked.append(path)
        if path == "/mine/.well-known/openid-configuration":
            return 200, self.discovery(), None
        if path == "/mine/keys":
            return 200, {"keys": [self.rsa_jwk(), self.ec_jwk()]}, None
        if path == "/mine/authorize":
            asked = {key: values[0] for key, values in parse_qs(query).items()}
            code = secrets.token_hex(8)
            self._codes[code] = asked
            answer = self.answer({"code": code, "state": asked["state"], "iss": self.issuer})
            words = "&".join(f"{key}={value}" for key, value in answer.items())
            return 302, {}, f"{asked['redirect_uri']}?{words}"
        return 404, {}, None

    def token(self, body: str, authorization: str) -> tuple[int, dict[str, Any]]:
        sent = {key: values[0] for key, values in parse_qs(body).items()}
        self.asked.append("token")
        asked = self._codes.pop(sent.get("code", ""), None)
        right = base64.b64encode(f"{CLIENT}:{quote_plus(SECRET)}".encode()).decode()
        if authorization != f"Basic {right}":
            return 401, {"error": "invalid_client"}
        verifier = sent.get("code_verifier", "")
        challenge = encoded(hashlib.sha256(verifier.encode()).digest())
        if asked is None or challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if sent["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now_s = int(time.time())
        claims = self.person | {
            "iss": self.issuer, "aud": CLIENT, "exp": now_s + 300, "iat": now_s,
            "nonce": asked["nonce"],
        }  # fmt: skip
        return 200, {"id_token": self.sign(self.change(claims)), "token_type": "Bearer"}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        } | self.about

    # ---- keys and signatures ----

    def rsa_jwk(self) -> dict[str, str]:
        numbers = self.rsa.public_key().public_numbers()
        return {
            "kty": "RSA", "kid": self.kid, "use": "sig", "n": number(numbers.n),
            "e": number(numbers.e),
        }  # fmt: skip

    def ec_jwk(self) -> dict[str, str]:
        numbers = self.ec.public_key().public_numbers()
        x, y = (encoded(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "kid": "curve", "x": x, "y": y}

    def rs256(self, claims: dict[str, Any]) -> str:
        said = f"{as_json({'alg': 'RS256', 'kid': self.kid})}.{as_json(claims)}"
        signature = self.rsa.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{said}.{encoded(signature)}"

    def es256(self, claims: dict[str, Any]) -> str:
        said = f"{as_json({'alg': 'ES256', 'kid': 'curve'})}.{as_json(claims)}"
        r, s = decode_dss_signature(self.ec.sign(said.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{said}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def unsigned(self, claims: dict[str, Any]) -> str:
        return f"{as_json({'alg': 'none'})}.{as_json(claims)}."

    def hs256(self, key: bytes) -> Callable[[dict[str, Any]], str]:
        def sign(claims: dict[str, Any]) -> str:
            said = f"{as_json({'alg': 'HS256', 'kid': self.kid})}.{as_json(claims)}"
            mac = hmac.HMAC(key, hashes.SHA256())
            mac.update(said.encode())
            return f"{said}.{encoded(mac.finalize())}"

        return sign


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, told, location = provider.get(self.path)
            self._send(status, told, location)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, told = provider.token(body, self.headers.get("Authorization", ""))
            self._send(status, told, None)

        def _send(self, status: int, told: dict[str, Any], location: str | None) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
