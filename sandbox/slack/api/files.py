"""The three-step upload: ask for a URL, send the bytes, complete (facts/slack.md §2.2)."""

import mimetypes
import secrets

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sandbox.slack import people
from sandbox.slack.api.registry import Call, Json, method
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.store import Message, Workspace
from sandbox.slack.tiers import TIER_4
from sandbox.slack.wire import missing

FILE_LIMIT = 1_000_000_000
PREVIEW_LIMIT = 20_000  # how much of a text file is kept to be shown on the page

PICTURES = ("image/png", "image/jpeg", "image/gif")  # shown on the page as they are


@method("files.getUploadURLExternal", TIER_4, "files:write")
def get_upload_url(call: Call) -> Json:
    name = call.arguments.required("filename")
    length = call.arguments.number("length", 0)
    alt = call.arguments.text("alt_txt")
    if length <= 0:
        raise SlackRefusal("missing_argument", ["missing required field: length"])
    if length > FILE_LIMIT:
        raise SlackRefusal("file_upload_size_restricted")
    file_id = "F" + secrets.token_hex(5).upper()
    file = {"id": file_id, "name": name, "size": length, "uploaded": False, "preview": "", "alt_txt": alt}
    file["mimetype"] = mimetypes.guess_type(name)[0] or "application/octet-stream"
    call.slack.workspace.files[file_id] = file
    return {"upload_url": f"{call.slack.base_url}/upload/v1/{file_id}", "file_id": file_id}


async def receive(request: Request, workspace: Workspace) -> Response:
    """The upload URL: raw bytes, no Authorization."""
    file = workspace.files.get(request.path_params["file_id"])
    if file is None:
        return PlainTextResponse("file_not_found", 404)
    body = await request.body()
    if len(body) != file["size"]:
        return PlainTextResponse(f"expected {file['size']} bytes, got {len(body)}", 400)
    file["uploaded"] = True
    if file["mimetype"] in PICTURES:
        workspace.pictures[file["id"]] = body
    else:
        file["preview"] = body[:PREVIEW_LIMIT].decode("utf-8", "replace")
    return PlainTextResponse(f"OK - {len(body)}")


@method("files.completeUploadExternal", TIER_4, "files:write")
def complete_upload(call: Call) -> Json:
    try:
        wanted = call.arguments.json("files")
    except ValueError as exc:
        raise SlackRefusal("invalid_arguments") from exc
    if not isinstance(wanted, list) or not wanted:
        raise missing("files")
    files = [_finished(call, entry) for entry in wanted]
    if "channel_id" in call.arguments:
        _share(call, files)
    return {"files": [{"id": file["id"], "title": file["title"]} for file in files]}


def _finished(call: Call, entry: Json) -> Json:
    file = call.slack.workspace.files.get(str(entry.get("id")))
    if file is None or not file["uploaded"]:
        raise SlackRefusal("file_not_found")
    file["title"] = entry.get("title") or file["name"]
    return file


def _share(call: Call, files: list[Json]) -> None:
    """As a message of the bot, which must be in the channel: chat:write.public is not enough."""
    channel = call.known_channel(call.slack.workspace.channels.get(call.arguments.text("channel_id")))
    if channel.archived:
        raise SlackRefusal("is_archived")
    if people.BOT_USER not in channel.members:
        raise SlackRefusal("not_in_channel")
    root = channel.public_message(call.arguments.text("thread_ts"))
    message = Message(
        channel=channel.id,
        ts=channel.next_ts(),
        user=people.BOT_USER,
        text=call.arguments.text("initial_comment"),
        thread_ts=(root.thread_ts or root.ts) if root else None,
        files=files,
    )
    call.slack.post(message)
