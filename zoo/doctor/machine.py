"""Processor, GPU, threads, memory, and disks."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path

from zoo.doctor.check import GB, Check, State

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def check_torch() -> Check:
    """The build of torch, and what of the CPU it uses."""
    import torch

    from zoo.modeling.device import use_bfloat16

    cuda = torch.version.cuda or torch.version.hip
    build = f"torch {torch.__version__}, " + (f"for GPUs ({cuda})" if cuda else "for the CPU alone")
    precision = "bfloat16" if use_bfloat16("auto") else "float32"
    return Check("torch", "ok", f"{build}; CPU {torch.backends.cpu.get_cpu_capability()}; trains in {precision}")


def check_gpu() -> Check:
    """The GPUs that torch can use, each tried; and those of the machine that it cannot."""
    import torch

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    if not usable:
        names = installed_gpus()
        if not names:
            return Check("GPU", "ok", "none: training runs on the CPU")
        why = str(said[0].message).splitlines()[0] if said else "this build of torch has no GPU support, or sees none"
        return Check(
            "GPU",
            "warning",
            f"{', '.join(names)}: torch cannot use it ({why})",
            "install the torch build for your driver (pytorch.org), and look at CUDA_VISIBLE_DEVICES",
        )
    found = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        try:
            torch.ones(8, device=f"cuda:{index}").sum().item()
        except RuntimeError as error:
            return Check(
                "GPU",
                "problem",
                f"{properties.name} does not compute: {str(error).splitlines()[0]}",
                "free it, hide it with CUDA_VISIBLE_DEVICES, or install a torch build that supports it",
            )
        with torch.cuda.device(index):
            bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        found.append(f"{properties.name}, {properties.total_memory / GB:.0f} GB, {'' if bfloat16 else 'no '}bfloat16")
    return Check("GPU", "ok", "; ".join(found))


def installed_gpus() -> list[str]:
    """Names of the NVIDIA GPUs of this machine, whether torch can use them or not."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        names = [pynvml.nvmlDeviceGetName(handle) for handle in handles]
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:  # no driver
        return []
    return [name if isinstance(name, str) else name.decode() for name in names]


def usable_cores() -> float:
    """Cores that this process may use: its affinity, or the quota of its container or job where that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_read(group / "cpu.max").split() for group in _control_groups()]
    return min([cores, *(int(quota[0]) / int(quota[1]) for quota in quotas if quota and quota[0].isdigit())])


def check_threads(cores: float, threads: str | None) -> Check:
    """Whether torch starts as many threads as there are cores.

    Args:
        cores: What the process may use.
        threads: Value of OMP_NUM_THREADS; None: unset.
    """
    fix = f"export OMP_NUM_THREADS={max(1, int(cores))}"
    if not threads:
        import torch

        count = torch.get_num_threads()
        state: State = "warning" if count > max(1.0, cores) else "ok"
        finding = f"{cores:g} cores, OMP_NUM_THREADS is unset: torch starts {count} threads"
        return Check("threads", state, finding, fix if state == "warning" else None)
    if not threads.isdigit() or int(threads) == 0:
        return Check("threads", "warning", f"OMP_NUM_THREADS is no number: {threads!r}", fix)
    if int(threads) > max(1.0, cores):
        finding = f"OMP_NUM_THREADS={threads}, but {cores:g} cores: threads wait for each other"
        return Check("threads", "warning", finding, fix)
    return Check("threads", "ok", f"{cores:g} cores, OMP_NUM_THREADS={threads}")


def available_memory_bytes() -> int:
    """Memory that can still be taken, of the machine, or of the container or job where that is less."""
    import psutil

    room = [int(psutil.virtual_memory().available)]
    for group in _control_groups():
        limit, used = (_read(group / name).strip() for name in ("memory.max", "memory.current"))
        if limit.isdigit() and used.isdigit():
            # What the group keeps of files it has read is counted as used, and given up when memory is needed.
            statistics = dict(line.split() for line in _read(group / "memory.stat").splitlines())
            room.append(max(0, int(limit) - int(used) + int(statistics.get("inactive_file", 0))))
    return min(room)


def check_memory(available_bytes: int) -> Check:
    """Whether a model and its training fit."""
    finding = f"{available_bytes / GB:.1f} GB available"
    if available_bytes < 4 * GB:
        return Check("memory", "warning", finding, "end other programs; backbones larger than minilm-l6 may not fit")
    return Check("memory", "ok", finding)


def check_folder(name: str, folder: Path, fix: str, *, read_only: bool = False) -> Check:
    """Whether a folder can be written to, or made, and how much room its disk has; leaves nothing behind.

    Args:
        name: Name of the check.
        folder: The folder; need not exist.
        fix: What to do where it cannot be written to.
        read_only: One that exists need not be writable.
    """
    target = folder.absolute()
    there = target
    try:
        there = next(path for path in (target, *target.parents) if path.exists())
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        if read_only and there == target and target.is_dir():
            return Check(name, "ok", f"{folder}, read only ({error.strerror})")
        return Check(name, "problem", f"{folder} cannot be written to: {error.strerror}", fix)
    finding = f"{folder}, {free / GB:.1f} GB free"
    if free < GB:
        return Check(name, "problem", finding, f"free some space, or {fix}")
    if free < 10 * GB:
        return Check(name, "warning", finding, f"a large base takes 1.8 GB: free some space, or {fix}")
    return Check(name, "ok", finding)


def _control_groups() -> list[Path]:
    """The group (cgroup 2) that this process is in and all groups above it, each of which may set limits."""
    own = next((line[4:] for line in _read(_OWN_GROUP).splitlines() if line.startswith("0::/")), "")
    folder = _GROUPS / own
    return [group for group in (folder, *folder.parents) if group.is_relative_to(_GROUPS)]


def _read(path: Path) -> str:
    """A file of the kernel; empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
