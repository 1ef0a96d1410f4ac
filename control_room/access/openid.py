"""Logging in at an OpenID provider: authorization code with PKCE, state and nonce.

Knows nothing about sessions or pages. After OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 9207
(the issuer in the answer) and RFC 9700 (best current practice). Groups are read from the ID token.
"""

import base64
import hashlib
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
from joserfc.jwk import KeySet

from control_room.access.addresses import LOOPBACK
from control_room.access.id_token import BadTokenError, keys_of, read_token
from control_room.access.oidc_settings import OidcSettings
from control_room.access.roles import AccessError, Role
from control_room.complaints import printable
from scene.clock import Clock

ANSWER_S = 10.0
MAX_ANSWER_BYTES = 1_000_000
PENDING_S, MOST_PENDING = 600.0, 1000
KNOWN_S, KEYS_AGAIN_S = 3600.0, 30.0
"""For how long addresses and keys are remembered; how often at most new keys are asked for."""
MAX_NAME = 80


class ProviderError(Exception):
    """The provider does not answer, or not as it must."""


class NoRoleError(Exception):
    """The provider vouches for somebody who has no role here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A login that has gone to the provider and is to come back."""

    nonce: str
    verifier: str
    browser: str
    """What the browser that began holds; another one can't end it."""
    next_path: str
    began_s: float


class OpenId:
    """One provider; to be used in one event loop."""

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        """Prepare; raises `AccessError` for an authority's file that can't be read."""
        self._settings, self._clock = settings, clock
        self._tls = _tls(settings)
        self._pending: OrderedDict[str, Pending] = OrderedDict()
        self._about: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._asked_s = self._keys_asked_s = -KNOWN_S

    async def begin(self, browser: str, next_path: str) -> str:
        """Give the address at the provider to send a browser to; raises `ProviderError`."""
        about = await self._discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        now_s = self._clock.monotonic_s()
        self._pending[state] = Pending(
            nonce=nonce, verifier=verifier, browser=browser, next_path=next_path, began_s=now_s
        )
        while len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect_url,
            "scope": " ".join(self._settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        address = str(about["authorization_endpoint"])
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    async def end(self, answer: Mapping[str, str], browser: str) -> tuple[str, Role, str]:
        """Take what the browser brought back; gives name, role, and where to go.

        Raises `BadTokenError`, `NoRoleError` and `ProviderError`.
        """
        pending = self._pending.pop(answer.get("state", ""), None)
        if pending is None or self._clock.monotonic_s() - pending.began_s > PENDING_S:
            raise BadTokenError("nobody has begun this login, or it has ended already (state)")
        if not browser or not secrets.compare_digest(pending.browser.encode(), browser.encode()):
            raise BadTokenError("another browser has begun this login")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            raise BadTokenError("the answer is from another issuer")
        if "code" not in answer:
            raise BadTokenError(f"the provider refuses: {answer.get('error', 'no code')[:100]}")
        claims = await self._claims(answer["code"], pending)
        role = self._settings.role_of(claims.get(self._settings.groups_claim))
        name = _name(claims, self._settings.name_claim)
        if role is None:
            raise NoRoleError(f"{name}: is in none of the groups that have a role here")
        return name, role, pending.next_path

    async def _claims(self, code: str, pending: Pending) -> Mapping[str, Any]:
        about = await self._discover()
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_url,
            "client_id": self._settings.client_id,
            "code_verifier": pending.verifier,
        }
        told = await self._ask(
            str(about["token_endpoint"]),
            sent,
            methods=about.get("token_endpoint_auth_methods_supported"),
        )
        token = told.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("the provider gave no ID token")
        return await self._believe(token, pending.nonce)

    async def _believe(self, token: str, nonce: str) -> Mapping[str, Any]:
        """Look at a token; where its key is not known, the provider may have a new one."""
        keys = await self._known_keys(again=False)
        try:
            return self._read(token, keys, nonce)
        except BadTokenError:
            newer = await self._known_keys(again=True)
            if newer is keys:
                raise
            return self._read(token, newer, nonce)

    def _read(self, token: str, keys: KeySet, nonce: str) -> Mapping[str, Any]:
        settings = self._settings
        return read_token(
            token, keys, issuer=settings.issuer, client_id=settings.client_id, nonce=nonce
        )

    async def _discover(self) -> Mapping[str, Any]:
        now_s = self._clock.monotonic_s()
        if self._about and now_s - self._asked_s < KNOWN_S:
            return self._about
        issuer = self._settings.issuer
        told = await self._ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != issuer:
            raise ProviderError(f"the provider calls itself {str(told.get('issuer'))[:200]}")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            parts = urlsplit(str(told.get(name)))
            if parts.scheme != "https" and (
                parts.scheme != "http" or parts.hostname not in LOOPBACK
            ):
                raise ProviderError(f"the provider's {name} is no https:// address")
        self._about, self._asked_s = told, now_s
        return told

    async def _known_keys(self, *, again: bool) -> KeySet:
        now_s = self._clock.monotonic_s()
        for_s = KEYS_AGAIN_S if again else KNOWN_S
        if self._keys is None or now_s - self._keys_asked_s > for_s:
            about = await self._discover()
            self._keys = keys_of(await self._ask(str(about["jwks_uri"])))
            self._keys_asked_s = now_s
        return self._keys

    async def _ask(
        self, url: str, sent: dict[str, str] | None = None, methods: object = None
    ) -> dict[str, Any]:
        """Ask the provider for JSON; follows nobody elsewhere. Raises `ProviderError`."""
        auth = None
        if sent is not None and self._settings.client_secret is not None:
            if isinstance(methods, list) and "client_secret_basic" not in methods:
                sent = sent | {"client_secret": self._settings.client_secret}
            else:
                auth = httpx.BasicAuth(  # RFC 6749, 2.3.1: encoded first
                    quote_plus(self._settings.client_id), quote_plus(self._settings.client_secret)
                )
        body = b""
        try:
            async with (
                httpx.AsyncClient(verify=self._tls, timeout=ANSWER_S, trust_env=False) as client,
                client.stream(
                    "GET" if sent is None else "POST", url, data=sent, auth=auth
                ) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        raise ProviderError(f"{url}: the answer is too long")
            told = httpx.Response(200, content=body).json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ProviderError(f"{url}: {error or type(error).__name__}") from None
        if answer.status_code != 200 or not isinstance(told, dict):
            raise ProviderError(f"{url}: answers {answer.status_code}: {body[:200]!r}")
        return told


def _name(claims: Mapping[str, Any], wanted: str) -> str:
    """Give the name that acts are written down under."""
    said = claims.get(wanted)
    name = printable(" ".join(said.split())) if isinstance(said, str) else ""
    if not name or len(name) > MAX_NAME:
        raise BadTokenError(f"it has no name that can be shown ({wanted})")
    return name


def _tls(settings: OidcSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise AccessError(f"{settings.ca_file}: ca_file can't be read: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
