"""The errors of this room.

RunbooksError
├── Refused           the request cannot become a plan; ``str`` is the one sentence for the asker
└── DatafileError     a datafile is not understood; says which line, and what was expected there
"""


class RunbooksError(Exception):
    """Something this room cannot go on from."""


class Refused(RunbooksError):
    """No plan: nothing was changed. ``sentence`` is shown as it is to the asker alone; ``word`` is the word at fault
    and ``nearest`` the nearest right one, where there is one. ``untyped`` is the field whose type people may choose."""

    def __init__(
        self, sentence: str, word: str = "", nearest: str | None = None, *, untyped: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.word = word
        self.nearest = nearest
        self.untyped = untyped


class DatafileError(RunbooksError):
    """``line`` is counted from 1; 0 where the whole file is meant."""

    def __init__(self, name: str, line: int, said: str) -> None:
        where = f"{name}, line {line}" if line else name
        super().__init__(f"{where}: {said}")
        self.name = name
        self.line = line
        self.said = said
