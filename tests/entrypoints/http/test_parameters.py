"""A row of the route table with a query and a body: what reaches its handler, and what does not."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
from attrs import evolve, frozen
from httpx import ASGITransport, AsyncClient

from automation_retry.adapters.memory import memory_storage
from automation_retry.domain import AUTOMATION_EXECUTE
from automation_retry.entrypoints.http.app import app_of
from tests.entrypoints.http.conftest import new_api
from tests.entrypoints.http.orders import ORDER, StrictOrder
from tests.support.factories import NOON

NUMBER = "one whole number from 1 to 10"
A_BODY = "a JSON object (RFC 8259, UTF-8)"


@frozen
class Orders:
    client: AsyncClient
    key: str

    async def send(
        self, body: bytes, query: str = "", path: str = "/orders", **headers: str
    ) -> Any:
        sent = {"x-api-key": self.key, **headers}
        answer = await self.client.post(f"{path}{query}", content=body, headers=sent)
        return answer.status_code, answer.json()


@pytest.fixture
async def orders() -> AsyncIterator[Orders]:
    storage = memory_storage(lambda: NOON, uuid4)
    user = await storage.directory.ensure_user(
        tenant=uuid4(),
        company_name="Acme",
        username="ada",
        email="ada@example.com",
        permissions=frozenset([AUTOMATION_EXECUTE]),
    )
    key = await storage.directory.create_api_key(user=user)
    strict = evolve(ORDER, path="/strict", body=StrictOrder)
    app = app_of([ORDER, strict], new_api(storage))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        yield Orders(client, key)


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ({"amount": 3}, {"amount": 3, "rate": 2, "bounds": None, "total_count": 1}),
        (
            {"amount": 3.0, "rate": None},
            {"amount": 3, "rate": None, "bounds": None, "total_count": 1},
        ),
        (
            {"amount": 10, "bounds": {"lowest": 1}},
            {"amount": 10, "rate": 2, "bounds": {"lowest": 1}, "total_count": 1},
        ),
        (
            {"amount": 1, "bounds": {}, "totalCount": 9},
            {"amount": 1, "rate": 2, "bounds": {"lowest": None}, "total_count": 9},
        ),
    ],
)
async def test_a_body_reaches_the_handler_as_its_class(
    orders: Orders, body: object, read: object
) -> None:
    """With defaults for what is absent; null only where it means something."""
    status, answer = await orders.send(orjson.dumps(body), "?limit=7")

    assert (status, answer) == (200, {"query": {"page": 1, "limit": 7}, "body": read})


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"", {"body": A_BODY}),
        (b"[]", {"body": A_BODY}),
        (b"{", {"body": A_BODY}),
        (b"\xff", {"body": A_BODY}),
        (b'{"amount": 3} {}', {"body": A_BODY}),
        (b"[" * 100_000, {"body": A_BODY}),
        (b'{"amount": ' + b"9" * 5_000 + b"}", {"body": A_BODY}),
        (b"{}", {"amount": f"required: {NUMBER}"}),
        (b'{"amount": null}', {"amount": NUMBER}),
        (b'{"amount": true}', {"amount": NUMBER}),
        (b'{"amount": "3"}', {"amount": NUMBER}),
        (b'{"amount": 3.5}', {"amount": NUMBER}),
        (b'{"amount": NaN}', {"body": A_BODY}),
        (b'{"amount": 1e400}', {"body": A_BODY}),
        (b'{"amount": 1, "\\ud800": 1}', {"body": A_BODY}),
        (b'{"amount": 1, "\xed\xa0\x80": 1}', {"body": A_BODY}),
        ('{"amount": 1}'.encode("utf-16"), {"body": A_BODY}),
        (b'\xef\xbb\xbf{"amount": 1}', {"body": A_BODY}),
        (b'{"amount": ' + b"[" * 1000 + b"]" * 1000 + b', "amount": 1}', {"body": A_BODY}),
        (b'{"amount": 0, "rate": 11}', {"amount": NUMBER, "rate": f"{NUMBER}, or null"}),
        (b'{"amount": 1, "bounds": null}', {"bounds": "a JSON object"}),
        (b'{"amount": 1, "bounds": {"lowest": null}}', {"bounds.lowest": NUMBER}),
        (b'{"amount": 1, "amount": 2}', {"amount": "given once"}),
        (b'{"amount": 1, "bounds": {"lowest": 1, "lowest": 1}}', {"bounds.lowest": "given once"}),
        (b'{"amount": [{"a": 1, "a": 1}]}', {"amount.a": "given once"}),
        (b'{"amount": 1, "totalCount": 0}', {"totalCount": NUMBER}),
        (
            b'{"amount": 1, "total_count": 1}',
            {"total_count": "no such parameter; there are: amount, rate, bounds, totalCount"},
        ),
        (b'{"amount": 1, "bounds": 5}', {"bounds": "a JSON object"}),
        (b'{"amount": 1, "bounds": [1]}', {"bounds": "a JSON object"}),
        (b'{"amount": 1, "bounds": {"lowest": 0}}', {"bounds.lowest": NUMBER}),
        (
            b'{"amount": 1, "bounds": {"highest": 9}}',
            {"bounds.highest": "no such parameter; there are: lowest"},
        ),
        (b'{"amuont": 1}', {
            "amount": f"required: {NUMBER}",
            "amuont": "no such parameter; there are: amount, rate, bounds, totalCount",
        }),
    ],
)  # fmt: skip
async def test_a_body_that_is_wrong_is_refused_by_name(
    orders: Orders, body: bytes, wrong: dict[str, str]
) -> None:
    """400 with everything that is wrong at once, and what would be right."""
    status, answer = await orders.send(body)

    error = answer["error"]
    assert (status, error["code"]) == (400, "VALIDATION_ERROR")
    assert {one["parameter"]: one["expected"] for one in error["details"]} == wrong


@pytest.mark.parametrize(
    "body",
    [
        orjson.dumps({str(number): 1 for number in range(100_000)}),
        orjson.dumps({"n" * 1_000_000: 1}),
        b'{"%s": 1, "%s": 1}' % (b"n" * 400_000, b"n" * 400_000),
        b'{"amount": 1, "amount": 1, "%s": %s}'
        % (
            "😀".encode() + b"n" * 500_000,
            orjson.dumps({str(number): {} for number in range(40_000)}),
        ),
        b'{"n": 1, "n": 1, "inner": ' * 30_000 + b"{}" + b"}" * 30_000,
    ],
    ids=["many names", "a long name", "a long name twice", "within a long name", "deep"],
)
async def test_a_refusal_does_not_grow_with_the_request(orders: Orders, body: bytes) -> None:
    """It has the first names that are wrong, and the beginning of a long one."""
    status, answer = await orders.send(body)

    assert status == 400
    assert len(answer["error"]["details"]) <= 20
    assert len(orjson.dumps(answer)) < 5_000


async def test_what_is_required_may_be_an_object_or_nullable(orders: Orders) -> None:
    """Both are asked for by what they must be."""
    status, answer = await orders.send(b"{}", path="/strict")

    assert (status, answer["error"]["details"]) == (
        400,
        [
            {"parameter": "bounds", "expected": "required: a JSON object"},
            {"parameter": "rate", "expected": f"required: {NUMBER}, or null"},
        ],
    )


async def test_a_query_is_refused_before_the_body(orders: Orders) -> None:
    """A request with both wrong is told of the query."""
    status, answer = await orders.send(b"{}", "?limit=0")

    assert status == 400
    assert [one["parameter"] for one in answer["error"]["details"]] == ["limit"]


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [("wrong", b"{", 401), (None, bytes(2_000_000), 413), (None, b"{", 400)],
)
async def test_checks_keep_their_order(
    orders: Orders, key: str | None, body: bytes, status: int
) -> None:
    """401, then 413, then 400."""
    headers = {} if key is None else {"x-api-key": key}

    answered, _ = await orders.send(body, **headers)

    assert answered == status
