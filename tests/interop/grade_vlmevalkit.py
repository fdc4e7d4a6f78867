"""Grade answers to Q-Bench-Video as VLMEvalKit does, and print its table as JSON.

python grade_vlmevalkit.py ROWS_FILE: JSON rows with `type`, `answer` as published ("B. Noise"), `prediction`, and
`points` where the question is open-ended: what its judge gave, which is put where the toolkit keeps verdicts.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["PRED_FORMAT"] = "tsv"

import pandas as pd
import tiny_qwen

tiny_qwen.stand_in_for_compiled_parts()

from vlmeval.dataset import qbench_video  # noqa: E402

NAME, CHOICES, OPEN = "QBench_Video", "QBench_Video_MCQ", "QBench_Video_VQA"
JUDGE = "a-judge"


class Answered(qbench_video.QBench_Video):  # type: ignore[misc]
    """Its evaluation without the videos and questions, which it would download."""

    def __init__(self) -> None:
        """Name the parts of its table, as it does itself."""
        self.dataset_name, self.datasets = NAME, [CHOICES, OPEN]
        self.dataset_map = {CHOICES: qbench_video.QBench_Video_MCQ, OPEN: qbench_video.QBench_Video_VQA}

    def prepare_dataset(self, dataset: str) -> None:
        """Do nothing: the answers are all there is."""


def main(rows_file: str) -> None:
    """Run its evaluation on a file of answers."""
    rows = json.loads(Path(rows_file).read_text(encoding="utf-8"))
    table = pd.DataFrame(
        {
            "index": range(len(rows)),
            "original_index": _numbered(rows),
            "SUB_DATASET": [OPEN if "points" in row else CHOICES for row in rows],
            "question": "Q?",
            "dimensions": [repr([f"{row['type']},Technical"]) for row in rows],
            "answer": [row["answer"] for row in rows],
            "prediction": [qbench_video.FAIL_MSG if row["prediction"] is None else row["prediction"] for row in rows],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / f"model_{NAME}.tsv"
        table.to_csv(answers, sep="\t", index=False)
        judged = table[table["SUB_DATASET"] == OPEN].assign(score=[r["points"] for r in rows if "points" in r])
        judged.to_csv(Path(folder) / f"model_{OPEN}_{JUDGE}_score.tsv", sep="\t", index=False)
        found = Answered().evaluate(str(answers), model=JUDGE)
    print(json.dumps({str(kind): [row["success"], row["overall"], row["acc"]] for kind, row in found.iterrows()}))


def _numbered(rows: list[dict[str, object]]) -> list[int]:
    """Number choices and open-ended questions by themselves, as each of its two tables does."""
    counts = [0, 0]
    numbers = []
    for row in rows:
        numbers.append(counts["points" in row])
        counts["points" in row] += 1
    return numbers


if __name__ == "__main__":
    main(sys.argv[1])
