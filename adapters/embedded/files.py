"""Files in the embedded database's folder, written crash-safe and without following links."""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from automation_retry.adapters.embedded.account import running_as_root

_UNFINISHED = "new-"
"""Prefix of incomplete files and folders, which are renamed when they are complete."""


def open_owned(file: Path, flags: int) -> int:
    """Opens a file, creating it private to the folder's owner if missing; refuses links."""
    flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(file, flags)
    os.fchmod(descriptor, 0o600)  # whatever the umask
    if running_as_root():
        # The folder's owner may start the service next time, without being root.
        owner = file.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def replace_text(file: Path, text: str, *, mode: int) -> None:
    """Replaces a file atomically and durably; an existing link is replaced, not followed."""
    descriptor, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(descriptor, mode)  # whatever the umask
            os.fsync(descriptor)
        Path(unfinished).rename(file)
    except OSError:
        Path(unfinished).unlink()
        raise
    sync_folder(file.parent)


def unfinished_folder(parent: Path) -> Path:
    """A new private folder, to be renamed when it is complete."""
    return Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))


def remove_unfinished(parent: Path) -> None:
    """Removes what killed processes left incomplete."""
    for unfinished in parent.glob(f"{_UNFINISHED}*"):
        if unfinished.is_dir():
            # A program that outlived its parent may still write there; the next start retries.
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            unfinished.unlink()


def link_or_copy(source: str, target: str) -> None:
    """Links or copies a file; every account may use the target as the owner may the source."""
    mode = Path(source).stat().st_mode
    if mode & 0o005 == (mode >> 6) & 0o005:  # others may do what its owner may
        with contextlib.suppress(OSError):  # another file system, or one without hard links
            os.link(os.path.realpath(source), target)
            return
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if mode & stat.S_IXUSR else 0o644)


def make_parents(path: Path) -> None:
    """Creates missing parents with the umask's mode, but usable by their owner.

    Those created by root are enterable by all.
    """
    least = 0o711 if running_as_root() else 0o700
    for folder in reversed(path.parents):
        if folder.is_dir():
            continue
        folder.mkdir(exist_ok=True)  # another process may create it too
        folder.chmod(folder.stat().st_mode & 0o777 | least)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Makes the entries of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
