"""The configuration: where it comes from, what it refuses and in which words, and how it is shown."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from detectors.failed_login_burst import BurstSettings
from detectors.registry import DETECTORS
from detectors.settings import Strict
from monitor.docs_reference import REFERENCES
from monitor.settings import MASK, Settings, as_dict, as_text, load
from monitor.settings_errors import problems
from monitor.settings_reference import rows
from monitor.settings_shape import spot_of
from monitor.settings_sinks import FileSink
from monitor.settings_sources import read_yaml, write_yaml
from schemas.errors import ConfigurationError

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "examples" / "watchfloor.yaml"
DEFAULTS = Settings()


def loaded(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    path = tmp_path / "watchfloor.yaml"
    path.write_text(text, "utf-8")
    return load(path, environ or {})


def refused(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The lines of the error, the path of the file left out."""
    with pytest.raises(ConfigurationError) as error:
        loaded(tmp_path, text, environ)
    return str(error.value).replace(f"{tmp_path / 'watchfloor.yaml'}: ", "FILE: ").splitlines()


def burst(of: Settings) -> BurstSettings:
    return cast("BurstSettings", of.of("failed_login_burst"))


# -- what is taken --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "# a comment\n", "---\n", "detectors:\n", "allow:\nsinks:\ndetectors:\n  failed_login_burst:\n", "\ufeff"]
)
def test_an_empty_file_and_empty_sections_leave_the_defaults(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text) == DEFAULTS
    assert load(None, {}) == DEFAULTS


def test_every_detector_has_its_section_with_its_own_defaults() -> None:
    assert {name: DEFAULTS.of(name) for name in DETECTORS} == {name: cls.Settings() for name, cls in DETECTORS.items()}


def test_the_example_is_valid_and_shows_every_section() -> None:
    example = load(EXAMPLE, {})
    text = EXAMPLE.read_text("utf-8")
    instead = {"standard_input", "simulate"}
    assert list(read_yaml(text)) == [name for name in Settings.model_fields if name not in instead]
    assert all(f"# {name}: " in text for name in instead)
    assert burst(example).by_ip.threshold == 30
    assert example.geography.networks == {64500: "vpn", 64501: "ordinary"}
    assert example.allow[0].until == datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert example.sinks["archive"] == FileSink(type="file", path=Path("alerts.jsonl"))


def test_a_limit_that_is_set_leaves_the_other_limits_of_its_variant_as_they_are_documented(tmp_path: Path) -> None:
    # by_ip has a default of its own (fast_threshold 6), which is not that of the class (0).
    limits = burst(loaded(tmp_path, "detectors: {failed_login_burst: {by_ip: {threshold: 33}}}")).by_ip
    assert (limits.threshold, limits.fast_threshold) == (33, 6)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("2026-01-31", "2026-01-31"),
        ("1:30", "1:30"),
        ("2001:10:20:30:40:50:1:2", "2001:10:20:30:40:50:1:2"),
        ("007", "007"),
        ("1.2.3", "1.2.3"),
        ("true", True),
        ("~", None),
        ("", None),
        ("200_000", 200_000),
        ("-0x1F", "-0x1F"),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("'12'", "12"),
    ],
)
def test_plain_values_are_read_as_yaml_1_2_has_them_and_times_stay_text(written: str, value: object) -> None:
    assert read_yaml(f"a: {written}") == {"a": value}


# -- the environment ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("WATCHFLOOR__MAX_OPEN_ALERTS", "700", "max_open_alerts", 700),
        ("watchfloor__max_open_alerts", "1_000", "max_open_alerts", 1000),
        ("WATCHFLOOR__TENANT", "012", "tenant", "012"),
        ("WATCHFLOOR__TENANT", "{a", "tenant", "{a"),
        ("WATCHFLOOR__TENANT", "", "tenant", None),
        ("WATCHFLOOR__GEOGRAPHY__CITY_DB", "/data/city.mmdb", "geography.city_db", "/data/city.mmdb"),
        ("WATCHFLOOR__GEOGRAPHY__NETWORKS__as64500", "relay", "geography.networks", {"64500": "relay"}),
        ("WATCHFLOOR__DETECTORS__FAILED_LOGIN_BURST__ENABLED", "no", "detectors.failed_login_burst.enabled", False),
        ("WATCHFLOOR__DETECTORS__FAILED_LOGIN_BURST__BY_IP__WINDOW_S", "90", "detectors.failed_login_burst.by_ip.window_s", 90.0),
        ("WATCHFLOOR__SINKS__MAIN__PATH", "b.jsonl", "sinks.Main.path", "b.jsonl"),
        ("WATCHFLOOR__SINKS", '{"out": {"type": "stdout"}}', "sinks.out.type", "stdout"),
        ("WATCHFLOOR__ALLOW__0__REASON", "because", "allow.0.reason", "because"),
        ("WATCHFLOOR__ALLOW__1", '{"actor": "x", "reason": "y"}', "allow.1.actor", "x"),
        ("WATCHFLOOR__ALLOW", "", "allow", []),
        ("WATCHFLOOR_REQUIRE", "browser", "tenant", "acme"),
    ],
)
def test_the_environment_goes_over_the_file(tmp_path: Path, name: str, value: str, path: str, expected: object) -> None:
    text = """
tenant: acme
geography: {networks: {AS64500: vpn}}
sinks: {Main: {type: file, path: a.jsonl}}
allow: [{actor: svc-*, reason: old}]
"""
    found: Any = as_dict(loaded(tmp_path, text, {name: value}))
    for key in path.split("."):
        found = found[int(key) if key.isdigit() else key]
    assert found == expected


def test_the_items_of_a_list_are_taken_in_their_order(tmp_path: Path) -> None:
    environ = {f"WATCHFLOOR__ALLOW__{number}__{field}": f"{field}{number}" for number in range(12) for field in ("ACTOR", "REASON")}
    allow = loaded(tmp_path, "", environ).allow
    assert [entry.actor for entry in allow] == [f"ACTOR{number}" for number in range(12)]


@pytest.mark.parametrize(
    ("environ", "lines"),
    [
        ({"WATCHFLOOR__TENNANT": "a"}, ["WATCHFLOOR__TENNANT: no such setting (tennant); did you mean tenant?"]),
        ({"WATCHFLOOR__TENANT__X": "a"}, ["WATCHFLOOR__TENANT__X: no such setting; tenant has no parts"]),
        ({"WATCHFLOOR__ALLOW__X": "a"}, ["WATCHFLOOR__ALLOW__X: this is a list; name its items by number, the first is 0"]),
        ({"WATCHFLOOR__ALLOW__2__ACTOR": "a"}, ["WATCHFLOOR__ALLOW__2__ACTOR: item 2 of a list that has 0; leave no gap"]),
        (
            {"WATCHFLOOR__STORE__X": "a"},
            ["WATCHFLOOR__STORE__X: no such setting (x); use one of path, checkpoint_interval_s, adopt, keep_alerts_s"],
        ),
        ({"WATCHFLOOR__GEOGRAPHY": "{hunter2"}, ["WATCHFLOOR__GEOGRAPHY: cannot be read as YAML or JSON; mind quotes and brackets"]),
        ({"WATCHFLOOR__TENANT": "a", "watchfloor__tenant": "b"}, ["watchfloor__tenant: says the same as WATCHFLOOR__TENANT; keep one"]),
        (
            {"WATCHFLOOR__MAX_OPEN_ALERTS": "1"},
            ["max_open_alerts: 1 is too small; use 100 to 10000000 (set by WATCHFLOOR__MAX_OPEN_ALERTS)"],
        ),
        (
            {"WATCHFLOOR__DETECTORS": '{"failed_login_burst": {"max_keys": 1}}'},
            ["detectors.failed_login_burst.max_keys: 1 is too small; use 1000 to 10000000 (set by WATCHFLOOR__DETECTORS)"],
        ),
    ],
)
def test_what_the_environment_says_wrongly_is_named(tmp_path: Path, environ: dict[str, str], lines: list[str]) -> None:
    assert refused(tmp_path, "", environ) == lines


# -- what is refused ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a\n- b\n", "FILE: holds a list; write settings, each as name: value"),
        ("text", "FILE: holds a single value; write settings, each as name: value"),
        ("tenant: a\nallow:\n\t- x", "FILE: line 3: a tab where there can be none; indent with spaces"),
        ("tenant: a\nsinks: {}\ntenant: b\n", "FILE: line 3: tenant is given twice, first in line 1; keep one"),
        (
            "detectors:\n  failed_login_burst:\n    enabled: true\n    enabled: false\n",
            "FILE: line 4: enabled is given twice, first in line 3; keep one",
        ),
        (
            "a: [1\n",
            "FILE: line 2: this is no YAML (expected ',' or ']', but got '<stream end>'); mind the indentation, and put text with special characters in quotes",
        ),
        ("tenant: a\n---\ntenant: b\n", "FILE: line 2: a second document begins here; keep one"),
        (
            "tenant: !!python/name:os.system x",
            "FILE: line 1: tags such as !name are not known here; take it out, or put the value in quotes",
        ),
        ("allow: &a [*a]", "FILE: is nested too deep, or too large; take out aliases that hold themselves"),
        ("allow: " + "[" * 5_000, "FILE: holds a value that cannot be read; put it in quotes"),
        ("max_open_alerts: " + "9" * 5_000, "FILE: holds a value that cannot be read; put it in quotes"),
        ("tenant: \x01", "FILE: holds a control character; take it out"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str, line: str) -> None:
    assert refused(tmp_path, text) == [line]


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"tenant: \xe9")
    for path, words in (
        (tmp_path / "none.yaml", "no such file; give the path of a configuration file, or none to use the defaults"),
        (tmp_path, "this is a folder; give the path of a file in it"),
        (tmp_path / "latin.yaml", "this is not UTF-8; save it in that encoding"),
    ):
        with pytest.raises(ConfigurationError) as error:
            load(path, {})
        assert str(error.value) == f"{path}: {words}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "detectors: {failed_login_burst: {by_ip: {window_s: 0}}}",
            ["detectors.failed_login_burst.by_ip.window_s: 0 is too small; use 1 to 31622400 seconds"],
        ),
        ("detectors: {failed_login_brust: {}}", ["detectors.failed_login_brust: no such detector; did you mean failed_login_burst?"]),
        (
            "detectors: {failed_login_burst: {window_s: 60}}",
            ["detectors.failed_login_burst.window_s: no such setting; did you mean by_actor.window_s or by_ip.window_s?"],
        ),
        (
            "detectors: {failed_login_burst: {overrides: [{set: {by_ip: {threshold: 30}}}, {set: {by_ip: {threshold: 1}}}]}}",
            ["detectors.failed_login_burst.overrides.1.set.by_ip.threshold: 1 is too small; use 2 to 100000"],
        ),
        (
            "detectors: {failed_login_burst: {by_ip: {threshold: 1}, overrides: [{set: {by_ip: {threshold: 30}}}]}}",
            ["detectors.failed_login_burst.by_ip.threshold: 1 is too small; use 2 to 100000"],
        ),
        (
            "detectors: {failed_login_burst: {overrides: [{set: {enabled: false}}]}}",
            ["detectors.failed_login_burst.overrides.0.set: enabled cannot differ by entity; use the allow-list to silence one"],
        ),
        ("detectors: 3", ["detectors: is no section; write its settings below it, indented, each as name: value"]),
        ("runbook: x", ["runbook: no such setting; did you mean runbooks?"]),
        ("tenant: 12", ["tenant: 12 is no text; put it in quotes"]),
        ('tenant: "a\\x1fb"', ["tenant: has characters that cannot be printed; take them out"]),
        ("runbooks: ''", ["runbooks: is empty; give text"]),
        ("max_record_bytes: 1.5", ["max_record_bytes: 1.5 is no whole number; use 1024 to 67108864 bytes"]),
        ("max_record_bytes: [1]", ["max_record_bytes: is no whole number; use 1024 to 67108864 bytes"]),
        ("allowed_lateness_s: .inf", ["allowed_lateness_s: inf is not finite; use 0 to 86400 seconds"]),
        ("allowed_lateness_s: long", ["allowed_lateness_s: is no number; use 0 to 86400 seconds"]),
        (
            "detectors: {failed_login_burst: {enabled: 3}}",
            ["detectors.failed_login_burst.enabled: 3 is neither true nor false; use one of the two"],
        ),
        ("geography: {cache_size: }", ["geography.cache_size: is empty; give a whole number, or leave it out"]),
        (
            "geography: {networks: {AS0: vpn, x: vpn}}",
            [
                "geography.networks.AS0: is no AS number; use 1 to 4294967295, or AS1 to AS4294967295",
                "geography.networks.x: is no AS number; use 1 to 4294967295, or AS1 to AS4294967295",
            ],
        ),
        ("geography: {networks: {AS64500: vpn, 64500: relay}}", ["geography.networks: AS64500 is given twice; keep one"]),
        (
            "geography: {networks: {64500: vpm}}",
            ["geography.networks.64500: 'vpm' is unknown; use vpn, hosting, relay, satellite, mobile or ordinary"],
        ),
        (
            "sinks: {a: {type: carrier}}",
            ["sinks.a.type: 'carrier' is unknown; use slack, pagerduty, webhook, alertmanager, kafka, file or stdout"],
        ),
        ("sinks: {a: {path: x}}", ["sinks.a.type: is missing; use slack, pagerduty, webhook, alertmanager, kafka, file or stdout"]),
        ("sinks: {a: {type: file}}", ["sinks.a.path: is missing; give a path"]),
        ("sinks: {a: {type: file, path: x, pth: y}}", ["sinks.a.pth: no such setting; did you mean path?"]),
        (
            "sinks: {a b: {type: stdout}}",
            ["sinks.a b: does not fit as a name; use up to 32 of a-z, A-Z, 0-9, _ and -, the first a letter"],
        ),
        ("allow: {}", ["allow: is no list; write its items below it, each after a dash"]),
        ("allow: [{actor: a}]", ["allow.0.reason: is missing; give text"]),
        ("allow: [{reason: a}]", ["allow.0: says for whom it is nowhere; give one or more of ip, actor, asn, user_agent"]),
        ("allow: [{actor: a, reason: '  '}]", ["allow.0.reason: is empty; give text"]),
        (
            "allow: [{actor: a, reason: b, detectors: [failed_login_bursts]}]",
            ["allow.0.detectors.0: no such detector; did you mean failed_login_burst?"],
        ),
        ("allow: [{actor: a, reason: b, detectors: []}]", ["allow.0.detectors: is empty; give a list of text"]),
        ("allow: [{ip: 192.0.2, reason: b}]", ["allow.0.ip: is no address or network; write it as 192.0.2.7 or 192.0.2.0/24"]),
        (
            "allow: [{ip: 192.0.2.9/24, reason: b}]",
            ["allow.0.ip: has bits set beyond its prefix; write the first address of the network, such as 192.0.2.0/24"],
        ),
        ("allow: [{actor: a, until: soon, reason: b}]", ["allow.0.until: is no date or time; write 2026-01-31 or 2026-01-31T12:00:00Z"]),
        ("allow: [{actor: a, until: 2026-01-31T12:00, reason: b}]", ["allow.0.until: has no time zone; add Z or an offset such as +01:00"]),
        ("allow: [{actor: a, until: 9999-12-31, reason: b}]", ["allow.0.until: is out of range; use a moment from 1990 to 2099"]),
    ],
)
def test_what_is_wrong_is_said_with_path_and_cure(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert refused(tmp_path, text) == lines


def test_all_problems_are_listed_one_on_a_line(tmp_path: Path) -> None:
    text = "max_open_alerts: 0\nallowed_lateness_s: -1\nsinks: {a: {type: x}}\n"
    assert refused(tmp_path, text, {"WATCHFLOOR__NOPE__NOPE": "1"})[1:] == [
        "allowed_lateness_s: -1 is too small; use 0 to 86400 seconds",
        "max_open_alerts: 0 is too small; use 100 to 10000000",
        "sinks.a.type: 'x' is unknown; use slack, pagerduty, webhook, alertmanager, kafka, file or stdout",
    ]


class _WithSecrets(Strict):
    api_token: str = Field("", max_length=4)
    password: int = Field(0, le=9)
    hidden: SecretStr | None = Field(None, max_length=4)
    by_key: Mapping[str, int] = Field({})


def test_secrets_are_neither_echoed_nor_shown() -> None:
    given_data = {"api_token": "hunter2", "password": 314159, "hidden": "hunter2", "by_key": {"a": 12.5}}
    with pytest.raises(ValidationError) as error:
        _WithSecrets.model_validate(given_data)
    lines = problems(error.value, spot_of(_WithSecrets), given_data, {})
    assert [line.partition(":")[0] for line in lines] == ["api_token", "password", "hidden", "by_key.a"]
    assert "hunter2" not in str(lines)
    assert "314159" not in str(lines)
    assert lines[3] == "by_key.a: 12.5 is no whole number; use a whole number"
    shown = as_dict(_WithSecrets(api_token="abc", password=7, hidden=SecretStr("abc"), by_key={"a": 1}))
    assert shown == {"api_token": MASK, "password": 7, "hidden": MASK, "by_key": {"a": 1}}


SOME_NAMES = [
    *Settings.model_fields,
    *(
        "failed_login_burst",
        "by_ip",
        "by_actor",
        "overrides",
        "set",
        "window_s",
        "threshold",
        "networks",
        "type",
        "path",
        "ip",
        "reason",
        "until",
    ),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["file", "192.0.2.0/24", "AS1", "failed_login_burst"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(SOME_NAMES) | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.dictionaries(st.sampled_from(list(Settings.model_fields)), JSON, max_size=4),
    name=st.lists(st.sampled_from(SOME_NAMES), max_size=4),
)
def test_whatever_is_written_is_taken_or_refused_in_words(tmp_path: Path, data: dict[str, Any], name: list[str]) -> None:
    environ = {"__".join(["WATCHFLOOR", *name]): json.dumps(data)} if name else {}
    try:
        taken = loaded(tmp_path, write_yaml(data), environ)
    except ConfigurationError as error:
        lines = str(error).splitlines()
    else:
        lines = []
        assert loaded(tmp_path, as_text(taken)) == taken
    assert [line for line in lines if ": " not in line] == []


# -- how it is shown ------------------------------------------------------------------------------------------------------------------


def test_only_what_differs_from_the_defaults_is_shown(tmp_path: Path) -> None:
    assert as_text(DEFAULTS) == "# Everything is at its default.\n"
    text = "max_open_alerts: 50000\ndetectors: {failed_login_burst: {by_ip: {threshold: 50}}}\nallow: [{ip: 192.0.2.1, until: 2026-01-31, reason: a b}]"
    assert as_text(loaded(tmp_path, text)) == (
        "# Only what differs from the defaults is listed.\n"
        "detectors:\n"
        "  failed_login_burst:\n"
        "    by_ip:\n"
        "      threshold: 50\n"
        "allow:\n"
        "- ip: 192.0.2.1\n"
        "  until: '2026-01-31T23:59:59.999999Z'\n"
        "  reason: a b\n"
    )


def test_the_text_is_read_back_as_the_same_configuration(tmp_path: Path) -> None:
    example = load(EXAMPLE, {"WATCHFLOOR__TENANT": "1e5", "WATCHFLOOR__RUNBOOKS": "0x10"})
    assert loaded(tmp_path, as_text(example)) == example


def test_the_whole_configuration_is_plain_json() -> None:
    example = as_dict(load(EXAMPLE, {}))
    assert json.loads(json.dumps(example)) == example


# -- the reference --------------------------------------------------------------------------------------------------------------------


def test_every_setting_has_a_type_and_a_sentence() -> None:
    incomplete = [row.path for row in rows(Settings) if not row.type or not row.meaning.endswith((".", "?"))]
    assert incomplete == []


def test_the_reference_names_every_setting_of_every_detector() -> None:
    text = REFERENCES["configuration.md"]()
    for name, cls in DETECTORS.items():
        section = text.partition(f"## `detectors.{name}`\n")[2].partition("\n## ")[0]
        own = [row.path for row in rows(cls.Settings, cls.Settings()) if row.path not in {"enabled", "max_keys", "overrides"}]
        assert [path for path in own if f"| `{path}` |" not in section] == []


def test_numbers_in_the_reference_have_default_range_and_unit() -> None:
    text = REFERENCES["configuration.md"]()
    assert "| `allowed_lateness_s` | number | `1` | 0 to 86400 seconds |" in text
    assert "| `by_ip.threshold` | whole number | `20` | 2 to 100000 |" in text
