"""A datafile as its directives: the line-oriented half of the grammar (facts/tinybird.md §11).

``KEY value`` or ``KEY >`` with a block, which ends at the next keyword at the start of a line. ``#`` starts a
comment, except inside SQL, which is kept as it is. A keyword that Classic's command line does not know is an error.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from runbooks.errors import DatafileError

_ENGINE = (
    "ver is_deleted sign version columns sorting_key partition_key primary_key sampling_key ttl settings key_columns "
    "join_strictness join_type"
)
_KAFKA = (
    "connection_name topic group_id bootstrap_servers key secret schema_registry_url target_partitions "
    "auto_offset_reset store_raw_value store_headers store_binary_headers key_format value_format "
    "key_avro_deserialization ssl_ca_pem sasl_mechanism"
)
_IMPORT = (
    "service connection_name schedule strategy external_datasource bucket_uri from_timestamp query table_arn "
    "export_bucket"
)
_EXPORT = (
    "service connection_name schedule bucket_uri file_template format strategy compression write_strategy kafka_topic"
)
_PLAIN = (
    "from source maintainer schema indexes indices engine partition_key sorting_key primary_key sampling_key ttl node "
    "scope description type datasource tags target_datasource copy_schedule copy_mode mode resource filter token test "
    "include sql version shared_with"
)

KEYWORDS = frozenset(
    _PLAIN.split()
    + [f"engine_{word}" for word in _ENGINE.split()]
    + [f"kafka_{word}" for word in _KAFKA.split()]
    + [f"import_{word}" for word in _IMPORT.split()]
    + [f"export_{word}" for word in _EXPORT.split()]
)

_FIRST_WORD = re.compile(r"[A-Za-z_]+(?=\s|$)")


@dataclass
class Directive:
    """``value`` is what stands on its line, quotes kept; ``block`` the lines below a ``>``, as they are."""

    keyword: str
    line: int
    value: str = ""
    words: list[str] = field(default_factory=list[str])
    block: list[str] | None = None


def directives(name: str, text: str) -> Iterator[Directive]:
    """The directives of the datafile ``name`` in order. Raises ``DatafileError``."""
    current: Directive | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if current is not None and current.block is not None and not _ends_block(line):
            if current.keyword == "sql" or not line.lstrip().startswith("#"):
                current.block.append(line)
            continue
        words = _words(line)
        if not words:
            continue
        if current is not None:
            yield current
        current = _directive(name, number, line, words)
    if current is not None:
        yield current


def _ends_block(line: str) -> bool:
    """A keyword, whole, at the start of a line: ``type,`` and ``version(`` are SQL that nobody indented."""
    word = _FIRST_WORD.match(line)
    # FROM at the start of a line is SQL, not the old directive
    return word is not None and word.group().lower() in KEYWORDS and not line.lower().startswith("from")


def _directive(name: str, number: int, line: str, words: list[str]) -> Directive:
    keyword = words[0].lower()
    if keyword == "settings":
        raise DatafileError(name, number, "SETTINGS is only allowed as ENGINE_SETTINGS")
    if keyword not in KEYWORDS:
        raise DatafileError(name, number, f"{words[0]} is not a directive that Tinybird Classic knows")
    if words[1:2] == [">"]:
        return Directive(keyword, number, block=[])
    value = line.strip()[len(words[0]) :]
    return Directive(keyword, number, value=value[: _comment_at(value)].strip(), words=words[1:])


def _comment_at(value: str) -> int:
    """Where a ``#`` outside quotes begins a comment; the length where there is none."""
    quote = ""
    for at, char in enumerate(value):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"" and char in value[at + 1 :]:  # a lone one is an apostrophe
            quote = char
        elif char == "#":
            return at
    return len(value)


def _words(line: str) -> list[str]:
    if not line.strip():
        return []
    lexer = shlex.shlex(line)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # an apostrophe in prose: DESCRIPTION people's names
        return line.split()


def unquoted(value: str) -> str:
    """``value`` without one pair of outer quotes."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
