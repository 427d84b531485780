"""The command line. Each command imports what it needs when it runs: `tbops plan` starts in a blink,
and the image does without the sandbox's packages."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from config.errors import SettingsError

USAGE = 2  # the exit code of a command line that cannot be understood


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. What went wrong is one sentence on standard error."""
    given = _parser().parse_args(arguments)
    _print_whatever_comes()
    try:
        return given.run(given)
    except SettingsError as wrong:
        print(f"tbops cannot start.\n{wrong}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head`: nobody reads on; what Python would flush at its end goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _print_whatever_comes() -> None:
    """A terminal that cannot show a character shows a mark for it instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _filled(text: str) -> str:
    """An option's value; an empty one is a variable of the shell that was never set."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    if "\0" in text:
        raise argparse.ArgumentTypeError("it holds a NUL")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tbops", description="Data-platform migrations: planned, approved, proven.")
    parser.add_argument("--version", action="version", version=f"tbops {metadata.version('tbops')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    sandbox = commands.add_parser("sandbox", help="the whole platform on this machine, to try things on")
    sandbox.add_argument("--port", type=int, default=8700, help="the first of nine ports; 0 finds free ones (8700)")
    sandbox.add_argument("--seed", choices=("small", "estate"), default="small")
    sandbox.add_argument("--speed", type=float, default=1.0, help="how fast the platform's clock runs (1)")
    sandbox.add_argument("--no-bot", action="store_true", help="start no bot and no worker")
    sandbox.add_argument("--data", help="make the sandbox's private folder in this one; it is taken away at the end")
    sandbox.set_defaults(run=_sandbox)

    demo = commands.add_parser("demo", help="a real migration, played from the command to the proof")
    demo.add_argument("--speed", type=float, default=20.0, help="how fast the platform's clock runs (20)")
    demo.set_defaults(run=_demo)

    plan = commands.add_parser("plan", help="show the plan of a command; nothing is changed")
    plan.add_argument(
        "words", nargs="+", help='the command as it is typed after /tb, e.g. "migrate members add field nickname text"'
    )
    plan.add_argument(
        "--datafiles", metavar="DIR", type=_filled, help="a folder as `tb pull` writes it, instead of the live systems"
    )
    plan.add_argument("--dsn", type=_filled, help="with --datafiles: the Postgres whose tables they replicate")
    plan.add_argument("--json", action="store_true", help="the whole plan as JSON")
    plan.set_defaults(run=_plan)

    lint = commands.add_parser("lint", help="look for hazards in a folder of datafiles")
    lint.add_argument("--datafiles", metavar="DIR", type=_filled, required=True, help="as `tb pull` writes it")
    lint.add_argument("--dsn", type=_filled, help="the Postgres whose tables they replicate")
    lint.add_argument("--json", action="store_true", help="the hazards as a list in JSON")
    lint.set_defaults(run=_lint)

    commands.add_parser("bot", help="speak to Slack").set_defaults(run=_bot)
    worker = commands.add_parser("worker", help="make things happen")
    worker.add_argument("kind", nargs="?", choices=("talk", "work"), help="one kind only; both without it")
    worker.set_defaults(run=_worker)

    commands.add_parser("init-db", help="make or migrate the ledger").set_defaults(run=_init_db)
    commands.add_parser("health", help="does the ledger answer? for health checks").set_defaults(run=_health)
    commands.add_parser("doctor", help="ask every system whether tbops could do its work").set_defaults(run=_doctor)
    audit = commands.add_parser("audit", help="the audit chain").add_subparsers(metavar="WHAT", required=True)
    audit.add_parser("verify", help="prove that no line was changed, added or taken out").set_defaults(run=_verify)
    return parser


def _sandbox(given: argparse.Namespace) -> int:
    from tbops.playground import sandbox

    return sandbox(port=given.port, seed=given.seed, speed=given.speed, bot=not given.no_bot, data=given.data)


def _demo(given: argparse.Namespace) -> int:
    from tbops.playground import demo

    return demo(speed=given.speed)


def _plan(given: argparse.Namespace) -> int:
    from tbops.planning import plan

    return plan(" ".join(given.words), datafiles=given.datafiles, dsn=given.dsn, as_json=given.json)


def _lint(given: argparse.Namespace) -> int:
    from tbops.planning import lint

    return lint(given.datafiles, dsn=given.dsn, as_json=given.json)


def _bot(_given: argparse.Namespace) -> int:
    from tbops.serving import bot

    return bot()


def _worker(given: argparse.Namespace) -> int:
    from tbops.serving import worker

    return worker(given.kind)


def _init_db(_given: argparse.Namespace) -> int:
    from tbops.keeping import init_db

    return init_db()


def _health(_given: argparse.Namespace) -> int:
    from tbops.keeping import health

    return health()


def _doctor(_given: argparse.Namespace) -> int:
    from tbops.checkup import doctor

    return doctor()


def _verify(_given: argparse.Namespace) -> int:
    from tbops.auditing import verify

    return verify()
