from collections.abc import Callable, Mapping
from typing import Any, LiteralString

from attrs import field, frozen

from automation_retry.adapters.storage_kind import StorageKind
from automation_retry.application import MessageKind
from automation_retry.application.ports import BrokerBundle, Storage


@frozen(kw_only=True)
class BrokerType:
    """A broker that can be chosen by its name. Each broker's package has one, as `BROKER`."""

    name: str
    storages: frozenset[StorageKind]
    """Those that it works with."""
    kinds: frozenset[MessageKind] = frozenset(MessageKind)
    """Those that it can carry."""
    discards: bool = False
    """Whether units of work need not write its messages at all."""
    hand_over: Mapping[MessageKind, LiteralString] = field(factory=dict)
    """For a broker in the storage's own PostgreSQL: queries by which a commit hands messages over
    itself. They read the relation `message (kind text, body jsonb)` and return as `handed_over` the
    number of messages; they divide by zero if one of them was discarded."""
    variables: type[Any] | None = None
    """The environment variables that it reads, as a class of environ-config; None for none."""
    driver: str | None = None
    """The module that an extra of the broker's name installs; None where it needs none."""
    new: Callable[[Any, Storage, frozenset[MessageKind]], BrokerBundle]
    """Builds it, closed: from an instance of `variables` (or None), the chosen storage, and the
    kinds of messages that it is to carry.

    Raises:
        ImportError: its driver is not installed; the message says what to install.
    """
