import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import orjson
import pytest
from jsonschema import Draft202012Validator

from automation_retry.adapters.memory import memory_storage
from automation_retry.application import GetExecution, ListFailedAttempts, RetryExecution
from automation_retry.entrypoints.http.app import route_table
from automation_retry.entrypoints.http.documentation.openapi import openapi_document
from automation_retry.entrypoints.http.endpoint import ProtectedEndpoint
from automation_retry.entrypoints.http.wire.error_table import ANSWERS
from automation_retry.entrypoints.http.wire.errors import CallerDisconnected, MethodNotAllowed
from tests.entrypoints.http.conftest import Service, new_api
from tests.support.described import Described
from tests.support.factories import NOON

TABLE = route_table(new_api(memory_storage(lambda: NOON, uuid4)))
DOCUMENTED = [one for one in TABLE if one.documented]


def document_of(root_path: str = "") -> Any:
    document = openapi_document(TABLE, version="1", root_path=root_path)
    return json.loads(orjson.dumps(document))


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, methods in document_of()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_schema_is_one() -> None:
    """Of the dialect that OpenAPI 3.1 has. `make test-system` validates the whole document."""
    schemas = document_of()["components"]["schemas"]

    assert schemas
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_every_row_is_described() -> None:
    """The files of the page are not; they are no part of the API."""
    described = {(method.upper(), path) for method, path, _ in operations()}

    assert described == {(one.method, one.path) for one in DOCUMENTED}
    assert all(one.path.startswith("/docs/") for one in TABLE if not one.documented)


def test_every_operation_has_a_name_of_its_own() -> None:
    """Generated clients name their functions by it."""
    names = [operation["operationId"] for _, _, operation in operations()]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


async def test_the_service_answers_its_document(service: Service) -> None:
    """At /openapi.json, to everybody; the version is that of the package."""
    answer = await service.client.get("/openapi.json")

    served = answer.json()
    assert answer.status_code == 200
    assert served == {**document_of(), "info": served["info"]}
    assert served["info"]["version"] != "1"


@pytest.mark.parametrize(("root_path", "url"), [("", "/"), ("/retry", "/retry")])
def test_the_server_is_where_the_proxy_has_it(root_path: str, url: str) -> None:
    """A client joins it with the paths."""
    assert document_of(root_path)["servers"] == [{"url": url}]


def _examples(operation: Any) -> Iterator[tuple[Any, Any]]:
    """Each example of an operation, with the content in which it stands."""
    contents = [*operation.get("requestBody", {}).get("content", {}).values()]
    for answer in operation["responses"].values():
        shared = answer.get("$ref", "").rpartition("/")[2]
        described = document_of()["components"]["responses"][shared] if shared else answer
        contents.extend(described["content"].values())
    for content in contents:
        if "example" in content:
            yield content, content["example"]
        for example in content.get("examples", {}).values():
            yield content, example["value"]


@pytest.mark.parametrize(("method", "path", "operation"), [*operations()])
def test_every_example_is_what_its_schema_says(method: str, path: str, operation: Any) -> None:
    """Those of requests, of answers and of errors."""
    described = Described(document_of())

    problems = [
        problem
        for content, example in _examples(operation)
        for problem in described.problems_of(content["schema"], example)
    ]

    assert problems == [], f"{method} {path}"


@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: f"{row.method} {row.path}")
def test_what_a_row_needs_is_told(row: Any) -> None:
    """Its permission and its key, or that it needs none."""
    operation = document_of()["paths"][row.path][row.method.lower()]

    if isinstance(row, ProtectedEndpoint):
        permission = row.permission
        needed = f"`{permission.resource}:{permission.action}`" if permission else "no permission"
        assert needed in operation["description"]
        assert operation["security"] == [{"apiKey": []}]
        assert {"401", "429"} <= set(operation["responses"])
        assert ("403" in operation["responses"]) is (permission is not None)
    else:
        assert "Needs no API key." in operation["description"]
        assert operation["security"] == []
        assert not {"401", "403", "429"} & set(operation["responses"])


def test_a_next_step_is_an_operation_that_takes_those_values() -> None:
    """Its parameters exist."""
    names = {
        operation["operationId"]: {one["name"] for one in operation.get("parameters", ())}
        for _, _, operation in operations()
    }
    steps = [step for row in DOCUMENTED for step in row.success.next_steps.items()]

    assert len(steps) >= 4
    assert [step for step in steps if not set(step[1]) <= names[step[0]]] == []


def test_every_error_is_one_of_a_route() -> None:
    """But those of no route, and what only the log sees."""
    documented = {error for row in TABLE for error in row.all_errors}

    assert set(ANSWERS) - documented == {CallerDisconnected, MethodNotAllowed}


USE_CASES: Mapping[str, type] = {
    "retryExecution": RetryExecution,
    "getExecution": GetExecution,
    "listFailedAttempts": ListFailedAttempts,
}


@pytest.mark.parametrize("operation_id", USE_CASES)
def test_what_a_use_case_raises_is_an_error_of_its_row(operation_id: str) -> None:
    """Its docstring names all of it; what is wrong with a query is refused before."""
    [row] = [one for one in TABLE if one.operation_id == operation_id]
    told = inspect.getdoc(USE_CASES[operation_id].__call__) or ""
    raised = set(re.findall(r"^ +(\w+): ", told.partition("Raises:")[2], re.MULTILINE))

    assert raised - {"ValueError"} <= {error.__name__ for error in row.all_errors}
    assert {error.__name__ for error in row.errors} <= raised


def test_every_example_of_a_parameter_is_what_its_schema_says() -> None:
    """Of a path or a header."""
    described = Described(document_of())
    shown = {
        one.name: (one.schema, one.example)
        for row in DOCUMENTED
        for one in (*row.path_parameters, *row.all_headers)
        if one.example is not None
    }

    assert shown.keys() >= {"execution_id", "Idempotency-Key"}
    for schema, example in shown.values():
        assert described.problems_of(schema, example) == []


@pytest.mark.parametrize("name", document_of()["components"]["responses"])
def test_errors_with_details_come_first(name: str) -> None:
    """Clients that take the first schema that fits would never see the details of the others."""
    document = document_of()
    schema = document["components"]["responses"][name]["content"]["application/json"]["schema"]
    names = [one["$ref"].rpartition("/")[2] for one in schema.get("anyOf", [schema])]
    detailed = [
        "details" in document["components"]["schemas"][one]["properties"]["error"]["properties"]
        for one in names
    ]

    assert detailed == sorted(detailed, reverse=True)


def test_an_error_before_the_key_is_known_has_no_rate_limit() -> None:
    """So no answer that may be one promises its headers; 403 and 429 are of a known key."""
    responses = document_of()["components"]["responses"]
    promised = {
        name
        for name, one in responses.items()
        if one["headers"].get("X-RateLimit-Limit", {}).get("required")
    }

    assert {"Forbidden", "RateLimited"} <= promised
    assert not {"Unauthorized", "NotFound", "InternalError", "ServiceUnavailable"} & promised
