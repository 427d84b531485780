"""Types and default values of both sides."""
