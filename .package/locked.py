"""Runs a command that uses or makes an environment: `locked.py shared|exclusive FOLDER COMMAND …`.

The command holds the lock `FOLDER.lock` until it ends, however it ends: any number of commands that
use the environment, or one that makes or removes it. (As `flock` does, which macOS lacks.)
"""

import fcntl
import os
import signal
import sys

how, folder, *command = sys.argv[1:]
signal.signal(signal.SIGINT, signal.SIG_DFL)
if how == "exclusive":
    flags, operation, reason = os.O_RDWR, fcntl.LOCK_EX, f"no other make uses {folder}"
else:
    flags, operation, reason = os.O_RDONLY, fcntl.LOCK_SH, f"another make has installed {folder}"
try:
    lock = os.open(f"{folder}.lock", flags | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f"Waiting until {reason} …\n")
        fcntl.flock(lock, operation)
    os.set_inheritable(lock, True)  # noqa: FBT003 - positional only
    os.execvp(command[0], command)  # noqa: S606 - a command of the Makefile
except OSError as error:
    sys.exit(f"{command[0]}: {error}")
