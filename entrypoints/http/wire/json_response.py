from collections.abc import Mapping

import orjson
from starlette.responses import Response


class JsonResponse(Response):
    """A JSON body. It depends on the API key, so no cache may keep it."""

    media_type = "application/json"

    def __init__(
        self, body: object, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(orjson.dumps(body), status_code, headers)
        self.raw_headers.append((b"cache-control", b"no-store"))
