"""What the system says of a process: its children, memory, time on the processor."""

import os
from pathlib import Path

TICKS_A_S = os.sysconf("SC_CLK_TCK")


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def children(pid: int) -> list[int]:
    """Every process below this one."""
    own = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return own + [grandchild for child in own for grandchild in children(child)]


def pss_mb(pid: int) -> float:
    """Memory of the process, shared pages counted by their share."""
    return _kilobytes(pid, "smaps_rollup", "Pss:") / 1024


def peak_mb(pid: int) -> float:
    """The most that was resident at once since ``forget_peak``."""
    return _kilobytes(pid, "status", "VmHWM:") / 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def cpu_s(pid: int) -> float:
    """Seconds on the processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_S


def _kilobytes(pid: int, file: str, name: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
