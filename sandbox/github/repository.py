"""One bare git repository on disk, as the API uses it: branches, files, commits. A clone and a push see the same one.

A tree is handled as one mapping of path to file: the sandbox's repositories are small.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dulwich.graph import can_fast_forward, find_merge_base
from dulwich.index import commit_tree
from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import Repo

from sandbox.github.errors import Refused

BRANCH = "refs/heads/"
FILE_MODE = 0o100644
WHO = "Sandbox <sandbox@example.org>"
_CHECKED = range(4, 65)  # lengths of what may be a sha


@dataclass(frozen=True)
class File:
    """A file of a tree: its mode and its blob's sha."""

    mode: int
    sha: str


Files = dict[str, File]


class Repository:
    """``acme/platform``. All methods belong to the event loop's thread; pushes come in by a copy of their own."""

    def __init__(self, owner: str, name: str, folder: Path, template: Path) -> None:
        """``template`` is the repository as seeded; ``folder`` becomes a copy of it."""
        self.owner = owner
        self.name = name
        self.folder = folder
        self._template = template
        self._git = self._copied()

    @classmethod
    @contextmanager
    def beside(cls, folder: Path) -> Iterator["Repository"]:
        """The repository in that folder for another thread, to read."""
        other = object.__new__(cls)
        other.owner, other.name, other.folder = folder.parent.name, folder.name, folder
        other._git = Repo(str(folder))
        try:
            yield other
        finally:
            other.close()

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def reset(self) -> None:
        self.close()
        self._git = self._copied()

    def close(self) -> None:
        self._git.close()

    def branches(self) -> dict[str, str]:
        """Name → sha of its head."""
        found = self._git.refs.as_dict(cast(Any, b"refs/heads"))
        return {name.decode(): sha.decode() for name, sha in sorted(found.items())}

    def head(self, branch: str) -> str | None:
        return self.ref(BRANCH + branch)

    def ref(self, name: str) -> str | None:
        """The sha of a ref by its whole name."""
        try:
            return self._git.refs[cast(Any, name.encode())].decode()
        except KeyError:
            return None

    def move(self, name: str, sha: str | None) -> None:
        """Make, move or (None) remove a ref."""
        ref = cast(Any, name.encode())
        if sha is None:
            self._git.refs.remove_if_equals(ref, None)
        else:
            self._git.refs[ref] = cast(Any, sha.encode())

    def commit(self, ref: str) -> str:
        """The commit that a branch, a ref or a sha names. Raises ``Refused`` 404."""
        for name in (BRANCH + ref, f"refs/{ref}", ref):
            if name.startswith("refs/") and (found := self.ref(name)):
                return found
        if len(ref) in _CHECKED and self.kind(ref) == "commit":
            return ref
        raise Refused(404, f"No commit found for the ref {ref}")

    def kind(self, sha: str) -> str:
        """blob, tree, commit or tag; empty for what is not there."""
        try:
            return self._git[sha.encode()].type_name.decode()
        except (KeyError, ValueError, AssertionError):
            return ""

    def files(self, sha: str) -> Files:
        """All files of a commit or a tree, by path."""
        root = self.tree(sha)
        entries = self._git.object_store.iter_tree_contents(cast(Any, root.encode()))
        return {
            (entry.path or b"").decode(): File(entry.mode or FILE_MODE, (entry.sha or b"").decode())
            for entry in entries
        }

    def tree(self, sha: str) -> str:
        """The root tree's sha of a commit; a tree's own."""
        found = self._git[sha.encode()]
        return found.tree.decode() if isinstance(found, Commit) else sha

    def folders(self, sha: str) -> dict[str, str]:
        """The folders below a commit or tree, with their trees' shas."""
        entries = self._git.object_store.iter_tree_contents(cast(Any, self.tree(sha).encode()), include_trees=True)
        return {
            (entry.path or b"").decode(): (entry.sha or b"").decode()
            for entry in entries
            if entry.path and (entry.mode or 0) == 0o040000
        }

    def blob(self, sha: str) -> bytes:
        """Raises ``KeyError`` where there is none."""
        found = self._git[sha.encode()]
        if not isinstance(found, Blob):
            raise KeyError(sha)
        return found.data

    def add_blob(self, content: bytes) -> str:
        blob = Blob.from_string(content)
        self._git.object_store.add_object(blob)
        return blob.id.decode()

    def add_tree(self, files: Mapping[str, File]) -> str:
        return tree_of(self._git.object_store, files)

    def add_commit(self, tree: str, parents: Iterable[str], message: str, at: float, who: str = WHO) -> str:
        made = new_commit(tree, parents, message, at, who)
        self._git.object_store.add_object(made)
        return made.id.decode()

    def about(self, sha: str) -> Commit:
        found = self._git[sha.encode()]
        if not isinstance(found, Commit):
            raise Refused(404, "Not Found")
        return found

    def base_of(self, one: str, other: str) -> str | None:
        """The commit that two have in common last."""
        found = find_merge_base(self._git, cast(Any, [one.encode(), other.encode()]))
        return found[0].decode() if found else None

    def follows(self, old: str, new: str) -> bool:
        """Whether ``new`` has ``old`` among its ancestors."""
        return old == new or can_fast_forward(self._git, cast(Any, old.encode()), cast(Any, new.encode()))

    def between(self, base: str, head: str) -> list[str]:
        """Commits of ``head`` that ``base`` has not, oldest first."""
        walker = self._git.get_walker(include=cast(Any, [head.encode()]), exclude=cast(Any, [base.encode()]))
        return [entry.commit.id.decode() for entry in walker][::-1]

    def history(self, sha: str, path: str, most: int) -> list[str]:
        """The newest commits from ``sha`` on that touch something at or below ``path``; all, where it is empty."""
        paths = cast(Any, [path.encode()]) if path else None
        walker = self._git.get_walker(include=cast(Any, [sha.encode()]), paths=paths, max_entries=most)
        return [entry.commit.id.decode() for entry in walker]

    def _copied(self) -> Repo:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._template, self.folder)
        return Repo(str(self.folder))


def changed(before: Files, after: Files) -> list[str]:
    """Paths whose files differ, with those that only one side has."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def tree_of(store: Any, files: Mapping[str, File]) -> str:
    return commit_tree(store, [(p.encode(), cast(Any, f.sha.encode()), f.mode) for p, f in files.items()]).decode()


def new_commit(tree: str, parents: Iterable[str], message: str, at: float, who: str = WHO) -> Commit:
    made = Commit()
    made.tree = cast(Any, tree.encode())
    made.parents = cast(Any, [parent.encode() for parent in parents])
    made.author = made.committer = who.encode()
    made.author_time = made.commit_time = int(at)
    made.author_timezone = made.commit_timezone = 0
    made.encoding = b"UTF-8"
    made.message = message.encode()
    return made


class _Collected:
    """Objects before they are written in one pack: a thousand small files would take a second."""

    def __init__(self) -> None:
        self.objects: dict[bytes, Blob | Tree | Commit] = {}

    def add_object(self, made: Any) -> None:
        self.objects[made.id] = made


def make_template(folder: Path, history: Iterable[tuple[str, Mapping[str, bytes]]], at: float) -> None:
    """A bare repository with one commit on ``main`` for each (message, files that it adds), a day apart, the last
    one a day before ``at``."""
    commits = list(history)
    store, files, parent = _Collected(), dict[str, File](), ""
    for day, (message, added) in enumerate(commits):
        for path, content in added.items():
            blob = Blob.from_string(content)
            store.add_object(blob)
            files[path] = File(FILE_MODE, blob.id.decode())
        made = new_commit(
            tree_of(store, files), [parent] if parent else [], message, at - 86_400 * (len(commits) - day)
        )
        store.add_object(made)
        parent = made.id.decode()
    folder.mkdir(parents=True)
    git = Repo.init_bare(str(folder), default_branch=b"main")
    git.object_store.add_objects([(made, None) for made in store.objects.values()])
    git.refs[cast(Any, b"refs/heads/main")] = cast(Any, parent.encode())
    git.close()
