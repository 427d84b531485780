"""The grammar: what each line means, and that no line, however hostile, does anything but mean or be refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import grammar as g
from runbooks.request import (
    AddFields,
    AddIndex,
    ChangeType,
    CopyDeed,
    Migrate,
    NewField,
    Propose,
    RemoveFields,
    Rename,
    Replicate,
    Request,
    SetDefault,
    SortBy,
)


def job(line: str) -> object:
    request = g.parse(line)
    assert isinstance(request, Request), request
    return request.job


def refused(line: str) -> str:
    found = g.parse(line)
    assert isinstance(found, g.Refusal), found
    return found.sentence


MIGRATIONS = [
    ("migrate members add field nickname text", AddFields(fields=(NewField(name="nickname", type="text"),))),
    ("migrate members add field x", AddFields(fields=(NewField(name="x"),))),
    ("migrate members add field x DEFAULT 0", AddFields(fields=(NewField(name="x", default="0"),))),
    ("migrate members add field x \"Array(Nullable(String))\"",
     AddFields(fields=(NewField(name="x", type="Array(Nullable(String))"),))),
    ("migrate members add field x default 0", AddFields(fields=(NewField(name="x", default="0"),))),
    ("migrate members add field x double precision default 0 from score / 2",
     AddFields(fields=(NewField(name="x", type="double precision", default="0", source="score / 2"),))),
    ("migrate members add field x Nullable(DateTime64(3)) from $.record.x",
     AddFields(fields=(NewField(name="x", type="Nullable(DateTime64(3))", source="$.record.x"),))),
    ("migrate members add fields a character varying(255) default 'b, c', d timestamp with time zone",
     AddFields(fields=(NewField(name="a", type="character varying(255)", default="'b, c'"),
                       NewField(name="d", type="timestamp with time zone")))),
    ("migrate members change field a to numeric(10, 2) default 1.5",
     ChangeType(name="a", type="numeric(10, 2)", default="1.5")),
    ("migrate members set default a \"it's\"", SetDefault(name="a", default="'it''s'")),
    ("migrate members remove field a, b", RemoveFields(names=("a", "b"))),
    ("migrate members sort by a,b", SortBy(columns=("a", "b"))),
    ("migrate members add index i lower(a) bloom_filter(0.01) GRANULARITY 4",
     AddIndex(name="i", expression="lower(a)", type="bloom_filter(0.01) GRANULARITY 4")),
]  # fmt: skip


@pytest.mark.parametrize(("line", "change"), MIGRATIONS)
def test_a_migration_is_understood(line: str, change: object) -> None:
    assert job(line) == Migrate(datasources=("members",), change=change)  # type: ignore[arg-type]


def test_other_requests() -> None:
    assert job("replicate tags as labels") == Replicate(table="tags", datasource="labels")
    assert job("propose 7 --note 'now'") == Propose(run=7)
    assert "--strategy" in refused("propose 7 --strategy alter")
    assert job("rename a to b") == Rename(datasource="a", to="b")
    assert job("copy members_copy pause") == CopyDeed(pipe="members_copy", deed="pause")
    assert job("copy members_copy run") == CopyDeed(pipe="members_copy", deed="run")
    assert job("copy members_copy run in order") == CopyDeed(pipe="members_copy", deed="run", onward=True)
    assert job("copy members_copy run clear --note twice") == CopyDeed(pipe="members_copy", deed="run", clear=True)
    assert "should end there" in refused("copy members_copy pause clear")
    assert job("migrate a, b add field x text") == Migrate(
        datasources=("a", "b"), change=AddFields(fields=(NewField(name="x", type="text"),))
    )


def test_options_stand_anywhere_and_phones_typography_is_undone() -> None:
    request = g.parse(
        "--strategy alter migrate members —env staging add field x text --at “2026-12-01 22:00 +02:00” --note 'why'"
    )
    assert isinstance(request, Request)
    assert (request.strategy, request.environment, request.note) == ("alter", "staging", "why")
    assert request.at == datetime(2026, 12, 1, 20, 0, tzinfo=UTC)


def test_an_expression_keeps_its_own_text_behind_plan() -> None:
    found = g.parse("plan migrate members add field x Int64 from score  / 2")
    assert isinstance(found, Request)
    assert found.only
    assert found.job == Migrate(
        datasources=("members",), change=AddFields(fields=(NewField(name="x", type="Int64", source="score  / 2"),))
    )


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("", g.Help()),
        ("help migrate", g.Help("migrate")),
        ("RUNS", g.Runs()),
        ("show #7", g.Show(7)),
        ("approve 7", g.Decide("approve", 7)),
        ("approve 7 3", g.Decide("approve", 7, 3)),
        ("approve 7 up to 3", g.Decide("approve", 7, 3, up_to=True)),
        ("abort 7 --note enough", g.Decide("abort", 7, note="enough")),
        ("lineage members --env staging", g.Lineage("members", "staging")),
        ("snooze 4 2h", g.Incident("snooze", 4, 7200)),
        ("snooze #4 30M", g.Incident("snooze", 4, 1800)),
        ("snooze 4", g.Incident("snooze", 4, 4 * 3600)),
        ("ack 4", g.Incident("ack", 4)),
        ("incidents --env staging", g.Incidents("staging")),
        ("snooze 4 for 90m", g.Incident("snooze", 4, 5400)),
        ("snooze 4 until tomorrow", g.Incident("snooze", 4, "tomorrow")),
        ("silence members_copy", g.Silence("members_copy")),
        ("silence members_copy for 2d --env staging", g.Silence("members_copy", 2 * 86_400, "", "staging")),
        ('silence members_copy for 90m "it\'s rebuilt"', g.Silence("members_copy", 5400, "it's rebuilt")),
        ("silence members_copy “it is rebuilt”", g.Silence("members_copy", None, "it is rebuilt")),
        ("unsilence members_copy", g.Unsilence("members_copy")),
        ("freeze big day", g.Freeze("big day")),
        ("unfreeze", g.Unfreeze()),
        ("doctor probe", g.Doctor(probe=True)),
    ],
)
def test_other_commands(line: str, value: object) -> None:
    assert g.parse(line) == value


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("migrat members add field x", "did you mean `migrate`"),
        ("migrate members ad field x", "did you mean `add`"),
        ("migrate members add feild x text", "did you mean `field`"),
        ("migrate members add field x text defalt 0", "did you mean `default`"),
        ("migrate members add field", "field's name is missing"),
        ("migrate members add fields a text, b", "type of `b` is missing"),
        ("migrate members add field x text default foo", "write text in quotes: 'foo'"),
        ("migrate members add field x text default 'a", "never closed"),
        ("migrate members add field x Nullable(String", "never closed"),
        ("migrate members add field x text default '{{ 1 }}'", "template"),
        ("migrate members add field x text default '\\'", "backslash"),
        ("migrate members add field x text from a; drop table b", "may not hold `;`"),
        ("migrate members add field x); DROP TABLE members", "`x);` cannot be"),
        ("migrate members add field `x`", "cannot be the field's name"),
        ("migrate m\u0435mbers add field x", "CYRILLIC SMALL LETTER IE"),
        ("migrate members add field " + "x" * 300, "300 characters"),
        ("migrate members add field x\u202ey", "RIGHT-TO-LEFT OVERRIDE"),
        ("migrate members\x00 add field x", "U+0000"),
        ("migrate members\nadd field x", "one line"),
        ("migrate members add field x --evn staging", "did you mean `env`"),
        ("runs --note x", "means nothing to `runs`"),
        ("approve seven", "not a run's number"),
        ("migrate a add field x text --at tomorrow", "with its zone"),
        ("migrate a add field x text --at '2026-12-01 22:00 Mars/Base'", "no time zone"),
        ("migrate a add field x text --at '2026-02-30 22:00 UTC'", "no time that exists"),
        ("show 7 8", "line should end there"),
        ("migrate a, a add field x text", "twice"),
        ("snooze 4 0m", "between `1m` and `30d`"),
        ("snooze 4 31d", "between `1m` and `30d`"),
        ("snooze 4 soon", "write `30m`, `4h` or `2d`"),
        ("snooze 4 til tomorrow", "did you mean `until`?"),
        ("snooze 4 until tomorrow 9", "I do not understand `9` after `tomorrow`; the line should end there"),
        ("silence", "The pipe's name is missing after `silence`"),
        ("silence members_copy fro 2d", "did you mean `for`?"),
        ("silence members_copy for ever", "write `30m`, `4h` or `2d`"),
        ("silence members_copy for", "A duration is missing after `for`"),
        ("silence members_copy it is rebuilt", "write it in quotes"),
        ('silence members_copy "a" "b"', "the line should end there"),
        ("ack members", "not an incident's number"),
        ("help me", "no command `me`"),
        ("x" * 2000, "at most 1,000"),
    ],
)
def test_a_refusal_names_the_word_at_fault(line: str, said: str) -> None:
    assert said in refused(line)


def test_a_ping_or_a_back_tick_cannot_leave_its_quotes() -> None:
    assert refused("<!channel> hello").count("`") % 2 == 0
    assert "``" not in refused("migrate `x` add field y")


def test_help_lists_what_the_parser_reads() -> None:
    usages = [e.usage for e in g.entries()]
    assert "copy <pipe> run|pause|resume" in usages
    assert "freeze [<reason>]" in usages
    assert len(usages) == len(set(usages))
    assert all(e.usage.startswith("migrate ") for e in g.entries("migrate"))


WORDS = st.sampled_from(
    [
        "migrate", "members", "add", "field", "fields", "text", "default", "''", "'", '"', "(", ")", ",", "from",
        "$.record.x", "change", "to", "set", "remove", "sort", "by", "index", "--env", "--at", "--note", "approve", "7",
        "up", "plan", "help", "freeze", "{{x}}", "`", "<!channel>", "\u202e", "\x00", "\u0435", "--", "=", "copy",
        "run", "Nullable(DateTime64(3))", ";", "[", "]", "''x",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=12).map(" ".join)))
def test_no_line_raises_and_every_refusal_is_one_sentence(line: str) -> None:
    found = g.parse(line)
    if isinstance(found, g.Refusal):
        assert "\n" not in found.sentence
        assert found.sentence.isprintable()
        assert 10 < len(found.sentence) < 400
        assert found.sentence[-1] in ".?!"
