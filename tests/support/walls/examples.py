"""Queries and bodies of requests, from the schemas and examples in the rows of the route table."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlencode

from automation_retry.adapters.wire.json_schema import Schema, component_of
from automation_retry.entrypoints.http.endpoint import Endpoint, ProtectedEndpoint

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def queries(
    row: Endpoint, example_ids: Mapping[str, str], filters: Mapping[str, str]
) -> Iterator[str]:
    """One with the required parameters only, and one more for each that is optional.

    Ids of resources are written as `{name}`, as in the example of a body. `filters` are values of
    parameters by their names.

    Raises:
        LookupError: the schema of a parameter has no value to take, or an unknown id.
    """
    if row.query is None:
        yield ""
        return
    schema = component_of(row.query).schema

    def parameter(name: str) -> str:
        if name in filters:
            return urlencode({name: filters[name]})
        value = urlencode({name: _value(row, name, schema["properties"][name])})
        return _UUID.sub(lambda found: f"{{{_name(row, found[0], example_ids)}}}", value)

    required = [parameter(name) for name in schema.get("required", ())]
    yield "&".join(required)
    for name in schema["properties"]:
        if name not in schema.get("required", ()):
            yield "&".join([*required, parameter(name)])


def _value(row: Endpoint, name: str, schema: Schema) -> str:
    for values in (schema.get("examples"), schema.get("enum"), [schema.get("minimum")]):
        if values and values[0] is not None:
            return str(values[0])
    raise LookupError(
        f"{row.method} {row.path}: the walls between tenants are not tested for the query parameter"
        f" {name}; give its schema a minimum, an enum or examples, or add it to FILTERS in"
        " tests/support/walls/resources.py"
    )


def body_example(row: Endpoint, example_ids: Mapping[str, str]) -> str | None:
    """The body of a request, in which ids of resources are written as `{name}`.

    `example_ids` are the names of the parameters for which ids stand in examples.

    Raises:
        LookupError: the row takes a body and has no example of it, or one with an unknown id.
    """
    if not isinstance(row, ProtectedEndpoint) or row.body is None:
        return None
    if row.body_example is None:
        raise LookupError(
            f"{row.method} {row.path}: the walls between tenants are not tested for its body; give"
            " the row a `body_example`"
        )
    return _UUID.sub(lambda found: f"{{{_name(row, found[0], example_ids)}}}", _text(row))


def _text(row: ProtectedEndpoint) -> str:
    return json.dumps(row.body_example)


def _name(row: Endpoint, found: str, example_ids: Mapping[str, str]) -> str:
    if found not in example_ids:
        raise LookupError(
            f"{row.method} {row.path}: an example of its names {found}, and the walls between"
            " tenants are not tested for that; add what makes such a resource, with that id as its"
            " `example`, to RESOURCES in tests/support/walls/resources.py"
        )
    return example_ids[found]


def names_in(template: str) -> Sequence[str]:
    """The parameters that a path or an example names."""
    return list(dict.fromkeys(re.findall(r"{(\w+)(?::\w+)?}", template)))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with these values for the parameters; other braces stay."""
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: values.get(found[1], found[0]), template)
