"""One alert version as bytes of JSON, in each of the forms."""

import json
from typing import Any

import msgspec

from monitor.sinks.visible import visible
from schemas.alert import Alert
from schemas.export import EXPORTS, ExportName

_encode = msgspec.json.Encoder().encode


def encode(alert: Alert, form: ExportName) -> bytes:
    """The alert as one line of JSON without its end; what cannot be seen is written as escapes."""
    # The native form is the alert as it is, and encoded several times as fast.
    fields: Any = alert if form == "native" else EXPORTS[form](alert)
    try:
        return visible(_encode(fields))
    except UnicodeEncodeError:  # half of a pair of surrogates, which no reader should have let in
        return json.dumps(msgspec.to_builtins(fields), separators=(",", ":")).encode("ascii")
