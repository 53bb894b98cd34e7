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

_EXECUTIONS = "/api/v1/automation/executions"
_GROUPS = "/api/v1/automation/failure-groups"
_CONTRADICTED = {
    _EXECUTIONS: {
        *(
            "fields",
            "status",
            "failed_to",
            "started_to",
            "duration_max_ms",
            "limit",
            "page",
            "cursor",
        )
    },
    _GROUPS: {"failed_from", "failed_to"},
}
"""The parameters of lists that may be wrong though each is as its schema says.

They contradict others, name something twice, or are the cursor of another list.
"""
_KEY = "x-api-key"
_TENANT = "x-tenant-id"
_IDEMPOTENCY_KEY = "Idempotency-Key"

# Schemathesis sends ASCII only, and no headers but those that the document has.
_ODD_HEADERS = (
    ("x-request-id", "Z\xfcrich \xff"),
    ("x-request-id", "x" * 4000),
    ("X-Forwarded-For", "\xe9, ::1, not an address%"),
    ("X-Forwarded-Proto", "gopher"),
    ("traceparent", "00-zz-\xb5-01"),
    ("Accept", "text/html;q=0, \xa0"),
    ("Content-Type", "multipart/form-data; boundary="),
    ("Cookie", "a=\xdf; ;=;"),
    ("Authorization", "Basic \xa7\xa7"),
    ("Range", "bytes=-1-\xbd"),
)


class _Aim:
    """Changes requests, in the same way in each run with the same seed."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._known = frozenset([*population.failed, *population.others])
        self._failed = iter(population.failed)
        self._others = population.others
        self._turns: Counter[str] = Counter()
        self._replayable: tuple[str, str] | None = None
        """The execution and the idempotency key of the last retry that had one."""

    def change(self, case: schemathesis.Case[Any]) -> None:
        """Aims a request with a valid id at an execution that exists, four times of five.

        An id that exists already comes from an earlier answer, by a link, and stays.
        """
        # Hypothesis expects the same steps to lead to the same answers.
        stateful = case.meta is not None and case.meta.phase.name.value == "stateful"
        if case.path.endswith("/bulk-retry"):
            self._change_bulk(case, stateful=stateful)
            return
        if case.path in _CONTRADICTED:
            self._change_list(case)
            return
        execution_id = str(case.path_parameters.get("execution_id", ""))
        if not is_uuid(execution_id):
            return
        linked = execution_id in self._known
        if not stateful:
            self._turns[case.operation.label] += 1
            turn = self._turns[case.operation.label]
        else:
            turn = 1 if linked else UUID(execution_id).int
            if _is_idempotency_key(case.headers.get(_IDEMPOTENCY_KEY, "")):
                case.headers[_IDEMPOTENCY_KEY] = str(uuid4())
        self._change_headers(case, turn)
        if linked:
            return
        match turn % 5:
            case 0:
                pass
            case 2 if case.method == "POST" and self._replayable and not stateful:
                self._repeat(case, self._replayable, other_execution=turn % 2 == 1)
            case 3:
                others = self._others
                case.path_parameters["execution_id"] = others[turn // 5 % len(others)]
            case _:
                case.path_parameters["execution_id"] = next(self._failed)

    def _change_list(self, case: schemathesis.Case[Any]) -> None:
        """Keeps few parameters of most requests: many of them contradict each other."""
        self._turns[case.operation.label] += 1
        turn = self._turns[case.operation.label]
        self._change_headers(case, turn)
        positive = case.meta is not None and case.meta.generation.mode.is_positive
        if positive and turn % 4:
            for name in [*case.query][turn % 3 + 1 :]:
                del case.query[name]

    def _change_bulk(self, case: schemathesis.Case[Any], *, stateful: bool) -> None:
        """Aims the first id of a body at an execution that can be retried, others at any."""
        self._turns[case.operation.label] += 1
        turn = self._turns[case.operation.label]
        # Few keys are generated, and one that is used here is used for the retry as well.
        if (stateful or turn % 20) and _is_idempotency_key(case.headers.get(_IDEMPOTENCY_KEY, "")):
            case.headers[_IDEMPOTENCY_KEY] = str(uuid4())
        if stateful:
            return
        self._change_headers(case, turn)
        match case.body:
            case {"ids": [str(first), *others], **rest} if turn % 4 and is_uuid(first):
                known = self._others
                aimed = [known[(turn + place) % len(known)] for place in range(len(others))]
                ids = [
                    new if is_uuid(str(old)) else old
                    for old, new in zip(others, aimed, strict=True)
                ]
                body: Any = rest
                case.body = {**body, "ids": [next(self._failed), *ids]}

    def _change_headers(self, case: schemathesis.Case[Any], turn: int) -> None:
        if turn % 8 and is_uuid(case.headers.get(_TENANT, "")):
            case.headers[_TENANT] = self._population.tenant
        if turn % 9 == 0 and case.headers.get(_KEY) == self._population.operator:
            case.headers[_KEY] = self._population.reader
        if turn % 4 == 0:
            name, value = _ODD_HEADERS[turn // 4 % len(_ODD_HEADERS)]
            case.headers[name] = value

    def _repeat(
        self, case: schemathesis.Case[Any], earlier: tuple[str, str], *, other_execution: bool
    ) -> None:
        execution_id, case.headers[_IDEMPOTENCY_KEY] = earlier
        if other_execution:
            execution_id = next(self._failed)
        case.path_parameters["execution_id"] = execution_id

    def retried(self, case: schemathesis.Case[Any]) -> None:
        """Remembers a retry that was accepted, if it can be repeated."""
        key = case.headers.get(_IDEMPOTENCY_KEY)
        if key is not None and "execution_id" in case.path_parameters:
            self._replayable = (str(case.path_parameters["execution_id"]), key)


def _is_idempotency_key(text: str) -> bool:
    return text.isascii() and text.isprintable() and 1 <= len(text) <= 255


def _retried(case: schemathesis.Case[Any], response: schemathesis.Response) -> int:
    """How many executions were retried."""
    if response.request.method != "POST" or response.status_code != 200:
        return 0
    if not case.path.endswith("/bulk-retry"):
        return 1
    return int(response.json()["data"]["retried_count"])


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
        "retried": 0 if replayed else _retried(case, response),
    }
    _record.write(json.dumps(answer) + "\n")


@schemathesis.check
def valid_request_not_called_invalid(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Where `positive_data_acceptance` accepts a 400, which depends on more than each value."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and response.status_code == 400:
        error = response.json()["error"]
        if error["code"] == "VALIDATION_ERROR":
            wrong = {one["parameter"] for one in error.get("details", [])}
            assert wrong, response.text
            assert wrong <= _CONTRADICTED.get(case.path, set()), response.text
