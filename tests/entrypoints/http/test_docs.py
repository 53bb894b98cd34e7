import re

import pytest

from tests.entrypoints.http.conftest import Service
from tests.entrypoints.http.test_openapi import TABLE

PAGES = [one.path for one in TABLE if one.path.startswith("/docs")]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_from_elsewhere_and_nothing_inline(
    service: Service, path: str
) -> None:
    """The policy allows this service alone, and no page within another one."""
    answer = await service.client.get(path)

    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    assert answer.status_code == 200
    assert policy.pop("default-src") == policy.pop("base-uri") == "'none'"
    assert policy.pop("form-action") == policy.pop("frame-ancestors") == "'none'"
    assert set(policy.values()) == {"'self'"}
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_every_file_that_the_page_names_is_served(service: Service) -> None:
    """With its media type, by an address relative to the page."""
    page = (await service.client.get("/docs")).text
    named = re.findall(r'(?:src|href)="(docs/[^"]+)"', page)

    answers = {name: await service.client.get(f"/{name}") for name in named}
    assert len(answers) >= 4
    assert {answer.status_code for answer in answers.values()} == {200}
    assert {answer.headers["content-type"].split(";")[0] for answer in answers.values()} == {
        "text/css",
        "text/javascript",
        "image/svg+xml",
    }
