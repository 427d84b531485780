"""Block Kit's numbers, as Slack's docs and two independent libraries give them (facts/slack.md §3.2)."""

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
ID = 255  # block_id, action_id, callback_id, external_id
PRIVATE_METADATA = 3_000
VIEW_BYTES = 250_000
MESSAGE_CHARACTERS = 13_200  # all blocks together; seen between 13,172 and 13,297, not documented

HEADER = 150
SECTION = 3_000
FIELDS = 10
FIELD = 2_000
CONTEXT_ELEMENTS = 10
ACTIONS_ELEMENTS = 25
MARKDOWN = 12_000
IMAGE_URL = 3_000
ALT_TEXT = 2_000
IMAGE_TITLE = 2_000
TABLE_ROWS = 100
TABLE_COLUMNS = 20
PLAN_TASKS = 50
ALERT = 200
INPUT_LABEL = 2_000
INPUT_HINT = 2_000

BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
BUTTON_URL = 3_000
ACCESSIBILITY_LABEL = 75
OPTIONS = 100
OPTION_GROUPS = 100
OVERFLOW_OPTIONS = 5
CHOICES = 10  # checkboxes and radio buttons
OPTION_TEXT = 75
OPTION_VALUE = 150
OPTION_DESCRIPTION = 75
PLACEHOLDER = 150
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
INPUT_LENGTH = 3_000
VIEW_TITLE = 24  # submit and close too

BUTTON_STYLES = ("primary", "danger")

# Which block goes on which surface. `container` and `table` are refused in modals, `alert` in messages.
_EVERYWHERE = ("message", "modal", "home")
SURFACES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("section", "actions", "context", "divider", "header", "image", "input", "rich_text", "video", "card"),
        _EVERYWHERE,
    ),
    "alert": ("modal",),
    **dict.fromkeys(("container", "carousel", "table", "data_table", "data_visualization"), ("message", "home")),
    **dict.fromkeys(("markdown", "plan", "task_card", "context_actions"), ("message",)),
    "file": ("message",),
}
