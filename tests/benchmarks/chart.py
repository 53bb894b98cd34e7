"""The chart of the README: drawn by hand from the results, readable on light and on dark."""

from typing import Final
from xml.sax.saxutils import escape

from tests.benchmarks.contenders import names
from tests.benchmarks.results import Results, RetryRate
from tests.benchmarks.table import TIMES, number

_CLIENTS: Final = 16
_SHOWN: Final = (
    names.SERVICE,
    names.FLAT_DELIVERING,
    names.SERVICE_WITHOUT_DELIVERY,
    names.FLAT,
    names.FASTAPI,
    names.ON_POSTGRESQL,
    names.STATEMENTS,
    names.TRANSACTION,
)
_WIDTH: Final = 760
_TOP: Final = 74
_ROW: Final = 34
_BAR: Final = 20
_LEFT: Final = 240
_LABEL: Final = 150
"""To the right of the longest bar, for its label."""

_STYLE: Final = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.faint { fill: #59636e }
.bar { fill: #afb8c1 }
.ours { fill: #1f6feb }
.spread { stroke: #59636e; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .faint { fill: #9198a1 }
  .bar { fill: #484f58 }
  .ours { fill: #388bfd }
  .spread { stroke: #9198a1 }
}
"""


def chart(results: Results) -> str:
    """An SVG of retries a second at 16 clients: medians, spreads, ratios to the service as shipped.

    Raises:
        ValueError: the results hold no retries at 16 clients.
    """
    rates = [rate for name in _SHOWN if (rate := results.retry_rate(name, _CLIENTS))]
    service = results.retry_rate(names.SERVICE, _CLIENTS)
    if not service:
        raise ValueError(f"there are no retries at {_CLIENTS} clients in these results")
    rounds = len(service.per_second.rounds)
    most = max(rate.per_second.most for rate in rates)
    height = _TOP + _ROW * len(rates) + 8
    rows = "".join(_row(place, rate, service, most) for place, rate in enumerate(rates))
    told = "; ".join(f"{rate.contender} {number(rate.per_second.median)}" for rate in rates)
    delivering = "; ".join(rate.contender for rate in rates if rate.delivers)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" aria-labelledby="title told">\n'
        f'<title id="title">Retries a second, {_CLIENTS} clients</title>\n'
        f'<desc id="told">{escape(told)}</desc>\n'
        f"<style>\n{_STYLE}</style>\n"
        f'<text class="title" x="8" y="22">Retries a second, {_CLIENTS} clients</text>\n'
        f'<text class="faint" x="8" y="41">Same rows in the same durable PostgreSQL; median and '
        f"spread of {rounds} rounds; {TIMES} is the ratio to the service as shipped</text>\n"
        f'<text class="faint" x="8" y="59">Delivered to Procrastinate: {escape(delivering)}. '
        f"The others leave job and event in the outbox</text>\n"
        f"{rows}</svg>\n"
    )


def _row(place: int, rate: RetryRate, service: RetryRate, most: float) -> str:
    scale = (_WIDTH - _LEFT - _LABEL) / most
    top = _TOP + place * _ROW
    middle = top + _BAR / 2
    width = rate.per_second.median * scale
    least, longest = (_LEFT + end * scale for end in (rate.per_second.least, rate.per_second.most))
    ratio = rate.per_second.over(service.per_second).median
    ours = rate.contender == names.SERVICE
    return (
        f'<text x="8" y="{middle + 4.5:g}">{escape(rate.contender)}</text>\n'
        f'<rect class="bar{" ours" if ours else ""}" x="{_LEFT}" y="{top}" width="{width:.1f}" '
        f'height="{_BAR}" rx="3"/>\n'
        f'<line class="spread" x1="{least:.1f}" y1="{middle:g}" x2="{longest:.1f}" '
        f'y2="{middle:g}"/>\n'
        f'<text x="{max(_LEFT + width, longest) + 8:.1f}" y="{middle + 4.5:g}">'
        f"{number(rate.per_second.median)} "
        f'<tspan class="faint">{TIMES}{number(ratio)}</tspan></text>\n'
    )
