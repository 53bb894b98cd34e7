from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.documentation.asyncapi import asyncapi_document
from automation_retry.entrypoints.http.documentation.openapi import openapi_document
from automation_retry.entrypoints.http.endpoint import (
    Endpoint,
    PublicEndpoint,
    PublicHandler,
    Success,
    Tag,
)
from automation_retry.entrypoints.http.wire.headers import Parameter
from automation_retry.entrypoints.http.wire.json_response import JsonResponse

_TAG: Final = Tag("Documentation", "What this service answers and sends.")
_DOCS: Final = "/docs"
_ANY_OBJECT: Final = {"type": "object", "additionalProperties": True}
_PAGE: Final = "page.html"
_MEDIA_TYPES: Final = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TEXT: Final = {"type": "string"}
_PAGE_HEADERS: Final = (
    Parameter("Content-Security-Policy", "Nothing from elsewhere is loaded.", _TEXT, _POLICY),
    Parameter("X-Content-Type-Options", "Browsers take the media type as it is.", _TEXT, "nosniff"),
    Parameter("Referrer-Policy", "No other site learns of the page.", _TEXT, "no-referrer"),
)
_SENT_WITH_PAGES: Final = {
    "Cache-Control": "no-cache",
    **{header.name: header.example or "" for header in _PAGE_HEADERS},
}


def documentation_endpoints(api: Api, described: Sequence[Endpoint]) -> Sequence[Endpoint]:
    """The rows that describe the others, and themselves; what they answer is made once, here."""
    documents: dict[str, orjson.Fragment] = {}
    release = version("automation-retry")
    rows = [
        _document(
            path="/openapi.json",
            operation_id="getOpenApi",
            summary="This API, as an OpenAPI 3.1 document",
            documents=documents,
        ),
        _document(
            path="/asyncapi.json",
            operation_id="getAsyncApi",
            summary="The jobs and events of this service, as an AsyncAPI 3.0 document",
            documents=documents,
        ),
        *_page_and_its_files(),
    ]
    openapi = openapi_document([*described, *rows], version=release, root_path=api.root_path)
    asyncapi = asyncapi_document(api.channels, version=release)
    documents["/openapi.json"] = orjson.Fragment(orjson.dumps(openapi))
    documents["/asyncapi.json"] = orjson.Fragment(orjson.dumps(asyncapi))
    return rows


def _document(
    *, path: str, operation_id: str, summary: str, documents: Mapping[str, orjson.Fragment]
) -> Endpoint:
    async def answer(_: Request) -> Response:
        return JsonResponse(documents[path])

    return PublicEndpoint(
        method="GET",
        path=path,
        operation_id=operation_id,
        tag=_TAG,
        summary=summary,
        success=Success(meaning="The document.", schema=_ANY_OBJECT),
        handler=answer,
    )


def _page_and_its_files() -> Sequence[Endpoint]:
    folder = files(__package__) / "page"
    contents = {file.name: file.read_bytes() for file in folder.iterdir()}
    page = PublicEndpoint(
        method="GET",
        path=_DOCS,
        operation_id="getDocs",
        tag=_TAG,
        summary="This API, as a page to read and to try",
        success=Success(
            meaning="The page.",
            media_type="text/html",
            schema=_TEXT,
            headers=_PAGE_HEADERS,
        ),
        handler=_file(_PAGE, contents.pop(_PAGE)),
    )
    return [page, *(_part(name, content) for name, content in sorted(contents.items()))]


def _part(name: str, content: bytes) -> Endpoint:
    return PublicEndpoint(
        method="GET",
        path=f"{_DOCS}/{name}",
        operation_id="",
        tag=_TAG,
        summary="",
        documented=False,
        success=Success(meaning="", media_type=_MEDIA_TYPES[name.rpartition(".")[2]]),
        handler=_file(name, content),
    )


def _file(name: str, content: bytes) -> PublicHandler:
    media_type = _MEDIA_TYPES[name.rpartition(".")[2]]

    async def answer(_: Request) -> Response:
        return Response(content, media_type=media_type, headers=_SENT_WITH_PAGES)

    return answer
