"""The service over HTTP, as AlgaPSA documents it."""

from entrypoints.http.api import Api
from entrypoints.http.app import create_app
from entrypoints.http.rate_limit import RateLimiter

__all__ = ["Api", "RateLimiter", "create_app"]
