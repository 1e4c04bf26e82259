"""`/docs`, `/openapi.json` and `/errors`: made from the schema and the catalogue that the code itself runs by."""

from html import escape
from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from sms_contract.errors import CATALOGUE, CATALOGUE_PATH
from sms_gateway.api import openapi
from sms_gateway.api.resources import gateway_of
from sms_gateway.problems import Problem

router = APIRouter()

#: Swagger UI, from a package: the page must work where the network ends at our door, and tell no other host who reads it.
_FOLDER: Final = Path(fastapi_offline.__file__).with_name("static")
_FILES: Final = frozenset({"swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"})


def document(app: FastAPI) -> None:
    """Have the application describe itself by our document, wherever it is asked."""
    app.openapi = openapi.document  # type: ignore[method-assign]


@router.get("/openapi.json")
async def read_openapi(request: Request) -> Response:
    return JSONResponse(openapi.document(gateway_of(request).settings.public_base_url))


@router.get("/docs")
async def read_docs() -> Response:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="SMS gateway",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
    )


@router.get("/docs/{name}")
async def read_docs_file(name: str) -> Response:
    if name not in _FILES:
        raise Problem("route.not_found")
    return FileResponse(_FOLDER / name)


@router.get(CATALOGUE_PATH)
async def read_errors() -> Response:
    rows = "\n".join(
        f'<section id="{escape(entry.code)}"><h2><a href="#{escape(entry.code)}"><code>{escape(entry.code)}</code></a></h2>'
        f"<p><strong>{escape(entry.title)}.</strong> {escape(entry.action)}</p>"
        f"<p>{f'HTTP {entry.status}' if entry.status else 'On a message only'}"
        f"{' · may succeed later, unchanged' if entry.retryable else ''}</p></section>"
        for entry in CATALOGUE.values()
    )
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Error codes</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
        "h2{font-size:1rem;margin:1.5rem 0 0}p{margin:.25rem 0}section:target{background:#ffd}</style></head>"
        f"<body><h1>Error codes</h1>\n{rows}\n</body></html>"
    )
