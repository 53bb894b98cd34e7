"""A failure group's id as the number that indexes hold: the same eight bytes.

`automation_retry_failure_group` of migration 0007 computes it.
"""

_PREFIX = "fg_"


def group_key(failure_group_id: str) -> int:
    """Of an id for which `is_failure_group_id` holds: a signed 64-bit integer."""
    digest = bytes.fromhex(failure_group_id.removeprefix(_PREFIX))
    return int.from_bytes(digest, "big", signed=True)


def group_id(key: int) -> str:
    """The id that has this key."""
    return f"{_PREFIX}{key.to_bytes(8, 'big', signed=True).hex()}"
