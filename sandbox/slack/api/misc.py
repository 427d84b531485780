"""api.test, auth.test, team.info, apps.connections.open and blocks.validate."""

from sandbox.slack import people
from sandbox.slack.api.registry import Call, Json, method
from sandbox.slack.blocks.check import Check
from sandbox.slack.blocks.message import inspect_blocks, inspect_message
from sandbox.slack.blocks.view import inspect_view
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.tiers import SPECIAL, TIER_3, TIER_4

INSPECT = {"blocks": inspect_blocks, "view": inspect_view, "message": inspect_message}


@method("api.test", TIER_4, kind=None)
def api_test(call: Call) -> Json:
    if "error" in call.arguments:
        raise SlackRefusal(call.arguments.text("error"))
    return {"args": {}}


@method("auth.test", SPECIAL)
def auth_test(call: Call) -> Json:
    return {
        "url": f"{call.slack.base_url}/",
        "team": people.TEAM_NAME,
        "user": people.BOT_NAME,
        "team_id": people.TEAM,
        "user_id": people.BOT_USER,
        "bot_id": people.BOT,
        "is_enterprise_install": False,
    }


@method("team.info", TIER_3, "team:read")
def team_info(_: Call) -> Json:
    return {"team": {"id": people.TEAM, "name": people.TEAM_NAME, "domain": people.TEAM_DOMAIN}}


@method("apps.connections.open", TIER_3, kind="app")
def open_connection(call: Call) -> Json:
    address = call.slack.base_url.replace("http://", "ws://", 1)
    return {"url": f"{address}/link/?ticket={call.slack.sockets.ticket()}&app_id={people.APP}"}


@method("blocks.validate", SPECIAL, kind=None)
def validate_blocks(call: Call) -> Json:
    """Slack's public validator: exactly one of ``blocks``, ``view`` and ``message``; no token needed."""
    given = [name for name in INSPECT if name in call.arguments]
    if len(given) != 1:
        raise SlackRefusal("invalid_arguments", ["exactly one of blocks, view, message is required"])
    what = given[0]
    try:
        value = call.arguments.json(what)
    except ValueError as exc:
        raise SlackRefusal("invalid_arguments", [f"invalid JSON [json-pointer:/{what}]"]) from exc
    check = Check()
    INSPECT[what](check, "", value)
    if check.problems:
        raise SlackRefusal(f"invalid_{what}", errors=[problem.body() for problem in check.problems])
    return {}
