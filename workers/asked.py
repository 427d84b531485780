"""Answers to questions: what reads a resource, whether every system answers, how the copies stand.

An answer is a value in the ledger; ``{"error": sentence}`` where a system did not say.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ledger import capability, incidents, questions
from ledger.connection import calendar
from ledger.questions import Question
from ledger.values import Json
from runbooks import probe
from runbooks.facts import live
from runbooks.fields import nearest
from runbooks.lineage.around import around
from runbooks.site import Site
from systems.errors import NotPermitted, SystemsError
from systems.permit import read_only
from workers.context import Context
from workers.copies import copies
from workers.doctor import checked

_LEASE_S = 120.0  # longer than asking every system may take


def answer(context: Context, number: int) -> None:
    """Answer the question, unless it is answered or somebody is at it."""
    with context.pool.connection() as conn:
        question = questions.take(conn, number, owner=context.owner, lease_s=_LEASE_S)
        now = calendar(conn)
    if question is None:
        return
    environment = str(question.asked.get("environment") or context.settings.default_environment)
    try:
        value = {"environment": environment, **_found(context, environment, question, now)}
    except SystemsError as error:
        value = {"environment": environment, "error": f"{error}. Ask again when it answers."}
    with context.pool.connection() as conn:
        behind = questions.answer(conn, number, value)
    for message in behind:
        context.bell.ring("publish", message)


def _found(context: Context, environment: str, question: Question, now: datetime) -> dict[str, Any]:
    if question.kind == "probe":
        return _probe(context, environment, question)
    told = _ANSWERS.get(question.kind)
    if told is None:  # asked by a newer bot than this worker
        return {"error": f"Nobody knows how to answer “{question.kind}”."}
    asked = dict(question.asked)
    if question.kind == "copies":
        asked["incidents"] = _incidents(context, environment)
    return told(replace(context.site(environment, 0, read_only), now=now), asked)


def _incidents(context: Context, environment: str) -> dict[str, int]:
    """The open incidents of pipes and data sources that are still in trouble, by name."""
    with context.pool.connection() as conn:
        opened = incidents.all_open(conn, environment)
    return {each.name: each.id for each in opened if each.kind != "watch" and not each.told.healed}


def _probe(context: Context, environment: str, question: Question) -> dict[str, Any]:
    """What the workspace can do, on throwaway resources; ``findings`` of ``{"name", "value", "said"}``, recorded."""
    if context.settings.environment(environment).production:
        return {"error": f"{environment} is a production environment: nothing is tried out there. Ask in staging."}
    found = probe.probe(context.site(environment, 0, _throwaway).tinybird, question.id)
    with context.pool.connection() as conn:
        capability.learn(conn, environment, {f.name: f.value for f in found}, actor=question.asker)
    return {"findings": [{"name": f.name, "value": f.value, "said": f.said} for f in found]}


def _throwaway(system: str, call: str) -> None:
    """The permit of a probe: it makes and removes things of its own, in Tinybird alone."""
    if system != "tinybird":
        raise NotPermitted(system, call, said="a probe changes nothing but throwaway resources of Tinybird")


def lineage(site: Site, asked: Json) -> dict[str, Any]:
    """What feeds a resource and what it feeds: ``around``, as ``runbooks.around.Around`` says it."""
    resource = str(asked.get("resource", ""))
    facts = live.read(site, window_s=0.0)
    known = {*facts.datasources, *facts.pipes}
    if resource not in known:
        near = nearest(resource, known)
        hint = f"; did you mean `{near}`?" if near else "."
        return {"error": f"There is no data source or pipe `{resource}` in {site.environment}{hint}"}
    return {"around": around(facts, resource).model_dump(mode="json")}


_ANSWERS: Mapping[str, Callable[[Site, Json], dict[str, Any]]] = {
    "lineage": lineage,
    "copies": copies,
    "doctor": checked,
}
