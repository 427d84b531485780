"""Block Kit's rules: lengths, counts, surfaces and shapes (facts/slack.md §3.2, §3.3)."""
