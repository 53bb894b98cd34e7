"""The HTTP server around the application: sockets, processes, signals, and its limits."""

from automation_retry.entrypoints.server.progress import TimeLimits
from automation_retry.entrypoints.server.serving import (
    Surroundings,
    application,
    relay_until_signalled,
    serve_here,
    serve_in_workers,
)
from automation_retry.entrypoints.server.sockets import address_of, listening_socket
from automation_retry.entrypoints.server.stoppable import StoppableServer, server_config

__all__ = [
    "StoppableServer",
    "Surroundings",
    "TimeLimits",
    "address_of",
    "application",
    "listening_socket",
    "relay_until_signalled",
    "serve_here",
    "serve_in_workers",
    "server_config",
]
