from collections.abc import Callable
from typing import Any

from attrs import frozen

from automation_retry.adapters.storage_kind import StorageKind
from automation_retry.application import MessageKind
from automation_retry.application.ports import BrokerBundle, Storage


@frozen(kw_only=True)
class BrokerType:
    """A broker that can be chosen by its name. Each broker's package has one, as `BROKER`."""

    name: str
    storages: frozenset[StorageKind]
    """Those that it works with."""
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
