"""How Slack says no: HTTP 200 and ``{"ok": false, "error": code}``, sometimes with more beside it."""

from typing import Any


class SlackRefusal(Exception):
    """A Web API call was refused with ``code``; ``extra`` goes into the answer as it is."""

    def __init__(self, code: str, messages: list[str] | None = None, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra
        if messages:
            self.extra["response_metadata"] = {"messages": [f"[ERROR] {text}" for text in messages]}

    def body(self) -> dict[str, Any]:
        return {"ok": False, "error": self.code, **self.extra}


class RateLimited(Exception):
    """Answered as HTTP 429 with ``Retry-After`` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"ratelimited, retry after {retry_after} s")
        self.retry_after = retry_after
