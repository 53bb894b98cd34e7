"""What Schemathesis loads: requests for executions that exist, and a record of every answer.

An id that is generated exists nowhere: without this most answers were 404, and none a retry.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import schemathesis

from automation_retry.domain import is_uuid
from tests.fuzz.campaign import ANSWERS, FOLDER
from tests.fuzz.population import Population

_KEY = "x-api-key"
_TENANT = "x-tenant-id"
_IDEMPOTENCY_KEY = "Idempotency-Key"


class _Aim:
    """What the next request is about; the same in each run with the same seed."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._known = frozenset([*population.failed, *population.others])
        self._failed = iter(population.failed)
        self._others = population.others
        self._turns: Counter[str] = Counter()
        self._replayable: tuple[str, str] | None = None
        """The execution and the idempotency key of the last retry that had one."""

    def change(self, case: schemathesis.Case[Any]) -> None:
        """Gives a request with a valid id an execution that exists, and its key a tenant.

        An id that exists comes from an earlier answer and stays; one of five valid others stays.
        """
        execution_id = str(case.path_parameters.get("execution_id", ""))
        if not is_uuid(execution_id):
            return
        known = execution_id in self._known
        # Hypothesis expects the same steps to lead to the same answers.
        stateful = case.meta is not None and case.meta.phase.name.value == "stateful"
        if not stateful:
            turn = self._turn(case.operation.label)
        else:
            turn = 1 if known else UUID(execution_id).int
        if stateful and _is_idempotency_key(case.headers.get(_IDEMPOTENCY_KEY, "")):
            case.headers[_IDEMPOTENCY_KEY] = str(uuid4())
        if turn % 8 and is_uuid(case.headers.get(_TENANT, "")):
            case.headers[_TENANT] = self._population.tenant
        if turn % 9 == 0 and case.headers.get(_KEY) == self._population.operator:
            case.headers[_KEY] = self._population.reader
        if known or turn % 5 == 0:
            return
        if turn % 5 == 3:
            case.path_parameters["execution_id"] = self._others[turn // 5 % len(self._others)]
        elif turn % 5 == 2 and case.method == "POST" and self._replayable and not stateful:
            case.path_parameters["execution_id"], case.headers[_IDEMPOTENCY_KEY] = self._replayable
            if turn % 2:  # the same key with another execution
                case.path_parameters["execution_id"] = next(self._failed)
        else:
            case.path_parameters["execution_id"] = next(self._failed)

    def retried(self, case: schemathesis.Case[Any]) -> None:
        key = case.headers.get(_IDEMPOTENCY_KEY)
        if key is not None:
            self._replayable = (str(case.path_parameters["execution_id"]), key)

    def _turn(self, label: str) -> int:
        self._turns[label] += 1
        return self._turns[label]


def _is_idempotency_key(text: str) -> bool:
    return text.isascii() and text.isprintable() and 1 <= len(text) <= 255


_folder = Path(os.environ[FOLDER])
_aim = _Aim(Population.read(_folder))
_record = (_folder / ANSWERS).open("a", buffering=1)


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: Any) -> None:
    """In every phase: hooks on generated values do not see those of the coverage phase."""
    del kwargs
    _aim.change(case)


@schemathesis.hook
def after_call(
    _: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response
) -> None:
    """Records the answer."""
    replayed = "idempotent-replayed" in response.headers
    method = str(response.request.method)
    if method == "POST" and response.status_code == 200 and not replayed:
        _aim.retried(case)
    answer = {
        "operation": case.operation.label,
        "phase": case.meta.phase.name.value if case.meta else None,
        "method": method,
        "status": response.status_code,
        "replayed": replayed,
    }
    _record.write(json.dumps(answer) + "\n")


@schemathesis.check
def valid_request_not_called_invalid(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Where `positive_data_acceptance` accepts a 400, which depends on the execution's state."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and response.status_code == 400:
        assert response.json()["error"]["code"] != "VALIDATION_ERROR", response.text
