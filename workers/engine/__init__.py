"""The engine: a run is advanced, never run. ``advance`` is one tick."""

from workers.engine.tick import Advanced, advance

__all__ = ["Advanced", "advance"]
