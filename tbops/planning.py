"""`tbops plan` and `tbops lint`: reading only. Exit 0 clean, 1 with findings of level error, 2 for usage.

What only the live systems or a Postgres need is imported when they are asked: a plan of a folder starts without it.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot import grammar
from runbooks.errors import RunbooksError
from runbooks.facts import folder
from runbooks.facts.model import Facts, PgTable
from runbooks.lint import lint as hazards_of
from runbooks.plan import Hazard
from runbooks.planner import live_facts, make_plan, questions_of
from runbooks.questions import answered
from runbooks.request import Request
from systems.errors import SystemsError
from tbops.text import hazard_lines, plan_text, summary

if TYPE_CHECKING:
    from systems.postgres import Postgres

CLEAN, FINDINGS, USAGE = 0, 1, 2
OFFLINE = "datafiles"  # the environment's name where there is none


def plan(words: str, *, datafiles: str | None, dsn: str | None, as_json: bool) -> int:
    request = _request(words)
    if request is None:
        return USAGE
    try:
        made = make_plan(request, _facts(request, datafiles, dsn))
    except (RunbooksError, SystemsError) as refused:
        print(refused, file=sys.stderr)
        return USAGE
    print(json.dumps(made.to_json(), indent=2, ensure_ascii=False) if as_json else plan_text(made))
    return FINDINGS if made.blocked else CLEAN


def lint(datafiles: str, *, dsn: str | None, as_json: bool) -> int:
    try:
        found = hazards_of(_from_folder(datafiles, dsn, None))
    except (RunbooksError, SystemsError) as refused:
        print(refused, file=sys.stderr)
        return USAGE
    _print_hazards(found, as_json=as_json)
    return FINDINGS if any(hazard.level == "error" for hazard in found) else CLEAN


def _request(words: str) -> Request | None:
    """The request in a line as typed after /tb; what is wrong with it is said."""
    words = words.strip()
    for called in ("/tb ", "@tb "):  # pasted as it is typed in Slack
        words = words.removeprefix(called)
    match grammar.parse(words):
        case grammar.Refusal() as refusal:
            print(refusal.sentence, file=sys.stderr)
        case Request() as request:
            return request
        case _:
            said = f"`{words.split()[0]}` makes no run, so it has no plan" if words.split() else "There is no command"
            print(f"{said}; a command with one is `migrate members add field nickname text`.", file=sys.stderr)
    return None


def _facts(request: Request, datafiles: str | None, dsn: str | None) -> Facts:
    if datafiles is None:
        return _from_systems(request)
    facts = _from_folder(datafiles, dsn, request.environment)
    return answered(facts, questions_of(request, facts), _postgres(dsn), None, None) if dsn else facts


def _from_systems(request: Request) -> Facts:
    from config import settings as config
    from systems.permit import read_only
    from tbops.sites import Sites

    settings = config.load()
    environment = request.environment or settings.default_environment
    site = replace(Sites(settings)(environment, 0, read_only), now=datetime.now(UTC))
    return live_facts(request, site)


def _from_folder(path: str, dsn: str | None, environment: str | None) -> Facts:
    return folder.read_folder(
        Path(path), tables=_tables(dsn) if dsn else None, environment=environment or OFFLINE, now=datetime.now(UTC)
    )


def _tables(dsn: str) -> Mapping[str, PgTable]:
    from runbooks.facts import live

    found = _postgres(dsn).catalog(publication="sequin_pub", role="sequin")
    return {name: live.table(info) for name, info in found.items()}


def _postgres(dsn: str) -> "Postgres":
    from systems.permit import read_only
    from systems.postgres import Postgres

    return Postgres(dsn, read_only)


def _print_hazards(found: Iterable[Hazard], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([hazard.model_dump(mode="json") for hazard in found], indent=2, ensure_ascii=False))
        return
    hazards = list(found)
    print("\n".join([*hazard_lines(hazards), "", summary(hazards)]) if hazards else "No hazard found.")
