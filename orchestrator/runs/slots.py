"""Which slots this machine has, and what NVML reads of its GPUs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import psutil

from orchestrator.runs.executor import Reading, Slot


@cache
def _nvml() -> Any | None:
    """NVML, initialised once; None where there is no driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no library, no driver, no permission: all mean that there is no GPU to use
        return None
    return pynvml


def _devices() -> Iterator[tuple[Any, Any]]:
    nvml = _nvml()
    if nvml is None:
        return
    for index in range(nvml.nvmlDeviceGetCount()):
        yield nvml, nvml.nvmlDeviceGetHandleByIndex(index)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def gpu_count() -> int:
    return sum(1 for _ in _devices())


def gpu_slots() -> list[Slot]:
    return [
        Slot(f"gpu{index}", _text(nvml.nvmlDeviceGetName(handle)), _text(nvml.nvmlDeviceGetUUID(handle)))
        for index, (nvml, handle) in enumerate(_devices())
    ]


def cpu_slots(count: int | None = None) -> list[Slot]:
    """One a core that this process may use."""
    cores = len(os.sched_getaffinity(0))
    return [Slot(f"cpu{index}", "CPU core") for index in range(count or cores)]


def gpu_reading(slot: Slot) -> Reading:
    """Utilisation, memory, temperature and power of a GPU, each None where it cannot be read."""
    for nvml, handle in _devices():
        if _text(nvml.nvmlDeviceGetUUID(handle)) != slot.gpu:
            continue
        values: dict[str, Any] = {}
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
    return Reading()


def gpu_processes(slot: Slot) -> set[int]:
    """Ids of the processes that compute on a GPU, as far as this process may see them."""
    for nvml, handle in _devices():
        if _text(nvml.nvmlDeviceGetUUID(handle)) == slot.gpu:
            with contextlib.suppress(Exception):
                return {process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
    return set()


def machine_memory() -> int:
    return int(psutil.virtual_memory().total)
