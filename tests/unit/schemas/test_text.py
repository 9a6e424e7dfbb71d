import pytest

from schemas.text import cut, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Zoë 東京 😀", "Zoë 東京 😀"),
        ("a\x1b[31m", "a�[31m"),
        ("\x9b31m", "�31m"),
        ("a\nb\r\tc\x00\x7f", "a�b��c��"),
        ("\u202eabc\u2066\u200f", "�abc��"),
        ("\ud800x", "�x"),
        ("a\u200bb\u00adc\ufeff", "a�b�c�"),
        ("a\u3164\u115f\u2800\ufe0f\U000e0100\U000e0041", "a������"),
        ("a\u00a0\u2028b", "a��b"),
    ],
)
def test_only_visible_characters_are_left(text: str, expected: str) -> None:
    assert printable(text) == expected
    assert printable(text).encode().decode() == expected


def test_what_is_cut_shows_that_it_was() -> None:
    assert (cut("x" * 10, 10), cut("x" * 11, 10)) == ("x" * 10, "x" * 9 + "…")
