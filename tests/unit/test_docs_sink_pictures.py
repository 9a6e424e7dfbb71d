"""The pictures of the sinks are made from what the sinks really send, and each sink has one."""

import re
import struct
import sys
import zlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, get_args

import pytest

from monitor.settings_sinks import SinkSettings
from monitor.sinks.webhook import sign

DOCS = Path(__file__).resolve().parents[2] / "docs"
MAX_BYTES = 120_000
PICTURES = {
    *("sink-slack", "sink-slack-thread", "sink-slack-storm", "sink-pagerduty", "sink-webhook", "sink-alertmanager", "sink-kafka"),
    "sink-file",
}


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A script from beside the pictures, as a module."""
    spec = spec_from_file_location(f"docs_images_{name}", DOCS / "images" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_made_of_what_every_sink_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = script("sink_payloads", monkeypatch).gathered()
    assert [(call.target, call.json()["text"].partition(":")[0]) for call in sent.slack] == [
        ("/api/chat.postMessage", "[medium] Password spraying"),
        ("/api/chat.update", "[medium] Password spraying"),
        ("/api/chat.update", "[critical] Login after many failures"),
        ("/api/chat.postMessage", "Severity rises from medium to critical"),
        ("/api/chat.update", "[critical] Resolved"),
        ("/api/chat.postMessage", "Resolved"),
    ]
    assert sent.storm.json()["text"] == "[medium] Alert storm: 5 further incidents"
    event = sent.pagerduty.json()
    assert (event["event_action"], event["payload"]["group"], event["payload"]["severity"]) == ("trigger", "acme", "warning")
    headers = dict(sent.webhook.headers)
    assert headers["X-Watchfloor-Signature"] == sign("a-secret-of-your-own", headers["X-Watchfloor-Timestamp"], sent.webhook.body)
    assert [dict(record.headers)["version"] for record in sent.kafka] == [b"1", b"2"]
    assert len({record.key for record in sent.kafka}) == 1
    assert len(sent.lines) == 6
    assert {alert.status for alert in sent.firing} == {"firing"}


def test_each_sink_has_its_pictures_with_a_caption_and_none_is_large() -> None:
    page = (DOCS / "sinks.md").read_text("utf-8")
    shown = re.findall(r"!\[[^\]]{20,}\]\(images/([a-z-]+)\.png\)\n\n\*[^*]", page)
    assert sorted(shown) == sorted(PICTURES)
    assert sorted(path.stem for path in (DOCS / "images").glob("sink-*.png")) == sorted(PICTURES)
    assert not [name for name in PICTURES if (DOCS / "images" / f"{name}.png").stat().st_size > MAX_BYTES]
    assert "picture:" not in page


def test_no_kind_of_sink_is_left_without_a_picture() -> None:
    union, *_ = get_args(SinkSettings)
    kinds = {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(union)}
    assert {name.split("-")[1] for name in PICTURES} == kinds - {"stdout"}  # which gets what the file gets


def png(width: int, height: int, kind: int, lines: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


# Two rows of red and blue, the second written with each of the filters.
FIRST = bytes((0, 255, 0, 0, 0, 0, 255))


@pytest.mark.parametrize(
    "second",
    [
        bytes((0, 255, 0, 0, 0, 0, 255)),
        bytes((1, 255, 0, 0, 1, 0, 255)),
        bytes((2, 0, 0, 0, 0, 0, 0)),
        bytes((3, 128, 0, 0, 129, 0, 128)),
        bytes((4, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_a_picture_of_few_colours_stays_as_it_is(second: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    small = script("small_png", monkeypatch).shrink(png(2, 2, 2, FIRST + second))
    palette = small[small.index(b"PLTE") + 4 :][:6]
    at = small.index(b"IDAT")
    rows = zlib.decompress(small[at + 4 : at + 4 + struct.unpack(">I", small[at - 4 : at])[0]])
    assert palette == bytes((0, 0, 255, 255, 0, 0))
    assert rows == bytes((0, 1, 0, 0, 1, 0))


def test_a_picture_with_transparency_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="without transparency"):
        script("small_png", monkeypatch).shrink(png(1, 1, 6, bytes(5)))
