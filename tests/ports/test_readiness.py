from tests.ports.storage import Storage


async def test_a_storage_that_works_has_no_problems(storage: Storage) -> None:
    """What the other suites run over is ready."""
    assert list(await storage.readiness.problems()) == []
