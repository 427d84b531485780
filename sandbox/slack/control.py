"""The /sandbox/slack/* routes: people's hands and eyes for tests, the demo and the page (DESIGN §8)."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.asking import Impossible, body_of, needed, plainly
from sandbox.slack import people
from sandbox.slack.hands import Hands
from sandbox.slack.payloads import view_body
from sandbox.slack.standin import Slack
from sandbox.slack.store import Channel, Json, Message, View


def message_shown(message: Message, channel: Channel) -> Json:
    """A message as people see it."""
    known = people.person(message.user)
    replies = channel.replies(message.ts)
    return {
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.user,
        "user_name": known.name if known else message.user,
        "text": message.text,
        "blocks": message.blocks,
        "edited": message.edited is not None,
        "ephemeral": message.ephemeral_to is not None,
        "broadcast": message.subtype == "thread_broadcast",
        "deleted": message.subtype == "tombstone",
        "reply_count": len(replies),
        "revisions": message.revisions,
        "reactions": {name: list(users) for name, users in message.reactions.items()},
        "files": message.files,
        "metadata": message.metadata,
    }


def view_shown(view: View) -> Json:
    return {**view_body(view), "errors": view.errors}


class Control:
    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._hands = Hands(slack)

    async def command(self, request: Request) -> Response:
        body = await body_of(request)
        user, channel, text = needed(body, "user", "channel", "text")
        who = self._hands.person(user).id
        outcome = await self._hands.types(who, self._hands.channel(channel, who), str(text), body.get("thread_ts"))
        return JSONResponse(outcome.body())

    async def click(self, request: Request) -> Response:
        body = await body_of(request)
        user, action_id = needed(body, "user", "action_id")
        who = self._hands.person(user).id
        value, values = body.get("value"), body.get("values") or {}
        if "view_id" in body:
            outcome = await self._hands.presses_in_view(who, str(body["view_id"]), action_id, value, values)
            return JSONResponse(outcome.body())
        channel, ts = needed(body, "channel", "message_ts")
        outcome = await self._hands.presses(who, self._hands.channel(channel, who), str(ts), action_id, value, values)
        return JSONResponse(outcome.body())

    async def submit(self, request: Request) -> Response:
        body = await body_of(request)
        user, view_id = needed(body, "user", "view_id")
        outcome = await self._hands.submits(self._hands.person(user).id, str(view_id), body.get("values") or {})
        return JSONResponse(outcome.body())

    async def close(self, request: Request) -> Response:
        user, view_id = needed(await body_of(request), "user", "view_id")
        return JSONResponse((await self._hands.closes(self._hands.person(user).id, str(view_id))).body())

    async def home(self, request: Request) -> Response:
        (user,) = needed(await body_of(request), "user")
        return JSONResponse((await self._hands.opens_home(self._hands.person(user).id)).body())

    async def archive(self, request: Request) -> Response:
        return await self._to_room(request, lambda room: self._hands.archives(room, True))

    async def unarchive(self, request: Request) -> Response:
        return await self._to_room(request, lambda room: self._hands.archives(room, False))

    async def kick(self, request: Request) -> Response:
        """Remove the bot from a channel."""
        return await self._to_room(request, lambda room: self._hands.moves_bot(room, False))

    async def invite(self, request: Request) -> Response:
        """Bring the bot into a channel."""
        return await self._to_room(request, lambda room: self._hands.moves_bot(room, True))

    async def _to_room(self, request: Request, do: Callable[[Channel], None]) -> Response:
        (name,) = needed(await body_of(request), "channel")
        room = self._room(str(name))
        do(room)
        return JSONResponse({"ok": True, **self._standing(room)})

    def _room(self, name: str) -> Channel:
        channel = self._slack.workspace.channel(name)
        if channel is None:
            raise Impossible(f"there is no channel {name!r}")
        return channel

    def _standing(self, room: Channel) -> Json:
        return {"archived": room.archived, "bot": self._slack.bot_user in room.members}

    async def delete(self, request: Request) -> Response:
        user, channel, ts = needed(await body_of(request), "user", "channel", "message_ts")
        who = self._hands.person(user).id
        self._hands.deletes(who, self._hands.channel(channel, who), str(ts))
        return JSONResponse({"ok": True})

    async def picture(self, request: Request) -> Response:
        """The bytes of an uploaded picture, as the page shows it."""
        name = request.path_params["file_id"]
        if name not in self._slack.workspace.pictures:
            raise Impossible(f"there is no picture {name!r}")
        kind = self._slack.workspace.files[name]["mimetype"]
        return Response(self._slack.workspace.pictures[name], media_type=kind)

    async def messages(self, request: Request) -> Response:
        name = request.path_params["name"]
        user = request.query_params.get("user")
        who = self._hands.person(user).id if user else None
        channel = self._hands.channel(name, who) if who else self._room(name)
        shown = [message_shown(message, channel) for message in channel.visible_to(who)]
        return JSONResponse({"ok": True, "channel": channel.id, "messages": shown})

    async def views(self, request: Request) -> Response:
        who = self._hands.person(request.query_params.get("user", "")).id
        home = self._slack.workspace.homes.get(who)
        stack = [view_shown(view) for view in self._slack.modals.stack(who)]
        return JSONResponse({"ok": True, "views": stack, "home": view_shown(home) if home else None})

    async def directory(self, request: Request) -> Response:
        """Who there is and which channels this person sees: what the page starts from."""
        who = self._hands.person(request.query_params.get("user", people.ANA.name)).id
        rooms = [c for c in self._slack.workspace.channels.values() if who in c.members]
        listed = [self._listed(channel) for channel in rooms]
        humans = [{"id": p.id, "name": p.name, "real_name": p.real_name, "bot": p.is_bot} for p in people.EVERYONE]
        groups = [{"id": g.id, "handle": g.handle} for g in people.GROUPS]
        return JSONResponse({"ok": True, "people": humans, "groups": groups, "channels": listed})

    def _listed(self, channel: Channel) -> Json:
        direct = channel.direct_with is not None
        name = people.BOT_NAME if direct else channel.name
        shown = {"id": channel.id, "name": name, "topic": channel.topic, "private": channel.private, "direct": direct}
        return {**shown, **self._standing(channel)}

    async def request_url(self, request: Request) -> Response:
        """Switch to signed HTTP; the app must answer Slack's challenge first. ``null`` goes back to sockets."""
        (url,) = needed(await body_of(request), "url")
        if url and not await self._slack.delivery.verify(str(url)):
            return JSONResponse({"ok": False, "error": f"{url} did not answer the challenge"}, 400)
        self._slack.delivery.request_url = str(url) if url else None
        return JSONResponse({"ok": True, "request_url": self._slack.delivery.request_url})

    async def disconnect(self, request: Request) -> Response:
        body = await body_of(request)
        asked = await self._slack.sockets.disconnect(str(body.get("reason", "refresh_requested")))
        return JSONResponse({"ok": True, "connections": asked})

    async def drop(self, _: Request) -> Response:
        return JSONResponse({"ok": True, "connections": self._slack.sockets.drop()})

    async def hang_up(self, _: Request) -> Response:
        """What a stopping server does first."""
        self._slack.hang_up()
        return JSONResponse({"ok": True})

    async def stats(self, _: Request) -> Response:
        return JSONResponse({"ok": True, **self._slack.delivery.stats()})

    async def feed(self, _: Request) -> Response:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._slack.feed.stream(), media_type="text/event-stream", headers=headers)


def routes(slack: Slack) -> list[Route]:
    control = Control(slack)
    posts = ("command", "click", "submit", "close", "home", "request_url", "disconnect", "drop", "hang_up")
    posts += ("archive", "unarchive", "kick", "invite", "delete")
    gets = ("views", "directory", "stats", "feed")
    found = [Route(f"/sandbox/slack/{name}", plainly(getattr(control, name)), methods=["POST"]) for name in posts]
    found += [Route(f"/sandbox/slack/{name}", plainly(getattr(control, name))) for name in gets]
    found.append(Route("/sandbox/slack/pictures/{file_id}", plainly(control.picture)))
    found.append(Route("/sandbox/slack/channels/{name}/messages", plainly(control.messages)))
    return found
