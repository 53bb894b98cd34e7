"""From attrs classes to JSON; the aliases of fields are their names there."""

from datetime import datetime
from functools import lru_cache
from typing import Final

from cattrs import Converter

from automation_retry.domain import utc_text

CONVERTER: Final = Converter(use_alias=True)
"""UUIDs stay as they are: orjson writes them."""

# A job and its event have the same time.
CONVERTER.register_unstructure_hook(datetime, lru_cache(maxsize=16)(utc_text))
