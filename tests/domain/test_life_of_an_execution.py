from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from automation_retry.adapters.memory import MemoryStore
from automation_retry.domain import Execution, ExecutionNotFailed, ExecutionStatus
from tests.support.factories import NOON, a_principal, an_execution
from tests.support.memory import commit_silently

at_least_one = st.integers(min_value=1, max_value=2)


class LifeOfAnExecution(RuleBasedStateMachine):
    """Engines run an execution, callers retry it, and engines that were given up report late."""

    runs = Bundle("runs")
    """The execution as each engine took it on: one for every attempt, the old ones included."""

    @initialize(target=runs)
    def created(self) -> Execution:
        self.store = MemoryStore()
        self.now = NOON
        self.expected = an_execution()
        self.failures: list[Execution] = []
        self.has_outcome = False
        self.store.add([self.expected])
        return self.expected

    @rule(run=runs)
    def engine_starts(self, run: Execution) -> None:
        self.report(run, status=ExecutionStatus.RUNNING, actions_successful=0, actions_failed=0)

    @rule(run=runs, successful=at_least_one)
    def engine_completes(self, run: Execution, successful: int) -> None:
        self.report(
            run,
            status=ExecutionStatus.COMPLETED,
            completed_at=self.now,
            actions_successful=successful,
        )

    @rule(run=runs, successful=st.integers(0, 2), failed=at_least_one, message=st.text(max_size=5))
    def engine_fails(self, run: Execution, successful: int, failed: int, message: str) -> None:
        self.report(
            run,
            status=ExecutionStatus.FAILED,
            completed_at=self.now,
            duration_ms=12.5,
            actions_successful=successful,
            actions_failed=failed,
            error_message=message,
            error_stack=f"Error: {message}",
            failed_action_index=successful,
        )

    @rule(target=runs)
    @precondition(lambda self: self.stored.status is ExecutionStatus.FAILED)
    def caller_retries(self) -> Execution:
        self.tick()
        before = self.stored
        retry = before.retry(at=self.now, by=a_principal(tenant=before.tenant))
        commit_silently(self.store, retry)
        self.failures.append(before)
        self.expected = retry.execution
        self.has_outcome = False
        return retry.execution

    @rule()
    @precondition(lambda self: self.stored.status is not ExecutionStatus.FAILED)
    def caller_retries_in_vain(self) -> None:
        with pytest.raises(ExecutionNotFailed):
            self.stored.retry(at=self.now, by=a_principal(tenant=self.expected.tenant))

    def report(self, run: Execution, **outcome: Any) -> None:
        self.tick()
        result = evolve(run, **outcome)
        in_time = run.retry_count == len(self.failures)
        assert self.store.report(result) is in_time
        if in_time:
            self.expected = result
            self.has_outcome = result.status is not ExecutionStatus.RUNNING

    def tick(self) -> None:
        self.now += timedelta(seconds=1)

    @property
    def stored(self) -> Execution:
        return self.store.execution(self.expected.tenant, self.expected.execution_id)

    @invariant()
    def late_results_change_nothing(self) -> None:
        """What is stored is the last retry, or a result of the run that it asked for."""
        assert self.stored == self.expected

    @invariant()
    def every_retry_archived_one_attempt(self) -> None:
        """The attempts are numbered 1…n without gaps, n being the `retry_count`."""
        attempts = self.store.failed_attempts(self.expected.tenant, self.expected.execution_id)

        assert [one.attempt for one in attempts] == list(range(1, self.stored.retry_count + 1))

    @invariant()
    def attempts_hold_what_the_engines_reported(self) -> None:
        """Each archived attempt is the failure that was retried, in their order."""
        attempts = self.store.failed_attempts(self.expected.tenant, self.expected.execution_id)
        archived = [
            (one.completed_at, one.actions_successful, one.actions_failed, one.error_message)
            for one in attempts
        ]

        assert archived == [
            (one.completed_at, one.actions_successful, one.actions_failed, one.error_message)
            for one in self.failures
        ]

    @invariant()
    def counters_are_zero_exactly_until_a_run_ends(self) -> None:
        """A retry clears the counters, and only a result of its own run fills them again."""
        counted = self.stored.actions_successful + self.stored.actions_failed

        assert (counted == 0) is (not self.has_outcome)


TestLifeOfAnExecution = LifeOfAnExecution.TestCase
TestLifeOfAnExecution.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
