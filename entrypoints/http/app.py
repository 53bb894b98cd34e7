import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import Lifespan

from automation_retry.application import ApplicationError
from automation_retry.domain import DomainError
from automation_retry.entrypoints.http.admission import Admission
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.bodies import Bodies
from automation_retry.entrypoints.http.errors import HttpError, answer_error, answer_routing
from automation_retry.entrypoints.http.request_boundary import RequestBoundary
from automation_retry.entrypoints.http.routes import HEALTHZ, READYZ, Handlers

__all__ = ["Api", "create_app"]


def create_app(api: Api, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """The service as an ASGI application; what must be opened and closed is the lifespan's."""
    log = structlog.get_logger()
    handlers = Handlers(
        api,
        Admission(api.authenticator, api.rate_limiter, log),
        Bodies.new(rule_links=api.rule_links),
    )
    app = Starlette(
        routes=handlers.routes(),
        middleware=[
            Middleware(
                RequestBoundary, log=log, new_id=api.new_id, quiet=frozenset([HEALTHZ, READYZ])
            )
        ],
        exception_handlers={
            DomainError: answer_error,
            ApplicationError: answer_error,
            HttpError: answer_error,
            HTTPException: answer_routing,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app
