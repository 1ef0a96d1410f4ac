"""An ID token is looked at: signature, issuer, audience, times, nonce.

Knows nothing about where tokens and keys come from. After OpenID Connect Core 1.0, 3.1.3.7. Only
the signatures in `ALGORITHMS` count: never `none`, and never an HMAC, with which a public key would
become a secret that everybody has.
"""

import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
LEEWAY_S = 60.0
"""So far clocks may be apart."""
_KINDS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class BadTokenError(Exception):
    """A token is not believed; says why."""


def keys_of(told: object) -> KeySet:
    """Read a provider's keys (RFC 7517); those that are no public keys for signatures are left out.

    Raises `BadTokenError`.
    """
    rows = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(rows, list):
        raise BadTokenError("the provider's keys can't be read")
    keys: list[Any] = []
    for row in rows:
        kind = _KINDS.get(row.get("kty", "")) if isinstance(row, dict) else None
        if kind is None or row.get("use", "sig") != "sig":
            continue
        try:
            keys.append(kind.import_key(row))
        except (JoseError, ValueError):
            continue
    if not keys:
        raise BadTokenError("the provider has no key that we can use")
    return KeySet(keys)


def read_token(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    now_s: float | None = None,
) -> Mapping[str, Any]:
    """Give the claims of a token that is to be believed; raises `BadTokenError`."""
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise BadTokenError(f"its signature does not count: {error}") from None
    now_s = time.time() if now_s is None else now_s
    _need(claims.get("iss") == issuer, "it is from another issuer")
    audience = claims.get("aud")
    listed: Sequence[object] = audience if isinstance(audience, list) else [audience]
    _need(client_id in listed, "it is meant for somebody else")
    party = claims.get("azp")
    _need(party == client_id or (party is None and len(listed) == 1), "it was made for another")
    _need(_number(claims, "exp") + LEEWAY_S > now_s, "it has expired")
    _need(_number(claims, "iat") - LEEWAY_S <= now_s, "it is from the future")
    if "nbf" in claims:
        _need(_number(claims, "nbf") - LEEWAY_S <= now_s, "it does not count yet")
    said = claims.get("nonce")
    _need(
        isinstance(said, str) and hmac.compare_digest(said.encode(), nonce.encode()),
        "it is an answer to another question (nonce)",
    )
    _need(isinstance(claims.get("sub"), str) and claims["sub"] != "", "it names nobody")
    return claims


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadTokenError(f"it has no {name}")
    return float(value)


def _need(condition: bool, why_not: str) -> None:
    if not condition:
        raise BadTokenError(why_not)
