"""The manifest asks for what the bot needs and for nothing else."""

import re
from pathlib import Path

import bot
from bot.slack import METHODS
from sandbox.slack.standin import SCOPES

MANIFEST = (Path(bot.__file__).parent.parent / "manifest.yaml").read_text(encoding="utf-8")
EVENTS = {"app_mentions:read", "commands"}  # what is delivered, not called
REACH = {"chat:write.public"}  # where chat:write reaches


def scopes() -> set[str]:
    listed = MANIFEST.split("    bot:\n")[1].split("settings:")[0]
    return set(re.findall(r"^      - ([a-z_.:]+)", listed, re.MULTILINE))


def test_every_method_is_covered_by_a_scope() -> None:
    lacking = {m: needed for m, needed in METHODS.items() if needed and not set(needed) & scopes()}
    assert lacking == {}


def test_no_scope_is_asked_for_that_nothing_needs() -> None:
    used = {scope for needed in METHODS.values() for scope in needed}
    assert scopes() - used - EVENTS - REACH == set()


def test_the_sandbox_grants_the_manifests_scopes_and_no_other() -> None:
    assert set(SCOPES) == scopes()


def test_every_call_of_the_wrapper_is_a_known_method() -> None:
    source = (Path(bot.__file__).parent / "slack.py").read_text(encoding="utf-8")
    called = set(re.findall(r'_call\(\s*"([A-Za-z.]+)"', source))
    assert called <= set(METHODS)
    assert len(called) > 7
