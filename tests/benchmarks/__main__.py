"""`python -m tests.benchmarks`: measures, prints, and keeps the results of a full run."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
from attrs import evolve

from automation_retry.entrypoints.logging import configure_logging
from tests.benchmarks.arena import Arenas, running_arenas
from tests.benchmarks.chart import chart
from tests.benchmarks.companion import companion
from tests.benchmarks.contenders.use_case import MODULE as USE_CASE
from tests.benchmarks.load import MODULE as LOAD
from tests.benchmarks.machine import this_machine
from tests.benchmarks.plan import FULL, QUICK, Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.report import report
from tests.benchmarks.results import Results, from_json, to_json
from tests.benchmarks.sections import bulk, draining, growth, memory, reads, relay, retries, start
from tests.support.command import COMMAND

_FOLDER: Final = Path(__file__).parent / "results"
_JSON: Final = _FOLDER / "results.json"
_SECTIONS: Final = ("retries", "bulk", "relay", "growth", "draining", "reads", "memory", "start")


@click.command()
@click.option("--quick", is_flag=True, help="Under 3 minutes, with little trust in the numbers.")
@click.option("--keep", is_flag=True, help="Write the results of a quick or partial run, too.")
@click.option("--only", multiple=True, type=click.Choice(_SECTIONS), help="Repeat for several.")
@click.option("--service", default=COMMAND, help="The command, where it shares no environment.")
@click.option("--render", is_flag=True, help="Measure nothing; write table and chart anew.")
def main(*, quick: bool, keep: bool, only: Sequence[str], service: str, render: bool) -> None:
    """Measures the service against its peers and against the limit.

    A full run takes about 30 minutes and 15 GB of disk, and writes results.json, results.md and
    chart.svg to tests/benchmarks/results/.
    """
    configure_logging("json", "warning")
    if render:
        _write(from_json(_JSON.read_bytes()))
        return
    measured: Results | None = None
    try:
        plan = evolve(QUICK if quick else FULL, service=str(Path(service).absolute()))
        for results in _measure(plan, only or _SECTIONS):
            measured = results
    finally:
        # Even when a section failed: the others took long.
        if measured:
            click.echo(report(measured))
    if measured and (keep or not (quick or only)):
        _write(measured)


def _measure(plan: Plan, sections: Sequence[str]) -> Iterator[Results]:
    """The results so far, after each section."""
    with running_arenas() as arenas:
        results = Results(quick=plan.quick, machine=this_machine(arenas))
        for section in _SECTIONS:
            if section in sections:
                results = evolve(results, **{section: _section(section, arenas, plan)})
                yield results
    tell("done")


def _section(section: str, arenas: Arenas, plan: Plan) -> Any:
    with companion(LOAD) as load, companion(USE_CASE) as process:
        measures: dict[str, Any] = {
            "retries": lambda: retries.measure(arenas, plan, load, process),
            "bulk": lambda: bulk.measure(arenas, plan),
            "relay": lambda: relay.measure(arenas, plan),
            "growth": lambda: growth.measure(arenas, plan, load),
            "draining": lambda: draining.measure(arenas, plan),
            "reads": lambda: reads.measure(arenas, plan, load),
            "memory": lambda: memory.measure(arenas, plan, load),
            "start": lambda: start.measure(arenas, plan, load),
        }
        return measures[section]()


def _write(results: Results) -> None:
    _FOLDER.mkdir(exist_ok=True)
    _JSON.write_bytes(to_json(results))
    results = from_json(_JSON.read_bytes())  # the numbers that are kept, which are rounded
    (_FOLDER / "results.md").write_text(report(results), "utf-8")
    if results.retries:
        (_FOLDER / "chart.svg").write_text(chart(results), "utf-8")
    tell(f"written to {_FOLDER}")


if __name__ == "__main__":
    main()
