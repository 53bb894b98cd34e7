"""The AsyncAPI 3.0 document of the jobs and events that this service sends.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from collections.abc import Mapping
from typing import Any, Final

from automation_retry.adapters.wire.json_schema import References, component_of
from automation_retry.application import MessageKind
from automation_retry.application.ports import Channel

_TITLES: Final = {MessageKind.JOB: "Jobs for automation engines", MessageKind.EVENT: "Events"}
_SUMMARIES: Final = {
    MessageKind.JOB: "Asks an engine to run an execution again.",
    MessageKind.EVENT: "Tells listeners that an execution was retried.",
}
_TENANT: Final = "{tenant}"


def asyncapi_document(
    channels: Mapping[MessageKind, Channel], *, version: str
) -> Mapping[str, Any]:
    """The document, as JSON holds it; kinds without a channel reach no other process."""
    schemas = References("#/components/schemas/")
    names = {kind: f"{kind.value}s" for kind in channels}
    messages = {
        kind.value: {
            "name": kind.value,
            "summary": _SUMMARIES[kind],
            "contentType": channel.content_type,
            "payload": schemas.resolve(component_of(channel.body)),
        }
        for kind, channel in channels.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "automation-retry",
            "version": version,
            "description": "What is sent for each retry, at least once: consumers deduplicate by "
            "`id`. Fields may be added later; consumers ignore those that they do not know.",
        },
        "defaultContentType": "application/json",
        "channels": {names[kind]: _channel(kind, one) for kind, one in channels.items()},
        "operations": {
            f"send{name.capitalize()}": {
                "action": "send",
                "summary": _SUMMARIES[kind],
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for kind, name in names.items()
        },
        "components": {"messages": messages, "schemas": schemas.found},
    }


def _channel(kind: MessageKind, channel: Channel) -> Mapping[str, Any]:
    described: dict[str, Any] = {
        "address": channel.address,
        "title": _TITLES[kind],
        "description": f"{channel.meaning} Broker: {channel.protocol}.",
        "messages": {kind.value: {"$ref": f"#/components/messages/{kind.value}"}},
    }
    if _TENANT in channel.address:
        described["parameters"] = {"tenant": {"description": "The id of the tenant."}}
    return described
