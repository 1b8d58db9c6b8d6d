"""What the figures were taken on: processor, memory, kernel, disk, versions. No name or path of the machine."""

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.clusters import kafka_version


def describe(folder: Path) -> dict[str, Any]:
    """The machine; ``folder`` is where the clusters keep their data."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    found = {
        "processor": model[1].strip() if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / 1024 / 1024) if memory else 0,
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "file_system": _file_system(folder),
    }
    found["summary"] = "{processor}, {cores} cores, {memory_gib} GiB, {kernel}, data on {file_system}".format(**found)
    return found


def _file_system(folder: Path) -> str:
    best, kind = "", "?"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, found = line.split()[:3]
        if len(mount) > len(best) and folder.resolve().is_relative_to(mount):
            best, kind = mount, found
    return kind


def versions(client: dict[str, Any]) -> dict[str, Any]:
    """Everything whose version matters."""
    java = re.search(r'version "([^"]+)"', subprocess.run(["java", "-version"], capture_output=True, text=True).stderr)
    found = {
        "holdwater": importlib.metadata.version("holdwater"),
        "commit": _commit(),
        "python": platform.python_version(),
        "uvloop": _installed("uvloop"),
        "kafka": kafka_version(),
        "java": java[1] if java else "none",
        **client,
    }
    summary = (
        "holdwater {holdwater} ({commit}) on CPython {python} with uvloop {uvloop}; Apache Kafka {kafka} on Java {java}; "
        "confluent-kafka {confluent_kafka} with librdkafka {librdkafka}"
    )
    return {**found, "summary": summary.format(**found)}


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _commit() -> str:
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "no repository"
