"""Does every measured figure stand beside its machine and command, and is the recorded run ours?"""

from dataclasses import replace

import pytest

from course_utils.engines.transcript import load, replay
from course_utils.hashing import hash_file
from course_utils.logs import read_table
from course_utils.machine import Machine
from course_utils.model_files.capacity import plan
from course_utils.paths import models_folder, nano_folder, repository_root
from course_utils.units import GIB
from tests.benchmarks import speed_row
from tests.benchmarks.__main__ import BENCHMARKS, main
from tests.benchmarks.report import write_report

REPORTS = sorted(models_folder().glob("*.csv"))
TRANSCRIPT = models_folder() / "transcripts" / "nano-thinker.json"
RACE = nano_folder() / "runs" / "trl-comparison.csv"


def _rows(path):
    return read_table(path)[1]


def test_a_report_names_its_machine_and_the_command_that_measures_it_again(tmp_path):
    machine = Machine(2, 24 * GIB, 20 * GIB, 30e9, 10**12, "Some processor")
    path = write_report("two-words", [{"speed": 1.5}, {"speed": 2.5}], machine, folder=tmp_path)
    assert path.name == "two_words.csv"
    first, second = _rows(path)
    assert (first["cpu"], first["cores"], first["memory_gib"]) == ("Some processor", "2", "24.0")
    assert first["bandwidth_gb_per_second"] == "30.0"
    assert (first["speed"], second["speed"]) == ("1.5", "2.5")
    assert first["command"] == "python -m tests.benchmarks two-words"


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_the_command_in_a_committed_report_exists(path):
    for row in _rows(path):
        if path.stem == "speeds_elsewhere":  # others measured these, and say how
            assert row["source"].startswith("https://") and row["processor"]
            continue
        name = row["command"].removeprefix("python -m tests.benchmarks ")
        assert name in BENCHMARKS
        assert row["cpu"] and int(row["cores"]) > 0 and float(row["bandwidth_gb_per_second"]) > 0


def machine_of(row):
    """The machine that a row was measured on, with its rates of unpacking where it has them."""
    memory = int(float(row["memory_gib"]) * GIB)
    bandwidth = float(row["bandwidth_gb_per_second"]) * 1e9
    machine = Machine(int(row["cores"]), memory, memory, bandwidth, 10**12, row["cpu"])
    if not row.get("unpacking_gb_per_second"):
        return machine
    waiting = row.get("milliseconds_per_expert_layer")
    return replace(
        machine,
        unpacking_bytes_per_second=float(row["unpacking_gb_per_second"]) * 1e9,
        overlap=float(row["overlap"]),
        seconds_per_expert_layer=float(waiting) / 1e3 if waiting else None,
    )


def test_the_plan_of_today_foresees_what_the_large_stand_ins_took_and_gave():
    rows = [r for r in _rows(models_folder() / "full_size.csv") if r["layers"] == r["all_layers"]]
    assert [row["model"] for row in rows] == ["qwq-32b", "qwen3-30b-a3b"]
    for row in rows:
        planned = plan(
            row["model"],
            int(row["context"]),
            row["kv_type"],
            machine_of(row),
            row["quantisation"],
            repack=row["repack"] == "True",
        )
        memory, speed = float(row["memory_gib_resident"]), float(row["decode_tokens_per_second"])
        assert planned.memory.total / GIB == pytest.approx(memory, rel=0.03), row["model"]
        assert planned.tokens_per_second == pytest.approx(speed, rel=0.15), row["model"]


def test_the_engine_decoded_the_large_stand_in_as_fast_as_a_bare_loop():
    rows = _rows(models_folder() / "decoding.csv")
    assert all(row["layers_run"] == "64" for row in rows)
    speeds = {row["loop"]: float(row["tokens_per_second"]) for row in rows}
    assert speeds["engine"] >= 0.98 * speeds["bare llama_decode loop"]


def test_a_machines_own_row_is_ready_to_paste(capsys):
    speed_row.main(("nano-thinker",))
    head, rule, row = capsys.readouterr().out.strip().splitlines()[-3:]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert head.count("|") == rule.count("|") == row.count("|") == len(speed_row.COLUMNS) + 1
    assert cells[4] == "nano-thinker:F16" and float(cells[6]) > 0 and float(cells[8]) > 0


def test_the_cache_of_fewer_bits_was_measured_on_the_shipped_model_and_costs_little():
    rows = {(r["kv_type"], r["rotated"]): r for r in _rows(models_folder() / "nano_cache.csv")}
    assert list(rows) == [(k, "True") for k in ("f32", "f16", "q8_0", "q4_0")] + [("q4_0", "False")]
    changes = [float(row["mean_change_nats"]) for row in rows.values()]
    assert changes[0] == 0 and changes[1] < changes[2] < 1e-3 < changes[3] < 1e-2
    right = {key: int(row["right"]) for key, row in rows.items()}
    # As in the exam of the whole file, nano_quantisation.csv.
    assert right["f32", "True"] == 292 and min(right.values()) >= 280


def test_an_unknown_benchmark_is_refused_with_the_names_there_are(capsys):
    assert main(["speed"]) == 2
    assert "full-size" in capsys.readouterr().out


@pytest.mark.skipif(not TRANSCRIPT.is_file(), reason="no transcript is shipped")
def test_the_shipped_transcript_is_a_run_of_the_shipped_nano_thinker():
    transcript = load(TRANSCRIPT)
    assert transcript["model"]["name"] == "nano-thinker"
    assert transcript["model"]["sha256"] == hash_file(nano_folder() / "thinker.gguf"), (
        "the nano thinker has changed; record it anew: python -m tests.benchmarks recording"
    )
    reply = replay(TRANSCRIPT, speed=float("inf")).finish()
    assert "347 + 285" in transcript["messages"][-1]["content"] and "632" in reply.answer


@pytest.mark.skipif(not RACE.is_file(), reason="no race with TRL has been run to its end")
def test_the_race_with_trl_has_both_trainers_for_each_seed_and_says_how_it_was_run():
    rows, exams = _rows(RACE), _rows(RACE.with_name("trl-comparison-exams.csv"))
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    assert len({ours["seed"] for ours, _ in pairs}) == len(pairs) >= 3
    for ours, theirs in pairs:
        assert (ours["trainer"], theirs["trainer"]) == ("course_utils.nano.grpo", "trl.GRPOTrainer")
        for row in (ours, theirs):
            mine = [e for e in exams if (e["trainer"], e["seed"]) == (row["trainer"], row["seed"])]
            assert float(mine[0]["accuracy"]) < 0.4 and mine[0]["batches"] == "0"
            good = [e for e in mine if float(e["accuracy"]) >= 0.9]
            assert bool(good) == (row["reached_90_percent"] == "1")
            assert row["seconds"] == (good or mine[-1:])[0]["seconds"]
        ratio = float(theirs["seconds"]) / float(ours["seconds"])
        assert float(theirs["times_our_seconds"]) == pytest.approx(ratio, abs=0.01)
    assert (repository_root() / "tests" / "benchmarks" / "with_trl.py").is_file()
    assert all(r["command"].startswith("python -m tests.benchmarks.with_trl") for r in rows)
    assert all(r["threads"] == "1" and r["cpu"] and r["trl"] for r in rows)
