"""The OpenAPI 3.1 document."""

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def document(base_url: str = "") -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "SMS gateway", "version": "1"}, "paths": {}, "servers": [{"url": base_url or "/"}]}
