from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import Lifespan

from automation_retry.application import ApplicationError
from automation_retry.domain import DomainError
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.documentation.routes import documentation_endpoints
from automation_retry.entrypoints.http.endpoint import Endpoint, Rules
from automation_retry.entrypoints.http.executions.routes import execution_endpoints
from automation_retry.entrypoints.http.failures.routes import failure_endpoints
from automation_retry.entrypoints.http.identity.routes import identity_endpoints
from automation_retry.entrypoints.http.middleware.access_log import AccessLog
from automation_retry.entrypoints.http.middleware.admission import Admission
from automation_retry.entrypoints.http.operations.routes import operation_endpoints
from automation_retry.entrypoints.http.wire.error_responses import (
    answer_error,
    answer_routing_error,
)
from automation_retry.entrypoints.http.wire.errors import HttpError


def route_table(api: Api) -> Sequence[Endpoint]:
    """Every route of the service."""
    rows = [
        *execution_endpoints(api),
        *failure_endpoints(api),
        *identity_endpoints(api),
        *operation_endpoints(api),
    ]
    return [*rows, *documentation_endpoints(api, rows)]


def create_app(api: Api, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """The service as an ASGI application; the lifespan opens and closes what it needs."""
    return app_of(route_table(api), api, lifespan)


def app_of(
    endpoints: Sequence[Endpoint], api: Api, lifespan: Lifespan[Starlette] | None = None
) -> Starlette:
    """An application of these rows, under the rules that hold for all."""
    rules = Rules(
        admission=Admission(api.authenticator, api.authorizer, api.rate_limiter),
        time=api.request_time,
        body_within_s=api.body_within_s,
        root_path=api.root_path,
        fixed_paths=frozenset(one.path for one in endpoints if "{" not in one.path),
    )
    quiet = frozenset(one.path for one in endpoints if not one.protected)
    app = Starlette(
        routes=[one.route(rules) for one in endpoints],
        middleware=[Middleware(AccessLog, new_id=api.new_id, quiet=quiet)],
        exception_handlers={
            DomainError: answer_error,
            ApplicationError: answer_error,
            HttpError: answer_error,
            HTTPException: answer_routing_error,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app
