"""Files are opened and sealed by commands; the plain text goes nowhere else (facts/systems.md §7)."""

import copy
import os
import pickle
import sys
from pathlib import Path

import pytest

from systems.encrypted import Commands, EncryptedFile, Plain
from systems.errors import SystemsError

PATH = "local/kafka-connect/tinybird-sink.properties.enc"
SECRET = "p.planted-secret-0123"
TEXT = f"topics=a,b\nheaders=Authorization: Bearer {SECRET}\npassword={SECRET}x\n"
# Turns every byte around: enough of a cipher to see what goes where.
TURNED = "import sys; sys.stdout.buffer.write(bytes(255 - b for b in sys.stdin.buffer.read()))"


def _python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def _file(decrypt: str = TURNED, encrypt: str = TURNED, timeout_s: float = 30.0) -> EncryptedFile:
    return EncryptedFile(PATH, Commands(_python(decrypt), _python(encrypt), timeout_s=timeout_s))


def _turned(text: str) -> bytes:
    return bytes(255 - byte for byte in text.encode())


def test_what_is_sealed_opens_again_to_the_same_bytes() -> None:
    file = _file()
    assert file.opened(_turned(TEXT)) == Plain(TEXT)
    assert file.sealed(Plain(TEXT + "ä\r\n")) == _turned(TEXT + "ä\r\n")


def test_a_command_is_no_shell_and_is_told_the_files_name(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tells = "import sys; print(sys.argv[1:])"
    commands = Commands([*_python(tells), "{name}", f"$(touch {mark})", "; ls"], [])
    told = EncryptedFile(PATH, commands).opened(b"x").reveal()
    assert told == f"{['tinybird-sink.properties.enc', f'$(touch {mark})', '; ls']}\n"
    assert not mark.exists()


def test_a_command_gets_the_environment_that_is_named_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TBOPS_LEDGER_DSN", SECRET)
    tells = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    commands = Commands(_python(tells), [], {"KEY_FILE": "/secrets/age.txt"})
    assert EncryptedFile(PATH, commands).opened(b"x").reveal() == "['KEY_FILE', 'PATH']\n"


FAILS = "import sys; text = sys.stdin.read(); sys.stdout.write(text); sys.stderr.write('near ' + text); sys.exit(3)"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('no key')", "ended with code 1: no key"),
        ("pass", "wrote nothing"),
        ("print('x' * 1_000_001)", "wrote more than 1,000,000 bytes"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe')", "opens to is no text"),
    ],
)
def test_a_command_that_fails_is_told_of(program: str, said: str) -> None:
    with pytest.raises(SystemsError, match=said) as failed:
        _file(decrypt=program).opened(b"sealed")
    assert (failed.value.system, failed.value.call) == ("decrypt", PATH)


def test_a_command_that_is_not_there_is_told_of() -> None:
    with pytest.raises(SystemsError, match="/no/such/age cannot be started: No such file"):
        EncryptedFile(PATH, Commands(["/no/such/age"], [])).opened(b"x")


def test_a_command_that_hangs_is_ended_with_what_it_started() -> None:
    hangs = "import subprocess; subprocess.run(['sleep', '600'])"
    with pytest.raises(SystemsError, match=r"did not end within 0\.5 s") as failed:
        _file(decrypt=hangs, timeout_s=0.5).opened(b"x")
    assert failed.value.retryable


def test_sealing_that_seals_nothing_or_something_else_is_refused() -> None:
    with pytest.raises(SystemsError, match="nothing was encrypted"):
        _file(encrypt="import sys; sys.stdout.write(sys.stdin.read())").sealed(Plain(TEXT))
    with pytest.raises(SystemsError, match="opens to another text"):
        _file(encrypt=TURNED.replace("sys.stdin.buffer.read()", "sys.stdin.buffer.read()[1:]")).sealed(Plain(TEXT))


def _chain(error: BaseException | None) -> str:
    """All that a log could show of an error, its causes and where it was raised."""
    shown: list[str] = []
    while error is not None:
        shown.append(f"{error!s} {error!r} {vars(error)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " ".join(shown)


def test_the_plain_text_is_in_no_error() -> None:
    loud = FAILS.replace("'near ' + text", "'near ' + text + ' and ' + text.split()[-1].split('=')[1]")
    slow = FAILS.replace("sys.exit(3)", "sys.stdout.flush(); sys.stderr.flush(); import time; time.sleep(600)")
    garbles = "import sys; sys.stdout.write(sys.stdin.read()); sys.stdout.flush(); sys.stdout.buffer.write(b'\\xff')"
    plain = Plain(TEXT)
    failing = [
        lambda: _file(encrypt=loud).sealed(plain),
        lambda: _file(encrypt=slow, timeout_s=0.5).sealed(plain),
        lambda: _file(encrypt=FAILS.replace("sys.exit(3)", "")).sealed(plain),
        lambda: _file(decrypt=loud).opened(TEXT.encode()),
        lambda: _file(decrypt=garbles).opened(TEXT.encode()),
    ]
    for fail in failing:
        with pytest.raises(SystemsError) as failed:
            fail()
        assert SECRET not in _chain(failed.value)
        assert "topics=a,b" not in _chain(failed.value)


def test_the_plain_text_shows_itself_to_nobody_who_does_not_ask() -> None:
    plain = Plain(TEXT)
    assert SECRET not in f"{plain} {plain!r} {[plain]}"
    assert plain.reveal() == TEXT
    with pytest.raises(TypeError):
        pickle.dumps(plain)
    with pytest.raises(TypeError):
        copy.deepcopy(plain)
    assert SECRET not in repr(Commands(["x"], ["y"], {"KEY": SECRET}))


def test_a_value_of_the_environment_is_in_no_error() -> None:
    tells = "import os, sys; sys.exit('cannot use ' + os.environ['KEY'])"
    commands = Commands(_python(tells), [], {"KEY": SECRET, "PATH": os.environ["PATH"]})
    with pytest.raises(SystemsError, match=r"cannot use \*\*\*") as failed:
        EncryptedFile(PATH, commands).opened(b"x")
    assert SECRET not in _chain(failed.value)
