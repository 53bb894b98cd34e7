"""Errors as HTTP responses, by the table of errors."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from automation_retry.adapters.wire.converter import CONVERTER
from automation_retry.entrypoints.http.wire.error_table import ANSWERS, INTERNAL, Answer
from automation_retry.entrypoints.http.wire.errors import MethodNotAllowed, PathNotFound
from automation_retry.entrypoints.http.wire.json_response import JsonResponse
from automation_retry.entrypoints.http.wire.request_context import context_of


def envelope(error: Exception, answer: Answer) -> dict[str, Any]:
    """AlgaPSA's error body; without details where there are none."""
    fields = {"code": answer.code, "message": answer.message or str(error)}
    if answer.details is not None:
        fields["details"] = CONVERTER.unstructure(answer.details(error))
    return {"error": fields}


def headers_of(error: Exception, answer: Answer) -> dict[str, str]:
    """The headers that an answer has because of the error."""
    return {name: value(error) for name, value in answer.headers.items()}


async def answer_error(request: Request, error: Exception) -> Response:
    """The answer in the table for the error's class; an error without a row is raised again."""
    answer = ANSWERS.get(type(error))
    if answer is None:
        raise error
    context_of(request.scope).logged.update(answer.log(error))
    return _response(error, answer)


async def answer_routing_error(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405 in the same envelope."""
    match error:
        case HTTPException(status_code=404):
            return await answer_error(request, PathNotFound())
        case HTTPException(status_code=405, headers={"Allow": allow}):
            return await answer_error(request, MethodNotAllowed(sorted(allow.split(", "))))
        case _:
            raise error


def unexpected(error: Exception) -> Response:
    """The answer to an error without a row, which tells the caller nothing about it."""
    return _response(error, INTERNAL)


def _response(error: Exception, answer: Answer) -> Response:
    return JsonResponse(
        envelope(error, answer), status_code=answer.status, headers=headers_of(error, answer)
    )
