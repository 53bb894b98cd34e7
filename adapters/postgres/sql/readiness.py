"""Whether PostgreSQL keeps what it acknowledged."""

from typing import Final

# The settings that are off, of those without which a power failure can lose an acknowledged retry.
DURABILITY: Final = """
SELECT name FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
ORDER BY name
"""
