"""Reports are those of the kept results, and the README repeats them."""

from itertools import count
from pathlib import Path

import pytest
from attrs import evolve

from tests.benchmarks.chart import chart
from tests.benchmarks.contenders import names
from tests.benchmarks.measured import Spread, percentile
from tests.benchmarks.report import report
from tests.benchmarks.results import BulkRate, Results, RetryRate, from_json, to_json
from tests.benchmarks.speed_to_reach import Target, targets
from tests.benchmarks.stretch import Stretch
from tests.benchmarks.table import spread

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "tests" / "benchmarks" / "results"


@pytest.fixture(scope="module")
def results() -> Results:
    return from_json((KEPT / "results.json").read_bytes())


def test_tables_and_chart_are_those_of_the_json(results: Results) -> None:
    """A new run, or a change of the report, writes all three files."""
    assert (KEPT / "results.md").read_text("utf-8") == report(results)
    assert (KEPT / "chart.svg").read_text("utf-8") == chart(results)
    assert (KEPT / "results.json").read_bytes() == to_json(results)


def test_the_readme_gives_every_ratio_that_was_to_be_reached(results: Results) -> None:
    """In the design's order, as measured, those that were not reached included."""
    readme = (ROOT / "README.md").read_text("utf-8")
    places = [readme.find(f"| {spread(target.measured)} |") for target in targets(results)]

    assert not results.quick
    assert len(places) == 15
    assert -1 not in places
    assert places == sorted(places)


def test_a_ratio_without_a_bound_is_reported_and_neither_holds_nor_fails() -> None:
    """An aim is no bound."""
    reported = Target(what="this", against="that", measured=Spread([0.1]), aim=0.7)
    bounded = evolve(reported, bound=0.5)

    assert (reported.required, reported.holds) == ("reported, aim 0.7", None)
    assert (evolve(reported, aim=None).required) == "reported"
    assert (bounded.required, bounded.holds) == ("≥ 0.5", False)
    assert evolve(bounded, at_most=True).holds is True


def test_the_service_as_shipped_is_compared_with_each_way_to_deliver(results: Results) -> None:
    """At each number of clients; in bulk with single retries that do as much as the bulk."""
    rates = [
        RetryRate(contender=contender, clients=clients, per_second=Spread([rate]))
        for contender, rate in (
            (names.SERVICE, 100),
            (names.FLAT_DELIVERING, 200),
            (names.SERVICE_WITHOUT_DELIVERY, 400),
            (names.FLAT, 500),
        )
        for clients in (1, 16, 64)
    ]
    thousand = Spread([1000])
    bulk = BulkRate(
        executions=10,
        unit_of_work=thousand,
        with_read=thousand,
        by_several=thousand,
        statement=thousand,
    )
    measured = evolve(results, retries=rates, bulk=[bulk], relay=(), growth=())
    delivering = evolve(measured, bulk=[evolve(bulk, delivers=True)])

    assert [(target.measured.median, target.required) for target in targets(measured)] == [
        *[(0.5, "≥ 0.75"), (0.5, "≥ 1"), (0.5, "≥ 1.3")],
        *[(0.25, "≥ 0.8"), (0.25, "≥ 0.8"), (0.25, "≥ 0.8")],
        *[(0.2, "reported, aim 0.7"), (0.2, "reported, aim 1"), (0.2, "reported, aim 1.3")],
        *[(2.5, "≥ 10"), (2.5, "reported")],
    ]
    assert [target.measured.median for target in targets(delivering)[-2:]] == [10, 10]


def test_a_ratio_is_taken_round_by_round() -> None:
    """So a round in which the machine was slow for both counts like the others."""
    mine, its = Spread([100, 50, 90]), Spread([50, 25, 30])

    assert mine.over(its) == Spread([2, 2, 3])
    assert mine.over(its).median == 2


def test_a_percentile_is_one_of_the_values() -> None:
    """The least value that so many percent of them do not exceed."""
    values = [float(value) for value in range(100, 0, -1)]

    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 50) == 7.0


def test_a_stretch_measures_neither_warm_up_nor_what_came_too_late() -> None:
    """A request each tenth of a second: one second of warm-up, two measured, one too late."""
    stretch = Stretch((str(number) for number in count()), warm_up_s=1.0, seconds=2.0)
    stretch.begin(100.0)
    for tenth in range(1, 41):
        stretch.done(asked=100 + (tenth - 1) / 10, now=100 + tenth / 10)
    measured = stretch.measured()

    assert measured["retried"] == 40
    assert measured["per_second"] == pytest.approx(10.5, abs=0.5)
    assert measured["p50_ms"] == pytest.approx(100)
    assert stretch.next_id(now=102.9) is not None
    assert stretch.next_id(now=103.1) is None
