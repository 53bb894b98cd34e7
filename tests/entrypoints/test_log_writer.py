"""Lines are written, or lost and counted; whoever writes one is never held up."""

import fcntl
import os
import select
import termios
import threading
from array import array
from collections.abc import Iterator

import pytest

from automation_retry.entrypoints.log_writer import LogWriter

WITHIN_S = 30
LINE = "x" * 999


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def log_writer(descriptor: int) -> LogWriter:
    writer = LogWriter(descriptor, lambda lines: f"{lines} missing")
    writer.start()
    return writer


def lines_from(reader: int, last: str) -> list[str]:
    """What is read until a line ends with `last`."""
    read = b""
    while not read.endswith(f"{last}\n".encode()):
        assert select.select([reader], [], [], WITHIN_S)[0], f"only {read[-200:]!r} came"
        read += os.read(reader, 1 << 20)
    return read.decode().splitlines()


def test_lines_are_written_in_order(pipe: tuple[int, int]) -> None:
    """Also those of several threads, each in one piece."""
    reader, descriptor = pipe
    writer = log_writer(descriptor)

    def write(name: str) -> None:
        for number in range(100):
            writer.write(f"{name} {number}")

    threads = [threading.Thread(target=write, args=[name]) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.write("last")

    lines = lines_from(reader, "last")
    for name in "ab":
        ours = [line for line in lines if line.startswith(name)]
        assert ours == [f"{name} {number}" for number in range(100)]


def test_what_is_not_utf_8_is_written_all_the_same(pipe: tuple[int, int]) -> None:
    """A lone surrogate, as from a file name, is escaped."""
    reader, descriptor = pipe
    log_writer(descriptor).write("a \udc80 b")

    assert lines_from(reader, "b") == [r"a \udc80 b"]


def test_a_pipe_that_nobody_reads_holds_up_nobody(pipe: tuple[int, int]) -> None:
    """Lines beyond the bound are dropped; once it is read, a line says how many are missing."""
    reader, descriptor = pipe
    writer = log_writer(descriptor)
    for _ in range(10_000):  # 10 MB; returns at all
        writer.write(LINE)
    written = lines_from(reader, LINE)  # it has been read, so there is room again
    while select.select([reader], [], [], 0.2)[0]:
        written += lines_from(reader, LINE)
    writer.write("after")
    *_, after = written + (last := lines_from(reader, "after"))

    missing = [line for line in written + last if line.endswith(" missing")]
    assert after == "after"
    assert sum(int(line.split()[0]) for line in missing) == 10_000 - written.count(LINE)
    assert written.count(LINE) > 1000


def test_a_full_disk_loses_the_lines_of_that_time(pipe: tuple[int, int]) -> None:
    """They are counted; what comes when there is space again is written."""
    reader, descriptor = pipe
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = log_writer(full)
        for _ in range(7):
            writer.write(LINE)
        writer.flush()
        os.dup2(descriptor, full)
        writer.write("after")

        assert lines_from(reader, "after") == ["7 missing", "after"]
    finally:
        os.close(full)


def test_a_line_that_broke_off_does_not_spoil_the_next() -> None:
    """It lacks its end, so the next one begins on a line of its own."""
    reader, descriptor = os.pipe()
    capacity = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    writer = log_writer(descriptor)
    writer.write("x" * 2 * capacity)
    while waiting(reader) < capacity:
        pass
    os.close(reader)  # now the rest cannot be written
    writer.flush()
    other, end = os.pipe()
    os.dup2(end, descriptor)
    writer.write("after")

    assert lines_from(other, "after") == ["", "1 missing", "after"]
    for one in (other, end, descriptor):
        os.close(one)


def waiting(reader: int) -> int:
    """The bytes that the pipe holds."""
    count = array("i", [0])
    fcntl.ioctl(reader, termios.FIONREAD, count)
    return count[0]


def test_the_end_of_the_process_does_not_wait_for_a_reader(pipe: tuple[int, int]) -> None:
    """`flush` gives up."""
    writer = log_writer(pipe[1])
    for _ in range(1000):
        writer.write(LINE)

    writer.flush()
    assert select.select([pipe[0]], [], [], 0)[0]
