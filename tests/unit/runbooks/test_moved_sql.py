"""A reader's SQL reads another table in a table's place, or is refused: never something else by chance."""

import pytest

from runbooks.lineage import NotMoved, reading

MIRROR = "members__mirror_run_5"


@pytest.mark.parametrize(
    ("sql", "moved"),
    [
        ("SELECT id FROM members", f"SELECT id FROM {MIRROR} AS members"),
        ("select members.id from members final", f"select members.id from {MIRROR} AS members final"),
        ("SELECT m.id FROM members AS m FINAL", f"SELECT m.id FROM {MIRROR} AS m FINAL"),
        ("SELECT m.id FROM members m WHERE m.x", f"SELECT m.id FROM {MIRROR} m WHERE m.x"),
        ("SELECT count() AS members FROM `members`", f"SELECT count() AS members FROM {MIRROR} AS members"),
        (
            "%\nSELECT id FROM members FINAL {% if defined(x) %}WHERE id = {{String(x, 'members')}}{% end %}-- members",
            f"%\nSELECT id FROM {MIRROR} AS members FINAL "
            "{% if defined(x) %}WHERE id = {{String(x, 'members')}}{% end %}-- members",
        ),
        (
            "SELECT o.id FROM organizations o ANY LEFT JOIN members USING id WHERE o.name = 'members'",
            f"SELECT o.id FROM organizations o ANY LEFT JOIN {MIRROR} AS members USING id WHERE o.name = 'members'",
        ),
        (
            "WITH (SELECT max(updatedAt) FROM members) AS last SELECT id FROM members WHERE updatedAt > last",
            f"WITH (SELECT max(updatedAt) FROM {MIRROR} AS members) AS last "
            f"SELECT id FROM {MIRROR} AS members WHERE updatedAt > last",
        ),
        (
            "SELECT a FROM (SELECT a FROM members) UNION ALL SELECT a FROM members_old",
            f"SELECT a FROM (SELECT a FROM {MIRROR} AS members) UNION ALL SELECT a FROM members_old",
        ),
    ],
)  # fmt: skip
def test_only_the_places_where_the_table_is_read_change(sql: str, moved: str) -> None:
    assert reading(sql, "members", MIRROR) == moved


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("WITH members AS (SELECT 1 AS id) SELECT id FROM members", "something of its own"),
        ("SELECT id FROM segments, members WHERE 1", "not understood for certain"),
        ("SELECT id FROM segments WHERE id IN members", "not understood for certain"),  # it may be a column
        ("SELECT id FROM other_workspace.members", "not understood for certain"),
        ("%\nSELECT id FROM {% if defined(x) %}members{% else %}members_old{% end %}", "not understood for certain"),
        ("%\nSELECT id FROM {{ TABLE(name) }}", "is not understood"),
        ("SELECT FROM WHERE members", "is not understood"),
    ],
)
def test_what_is_not_certain_is_refused(sql: str, why: str) -> None:
    with pytest.raises(NotMoved, match=why):
        reading(sql, "members", MIRROR)
