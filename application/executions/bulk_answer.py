"""The answer to the retry of several executions."""

from collections.abc import Sequence
from uuid import UUID

from attrs import asdict, field, frozen

from automation_retry.application.refusals import Refusal, RetryState
from automation_retry.domain import Json


@frozen(kw_only=True)
class RetriedExecution:
    execution_id: UUID
    retry_count: int
    """As committed."""


@frozen(kw_only=True)
class RefusedExecution:
    """Nothing of it was written."""

    execution_id: UUID
    refusal: Refusal
    error: Exception | None = field(default=None, eq=False, repr=False)
    """For the log; None in a repeated answer."""


@frozen(kw_only=True)
class BulkRetried:
    """What became of each execution, in the order in which they were first asked for."""

    results: Sequence[RetriedExecution | RefusedExecution]
    replayed: bool = False
    """Whether this repeats an earlier answer, and nothing was done now."""

    @property
    def retried(self) -> Sequence[RetriedExecution]:
        return [one for one in self.results if isinstance(one, RetriedExecution)]

    @property
    def refused(self) -> Sequence[RefusedExecution]:
        return [one for one in self.results if isinstance(one, RefusedExecution)]

    def to_json(self) -> Json:
        """For `of_json`."""
        return Json.of(
            [
                [str(one.execution_id), one.retry_count]
                if isinstance(one, RetriedExecution)
                else [str(one.execution_id), asdict(one.refusal)]
                for one in self.results
            ]
        )

    @classmethod
    def of_json(cls, kept: Json) -> "BulkRetried":
        """A repeated answer."""
        return cls(
            results=[_result(UUID(text), what) for text, what in kept.value()], replayed=True
        )


def _result(
    execution_id: UUID, what: int | dict[str, object]
) -> RetriedExecution | RefusedExecution:
    if isinstance(what, int):
        return RetriedExecution(execution_id=execution_id, retry_count=what)
    details = what.pop("details")
    refusal = Refusal(**what, details=details and RetryState(**details))  # type: ignore[arg-type]
    return RefusedExecution(execution_id=execution_id, refusal=refusal)
