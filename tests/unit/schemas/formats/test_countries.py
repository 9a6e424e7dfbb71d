"""Names of countries."""

import pytest

from schemas.formats.countries import country_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Germany", "DE"),
        ("united states", "US"),
        ("United States of America", "US"),
        ("South Korea", "KR"),
        ("Türkiye", "TR"),
        ("gb", "GB"),
        ("ZZ", None),
        ("", None),
        ("Atlantis", None),
    ],
)
def test_a_country_is_known_by_its_name_or_code(text: str, code: str | None) -> None:
    assert country_code(text) == code
