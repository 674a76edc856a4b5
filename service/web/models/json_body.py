"""Reads the JSON body of a request into its model, exactly. Never looks at headers or at the query."""

from typing import Any, Generic

import msgspec
from msgspec import UNSET

from service.domain.json_reading import Exact, UnpairedSurrogate, json_float, read_json
from service.web.http.errors import invalid
from service.web.models.model import M, fitted


class JsonBody(Generic[M]):
    """A model's body. msgspec decodes its members, and skips all others: pydantic's own parser takes NaN for JSON,
    refuses numbers of 4,300 digits, and reads what nobody asked for."""

    def __init__(self, model: type[M], exact: Exact) -> None:
        self._names = {name: field.alias or name for name, field in model.model_fields.items()}
        optional = [(name, Any, UNSET) for name in self._names]
        members = msgspec.defstruct(f"{model.__name__}Members", optional, rename=self._names)
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(members, float_hook=json_float)
        self._model = model
        self._exact = exact

    def read(self, encoded: bytes) -> M:
        """Returns the model. Raises Refused for what isn't a JSON object, and for the first field that doesn't fit."""
        try:
            members = read_json(self.decoder, encoded, self._exact)
        except UnpairedSurrogate as error:
            # In a condition, name the node, as for one that does not compile. Elsewhere, name the member.
            field = error.path if error.path.startswith("where") else error.path.partition("[")[0]
            raise invalid(field, "an unpaired surrogate") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise invalid("body", "must be a JSON object") from None
        sent = msgspec.structs.asdict(members).items()
        return fitted(self._model, {self._names[name]: value for name, value in sent if value is not UNSET})
