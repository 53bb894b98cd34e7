import contextlib
import ctypes
import socket
import struct
import sys
from typing import Final

_SO_ATTACH_FILTER: Final = 26


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket bound to the address; port 0 chooses a free one.

    Raises:
        OSError: the address is taken or does not exist.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without delay (TCP_NODELAY) only on sockets whose protocol is given.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    listening.set_inheritable(True)
    return listening


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def ignore_new_clients(listening: socket.socket) -> None:
    """Makes the kernel ignore new connections; handshakes that have begun may finish.

    Clients try again after a second, and are refused when the socket is closed by then. Without
    this, those that connect between the last `accept` and the closing would be reset. It applies to
    all processes that have the socket. Only Linux can do it.
    """
    if sys.platform != "linux":
        return
    # A classic BPF program on the TCP header: drop what has SYN but not ACK among its flags.
    instructions = (
        (0x30, 0, 0, 13),  # load the byte with the flags
        (0x54, 0, 0, 0x12),  # keep SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone?
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFF_FFFF),  # accept
    )
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    )
    attached = struct.pack("HP", len(instructions), ctypes.addressof(program))
    with contextlib.suppress(OSError):  # a kernel without socket filters
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
