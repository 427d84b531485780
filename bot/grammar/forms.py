"""Every command form, once: what is typed, what it does, and the value it becomes. Parser and help both read this."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bot.grammar import commands as c
from bot.grammar.options import Options
from bot.grammar.patterns import Element, compiled, usage
from bot.grammar.refusal import Refused, shown
from runbooks.request import (
    AddFields,
    AddIndex,
    Change,
    ChangeType,
    CopyDeed,
    Migrate,
    Promote,
    Propose,
    Pull,
    Push,
    RemoveFields,
    Rename,
    Replicate,
    Request,
    Retire,
    Revert,
    SetDefault,
    SortBy,
    Timetable,
    Unreplicate,
)  # fmt: skip

Caught = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """The line as typed, what the slots caught, and the options."""

    text: str
    caught: Caught
    options: Options


@dataclass(frozen=True)
class Form:
    """``takes`` are the options that mean something to it."""

    pattern: str
    says: str
    make: Callable[[Line], c.Command]
    takes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.pattern.split()[0]

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        return compiled(self.pattern)

    @property
    def usage(self) -> str:
        return usage(self.pattern)


REQUEST = ("env", "strategy", "at", "note")
ENV = ("env",)
COPY = ("env", "at", "note")

SNOOZE_S = 4 * 3600


def _request(line: Line, job: Any) -> Request:
    o = line.options
    return Request(text=line.text, job=job, environment=o.env, strategy=o.strategy, at=o.at, note=o.note)


def _migrate(change: Callable[[Caught], Change]) -> Callable[[Line], Request]:
    def make(line: Line) -> Request:
        found = line.caught
        datasources = found.get("datasources") or (found["datasource"],)
        return _request(line, Migrate(datasources=datasources, change=change(found)))

    return make


def _fields(found: Caught) -> AddFields:
    return AddFields(fields=found["fields"])


def _typed_fields(found: Caught) -> AddFields:
    untyped = next((f.name for f in found["fields"] if f.type is None), None)
    if untyped:
        raise Refused(f"The type of {shown(untyped)} is missing; `add fields` needs one for each")
    return _fields(found)


def _decide(line: Line) -> c.Decide:
    found = line.caught
    up_to = "word2" in found
    return c.Decide(found["word0"], found["run"], found.get("step"), up_to, line.options.note)


def _silence(line: Line) -> c.Silence:
    found = line.caught
    return c.Silence(found["pipe"], found.get("duration"), found.get("why", ""), line.options.env)


_MOVES = {"pull": Pull, "push": Push, "promote": Promote}


def _move(line: Line) -> Request:
    return _request(line, _MOVES[line.caught["word0"]](pattern=line.caught.get("pattern")))


def _copy(asked: Callable[[Caught], dict[str, Any]]) -> Callable[[Line], Request]:
    return lambda line: _request(line, CopyDeed(pipe=line.caught["pipe"], **asked(line.caught)))


FORMS: tuple[Form, ...] = (
    Form("migrate <datasources> add field <field>", "Adds a column, filled for every row.",
         _migrate(lambda f: AddFields(fields=(f["field"],))), REQUEST),
    Form("migrate <datasource> add fields <fields>", "Adds several columns in one run.",
         _migrate(_typed_fields), REQUEST),
    Form("migrate <datasource> change field <name> to <type> [default <literal>]", "Changes a column's type.",
         _migrate(lambda f: ChangeType(name=f["name"], type=f["type"], default=f.get("literal"))), REQUEST),
    Form("migrate <datasource> set default <name> <literal>", "Changes a column's default.",
         _migrate(lambda f: SetDefault(name=f["name"], default=f["literal"])), REQUEST),
    Form("migrate <datasource> remove field <names>", "Removes columns that nothing reads any more.",
         _migrate(lambda f: RemoveFields(names=f["names"])), REQUEST),
    Form("migrate <datasource> sort by <columns>", "Rebuilds a datasource with another sorting key.",
         _migrate(lambda f: SortBy(columns=f["columns"])), REQUEST),
    Form("migrate <datasource> add index <name> <index>", "Adds a skip index.",
         _migrate(lambda f: AddIndex(name=f["name"], expression=f["index"][0], type=f["index"][1])), REQUEST),
    Form("replicate <table> [as <datasource>]", "Brings a Postgres table to Tinybird through Sequin.",
         lambda line: _request(line, Replicate(table=line.caught["table"], datasource=line.caught.get("datasource"))),
         REQUEST),
    Form("unreplicate <table>", "Ends a table's replication.",
         lambda line: _request(line, Unreplicate(table=line.caught["table"])), REQUEST),
    Form("rename <datasource> to <new>", "Renames a datasource and moves its readers.",
         lambda line: _request(line, Rename(datasource=line.caught["datasource"], to=line.caught["new"])),
         REQUEST),
    *(Form(f"{deed} [<pattern>]", says, _move, ("env", "at", "note"))
      for deed, says in (("pull", "Brings the workspace's datafiles into the repository."),
                         ("push", "Brings the repository's datafiles to the workspace."),
                         ("promote", "Carries out in production what passed in staging."))),
    Form("runs", "Lists the open runs.", lambda line: c.Runs(line.options.env), ENV),
    Form("show <run>", "Posts where a run stands.", lambda line: c.Show(line.caught["run"])),
    Form("approve <run> [<step>]", "Approves the next step, or the one named.", _decide, ("note",)),
    Form("approve <run> up to <step>", "Approves every step up to the one named.", _decide, ("note",)),
    *(Form(f"{deed} <run> [<step>]", says, _decide, ("note",))
      for deed, says in (("reject", "Turns a plan down."), ("pause", "Stops after what is being done."),
                         ("resume", "Goes on with a paused run."),
                         ("abort", "Ends a run and puts back what it stopped."),
                         ("retry", "Tries a held step again; of a run that is over, plans what it left, or it anew."))),
    Form("retire <run>", "Drops the table that a finished run set aside.",
         lambda line: _request(line, Retire(run=line.caught["run"])), ("note", "at")),
    Form("revert <run>", "Puts back what a finished run replaced, with the rows that came since.",
         lambda line: _request(line, Revert(run=line.caught["run"])), ("strategy", "note", "at")),
    Form("propose <run>", "Offers the datafiles and the SQL of a finished run to the repository, by a pull request.",
         lambda line: _request(line, Propose(run=line.caught["run"])), ("note", "at")),
    Form("lineage <resource>", "Shows what a resource reads and who reads it.",
         lambda line: c.Lineage(line.caught["resource"], line.options.env), ENV),
    Form("copies", "Shows the copy pipes: how each runs, what is wrong, a picture of the day.",
         lambda line: c.Copies(line.options.env), ENV),
    Form("copies reschedule [<pattern>]",
         "Proposes times at which copies wait for what they read and leave a slot free.",
         lambda line: _request(line, Timetable(pattern=line.caught.get("pattern"))), ("env", "at", "note")),
    Form("copy <pipe> run|pause|resume", "Runs, pauses or resumes a copy pipe.",
         _copy(lambda f: {"deed": f["word1"]}), COPY),
    Form("copy <pipe> run in order", "Runs a copy pipe, and behind it those that depend on what it makes.",
         _copy(lambda _: {"deed": "run", "onward": True}), COPY),
    Form("copy <pipe> run clear", "Deletes the rows of a copy pipe's last run, and runs it again.",
         _copy(lambda _: {"deed": "run", "clear": True}), COPY),
    Form("incidents", "Lists what is wrong with the copies and the data now.",
         lambda line: c.Incidents(line.options.env), ENV),
    Form("ack <incident>", "Takes an incident.", lambda line: c.Incident("ack", line.caught["incident"])),
    Form("snooze <incident> [<duration>]", "Puts an incident off, for 4 hours if no other time is given.",
         lambda line: c.Incident("snooze", line.caught["incident"], line.caught.get("duration", SNOOZE_S))),
    Form("snooze <incident> for <duration>", "The same.",
         lambda line: c.Incident("snooze", line.caught["incident"], line.caught["duration"])),
    Form("snooze <incident> until tomorrow", "Puts an incident off until 09:00 UTC of the next day.",
         lambda line: c.Incident("snooze", line.caught["incident"], "tomorrow")),
    Form("silence <pipe> [for <duration>] [<why>]",
         "Lets nobody hear of a pipe, until it is lifted if for no other time.", _silence, ENV),
    Form("unsilence <pipe>", "Lets a pipe that was silenced be heard of again.",
         lambda line: c.Unsilence(line.caught["pipe"], line.options.env), ENV),
    Form("unfreeze", "Lets runs go on again.", lambda line: c.Unfreeze(line.options.env), ENV),
    Form("doctor", "Checks settings, rights and connections.", lambda line: c.Doctor(False, line.options.env), ENV),
    Form("doctor probe", "Tries out what a workspace can do, on throwaway resources.",
         lambda line: c.Doctor(True, line.options.env), ENV),
)  # fmt: skip

# These two do not read like the others: the rest of their line is a sentence or another command.
FREEZE = Form(
    "freeze",
    "Stops every run where it stands and begins none.",
    lambda line: c.Freeze(line.text, line.options.env),
    ENV,
)
PLAN = Form("plan", "Shows the plan of any of the above.", lambda line: c.Help("plan"), REQUEST)
HELP = Form("help", "This page, or one command's part of it.", lambda line: c.Help(None))

SHOWN = (*FORMS, FREEZE, PLAN, HELP)
TAIL = {"freeze": " [<reason>]", "plan": " <any of the above>", "help": " [<command>]"}
NAMES = tuple(dict.fromkeys(form.name for form in SHOWN))


def check_options(form: Form, options: Options) -> None:
    """Raises Refused for an option that would be silently ignored."""
    for given in options.given():
        if given not in form.takes:
            raise Refused(f"`--{given}` means nothing to `{form.name}`")
