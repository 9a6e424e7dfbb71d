"""Writes the generated parts of the documentation: ``python -m monitor.docs_reference``.

With ``--check`` nothing is written; exit code 1 tells that a file is missing or differs from what the code says.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from monitor.detectors_reference import reference as detectors_reference
from monitor.formats_reference import kinds_reference
from monitor.formats_reference import reference as format_reference
from monitor.settings_reference import reference as settings_reference
from monitor.telemetry_table import reference as metrics_reference
from schemas.formats import FORMATS
from schemas.jsonschema import JsonSchema, alert_schema, event_schema

DOCS = Path(__file__).resolve().parent.parent / "docs"


def _as_json(schema: JsonSchema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=True) + "\n"


REFERENCES: dict[str, Callable[[], str]] = {
    "configuration.md": settings_reference,
    "detectors.md": detectors_reference,
    "formats/kinds.md": kinds_reference,
    "metrics.md": metrics_reference,
    **{f"formats/{name}.md": partial(format_reference, fmt) for name, fmt in FORMATS.items()},
    "schemas/event.schema.json": lambda: _as_json(event_schema()),
    "schemas/alert.schema.json": lambda: _as_json(alert_schema()),
}
"""Path below ``docs/`` → the function that makes its text. The texts depend on the code, and on the golden cases beside it, alone."""


def stale(docs: Path) -> list[str]:
    """List the references whose file in ``docs`` is missing or differs."""
    return [path for path, text in REFERENCES.items() if not (docs / path).is_file() or (docs / path).read_text("utf-8") != text()]


def write(docs: Path) -> list[str]:
    """Write every stale reference below ``docs``; the paths that were written."""
    written = stale(docs)
    for path in written:
        (docs / path).parent.mkdir(parents=True, exist_ok=True)
        (docs / path).write_text(REFERENCES[path](), "utf-8")
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m monitor.docs_reference", description="Write the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is missing or differs")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the documentation (default: docs/ of this repository)")
    options = parser.parse_args(arguments)
    paths = stale(options.docs) if options.check else write(options.docs)
    for path in paths:
        sys.stdout.write(f"{path}: {'differs, run python -m monitor.docs_reference' if options.check else 'written'}\n")
    return 1 if options.check and paths else 0


if __name__ == "__main__":
    sys.exit(main())
