"""What the machine module promises: figures of what this process may use, also in a container."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from course_utils import machine
from course_utils.errors import MachineError
from course_utils.machine import Machine, bandwidth, control_groups, cores, load, memory

GIB = 1024**3


def lay_out(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def version_2(tmp_path):
    """A machine with cgroup version 2, the process in a group inside another."""
    return lay_out(
        tmp_path,
        {
            "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "proc/self/cgroup": "0::/class.slice/learner.scope\n",
            "sys/fs/cgroup/class.slice/cpu.max": "350000 100000\n",
            "sys/fs/cgroup/class.slice/memory.max": f"{6 * GIB}\n",
            "sys/fs/cgroup/class.slice/memory.current": f"{3 * GIB}\n",
            "sys/fs/cgroup/class.slice/memory.stat": f"anon 1\ninactive_file {GIB}\n",
            "sys/fs/cgroup/class.slice/learner.scope/cpu.max": "max 100000\n",
            "sys/fs/cgroup/class.slice/learner.scope/memory.max": "max\n",
            "sys/fs/cgroup/class.slice/learner.scope/memory.current": "1000\n",
        },
    )


@pytest.fixture
def version_1(tmp_path):
    """A Docker container with cgroup version 1: the mounts show only the container's own group."""
    return lay_out(
        tmp_path,
        {
            "proc/self/mountinfo": (
                "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
                "32 31 0:29 /docker/ab /sys/fs/cgroup/cpu,cpuacct ro"
                " - cgroup cgroup rw,cpu,cpuacct\n"
                "33 31 0:30 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
                "34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
            ),
            "proc/self/cgroup": "3:memory:/docker/ab\n2:cpu,cpuacct:/docker/ab\n0::/docker/ab\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/memory.stat": (
                f"inactive_file 5\ntotal_inactive_file {GIB // 2}\ntotal_active_file {GIB // 4}\n"
            ),
        },
    )


def test_limits_of_an_outer_group_hold_inside_it(version_2):
    assert control_groups.cpu_limit(version_2) == 3.5
    assert control_groups.memory_limit(version_2) == 6 * GIB


def test_cached_files_count_as_memory_left(version_2):
    assert control_groups.memory_left(version_2) == 4 * GIB


def test_version_1_limits_of_a_container_are_found(version_1):
    assert control_groups.cpu_limit(version_1) == 1.5
    assert control_groups.memory_limit(version_1) == 2 * GIB
    assert control_groups.memory_left(version_1) == GIB + 3 * GIB // 4


def test_a_machine_without_control_groups_has_no_limit(tmp_path):
    assert control_groups.cpu_limit(tmp_path) is None
    assert control_groups.memory_limit(tmp_path) is None
    assert control_groups.memory_left(tmp_path) is None


@pytest.mark.parametrize("text", ["", "nonsense", "0::", "1 2 3 - cgroup2", "\x00"])
def test_unreadable_control_groups_never_raise(tmp_path, text):
    lay_out(tmp_path, {"proc/self/mountinfo": text, "proc/self/cgroup": text})
    assert control_groups.cpu_limit(tmp_path) is None
    assert control_groups.memory_left(tmp_path) is None


@pytest.mark.parametrize(("quota", "usable"), [(None, 8), (3.5, 3), (0.5, 1), (64.0, 8)])
def test_usable_cores_are_bounded_by_affinity_and_quota(monkeypatch, quota, usable):
    monkeypatch.setattr(cores, "_cores_in_affinity", lambda: 8)
    monkeypatch.setattr(control_groups, "cpu_limit", lambda: quota)
    assert machine.usable_cores() == usable


@pytest.mark.skipif(
    not hasattr(psutil.Process, "cpu_affinity"), reason="no affinity on this system"
)
def test_a_process_tied_to_one_core_counts_one_core():
    code = (
        "import psutil; process = psutil.Process();"
        "process.cpu_affinity(process.cpu_affinity()[:1]);"
        "from course_utils import machine; print(machine.usable_cores())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "1"


def test_a_container_with_2_gib_is_a_machine_with_2_gib(monkeypatch):
    monkeypatch.setattr(control_groups, "memory_limit", lambda: 2 * GIB)
    monkeypatch.setattr(control_groups, "memory_left", lambda: GIB)
    assert machine.total_memory_bytes() == min(2 * GIB, psutil.virtual_memory().total)
    assert machine.available_memory_bytes() <= GIB


def test_version_1s_word_for_no_limit_leaves_the_machines_memory(monkeypatch):
    monkeypatch.setattr(control_groups, "memory_limit", lambda: 9223372036854771712)
    assert machine.total_memory_bytes() == psutil.virtual_memory().total


def test_bandwidth_is_that_of_memory_and_not_of_a_cache(monkeypatch):
    rate = machine.measure_memory_bandwidth(seconds=0.3)
    # A single DDR3 channel reads 6 GB/s at least; the fastest servers stay below 3 TB/s.
    assert 1e9 < rate < 3e12
    assert bandwidth._buffer_bytes(available=0) == 8 * 1024**2


def test_a_file_in_memory_is_read_as_often_as_wanted_and_a_small_one_not(tmp_path, monkeypatch):
    monkeypatch.setattr(bandwidth, "_buffer_bytes", lambda available: 2**26)
    mapped = Path("/proc/self/maps")  # on Linux
    file = tmp_path / "model.gguf"
    file.write_bytes(bytes(2**26 + 5))
    with bandwidth.file_reader(file) as read:
        rates = [read() for _ in range(5)]
        assert not mapped.exists() or str(file) in mapped.read_text()
    assert min(rates) > 1e8
    assert not mapped.exists() or str(file) not in mapped.read_text()
    file.write_bytes(bytes(2**26 - 1))
    with bandwidth.file_reader(file) as read:
        assert read is None


def test_bandwidth_is_measured_once_per_process(monkeypatch):
    calls = []
    monkeypatch.setattr(bandwidth, "measure_memory_bandwidth", lambda s: calls.append(s) or 1.0)
    bandwidth._bandwidth_of_this_process.cache_clear()
    machine.memory_bandwidth_bytes_per_second()
    machine.memory_bandwidth_bytes_per_second()
    bandwidth._bandwidth_of_this_process.cache_clear()
    assert len(calls) == 1


def test_free_disk_is_told_for_a_folder_that_does_not_exist_yet(tmp_path):
    assert machine.free_disk_bytes(tmp_path / "not" / "yet") > 0


def test_a_disk_that_cannot_be_asked_is_one_clear_error(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(memory.shutil, "disk_usage", refuse)
    with pytest.raises(MachineError, match="Permission denied"):
        machine.free_disk_bytes(tmp_path)


def test_this_machine_is_described_in_full(monkeypatch):
    monkeypatch.setattr(machine, "memory_bandwidth_bytes_per_second", lambda: 2e10)
    here = machine.this_machine()
    assert here.cores >= 1
    assert 0 < here.available_memory_bytes <= here.total_memory_bytes
    assert here.cpu_name


def test_another_machine_can_be_supposed():
    laptop = Machine(
        cores=4,
        total_memory_bytes=8 * GIB,
        available_memory_bytes=5 * GIB,
        memory_bandwidth_bytes_per_second=25e9,
        free_disk_bytes=30 * 10**9,
    )
    assert laptop.total_memory_bytes == 8 * GIB


def test_an_unknown_processor_still_has_a_name(monkeypatch):
    monkeypatch.setattr(cores, "_cpu_name_linux", lambda: "")
    monkeypatch.setattr(cores.platform, "processor", lambda: "")
    monkeypatch.setattr(cores.platform, "machine", lambda: "")
    monkeypatch.setattr(cores.sys, "platform", "linux")
    assert machine.cpu_name() == "unknown processor"


@pytest.mark.parametrize(
    ("processors", "ours", "others", "disturbed"),
    [
        (2, 2, 0.1, False),
        (2, 2, 1.0, True),
        (64, 4, 10.0, False),  # a class server with cores to spare
        (64, 4, 62.0, True),
    ],
)
def test_other_programs_disturb_a_measurement_where_they_leave_too_few_cores(
    monkeypatch, processors, ours, others, disturbed
):
    # Ten seconds, in which this process kept one core busy and other programs so many.
    moments = iter([(0.0, 100.0, 5.0), (10.0, 100.0 + 10 * (others + 1), 15.0)])
    monkeypatch.setattr(load.OtherLoad, "_now", staticmethod(lambda: next(moments)))
    monkeypatch.setattr(load.os, "cpu_count", lambda: processors)
    monkeypatch.setattr(load, "usable_cores", lambda: ours)
    assert load.OtherLoad().disturbs() is disturbed


def test_the_load_of_other_programs_is_read_from_this_machine():
    wall, busy, own = load.OtherLoad._now()
    later, busier, more = load.OtherLoad._now()
    assert later > wall and busier >= busy > 0 and more >= own > 0
