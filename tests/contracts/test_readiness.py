from tests.contracts.storage import StorageUnderTest


async def test_a_storage_that_works_has_no_problems(storage: StorageUnderTest) -> None:
    """What the other suites run over is ready."""
    assert list(await storage.readiness.problems()) == []
