"""The stack of modals on each person's screen: at most three deep (facts/slack.md §2.5)."""

import secrets

from sandbox.slack.errors import SlackRefusal
from sandbox.slack.feed import Feed
from sandbox.slack.forms import initial_values
from sandbox.slack.store import Json, View, Workspace, new_hash

DEEPEST = 3


class Modals:
    def __init__(self, workspace: Workspace, feed: Feed) -> None:
        self._stacks = workspace.modals
        self._feed = feed

    def stack(self, user: str) -> list[View]:
        return self._stacks.get(user, [])

    def open(self, user: str, body: Json) -> View:
        """A new stack; what was on the screen goes away."""
        self._check_external_id(body)
        view = self._made(user, body, None)
        self._stacks[user] = [view]
        self._feed.tell("views", user=user)
        return view

    def push(self, user: str, body: Json) -> View:
        stack = self.stack(user)
        if not stack:
            raise SlackRefusal("not_found")
        if len(stack) >= DEEPEST:
            raise SlackRefusal("push_limit_reached")
        self._check_external_id(body)
        view = self._made(user, body, stack[-1])
        stack.append(view)
        self._feed.tell("views", user=user)
        return view

    def update(self, view: View, body: Json) -> None:
        """New content under the same id; what was typed stays where block and action are still there."""
        typed = view.values
        view.body = body
        view.hash = new_hash()
        view.errors = {}
        view.values = initial_values(body["blocks"])
        for block_id, actions in view.values.items():
            for action_id in actions:
                if action_id in typed.get(block_id, {}):
                    actions[action_id] = typed[block_id][action_id]
        self._feed.tell("views", user=view.user)

    def close(self, view: View) -> None:
        """Take the view, and what lies above it, off the screen; the one below shows again."""
        stack = self.stack(view.user)
        if view in stack:
            del stack[stack.index(view) :]
        self._feed.tell("views", user=view.user)

    def clear(self, user: str) -> None:
        self._stacks.pop(user, None)
        self._feed.tell("views", user=user)

    def _made(self, user: str, body: Json, below: View | None) -> View:
        view_id = "V" + secrets.token_hex(5).upper()
        view = View(view_id, user, body, new_hash(), below.root_id if below else view_id, below.id if below else None)
        view.values = initial_values(body["blocks"])
        return view

    def _check_external_id(self, body: Json) -> None:
        wanted = body.get("external_id")
        shown = (view for stack in self._stacks.values() for view in stack)
        if wanted and any(view.body.get("external_id") == wanted for view in shown):
            raise SlackRefusal("duplicate_external_id")
