"""Accuracies on Q-Bench-Video equal those of VLMEvalKit itself, on the same answers.

Not collected by itself: `make test-interop` installs the toolkit, as ModelScope packages it, into an environment of its
own below `.interop`, and names this file. Every run holds the rule as tests/training/test_grading.py states it anew.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.interop.readers import ENVIRONMENTS
from tests.training.test_grading import OPTIONS, answers_to, choice, open_question
from training.evaluation.grading import Grade, graded, vlmevalkit
from training.testsets import LETTERS

SCRIPT = Path(__file__).with_name("grade_vlmevalkit.py")


def graded_there(rows: list[dict[str, object]], folder: Path) -> dict[str, list[float]]:
    """Run the toolkit."""
    file = folder / "rows.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    done = subprocess.run(
        [ENVIRONMENTS / "vlmevalkit" / "bin" / "python", SCRIPT, file],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "LMUData": str(folder), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    table: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return table


@pytest.mark.parametrize("seed", range(3))
def test_the_table_is_the_toolkits_own(seed: int, tmp_path: Path) -> None:
    """Right, wrong, odd and failed answers of every kind to choices, and points of 0, 1 and 2."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    grades: list[Grade] = []
    for options in OPTIONS:
        kind = "yes-or-no" if len(options) == 2 else "what/how"
        for right, letter in enumerate(LETTERS[: len(options)]):
            # The toolkit itself ends on an answer without any text.
            for answer in [*filter(str.strip, answers_to(options)), None]:
                grades.append(graded(choice(options, right, type=kind), answer))
                rows.append({"type": kind, "answer": f"{letter}. {options[right]}", "prediction": answer})
    for _ in range(40):
        points = int(rng.integers(0, 3))
        grades.append(graded(open_question(), "Some blur.", [points]))
        rows.append({"type": "open_ended", "answer": "Blur.", "prediction": "Some blur.", "points": points})
    order = [int(at) for at in rng.permutation(len(rows))[: 60 + 80 * seed]]
    grades, rows = [grades[at] for at in order], [rows[at] for at in order]
    expected = {kind: [row.success, row.overall, row.acc] for kind, row in vlmevalkit(grades).items()}
    assert graded_there(rows, tmp_path) == expected
    assert set(expected) == {"yes-or-no", "what/how", "open_ended"}
