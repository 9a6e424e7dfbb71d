"""What kind of query a text is, without what it asks for: a fingerprint with the literals taken out, and the shapes that give it away."""

import re
from functools import lru_cache
from hashlib import blake2b

import msgspec

MAX_QUERY_CHARS = 4096
"""What stands further back changes nothing about the kind of query it is."""
SHOWN_CHARS = 200
_CACHED = 2048

_TOKEN = re.compile(
    r"(?P<comment>/\*.*?(?:\*/|\Z)|--[^\n]*)"
    r"|(?P<string>(?:\b[enxbr])?'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\Z)|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))"
    r'|(?P<quoted>"[^"]*(?:"|\Z)|`[^`]*(?:`|\Z)|\[[a-z_][\w ]*\])'
    r"|(?P<parameter>%s|%\(\w+\)s|(?<!:)[$:@]\w+(?!\w*\()|\?)"
    r"|(?P<number>0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
    r"|(?P<space>\s+)",
    re.DOTALL,
)
_PLAIN = re.compile(
    r"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\Z)|%s|(?<!:):\w+(?!\w*\()|\?|0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.DOTALL
)
"""The same for a text without comments and names in quotes."""
_NOT_PLAIN = re.compile(r"""--|/\*|["`\[$@%]|[enxbr]'""")
_STANDARD = re.compile(r'\b(?:from|join|into|update|table)\s+"|"\."')
"""Double quotes are about names here, not about text as in MySQL."""
_LIST = re.compile(r"\( ?\?(?: ?, ?\?)+ ?\)")
_ROWS = re.compile(r"(\((?:\?|default|null)\))(?: ?, ?\((?:\?|default|null)\))+")
_SQL = re.compile(
    r"(?:/\*.{0,200}?\*/|--[^\n]*\n|[\s(;])*(?:"
    r"select\b|with\b.*\bselect\b|insert (?:ignore )?into\b|replace into\b|update\s.*\sset\b|delete\s+from\b|merge\s+into\b|copy\b.*\b(?:to|from)\b"
    r"|(?:create|alter|drop|truncate)\s+(?:or replace |temp|external |unique |user|role|table|view|index|database|schema|stage|function|procedure|login)"
    r"|show\s+(?:create|databases|tables|schemas|grants|users|roles|columns)\b|grant\b.*\bto\b|revoke\b.*\bfrom\b|explain\b|desc(?:ribe)?\s+\S+\s*;?\Z"
    r"|call\s+[\w.]+\s*\(|exec(?:ute)?\s|unload\s*\(|export\s+(?:data|table|database)\b|put\s+(?:'|file:)|(?:get|list|ls|remove)\s+@|backup\s+database\b"
    r"|set\s+\S+\s*(?:=|to)|waitfor\b|vacuum\b)",
    re.DOTALL,
)
_NAME = re.compile(r"[a-z_][a-z0-9_?$#.]*")

_FUNCTIONS = re.compile(
    r"\b(?:pg_sleep|sleep|benchmark|load_file|extractvalue|updatexml|randomblob) ?\("
    r"|\bwaitfor delay\b|\bxp_cmdshell\b|\bsp_oacreate\b|\butl_(?:http|inaddr|file)\b|\bdbms_pipe\b|\binto (?:out|dump)file\b|\bto program\b",
)
_UNION = re.compile(
    r"\bunion(?: all| distinct)? ?\(?select (?:\?|null|@@|char ?\(|chr ?\(|concat ?\(|group_concat|version|user|current_user|database)"
)
_UNION_ANY = re.compile(r"\bunion(?: all| distinct)? ?\(?select\b")
_ALWAYS_TRUE = re.compile(
    r"\bor\s*\(*\s*(?:'([^']{0,64})'\s*(?:=|like)\s*'\1(?:'|\s*(?:--|#|\Z))|([0-9]{1,9})\s*=\s*\2(?![0-9.])|\"([^\"]{0,64})\"\s*=\s*\"\3|true\s*(?:--|\)|\Z))",
)
_CUT_OFF = re.compile(r"['0-9);]\s*--[\s+]*\Z")
_CATALOGUE = re.compile(
    r"\binformation_schema\b|\bpg_catalog\b|\bpg_(?:authid|class|database|roles|shadow|tables|user)\b|\bsys\.|\bmysql\.|\bsqlite_master\b"
    r"|\b(?:all|dba|user)_(?:tables|tab_columns|users|col_privs|role_privs|tab_privs)\b|\bsys(?:objects|columns|databases|logins)\b"
    r"|^show (?:databases|tables|schemas|grants|users|roles)\b|\bsvv_|\bsnowflake\.account_usage\b",
)
_WHOLE = re.compile(
    r"^copy\b.*\bto\b|^copy into [@?]|^unload\b|^export\b|^backup\b|^put\b|^get @|^create (?:or replace )?(?:temp(?:orary)? )?stage\b|\binto (?:out|dump)file\b",
)
_DUMP = re.compile(r"/\*!40001 sql_no_cache \*/|\bpg_dump\b|\bmysqldump\b")
_READS = re.compile(r"^(?:with\b.*\) ?)?select\b.*\bfrom\b", re.DOTALL)
_LIMITED = re.compile(r"\b(?:where|limit|top|fetch (?:first|next)|rownum|group by)\b")
_COUNTS = re.compile(r"^select (?:distinct )?(?:count|sum|min|max|avg|exists) ?\(")

Shape = str
INJECTION = "injection marks"
WHOLE = "whole table"
CATALOGUE = "system catalogue"
SENSITIVE = "sensitive names"
MANY = "many records"


class Query(msgspec.Struct, frozen=True):
    """One kind of query."""

    text: str
    """Literals replaced by ``?``, cut to ``SHOWN_CHARS``; a search text, which is all literal, is not shown."""
    names: tuple[str, ...]
    """Tables, columns and key words, each once."""
    shapes: tuple[Shape, ...]


@lru_cache(maxsize=_CACHED)
def digest_of(query: str) -> str:
    """What all queries of one kind share. Cost ≈ 0.15 µs for a text just seen, 5–15 µs else; linear in its length.

    >>> digest_of("select a from t where id = 7") == digest_of("SELECT a FROM t  WHERE id=8")
    False
    >>> digest_of("select a from t where id = 7") == digest_of("SELECT a FROM t  WHERE id = 8")
    True
    """
    text = normalised(query[:MAX_QUERY_CHARS].lower())
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


@lru_cache(maxsize=256)  # a pure function's results: accounts of one application share their queries
def describe(query: str) -> Query:
    """The kind of a query text, at length. Cost ≈ 30–60 µs: for kinds not known yet.

    >>> describe("SELECT * FROM Users /* all */ WHERE id IN (1, 2,3) AND name='O''Brien'").text
    'select * from users where id in (?) and name=?'
    >>> describe("select * from users").shapes, describe("select 1 from users where a='' or '1'='1'").shapes
    (('whole table',), ('injection marks',))
    """
    raw = query[:MAX_QUERY_CHARS].lower()
    text = normalised(raw)
    is_sql = _SQL.match(raw) is not None
    names = tuple(dict.fromkeys(part for name in _NAME.findall(text) for part in name.split(".") if len(part) > 2))[:200]
    return Query(text[:SHOWN_CHARS] if is_sql else "(search text)", names, tuple(_shapes(raw, text, is_sql=is_sql)))


def normalised(raw: str) -> str:
    """The text without literals, comments and differences of spacing. ``raw`` is in lower case.

    >>> normalised('update "t" set a = "x" where b = 0x1f /* why */ ;'), normalised("insert into t values (1,2),(3,4)")
    ('update t set a = x where b = ?', 'insert into t values (?)')
    """
    if _NOT_PLAIN.search(raw) is None:  # most queries of applications: a third of the cost
        return _collapsed(_PLAIN.sub("?", raw))
    standard = _STANDARD.search(raw) is not None

    def put(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind in {"comment", "space"}:
            return " "
        if kind != "quoted":
            return "?"
        name = match[0]
        return name.strip('"`[]') if name[0] != '"' or standard else "?"

    return _collapsed(_TOKEN.sub(put, raw))


def _collapsed(text: str) -> str:
    text = " ".join(text.split())
    return _ROWS.sub(r"\1", _LIST.sub("(?)", text)).strip(" ;")


def _shapes(raw: str, text: str, *, is_sql: bool) -> list[Shape]:
    shapes: list[Shape] = []
    catalogue = _CATALOGUE.search(text) is not None
    if (
        _FUNCTIONS.search(text)
        or _UNION.search(text)
        or _ALWAYS_TRUE.search(raw)
        or (is_sql and _CUT_OFF.search(raw))
        or (catalogue and _UNION_ANY.search(text))
    ):
        shapes.append(INJECTION)
    if is_sql and (
        _WHOLE.search(text) or _DUMP.search(raw) or (_READS.search(text) and not _LIMITED.search(text) and not _COUNTS.search(text))
    ):
        shapes.append(WHOLE)
    if catalogue:
        shapes.append(CATALOGUE)
    return shapes
