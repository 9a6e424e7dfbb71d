"""Kinds of queries."""

import pytest

from detectors.queries import MAX_QUERY_CHARS, describe, digest_of


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT a FROM t WHERE b = 'it''s' AND c=-3.5e7;", "select a from t where b = ? and c=-?"),
        ("select a from t where b in (1,2, 3)", "select a from t where b in (?)"),
        ("select a from t where b in ($1, $2)", "select a from t where b in (?)"),
        ("insert into t (a, b) values (1, 'x'), (2, 'y')", "insert into t (a, b) values (?)"),
        ("select /* why */ a -- and how\nfrom t", "select a from t"),
        ('select "u"."id" from "users" "u" where "u"."n" = \'x\'', "select u.id from users u where u.n = ?"),
        ('select id from users where n = "Smith"', "select id from users where n = ?"),
        ("select `id` from `users`", "select id from users"),
        ("select [id] from [dbo].[users]", "select id from dbo.users"),
        ("select a::jsonb from t where b = :name and c = %s and d = @p1", "select a::jsonb from t where b = ? and c = ? and d = ?"),
        ("select * from events_2026_01", "select * from events_?_?"),
        ("select a from t where b = $$it's$$", "select a from t where b = ?"),
        ("select a from t where b = 'unfinished", "select a from t where b = ?"),
        ("contracts of Bob Smith", "(search text)"),
    ],
)
def test_text(query: str, text: str) -> None:
    assert describe(query).text == text


def test_literals_spacing_and_case_make_no_other_kind() -> None:
    assert digest_of("select a from t where b = 1") == digest_of("SELECT a\n FROM t WHERE b = 'x' -- new")
    assert digest_of("select a from t where b = 1") != digest_of("select a from u where b = 1")


def test_a_long_query_is_cut_and_stays_cheap() -> None:
    start = "select a from t where b in ("
    query = start + ",".join(["1"] * 500_000)
    assert describe(query).text.startswith("select a from t")
    assert digest_of(query) == digest_of(query[: MAX_QUERY_CHARS + 7])


@pytest.mark.parametrize("char", ["'", '"', "(", "/*", "--", "$", "`", "[", " ", "\\", "select ", "union ", "0", "or 1=1 ", "\ud800"])
def test_no_text_is_slow_or_breaks(char: str) -> None:
    query = "select " + char * 4000
    describe(query)
    digest_of(query)
