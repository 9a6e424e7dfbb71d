"""JSON that is not one record per line: pretty-printed documents, and documents written one after the other on one line.

CloudTrail files printed for people (``{"Records": [ …``), exported arrays and delivery streams that put nothing between two records
look like this. Each document is one record; taking it apart is the format's business.
"""

import io
import json
import re
from json import JSONDecodeError

from monitor.sources.records import Batch

_BLANK = b" \t\r\n"
_BETWEEN = b" \t\r\n,"
_QUOTE = ord('"')
_OPENING = b"{["
_DECODER = json.JSONDecoder()
_TOKEN = re.compile(
    rb"""(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)++  # strings and what stands between them: nothing to do
    | [{}\[\]]
    | ("(?:[^"\\]++|\\.)*+)                      # a string that goes on in the next piece
    """,
    re.DOTALL | re.VERBOSE,
)
_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_LIST = re.compile(rb'\[\s*\{|\{\s*"Records"\s*:\s*\[')
_MEMBER_LIST = re.compile(rb'\{\s*"[^\n]{0,4096}?"\s*:\s*\[\s*\{')


def is_documents(sample: bytes, *, is_whole: bool) -> bool:
    r"""Whether this input must be cut into JSON documents rather than lines.

    ``sample``: its first bytes; ``is_whole``: there is nothing after them. One JSON value per line, also where the first line is
    broken, is not: its good lines can be read as lines.

    >>> is_documents(b'{"a": 1}{"a": 2}', is_whole=True), is_documents(b'{"a": 1}\n{"a": 2}', is_whole=True)
    (True, False)
    """
    sample = sample.lstrip(_BLANK)
    if not sample.startswith((b"{", b"[")):
        return False
    if not is_whole:  # a cut at a line end is never inside a string, so a document fails to decode only where it was cut
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    text = sample.decode("utf-8", "replace")
    first_end = text.find("\n")
    try:
        _, end = _DECODER.raw_decode(text)
    except JSONDecodeError as exc:
        return first_end >= 0 and exc.pos > first_end and _goes_on(text, first_end, exc.pos)
    except (ValueError, RecursionError):  # a number of thousands of digits; nesting that no log has
        return False
    if first_end < 0 or end <= first_end:
        return text.startswith("{") and text[end : first_end if first_end >= 0 else None].lstrip().startswith("{")
    return True


def _goes_on(text: str, first_end: int, failed_at: int) -> bool:
    """Whether the document that the first line begins goes on in the second, though it could not be decoded whole."""
    second, _, rest = text[first_end + 1 :].lstrip().partition("\n")
    if second.startswith(("{", "[")) and _is_json(second):
        # Either the second line of a file of lines, or the first element of a list: then a comma or the list's end follows.
        return rest.lstrip().startswith((",", "]"))
    if failed_at >= len(text.rstrip()):
        return True
    return not (text.startswith("{") and second.startswith("{"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def is_long_list(sample: bytes) -> bool:
    """Whether the first line is one list of many records, so that its length says nothing against it.

    Either it says so at once (``[{``, ``{"Records":[``), or it is longer than the sample and one of its first members is a list of objects.
    """
    sample = sample.lstrip(_BLANK)
    return bool(_LIST.match(sample) or (b"\n" not in sample and _MEMBER_LIST.match(sample)))


class DocumentTooLargeError(Exception):
    """One JSON document is larger than the limit."""


class DocumentSplitter:
    r"""One record per JSON document, whatever lines it is spread over. Reads about 100 MB/s.

    Only strings and brackets are looked at: whether a document is valid is for the format to say. What stands between two documents
    and is neither blank nor a comma is a record of its own. ``max_document_bytes``: beyond it ``DocumentTooLargeError`` is raised.

    >>> documents = DocumentSplitter(max_document_bytes=100)
    >>> documents.feed(b'{"a":\n 1}  {"b": "}').records, documents.feed(b'{"}').records
    ([b'{"a":\n 1}'], [b'{"b": "}{"}'])
    """

    def __init__(self, max_document_bytes: int) -> None:
        self._max_bytes = max_document_bytes
        self._held = io.BytesIO()
        self._depth = 0
        self._in_string = False
        self._is_escaped = False  # the last piece ended between a backslash and what it escapes
        self._line = 1  # at the start of what is held

    def feed(self, piece: bytes) -> Batch:
        """The documents that end in this piece."""
        batch = Batch()
        start = self._skip_string(piece) if self._in_string and piece else 0
        done = self._scan(piece, start, batch)
        self._hold(memoryview(piece)[done:])
        return batch

    def finish(self, *, broken: bool) -> Batch:
        """What is left: a document that nothing closes, or what follows the last one."""
        numbers: list[int] = []
        batch = Batch(lines=numbers)
        self._take(b"", batch.records, numbers)
        if batch and broken:
            return Batch(truncated=(numbers[0], batch.records[0]))
        batch.truncated_last = bool(batch) and self._depth > 0
        return batch

    def _skip_string(self, piece: bytes) -> int:
        """Where the string ends that the piece before left open."""
        match = _STRING_REST.match(piece, int(self._is_escaped))
        stop = match.end() if match else 0
        self._is_escaped = piece[stop : stop + 1] == b"\\"
        self._in_string = piece[stop : stop + 1] != b'"'
        return len(piece) if self._in_string else stop + 1

    def _scan(self, piece: bytes, start: int, batch: Batch) -> int:
        """Put the documents that end in this piece into the batch; returns where the last of them ends."""
        numbers: list[int] = []
        batch.lines = numbers
        depth = self._depth
        done = 0
        for token in _TOKEN.finditer(piece, start):
            kind = piece[token.start()]
            if kind == _QUOTE:
                if token[1] is not None:
                    self._in_string = True
                    self._is_escaped = token.end() < len(piece)
                    break
            elif kind in _OPENING:
                if depth == 0:
                    self._take(piece[done : token.start()], batch.records, numbers)
                    done = token.start()
                depth += 1
            elif depth > 0:  # a bracket too many is left to the junk between documents
                depth -= 1
                if depth == 0:
                    self._take(piece[done : token.end()], batch.records, numbers)
                    done = token.end()
        self._depth = depth
        return done

    def _hold(self, piece: bytes | memoryview) -> None:
        self._held.write(piece)
        if self._held.tell() > self._max_bytes:
            raise DocumentTooLargeError

    def _take(self, end: bytes, records: list[bytes], numbers: list[int]) -> None:
        """What is held and this last bit of it are a record, unless they are blank."""
        self._hold(end)
        held = self._held.getvalue()
        self._held = io.BytesIO()
        record = held.strip(_BETWEEN)
        if record:
            records.append(record)
            numbers.append(self._line + held.count(b"\n", 0, held.index(record[:1])))
        self._line += held.count(b"\n")
