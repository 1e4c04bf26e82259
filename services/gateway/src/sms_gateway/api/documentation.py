"""`/docs`, `/openapi.json` and `/errors`: made from the schema and the catalogue that the code itself runs by."""

from html import escape

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse

from sms_contract.errors import CATALOGUE, CATALOGUE_PATH
from sms_gateway.api import openapi
from sms_gateway.api.resources import gateway_of

router = APIRouter()


def document(app: FastAPI) -> None:
    """Have the application describe itself by our document, wherever it is asked."""
    app.openapi = openapi.document  # type: ignore[method-assign]


@router.get("/openapi.json")
async def read_openapi(request: Request) -> Response:
    return JSONResponse(openapi.document(gateway_of(request).settings.public_base_url))


@router.get("/docs")
async def read_docs() -> Response:
    return get_swagger_ui_html(openapi_url="/openapi.json", title="SMS gateway")


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
