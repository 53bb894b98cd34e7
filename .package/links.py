"""Build hook: an editable install gets the links by which the four folders are one package.

They are in the repository; an sdist cannot hold them.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("domain", "application", "adapters", "entrypoints")


class Links(BuildHookInterface[Any]):
    """Makes the links that are missing in `.package/automation_retry`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        if version != "editable":
            return
        package = Path(self.root, ".package", "automation_retry")
        for folder in FOLDERS:
            link = package / folder
            if not link.is_symlink():
                link.symlink_to(Path("..", "..", folder))
