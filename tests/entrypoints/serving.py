import re


def address(line: str) -> str:
    """The address in the line that `serve` prints when it is ready."""
    found = re.search(r"http://[^\"\s]+", line)
    assert found
    return found[0]
