"""How a route may fail, as the table of errors has it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_type_hints

from attrs import frozen

from automation_retry.adapters.wire.json_schema import Component, schema_of
from automation_retry.application import (
    ApiKeyRequired,
    InvalidApiKey,
    StorageFailed,
    StorageUnavailable,
)
from automation_retry.entrypoints.http.endpoint import Endpoint
from automation_retry.entrypoints.http.wire.error_table import ANSWERS, INTERNAL, Answer
from automation_retry.entrypoints.http.wire.errors import SERVER_ERRORS, PathNotFound
from automation_retry.entrypoints.http.wire.headers import (
    ECHOED_REQUEST_ID,
    RATE_LIMIT,
    RATE_LIMIT_REMAINING,
)

_BEFORE_THE_KEY_IS_KNOWN: Final = (ApiKeyRequired, PathNotFound, *SERVER_ERRORS)
_BEFORE_OR_AFTER: Final = (InvalidApiKey, StorageUnavailable)


@frozen(eq=False)
class Failure:
    """One error that a route may answer."""

    name: str
    answer: Answer
    example: Exception
    headers: Mapping[str, bool]
    """By name, whether the answer always has it."""
    component: Component


def failures(endpoint: Endpoint) -> Iterator[Failure]:
    """Every error of the route; those that are answered alike, as internal ones, come once."""
    seen: set[int] = set()
    for error in (*endpoint.all_errors, StorageFailed):
        answer = ANSWERS[error]
        if id(answer) not in seen:
            seen.add(id(answer))
            yield Failure(
                name=error.__name__ if answer is not INTERNAL else "Unexpected",
                answer=answer,
                example=answer.example or error(),
                headers=_headers(error, answer, limited=endpoint.protected),
                component=_COMPONENTS[error],
            )


def _headers(error: type[Exception], answer: Answer, *, limited: bool) -> Mapping[str, bool]:
    headers = {ECHOED_REQUEST_ID.name: True}
    if limited and error not in _BEFORE_THE_KEY_IS_KNOWN:
        known = answer is not INTERNAL and error not in _BEFORE_OR_AFTER
        headers |= {RATE_LIMIT.name: known, RATE_LIMIT_REMAINING.name: known}
    return headers | dict.fromkeys(answer.headers, True)


def _component_name(error: type[Exception], answer: Answer) -> str:
    """Errors without details differ in their code only."""
    return error.__name__ if answer.details else camel_case(answer.code)


def camel_case(code: str) -> str:
    """`NotFound` for `NOT_FOUND`."""
    return code.title().replace("_", "")


def _component(name: str, answer: Answer) -> Component:
    properties: dict[str, Any] = {
        "code": {"type": "string", "const": answer.code},
        "message": {"type": "string"},
    }
    if answer.details is not None:
        properties["details"] = schema_of(get_type_hints(answer.details)["return"])
    error = {"type": "object", "properties": properties, "required": [*properties]}
    return Component(
        name, {"type": "object", "properties": {"error": error}, "required": ["error"]}
    )


def _components() -> dict[type[Exception], Component]:
    by_name: dict[str, Component] = {}
    found = {}
    for error, answer in ANSWERS.items():
        name = _component_name(error, answer)
        found[error] = by_name.setdefault(name, _component(name, answer))
    return found


_COMPONENTS: Final = _components()
