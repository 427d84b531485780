"""A datafile that was pulled says what the workspace says: pushed again it changes nothing, pulled again it is the
same text."""

from hypothesis import given
from hypothesis import strategies as st

from runbooks.facts.model import Column, Datasource, Node, Pipe
from runbooks.resources.alike import Resource, alike
from runbooks.resources.differences import read, written
from sandbox.seed import seed_named

WORDS = st.text(alphabet="ab Z9.,:;'\"#%$-_()[]{}`>é", min_size=1, max_size=12).map(str.strip)
# a line that begins with # is a remark of the file, to tb's parser too (facts/tinybird.md §11)
LINES = st.lists(WORDS.filter(lambda line: line and not line.startswith("#")), max_size=3).map("\n".join)
NAMES = st.from_regex(r"[a-z]\w{0,8}", fullmatch=True)
TAGS = st.lists(st.from_regex(r"[a-z][a-z ]{0,6}[a-z]", fullmatch=True), max_size=3, unique=True).map(tuple)
SQL = st.lists(
    st.sampled_from(["SELECT 1", "    FROM t -- why", "WHERE a = '#b'", "%", "AND b > {{Int32(n, 0)}}"]),
    min_size=1,
    max_size=4,
).map(lambda lines: "\n".join(["SELECT 1", *lines]))


@st.composite
def pipes(draw: st.DrawFn) -> Pipe:
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    nodes = [Node(f"n_{name}", draw(SQL), description=draw(LINES)) for name in names]
    last = nodes[-1]
    kind = draw(st.sampled_from(["endpoint", "copy", "materialized"]))
    if kind == "copy":
        mode, schedule = (
            draw(st.sampled_from(["append", "replace"])),
            draw(st.sampled_from(["@on-demand", "5 4 * * *"])),
        )
        nodes[-1] = Node(last.name, last.sql, "copy", last.description, target="kept", mode=mode, schedule=schedule)
    elif kind == "materialized":
        nodes[-1] = Node(last.name, last.sql, "materialized", last.description, target="kept")
    return Pipe("p", tuple(nodes), kind=kind, description=draw(LINES), tags=draw(TAGS))  # type: ignore[arg-type]


@st.composite
def datasources(draw: st.DrawFn) -> Datasource:
    defaults = st.sampled_from([None, "''", "0", "now64(3)"])
    columns = tuple(Column(name, "String", f"$.{name}", draw(defaults)) for name in draw(st.sets(NAMES, min_size=1)))
    key = (columns[0].name,)
    return Datasource("d", columns, sorting_key=key, description=draw(LINES), tags=draw(TAGS))


def fixed(label: str, resource: Resource) -> None:
    once = written(resource)
    again = read(label, once)
    assert alike(resource, again), once
    assert written(again) == once


@given(pipes())
def test_any_pipe(pipe: Pipe) -> None:
    fixed("p.pipe", pipe)


@given(datasources())
def test_any_data_source(datasource: Datasource) -> None:
    fixed("d.datasource", datasource)


def test_every_file_of_the_seeds() -> None:
    files = {**seed_named("small").datafiles, **seed_named("estate").datafiles}
    assert len(files) > 400
    for path, text in files.items():
        label = path.rpartition("/")[2]
        fixed(label, read(label, text))
