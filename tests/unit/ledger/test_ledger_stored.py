"""What Postgres cannot hold is replaced, what it can is left alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import stored

pytestmark = pytest.mark.unit

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)


@given(st.text(st.characters()))
def test_text_is_always_fit_and_keeps_its_length(value: str) -> None:
    fit = stored.text(value)
    assert "\x00" not in fit
    fit.encode()
    assert len(fit) == len(value)


@given(_json)
def test_json_can_always_be_encoded(value: object) -> None:
    text = json.dumps(stored.json(value).obj, ensure_ascii=False)
    assert "\\u0000" not in text.replace("\\\\", "")
    text.encode()


def test_null_is_sqls_and_not_jsons() -> None:
    assert stored.json_or_null(None) is None
    assert stored.json({"a": None}).obj == {"a": None}
