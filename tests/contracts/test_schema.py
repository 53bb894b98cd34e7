from tests.contracts.storage import StorageUnderTest


async def test_a_storage_that_is_up_to_date_has_nothing_due(storage: StorageUnderTest) -> None:
    """Neither to apply, nor to build, nor to print; and nothing to warn of."""
    schema = storage.storage.schema
    told: list[str] = []

    script = await schema.script()
    applied = [*await schema.migrate(), *await schema.build_indexes(told.append)]

    assert (script.migrations, script.indexes) == ("", "")
    assert applied == []
    assert told == []
    assert [*await schema.missing(), *await schema.warnings(delivers=True)] == []
