"""The OpenAPI 3.1 document of a route table.

https://spec.openapis.org/oas/v3.1.1.html
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import Any, Final

from automation_retry.adapters.wire.json_schema import References, Schema, component_of
from automation_retry.entrypoints.http.documentation.failures import Failure, camel_case, failures
from automation_retry.entrypoints.http.endpoint import Endpoint, ProtectedEndpoint
from automation_retry.entrypoints.http.wire.error_responses import envelope
from automation_retry.entrypoints.http.wire.headers import (
    API_KEY,
    ECHOED_REQUEST_ID,
    ERROR_HEADERS,
    RATE_LIMIT,
    RATE_LIMIT_REMAINING,
    Parameter,
)

_JSON: Final = "application/json"
_SCHEME: Final = "apiKey"
_DESCRIPTION: Final = """\
Retries failed automation executions. Requests carry an API key in `x-api-key`, and reach the
executions of its tenant.

Errors have the form `{"error": {"code", "message", "details"}}`. Times are RFC 3339 in UTC. Fields
and values of enumerations may be added later; clients ignore those that they do not know.
"""


def openapi_document(
    endpoints: Sequence[Endpoint], *, version: str, root_path: str
) -> Mapping[str, Any]:
    """The document, as JSON holds it; `root_path` is the prefix of all paths."""
    return _Document(endpoints).content(version, root_path)


class _Document:
    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = [one for one in endpoints if one.documented]
        self._schemas = References("#/components/schemas/")
        self._responses: dict[str, Mapping[str, Any]] = {}

    def content(self, version: str, root_path: str) -> Mapping[str, Any]:
        paths: dict[str, dict[str, Any]] = defaultdict(dict)
        for endpoint in self._endpoints:
            paths[endpoint.path][endpoint.method.lower()] = self._operation(endpoint)
        return {
            "openapi": "3.1.1",
            "info": {
                "title": "automation-retry",
                "version": version,
                "description": _DESCRIPTION,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": root_path or "/"}],
            "tags": [
                {"name": tag.name, "description": tag.meaning}
                for tag in dict.fromkeys(one.tag for one in self._endpoints)
            ],
            "paths": dict(paths),
            "components": {
                "schemas": dict(sorted(self._schemas.found.items())),
                "responses": self._responses,
                "securitySchemes": {
                    _SCHEME: {
                        "type": "apiKey",
                        "in": "header",
                        "name": API_KEY,
                        "description": "A key of AlgaPSA, or one made by "
                        "`automation-retry api-key create`.",
                    }
                },
            },
        }

    def _operation(self, endpoint: Endpoint) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "operationId": endpoint.operation_id,
            "tags": [endpoint.tag.name],
            "summary": endpoint.summary,
            "description": _description(endpoint),
            "security": [{_SCHEME: []}] if endpoint.protected else [],
            "responses": self._answers(endpoint),
        }
        if parameters := self._parameters(endpoint):
            operation["parameters"] = parameters
        if isinstance(endpoint, ProtectedEndpoint) and endpoint.body is not None:
            operation["requestBody"] = {
                "description": "Read as JSON, whatever its `Content-Type` says.",
                "required": True,
                "content": {
                    _JSON: {
                        "schema": self._schemas.resolve(component_of(endpoint.body)),
                        **_example(endpoint.body_example),
                    }
                },
            }
        return operation

    def _parameters(self, endpoint: Endpoint) -> Sequence[Mapping[str, Any]]:
        return [
            *(_parameter(one, "path", required=True) for one in endpoint.path_parameters),
            *(self._query_parameters(endpoint.query) if endpoint.query else ()),
            *(_parameter(one, "header", required=False) for one in endpoint.all_headers),
        ]

    def _query_parameters(self, query: type) -> Sequence[Mapping[str, Any]]:
        schema = self._schemas.resolve(component_of(query).schema)
        required = schema.get("required", ())
        return [
            _parameter(
                Parameter(name, one.get("description", ""), _undescribed(one)),
                "query",
                required=name in required,
            )
            for name, one in schema["properties"].items()
        ]

    def _answers(self, endpoint: Endpoint) -> Mapping[str, Any]:
        by_status: dict[int, list[Failure]] = defaultdict(list)
        for failure in sorted(failures(endpoint), key=lambda one: one.answer.status):
            by_status[failure.answer.status].append(failure)
        return {
            str(endpoint.success.status): self._success(endpoint),
            **{str(status): self._failure(alike) for status, alike in by_status.items()},
        }

    def _success(self, endpoint: Endpoint) -> Mapping[str, Any]:
        success = endpoint.success
        limits = (RATE_LIMIT, RATE_LIMIT_REMAINING) if endpoint.protected else ()
        content = {
            "schema": self._schemas.resolve(success.schema),
            **_example(success.example),
        }
        answer: dict[str, Any] = {
            "description": success.meaning,
            "headers": {
                **{one.name: _header(one, required=True) for one in (ECHOED_REQUEST_ID, *limits)},
                **{one.name: _header(one, required=False) for one in success.headers},
            },
            "content": {success.media_type: content},
        }
        if success.next_steps:
            answer["links"] = {
                operation: {"operationId": operation, "parameters": dict(parameters)}
                for operation, parameters in success.next_steps.items()
            }
        return answer

    def _failure(self, same_status: Sequence[Failure]) -> Mapping[str, Any]:
        """A reference to the answer, which several routes share."""
        answer = self._failure_of(same_status)
        code = camel_case(same_status[0].answer.code)
        names = chain([code], (f"{code}{number}" for number in count(2)))
        name = next(one for one in names if self._responses.setdefault(one, answer) == answer)
        return {"$ref": f"#/components/responses/{name}"}

    def _failure_of(self, same_status: Sequence[Failure]) -> Mapping[str, Any]:
        # Those with details first: generated clients take the first schema that fits.
        detailed = sorted(same_status, key=lambda one: one.answer.details is None)
        components = dict.fromkeys(one.component for one in detailed)
        schemas = [self._schemas.resolve(one) for one in components]
        names = dict.fromkeys(name for one in same_status for name in one.headers)
        return {
            "description": "\n\n".join(dict.fromkeys(one.answer.when for one in same_status)),
            "headers": {
                name: _header(
                    ERROR_HEADERS[name],
                    required=all(one.headers.get(name, False) for one in same_status),
                )
                for name in names
            },
            "content": {
                _JSON: {
                    "schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas},
                    "examples": {
                        one.name: {
                            "summary": one.answer.when,
                            "value": envelope(one.example, one.answer),
                        }
                        for one in same_status
                    },
                }
            },
        }


def _parameter(one: Parameter, place: str, *, required: bool) -> Mapping[str, Any]:
    parameter: dict[str, Any] = {"name": one.name, "in": place, "description": one.meaning}
    if required:
        parameter["required"] = True
    return {**parameter, "schema": one.schema, **_example(one.example)}


def _example(example: Any) -> Mapping[str, Any]:
    return {} if example is None else {"example": example}


def _header(one: Parameter, *, required: bool) -> Mapping[str, Any]:
    return {"description": one.meaning, "required": required, "schema": one.schema}


def _undescribed(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "description"}


def _description(endpoint: Endpoint) -> str:
    if permission := endpoint.permission:
        needs = f"Needs the permission `{permission.resource}:{permission.action}`."
    else:
        needs = "Needs no permission." if endpoint.protected else "Needs no API key."
    return "\n\n".join(part for part in (endpoint.description, needs) if part)
