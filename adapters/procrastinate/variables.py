import environ

from automation_retry.adapters.environment import PREFIX, seconds, variable


@environ.config(prefix="", frozen=True)
class ProcrastinateVariables:
    """The environment variables of Procrastinate."""

    event_retention_s: int = variable(
        f"{PREFIX}_EVENT_RETENTION_S",
        seconds(1, 315_360_000),
        "Seconds after which Procrastinate's event jobs are removed, fetched or not.",
        default="604800",
    )
