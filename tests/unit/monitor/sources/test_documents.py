"""JSON documents that are spread over lines, or share one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.documents import DocumentSplitter, DocumentTooLargeError, is_documents, is_long_list
from monitor.sources.records import Batch

PRETTY = b'{\n  "Records": [\n    {"eventName": "GetUser"},\n    {"eventName": "ListUsers"}\n  ]\n}\n'

DOCUMENTS = {
    "pretty wrapper": PRETTY,
    "wrapper with records one to a line": b'{"Records":[\n{"a":1},\n{"a":2}\n]}\n',
    "wrapper with one record on a line": b'{"Records":[\n{"a":1}\n]}\n',
    "wrapper with commas first": b'{"Records":[\n{"a":1}\n,{"a":2}\n]}\n',
    "pretty array": b'[\n  {\n    "a": 1\n  }\n]\n',
    "array with records one to a line": b'[\n{"a":1},\n{"a":2}\n]\n',
    "array that starts in the middle of a line": b'[{"a": 1,\n  "b": 2}]',
    "empty array on two lines": b"[\n]",
    "two pretty documents": PRETTY + PRETTY,
    "documents in a row on one line": b'{"a":1}{"a":2}{"a":3}',
    "documents in a row, cut in the third": b'{"a":1} {"a":2}{"a',
    "document that ends in the middle": PRETTY[:40],
    "blank lines first": b"\n\r\n " + PRETTY,
    "Windows line ends": PRETTY.replace(b"\n", b"\r\n"),
    "broken in the middle": b'{\n  "a": 1,\n  "b": oops,\n  "c": 3\n}\n',
}
LINES = {
    "nothing": b"",
    "one record": b'{"a":1}',
    "records": b'{"a":1}\n{"a":2}\n',
    "first line cut in a string": b'{"a":"on\n{"a":2}\n',
    "first line cut before a value": b'{"a":\n{"a":2}\n{"a":3}\n',
    "first line cut after a comma": b'{"a":1,\n{"a":2}\n',
    "first line cut in a list": b'{"a":[\n{"a":2}\n{"a":3}\n',
    "first line cut in a list, two lines in all": b'{"a":[\n{"a":2}\n',
    "first two lines cut": b'{"a":1,\n{"a":\n{"a":3}\n',
    "first line broken, ends well": b'{"a":oops}\n{"a":2}\n',
    "arrays, one to a line": b'[{"a":1}]\n[{"a":2}]\n',
    "wrappers, one to a line": b'{"Records":[{"a":1}]}\n{"Records":[{"a":2}]}\n',
    "log lines that start with a date": b"[2026-01-01 00:00:00] accepted\n[2026-01-01 00:00:01] accepted\n",
    "log lines that start with a level": b"[INFO] accepted\n[INFO] accepted\n",
    "log lines that start with a number": b'[4711] {"a":1}\n[4711] {"a":2}\n',
    "nested beyond reason": b"[" * 60_000,
    "a number beyond reason": b"[" + b"9" * 5000 + b"\n]",
    "no JSON": b"{not\njson}\n",
    "text": b"Jan  1 00:00:00 host sshd[1]: Accepted\n",
    "no UTF-8": b"{\xff\xfe\n\x80}",
}


@pytest.mark.parametrize("content", DOCUMENTS.values(), ids=DOCUMENTS.keys())
@pytest.mark.parametrize("is_whole", [True, False])
def test_documents_are_told_from_lines(content: bytes, is_whole: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_documents(content, is_whole=is_whole)


@pytest.mark.parametrize("content", LINES.values(), ids=LINES.keys())
@pytest.mark.parametrize("is_whole", [True, False])
def test_lines_are_told_from_documents(content: bytes, is_whole: bool) -> None:  # noqa: FBT001 - a column of the table
    assert not is_documents(content, is_whole=is_whole)


@pytest.mark.parametrize("stop", range(20, len(PRETTY)))
def test_a_pretty_document_is_recognised_wherever_the_sample_ends(stop: int) -> None:
    assert is_documents(PRETTY[:stop], is_whole=False)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (b'{"Records":[{"a":1}]}\n', True),
        (b'[{"a":1}]\n', True),
        (b'{"kind":"activities","items":[{"a":1', True),  # longer than the sample: nothing ends the line
        (b'{"kind":"activities","items":[{"a":1}]}\n', False),
        (b'{"a":"' + b"x" * 60_000, False),
        (b"[2026-01-01] text\n", False),
        (b"", False),
    ],
)
def test_a_list_of_records_on_one_line_is_recognised(sample: bytes, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_long_list(sample) == expected


def split(content: bytes, size: int, limit: int = 10_000) -> list[Batch]:
    splitter = DocumentSplitter(limit)
    batches = [splitter.feed(content[i : i + size]) for i in range(0, len(content), size)]
    return [batch for batch in [*batches, splitter.finish(broken=False)] if batch]


def numbered(batches: list[Batch]) -> list[tuple[int, bytes]]:
    return [pair for batch in batches for pair in zip(batch.lines, batch.records, strict=True)]


TEXT = st.text(st.sampled_from('a"\\{}[]\n,:é'), max_size=6)
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ROOTS: st.SearchStrategy[Any] = st.lists(VALUES, max_size=3) | st.dictionaries(TEXT, VALUES, max_size=3)


@given(
    roots=st.lists(st.tuples(ROOTS, st.sampled_from([None, 1])), max_size=4),
    between=st.sampled_from([b"", b"\n", b"\r\n\r\n", b" ,\n"]),
    size=st.integers(1, 80),
)
def test_each_document_is_one_record_wherever_the_pieces_are_cut(roots: list[tuple[Any, int | None]], between: bytes, size: int) -> None:
    documents = [json.dumps(root, indent=indent, ensure_ascii=False).encode() for root, indent in roots]
    line = 1
    expected: list[tuple[int, bytes]] = []
    for document in documents:
        expected.append((line, document))
        line += document.count(b"\n") + between.count(b"\n")

    assert numbered(split(between.join(documents), size)) == expected


@given(content=st.binary(max_size=60) | st.text(st.sampled_from('{}[]"\\ ,\nx'), max_size=60).map(str.encode), size=st.integers(1, 70))
def test_whatever_is_no_json_is_delivered_too(content: bytes, size: int) -> None:
    blank = b" \t\r\n,"
    delivered = b"".join(record for _, record in numbered(split(content, size)))

    assert delivered.translate(None, blank) == content.translate(None, blank)


@pytest.mark.parametrize("size", [1, 5, 100])
def test_what_stands_between_documents_is_a_record_of_its_own(size: int) -> None:
    assert numbered(split(b'\n{"a":1}\n---\n{"a":2}\n}\n', size)) == [(2, b'{"a":1}'), (3, b"---"), (4, b'{"a":2}'), (5, b"}")]


def test_a_document_that_nothing_closes_is_delivered_and_marked() -> None:
    batches = split(PRETTY + PRETTY[:20], 7)

    assert numbered(batches) == [(1, PRETTY.strip()), (7, PRETTY[:20].strip())]
    assert [batch.truncated_last for batch in batches] == [False, True]


def test_the_document_at_which_a_damaged_input_broke_off_is_no_record() -> None:
    splitter = DocumentSplitter(1000)

    assert splitter.feed(PRETTY + b'{\n "a": [').records == [PRETTY.strip()]
    assert splitter.finish(broken=True) == Batch(truncated=(7, b'{\n "a": ['))


def test_a_document_over_the_limit_is_an_error_but_many_small_ones_are_not() -> None:
    assert len(numbered(split(b'{"a":1}' * 100, 10, limit=20))) == 100
    with pytest.raises(DocumentTooLargeError):
        split(PRETTY, 10, limit=20)
