"""What the playground computes by itself, against the course's own arithmetic; in Node.js, without
a browser."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader

from course_utils.engines import Sampling
from course_utils.paths import nano_folder, repository_root
from course_utils.teaching import apply_sampling

SCRIPTS = repository_root() / "docs" / "_static" / "playground"


@pytest.fixture
def node(tmp_path):
    """A function that runs a script with names imported from one of the playground's modules."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is missing")

    def run(names, module, script):
        file = tmp_path / "script.mjs"
        address = json.dumps((SCRIPTS / module).as_uri())
        file.write_text(f"import {names} from {address};\n{script}", encoding="utf-8")
        return subprocess.run(
            ["node", str(file)], capture_output=True, text=True, check=True
        ).stdout

    return run


def test_the_sampling_settings_are_those_of_the_course(node):
    candidates = [0.5, 0.2, 0.12, 0.08, 0.05, 0.03, 0.02]
    settings = [
        {"temperature": t, "top_k": k, "top_p": p, "min_p": m}
        for t in (0.5, 1, 1.7)
        for k in (1, 4, 40)
        for p in (0.6, 0.95, 1)
        for m in (0, 0.1, 0.3)
    ]
    all_candidates = [{"token": i, "probability": p} for i, p in enumerate(candidates)]
    said = node(
        "{ sampled }",
        "sampling.js",
        f"const all = {json.dumps(all_candidates)};\n"
        f"console.log(JSON.stringify({json.dumps(settings)}.map((each) => sampled(all, each))));",
    )
    for setting, left in zip(settings, json.loads(said), strict=True):
        sampling = Sampling(**setting)
        expected = apply_sampling(np.log(candidates), sampling)
        shown = [0.0] * len(candidates)
        for each in left:
            shown[each["token"]] = each["probability"]
        assert shown == pytest.approx(expected, abs=1e-6), setting


@pytest.mark.parametrize("name", ["thinker", "looper", "mixer-cured", "moe"])
def test_a_widened_model_holds_the_same_numbers_and_no_16_bit_floats(node, tmp_path, name):
    source, target = nano_folder() / f"{name}.gguf", tmp_path / "wide.gguf"
    node(
        "{ widened }",
        "gguf.js",
        "import { readFileSync, writeFileSync } from 'node:fs';\n"
        f"const bytes = readFileSync({json.dumps(str(source))});\n"
        "const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);\n"
        "const parts = widened(buffer).map((part) => Buffer.from(part));\n"
        f"writeFileSync({json.dumps(str(target))}, Buffer.concat(parts));",
    )
    before, after = GGUFReader(source), GGUFReader(target)
    assert [(t.name, list(t.shape)) for t in before.tensors] == [
        (t.name, list(t.shape)) for t in after.tensors
    ]
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert new.tensor_type == GGMLQuantizationType.F32
        np.testing.assert_array_equal(new.data, old.data.astype(np.float32))
    assert [(key, field.parts[-1].tolist()) for key, field in before.fields.items()] == [
        (key, field.parts[-1].tolist()) for key, field in after.fields.items()
    ]
