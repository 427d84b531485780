"""The Web API, a module a family of methods. Importing this package registers them all."""

from sandbox.slack.api import chat, conversations, directory, files, misc, views
from sandbox.slack.api.registry import METHODS, Call, Method

__all__ = ["METHODS", "Call", "Method", "chat", "conversations", "directory", "files", "misc", "views"]
