"""Holds the answers of a running service against its own OpenAPI document."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
from attrs import field, frozen
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_DOCUMENT = "urn:openapi"


def closed(schema: Any) -> Any:
    """The same without room for fields that it does not name."""
    match schema:
        case {"properties": Mapping()}:
            inner = {key: closed(value) for key, value in schema.items()}
            return {"additionalProperties": False, **inner}
        case Mapping():
            return {key: closed(value) for key, value in schema.items()}
        case list():
            return [closed(value) for value in schema]
        case _:
            return schema


@frozen
class Described:
    """An OpenAPI document in which nothing may be answered that it does not describe."""

    document: Any = field(converter=closed)

    def problems(self, answer: httpx.Response) -> list[str]:
        """What the answer has that the document has not, or the other way round."""
        method, path = answer.request.method, answer.request.url.raw_path.decode().split("?")[0]
        operation = self._operation(method, path)
        if operation is None and answer.status_code in {404, 405}:
            return []
        described = operation and operation["responses"].get(str(answer.status_code))
        if described is None:
            return [f"{method} {path} answers {answer.status_code}, which is not described"]
        followed = self._followed(described)
        return [*self._headers(followed, answer), *self._body(followed, answer)]

    @property
    def _prefix(self) -> str:
        """What a proxy put before the paths, where it passes that on."""
        [server] = self.document["servers"]
        return f"(?:{re.escape(server['url'].rstrip('/'))})?"

    def _operation(self, method: str, path: str) -> Any:
        for template, operations in self.document["paths"].items():
            if re.fullmatch(self._prefix + re.sub(r"{\w+}", "[^/]*", template), path):
                return operations.get("get" if method == "HEAD" else method.lower())
        return None

    def _followed(self, found: Any) -> Any:
        match found:
            case {"$ref": str(pointer)}:
                target: Any = self.document
                for step in pointer.removeprefix("#/").split("/"):
                    target = target[step]
                return target
            case _:
                return found

    def _headers(self, described: Any, answer: httpx.Response) -> list[str]:
        schemas = {name.lower(): one["schema"] for name, one in described["headers"].items()}
        missing = [
            f"the header {name} is missing"
            for name, header in described["headers"].items()
            if header["required"] and name not in answer.headers
        ]
        others = set(answer.headers) - set(schemas) - _OF_EVERY_ANSWER
        undescribed = [f"the header {name} is not described" for name in sorted(others)]
        wrong = [
            f"the header {name} is {problem}"
            for name, schema in schemas.items()
            if name in answer.headers
            for problem in self.problems_of(schema, _read(schema, answer.headers[name]))
        ]
        return [*missing, *undescribed, *wrong]

    def _body(self, described: Any, answer: httpx.Response) -> list[str]:
        if answer.request.method == "HEAD":
            return []
        media_type = answer.headers.get("content-type", "").split(";")[0]
        content = described["content"].get(media_type)
        if content is None:
            return [f"the media type {media_type} is not described"]
        if media_type != "application/json":
            return []
        try:
            return self.problems_of(content["schema"], answer.json())
        except RecursionError:
            return []  # a payload is nested more deeply than Python's parser takes

    def problems_of(self, schema: Any, value: Any) -> list[str]:
        """Why a value does not have a schema of the document."""
        resource = Resource.from_contents(self.document, default_specification=DRAFT202012)
        validator = Draft202012Validator(
            _absolute(schema),
            registry=Registry().with_resource(_DOCUMENT, resource),
            format_checker=FormatChecker(),
        )
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in validator.iter_errors(value)
        ]


def _absolute(schema: Any) -> Any:
    """A schema with references into the document, which it stands outside of."""
    match schema:
        case {"$ref": str(pointer)}:
            return {**schema, "$ref": f"{_DOCUMENT}{pointer}"}
        case Mapping():
            return {key: _absolute(value) for key, value in schema.items()}
        case list():
            return [_absolute(value) for value in schema]
        case _:
            return schema


def _read(schema: Any, text: str) -> Any:
    """The value of a header, whose schema is about numbers where it has a number."""
    return int(text) if schema.get("type") == "integer" and text.isdigit() else text


_OF_EVERY_ANSWER = {
    "cache-control",
    "content-length",
    "content-type",
    "date",
    "server",
    "connection",
    "transfer-encoding",
}
