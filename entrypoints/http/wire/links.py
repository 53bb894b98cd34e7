"""Links of answers: paths, as AlgaPSA has them."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from attrs import frozen

EXECUTIONS: Final = "/api/v1/automation/executions"
FAILURE_GROUPS: Final = "/api/v1/automation/failure-groups"
_RULES: Final = "/api/v1/automation/rules"


@frozen
class Links:
    """`root_path` begins every link."""

    rule_links: bool
    """Whether answers link to rules, which AlgaPSA serves beside this service."""
    root_path: str = ""

    @property
    def executions(self) -> str:
        return f"{self.root_path}{EXECUTIONS}"

    def execution(self, execution_id: UUID) -> str:
        return f"{self.executions}/{execution_id}"

    def listed(self, parameters: Mapping[str, Any]) -> str:
        """The list of executions with these parameters."""
        return f"{self.executions}?{urlencode(parameters)}"

    def rule(self, automation_rule_id: UUID | None) -> Mapping[str, str]:
        """No link where there is no rule, or where nobody serves it."""
        if not self.rule_links or automation_rule_id is None:
            return {}
        return {"rule": f"{self.root_path}{_RULES}/{automation_rule_id}"}
