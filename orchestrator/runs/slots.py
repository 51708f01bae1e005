"""Which slots this machine has, and what NVML reads of its GPUs."""

from __future__ import annotations

import contextlib
import math
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.runs.executor import Reading, Slot

CGROUP = Path("/sys/fs/cgroup")

OTHERS_SHARE = 0.1
"""Of a GPU's memory, above which somebody computes there."""


@cache
def _nvml() -> Any | None:
    """NVML, initialised once; None where there is no driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no library, no driver, no permission: all mean that there is no GPU to use
        return None
    return pynvml


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def gpu_count() -> int:
    return len(gpu_slots())


def gpu_slots() -> list[Slot]:
    """The GPUs that NVML shows and that CUDA_VISIBLE_DEVICES, where it is set, leaves to this process."""
    nvml = _nvml()
    if nvml is None:
        return []
    found = []
    for index in range(nvml.nvmlDeviceGetCount()):
        with contextlib.suppress(Exception):  # a GPU that has fallen off the bus is none
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            name, uuid = _text(nvml.nvmlDeviceGetName(handle)), _text(nvml.nvmlDeviceGetUUID(handle))
            found.append((index, Slot(f"gpu{index}", name, uuid)))
    return [slot for index, slot in found if _visible(index, slot.gpu or "", os.environ.get("CUDA_VISIBLE_DEVICES"))]


def _visible(index: int, uuid: str, setting: str | None) -> bool:
    """CUDA's rule: indices or beginnings of UUIDs, up to the first word that is neither. Not set means all."""
    if setting is None:
        return True
    for word in (word.strip() for word in setting.split(",")):
        if not (word.isdecimal() or word.startswith("GPU-")):
            return False
        if word == str(index) or (word.startswith("GPU-") and uuid.startswith(word)):
            return True
    return False


def cpu_slots(count: int | None = None) -> list[Slot]:
    """One a core that this process may use, or `count`."""
    return [Slot(f"cpu{index}", "CPU core") for index in range(count or usable_cores())]


def usable_cores() -> int:
    """Cores that this process may run on, no more than a container's quota (rounded up) gives it."""
    cores = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        quota, period = (CGROUP / "cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(1, math.ceil(int(quota) / int(period))))
    return cores


def device_kind(slot: Slot) -> str:
    """The name of the GPU's or the processor's model: scores compare within it."""
    return slot.device if slot.gpu is not None else processor()


@cache
def processor() -> str:
    """The model of this machine's processor."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.machine() or "CPU"


def driver_version() -> str | None:
    """Of the NVIDIA driver; None where there is none."""
    nvml = _nvml()
    with contextlib.suppress(Exception):
        assert nvml is not None
        return _text(nvml.nvmlSystemGetDriverVersion())
    return None


def device_files(slot: Slot) -> tuple[str, ...]:
    """What CUDA opens to use a slot's GPU and no other; none for a core."""
    nvml = _nvml()
    if slot.gpu is None or nvml is None:
        return ()
    with contextlib.suppress(Exception):
        minor = int(nvml.nvmlDeviceGetMinorNumber(nvml.nvmlDeviceGetHandleByUUID(slot.gpu)))
        return (f"/dev/nvidia{minor}", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-caps")
    return ()


def gpu_reading(slot: Slot) -> Reading:
    """Utilisation, memory, temperature and power of a GPU, each None where it cannot be read."""
    nvml = _nvml()
    values: dict[str, Any] = {}
    with contextlib.suppress(Exception):
        assert nvml is not None
        handle = nvml.nvmlDeviceGetHandleByUUID(slot.gpu)
        with contextlib.suppress(Exception):
            values["utilisation"] = nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        with contextlib.suppress(Exception):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            values["memory_used"], values["memory_total"] = int(memory.used), int(memory.total)
        with contextlib.suppress(Exception):
            values["temperature"] = float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        with contextlib.suppress(Exception):
            values["power"] = nvml.nvmlDeviceGetPowerUsage(handle) / 1000
    return Reading(**values)


def used_by_others(reading: Reading) -> str:
    """What the memory of a GPU on which nothing of the lab runs tells of others there; empty when the GPU is free.

    A little is always in use: by the driver, by a desktop.
    """
    used, total = reading.memory_used, reading.memory_total
    if used is None or not total or used <= OTHERS_SHARE * total:
        return ""
    return f"{used / 2**30:.0f} of {total / 2**30:.0f} GiB of its memory are taken"


def gpu_processes(slot: Slot) -> set[int]:
    """Ids of the processes that compute on a GPU, as far as this process may see them."""
    nvml = _nvml()
    with contextlib.suppress(Exception):
        assert nvml is not None
        handle = nvml.nvmlDeviceGetHandleByUUID(slot.gpu)
        return {process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
    return set()


def machine_memory() -> int:
    """Bytes of memory that this machine, or the container around this process, has."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int((CGROUP / "memory.max").read_text()))
    return total
