"""One topic is added to the connector's properties, and nothing else of the file changes."""

import re

import javaproperties
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from runbooks.tracked import TopicsError, topics_of, with_topic, without_topic

ESTATE = """\
# Posts every topic to Tinybird.
name=tinybird-sink
topics=activities,members,\\
       organizations, segments
connect.http.request.headers=Content-Type: application/json,Authorization: Bearer p.planted-secret
"""


def test_a_topic_is_added_behind_the_others_and_the_lines_stay() -> None:
    assert with_topic(ESTATE, "repositories") == ESTATE.replace("segments", "segments,repositories")
    assert topics_of(ESTATE) == ("activities", "members", "organizations", "segments")


@pytest.mark.parametrize(
    ("topic", "old", "new"),
    [
        ("activities", "activities,members", "members"),
        ("members", "activities,members,", "activities,"),
        ("segments", "organizations, segments", "organizations"),
        ("organizations", "       organizations, segments", " segments"),
    ],
)
def test_a_topic_is_taken_out_and_the_others_keep_their_order(topic: str, old: str, new: str) -> None:
    left = without_topic(ESTATE, topic)
    assert topics_of(left) == tuple(other for other in topics_of(ESTATE) if other != topic)
    assert [line for line in left.splitlines() if "topics" not in line and "segments" not in line][:2] == [
        "# Posts every topic to Tinybird.",
        "name=tinybird-sink",
    ]
    assert left.endswith(ESTATE[ESTATE.index("connect.http") :])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("topics: a, b\r\nx=1\r\n", "topics: a, b,c\r\nx=1\r\n"),
        ("topics a", "topics a,c"),
        ("  topics = a\n", "  topics = a,c\n"),
        ("topics=a,a,,b\n", "topics=a,b,c\n"),
        ("topics=a,\\", "topics=a,c"),
        ("top\\u0069cs=a,\\u0062\n", "topics=a,b,c\n"),
        ("topics\\\n  =a\n", "topics=a,c\n"),
        ("#topics=z\n!topics=y\ntopics=a\n", "#topics=z\n!topics=y\ntopics=a,c\n"),
    ],
)
def test_every_way_to_write_a_key_is_understood(text: str, wanted: str) -> None:
    assert with_topic(text, "c") == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("topics=a\nname=x\ntopics: b\n", "topics 2 times"),
        ("topics=a\ntopics.regex=.*\n", "topics.regex"),
        ("name=x\n#topics=a\n", "no topics"),
        ("topics=a\nx=\\uZZZZ p.planted-secret\n", r"\\u that names no character"),
    ],
)
def test_a_file_that_is_not_clear_is_refused_with_the_key_that_is_at_fault(text: str, said: str) -> None:
    for edit in (with_topic, without_topic):
        with pytest.raises(TopicsError, match=said) as refused:
            edit(text, "b")
        assert "planted-secret" not in str(refused.value)


def test_what_is_no_topic_is_refused() -> None:
    for name in ("", "a,b", "a b", "a\nname=x", "a\\", "x" * 250, ".."):
        with pytest.raises(TopicsError, match="no name of a Kafka topic"):
            with_topic(ESTATE, name)
    with pytest.raises(TopicsError, match="only topic"):
        without_topic("topics=a\n", "a")


NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
ENDINGS = st.sampled_from(["\n", "\r\n", "\r"])
# whatever people write in other lines, as long as it is a line of its own
OTHER = st.one_of(
    st.just(""),
    st.text(st.characters(exclude_characters="\\\r\n", codec="utf-8"), max_size=20).map(lambda text: f"# {text}"),
    st.tuples(NAMES, st.sampled_from(["=", ": ", " ", " = "]), st.text("abc=:# \t", max_size=12)).map("".join),
)


@st.composite
def files(draw: st.DrawFn) -> str:
    ending = draw(ENDINGS)
    names = draw(st.lists(NAMES, min_size=1, max_size=6))
    joints = [draw(st.sampled_from([",", ", ", ",\\" + ending + "   ", " ,", ",,"])) for _ in names[1:]]
    value = names[0] + "".join(joint + name for joint, name in zip(joints, names[1:], strict=True))
    line = draw(st.sampled_from(["topics=", "topics: ", "topics ", " topics = "])) + value
    before, behind = draw(st.lists(OTHER, max_size=4)), draw(st.lists(OTHER, max_size=4))
    assume(not any(other.lstrip().startswith("topics") for other in (*before, *behind)))
    return ending.join([*before, line, *behind]) + draw(st.sampled_from(["", ending]))


@given(files(), NAMES)
@example("topics=a\\\n", "b")
def test_adding_keeps_all_else_and_twice_is_once(text: str, topic: str) -> None:
    before = topics_of(text)
    made = with_topic(text, topic)
    assert topics_of(made) == (before if topic in before else (*before, topic))
    assert with_topic(made, topic) == made
    assert _others(made) == _others(text)
    assert _rest(made) == _rest(text)


@given(files(), st.data())
def test_taking_out_keeps_all_else_and_undoes_adding(text: str, data: st.DataObject) -> None:
    before = topics_of(text)
    topic = data.draw(st.sampled_from(before))
    if len(before) > 1:
        made = without_topic(text, topic)
        assert topics_of(made) == tuple(other for other in before if other != topic)
        assert without_topic(made, topic) == made
        assert _others(made) == _others(text)
        assert _rest(made) == _rest(text)
    new = data.draw(NAMES.filter(lambda name: name not in before))
    assert topics_of(without_topic(with_topic(text, new), new)) == before


def _others(text: str) -> dict[str, str]:
    """As the library reads them, which is not how they are edited."""
    return {key: value for key, value in javaproperties.loads(text).items() if key != "topics"}


def _rest(text: str) -> tuple[str, str]:
    """What stands before the line of the topics and behind its last continuation."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    first = next(n for n, line in enumerate(lines) if line.lstrip().startswith("topics"))
    last = first
    while last < len(lines) and lines[last].rstrip("\r\n").endswith("\\"):
        last += 1
    return "".join(lines[:first]), "".join(lines[last + 1 :])
