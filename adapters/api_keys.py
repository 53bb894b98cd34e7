"""API keys at rest: AlgaPSA stores the SHA-256 of a key in lower-case hex."""

import hashlib
import secrets


def digest(api_key: str) -> str:
    """What is stored of a key. Keys are random, so an unsalted digest tells nothing of them."""
    return hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).hexdigest()


def new_api_key() -> str:
    """A key with 256 random bits, safe in a header and in a shell."""
    return f"ar_{secrets.token_urlsafe(32)}"
