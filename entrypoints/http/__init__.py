"""The service over HTTP, as AlgaPSA documents it."""

from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.app import create_app
from automation_retry.entrypoints.http.middleware.rate_limit import RateLimiter

__all__ = ["Api", "RateLimiter", "create_app"]
