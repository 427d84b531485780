"""users.*, usergroups.* and bots.info: who people are."""

from collections.abc import Sequence

from sandbox.slack import people
from sandbox.slack.api.registry import Call, Json, method
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.paging import page
from sandbox.slack.tiers import TIER_2, TIER_3, TIER_4


def user_body(person: people.Person, scopes: Sequence[str]) -> Json:
    profile = {"real_name": person.real_name, "display_name": person.name, "team": people.TEAM}
    if person.is_bot:
        profile |= {"bot_id": people.BOT, "api_app_id": people.APP}
    elif "users:read.email" in scopes:
        profile["email"] = person.email
    return {
        "id": person.id,
        "team_id": people.TEAM,
        "name": person.name,
        "real_name": person.real_name,
        "tz": person.tz,
        "is_bot": person.is_bot,
        "deleted": False,
        "is_admin": False,
        "profile": profile,
    }


@method("users.info", TIER_4, "users:read")
def user_info(call: Call) -> Json:
    wanted = call.arguments.required("user")
    for person in people.EVERYONE:
        if person.id == wanted:
            return {"user": user_body(person, call.slack.scopes)}
    raise SlackRefusal("user_not_found")


@method("users.list", TIER_2, "users:read")
def user_list(call: Call) -> Json:
    shown, cursor = page(people.EVERYONE, call.arguments)
    return {"members": [user_body(p, call.slack.scopes) for p in shown], "response_metadata": {"next_cursor": cursor}}


@method("users.lookupByEmail", TIER_3, "users:read.email")
def lookup_by_email(call: Call) -> Json:
    wanted = call.arguments.required("email").lower()
    for person in people.HUMANS:
        if person.email == wanted:
            return {"user": user_body(person, call.slack.scopes)}
    raise SlackRefusal("users_not_found")


def group_body(group: people.Group) -> Json:
    return {
        "id": group.id,
        "team_id": people.TEAM,
        "is_usergroup": True,
        "name": group.name,
        "handle": group.handle,
        "description": "",
        "date_delete": 0,
        "user_count": len(group.users),
        "prefs": {"channels": [], "groups": []},
    }


@method("usergroups.list", TIER_2, "usergroups:read")
def group_list(call: Call) -> Json:
    groups = [group_body(group) for group in people.GROUPS]
    if call.arguments.flag("include_users"):
        groups = [body | {"users": list(group.users)} for body, group in zip(groups, people.GROUPS, strict=True)]
    return {"usergroups": groups}


@method("usergroups.users.list", TIER_2, "usergroups:read")
def group_users(call: Call) -> Json:
    wanted = call.arguments.required("usergroup")
    for group in people.GROUPS:
        if group.id == wanted:
            return {"users": list(group.users)}
    raise SlackRefusal("no_such_subteam")


@method("bots.info", TIER_3, "users:read")
def bot_info(call: Call) -> Json:
    if call.arguments.text("bot", people.BOT) != people.BOT:
        raise SlackRefusal("bot_not_found")
    body = {"id": people.BOT, "app_id": people.APP, "user_id": people.BOT_USER, "name": people.BOT_NAME}
    return {"bot": body | {"deleted": False}}
