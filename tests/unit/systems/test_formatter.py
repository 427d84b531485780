"""What the project's own formatter makes of a datafile, and what is said when it does not."""

import sys
from pathlib import Path

import pytest

from systems.errors import SystemsError
from systems.formatter import Formatter

SHOUT = "import sys, pathlib; f = pathlib.Path(sys.argv[1]); f.write_text(f.read_text().upper() + f.name)"


def python(code: str, timeout_s: float = 20.0) -> Formatter:
    return Formatter((sys.executable, "-c", code, "{file}"), timeout_s)


def test_what_then_is_in_the_file_counts() -> None:
    assert python(SHOUT).formatted("members.datasource", "schema ") == "SCHEMA members.datasource"


def test_a_command_gets_a_folder_of_its_own_and_none_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TBOPS_LEDGER_DSN", "planted-secret")
    code = "import os, sys; open(sys.argv[1], 'w').write(repr(sorted(os.environ)) + os.getcwd())"
    said = python(code).formatted("a.pipe", "x")
    assert "TBOPS_LEDGER_DSN" not in said
    assert "tbops-format-" in said
    assert not Path(said.partition("]")[2]).exists()


@pytest.mark.parametrize(
    ("code", "said"),
    [("import sys; print('no column b'); sys.exit(3)", "ended with code 3: no column b"),
     ("import os, sys; os.remove(sys.argv[1])", "left no text in the file"),
     ("import time; time.sleep(30)", "did not end within 0.5 s")],
)  # fmt: skip
def test_what_goes_wrong_is_said(code: str, said: str) -> None:
    with pytest.raises(SystemsError) as refused:
        python(code, 0.5 if "sleep" in code else 20.0).formatted("a.pipe", "x")
    assert said in refused.value.said
    with pytest.raises(SystemsError, match="cannot be started"):
        Formatter(("no-such-program", "{file}"), 1.0).formatted("a.pipe", "x")
