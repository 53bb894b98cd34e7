"""What an extra adds, as a command that works: this distribution is on no package index."""

import re
from importlib import metadata

_DISTRIBUTION = "automation-retry"
_OF_EXTRA = re.compile(r"""(?P<requirement>[^;]+);.*\bextra\s*==\s*["'](?P<extra>[^"']+)["']""")


def install_command(extra: str) -> str:
    """The command that installs what `extra` adds, beside a checkout as beside a wheel."""
    requirements = [
        found["requirement"].strip()
        for found in map(_OF_EXTRA.match, metadata.requires(_DISTRIBUTION) or ())
        if found and found["extra"] == extra
    ]
    return " ".join(["pip install", *(f"'{requirement}'" for requirement in requirements)])
