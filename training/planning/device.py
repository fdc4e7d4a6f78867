"""The device at hand: what is free on it, and how fast it is."""

from __future__ import annotations

import shutil
import time
from pathlib import Path, PurePosixPath

import msgspec
import torch
from torch.utils.flop_counter import FlopCounterMode

from training.models.slowfast import SlowFastFast

GIB = 2**30
CUDA_CONTEXT = 1.0 * GIB
"""Memory that a GPU's driver, libraries and the allocator's gaps take besides."""
UNLIMITED = 1 << 60
"""A control group without a limit names one above this."""
TIMED = (16, 3, 224, 224)
"""The frames that the motion extractor is timed on."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """What trains: bytes free on it, and FLOP/s of its matrix products and of the motion extractor, where known."""

    name: str
    free: int | None
    rate: float | None = None
    extractor_rate: float | None = None


def device_here(*, bf16: bool, extracts: bool = False) -> Device:
    """Ask the device at hand what is free, and time its matrix products, with `extracts` the motion extractor too."""
    kind = torch.bfloat16 if bf16 else torch.float32
    gpu = torch.cuda.is_available()
    # First: what the timing below takes of a GPU, PyTorch keeps, and training uses it again.
    free = int(torch.cuda.mem_get_info()[0] - CUDA_CONTEXT) if gpu else _free_memory()
    rate = _rate("cuda", 8192, kind) if gpu else _rate("cpu", 512, kind)
    extractor_rate = _extractor_rate("cuda" if gpu else "cpu", kind) if extracts else None
    name = torch.cuda.get_device_name() if gpu else "this machine"
    return Device(name=name, free=free, rate=rate, extractor_rate=extractor_rate)


@torch.inference_mode()
def _extractor_rate(device: str, kind: torch.dtype) -> float:
    """Run the motion extractor over a few frames, twice: FLOP/s of the second time."""
    with torch.random.fork_rng(devices=[]):  # training draws the numbers that it would have drawn
        extractor = SlowFastFast().eval().to(device, kind)
    frames = torch.zeros(TIMED, device=device, dtype=kind)
    with FlopCounterMode(display=False) as counted:
        extractor(frames).sum().item()  # which waits for a GPU, as below
    start = time.perf_counter()
    extractor(frames).sum().item()
    return float(counted.get_total_flops()) / (time.perf_counter() - start)


def _rate(device: str, size: int, kind: torch.dtype) -> float:
    """Multiply matrices for a second at most: FLOP/s of the fastest of them."""
    a, b = (torch.ones(size, size, device=device, dtype=kind) for _ in range(2))
    best, until = float("inf"), time.perf_counter() + 1
    for _ in range(20):
        start = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
        if time.perf_counter() > until:
            break
    return 2 * size**3 / best


def _free_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Give what is free on the machine, or what is left of a limit on this process where that is less."""
    found = [_left(folder) for folder in _groups(proc / "self" / "cgroup", groups)]
    for line in _text(proc / "meminfo").splitlines():
        if line.startswith("MemAvailable"):
            found.append(int(line.split()[1]) * 1024)
    return min((free for free in found if free is not None), default=None)


def _groups(told: Path, groups: Path) -> list[Path]:
    """List the control groups that this process's memory counts in: the hierarchy of version 2, and 1's of memory."""
    inside = {groups: PurePosixPath(), groups / "memory": PurePosixPath()}
    for line in _text(told).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            inside[groups / "memory" if controllers else groups] = PurePosixPath(path.lstrip("/"))
    return [root / place for root, own in inside.items() for place in (own, *own.parents)]


def _left(group: Path) -> int | None:
    """Give what a control group may still take, with the files that the kernel would drop; None without a limit."""
    for most, now in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        limit, used = _text(group / most).strip(), _text(group / now).strip()
        if limit.isdigit() and used.isdigit() and int(limit) < UNLIMITED:
            stat = dict(line.split(maxsplit=1) for line in _text(group / "memory.stat").splitlines())
            files = (stat.get(f"total_{name}", stat.get(name, "0")) for name in ("active_file", "inactive_file"))
            return max(0, int(limit) - max(0, int(used) - sum(map(int, files))))
    return None


def _text(path: Path) -> str:
    """Read what the kernel tells; nothing where it does not."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeError):
        return ""


def free_disk(out: Path) -> int | None:
    """Give the free bytes of the disk that a folder is, or will be, on."""
    there = next((folder for folder in [out.absolute(), *out.absolute().parents] if folder.exists()), None)
    return None if there is None else shutil.disk_usage(there).free
