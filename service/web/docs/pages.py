"""`/docs` and `/docs/events`: the API documents for people, shown by Swagger UI and AsyncAPI Viewer.

Their files come from installed packages, which are never imported. Nothing is loaded from another origin.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from service.web.http.files import file_reply
from service.web.http.replies import Reply

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing inline, nothing evaluated, nothing from other origins. Swagger UI has its icons as `data:`."""


def _file(package: str, name: str) -> Reply:
    """Returns the reply with a file of a package. Raises ModuleNotFoundError where the package isn't installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed")
    return file_reply(name, (Path(spec.origin).parent / name).read_bytes(), POLICY)


_own = partial(partial, _file, __package__)

PAGES: dict[str, Callable[[], Reply]] = {
    "/docs": _own("static/http.html"),
    "/docs/events": _own("static/events.html"),
}
"""Path -> what builds its page."""

FILES: dict[str, Callable[[], Reply]] = {
    "/docs/page.css": _own("static/page.css"),
    "/docs/http.js": _own("static/http.js"),
    "/docs/swagger-ui.js": partial(_file, "offapi", "swagger_bundle.js"),
    "/docs/swagger-ui.css": partial(_file, "offapi", "swagger_style.css"),
    "/docs/asyncapi-viewer.js": partial(_file, "asyncapi_viewer", "static/asyncapi-viewer.js"),
}
"""Path -> what builds the reply with a file of the pages."""
