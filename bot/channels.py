"""Whether the bot can speak where it should: what Slack says of each channel, and what came of the last message."""

from typing import Any

from bot.cards.notices import CLOSED
from bot.slack import Slack, SlackTrouble
from config.settings import Channels
from ledger import messages
from ledger.connection import Conn


def check(slack: Slack, conn: Conn, channels: Channels) -> dict[str, Any]:
    """A line for the doctor: ``name``, ``ok`` and ``said``, which names each channel that is closed and the remedy."""
    keys = {"migrations": channels.migrations, "alerts": channels.alerts, "fallback": channels.fallback or ""}
    named = {key: channel for key, channel in keys.items() if channel}
    troubles = messages.last_troubles(conn, list(named.values()))
    shut, well = list[str](), list[str]()
    for key, channel in named.items():
        name, why = _standing(slack, channel)
        why = why or (f"the last message to it failed: {troubles[channel]}" if channel in troubles else "")
        if why:
            shut.append(f"{name} ({key}): {why}")
        else:
            well.append(name)
    can = f"the bot can post in {' and '.join(dict.fromkeys(well))}" if well else "the bot can post nowhere"
    if not shut:
        return {"name": "channels", "ok": True, "said": can}
    remedy = "open the channel or invite the bot (/invite), or name another one under channels in tbops.toml"
    return {"name": "channels", "ok": False, "said": f"{'; '.join(shut)}. {remedy[0].upper()}{remedy[1:]}; {can}."}


def _standing(slack: Slack, channel: str) -> tuple[str, str]:
    """What it is called, and why the bot cannot post there; empty where it can."""
    try:
        found = slack.channel(channel)
    except SlackTrouble as exc:
        return channel, CLOSED.get(exc.code, f"Slack does not say what it is ({exc.code})")
    name = f"#{found.get('name') or channel}"
    if found.get("is_archived"):
        return name, CLOSED["is_archived"]
    closed = bool(found.get("is_private")) and not found.get("is_member")  # public ones need no invitation
    return name, CLOSED["not_in_channel"] if closed else ""
