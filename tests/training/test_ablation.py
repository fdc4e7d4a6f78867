"""Studies: variants over runs, kept and not done again, and figures that equal those taken by hand."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path
from statistics import fmean, stdev

import msgspec
import pytest
import yaml
from scipy.stats import t
from typer.testing import CliRunner

from dataset_builder.corpus import read_samples
from schemas.errors import CallError
from schemas.recipe import RecipeError, TrainRecipe, load
from tests.training.conftest import EVERYTHING, FRAMES, make_corpus, scored, video_ref, write_recipe, write_samples
from training.checkpoints.checkpoint import load_checkpoint
from training.inference.score import score_clips
from training.trainer.ablation import Found, Run, Study, mean_of, page, read_study, run_study, table_of
from training.trainer.train import train
from vqa2 import app

STAGE = {"name": "s", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 4, "batch": 2, "lr": 0.002}
UNMOVED = {"geometry": {"motion_extractor": "none"}}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two variants on two seeds of one corpus, whose test split has six clips."""
    folder = tmp_path_factory.mktemp("study")
    corpus = make_corpus(folder / "made" / "corpus")
    refs = [video_ref(f"clip{i}") for i in range(6)]
    write_samples(corpus, "stage2-ugc", "test", [scored(ref, 0.95 - 0.15 * i) for i, ref in enumerate(refs)])
    path = folder / "study.yaml"
    told = {
        "title": "What motion is worth",
        "train": {"stages": [STAGE]},
        "variants": {"all": {}, "without motion": UNMOVED},
        "runs": [{"corpus": "made/corpus", "seed": seed} for seed in (0, 1)],
        "groups": {"noisy": "clip[3-5]"},
        "out": "studied",
    }
    path.write_text(yaml.safe_dump(told))
    return path


def test_a_study_trains_and_scores_every_variant_once(study: Path) -> None:
    told: list[str] = []
    found = run_study(read_study(study), study, told.append)
    assert [(f.variant, f.seed) for f in found] == [(v, s) for s in (0, 1) for v in ("all", "without motion")]
    assert len(told) == 4
    assert found[0].n == {"all": 6, "noisy": 3}
    assert run_study(read_study(study), study, told.append) == found
    assert len(told) == 4
    (other,) = run_study(read_study(study, ["groups.quiet=clip[0-2]", "runs=[{corpus: made/corpus, seed: 0}]"]), study)[
        :1
    ]
    assert set(other.srcc) == {"all", "noisy", "quiet"}
    unmoved = load_checkpoint(study.parent / "studied" / "made-corpus-0-without motion")
    assert unmoved.config.motion_extractor == "none"
    assert "<motion>" not in unmoved.block.scoring.video_prompt_without_motion
    again = CliRunner().invoke(app, ["ablate", str(study), "--out", str(study.parent / "page.md"), "--json"])
    assert again.exit_code == 0, again.output
    first = json.loads(again.stdout)["table"]["all"]["all"]["srcc"]
    assert first["values"] == [f.srcc["all"] for f in found if f.variant == "all"]
    assert (study.parent / "page.md").read_text().startswith("# What motion is worth\n")


def test_a_changed_variant_is_done_again(study: Path) -> None:
    told: list[str] = []
    changed = read_study(study, ["out=other", "train.stages.0.steps=2"])
    run_study(msgspec.structs.replace(changed, runs=changed.runs[:1]), study, told.append)
    assert len(told) == 2


def test_a_model_of_another_recipe_or_corpus_is_trained_again(study: Path) -> None:
    corpus = study.parent / "made" / "corpus"
    told: list[str] = []

    def trained(*overrides: str) -> list[tuple[int, str]]:
        given = read_study(study, ["out=edited", "runs=[{corpus: made/corpus, seed: 0}]", *overrides])
        run_study(given, study, told.append)
        records = [
            json.loads((study.parent / "edited" / f"made-corpus-0-{name}" / "training.json").read_bytes())
            for name in given.variants
        ]
        return [(sum(s["steps"] for s in r["stages"]), r["corpus_manifest_sha256"]) for r in records]

    before = trained("train.stages.0.steps=1")
    assert [steps for steps, _ in before] == [1, 1]
    after = trained("train.stages.0.steps=2")
    assert [steps for steps, _ in after] == [2, 2]
    assert len(told) == 4
    assert trained("train.stages.0.steps=2", "groups={}") == after  # scored anew, by the same models
    assert len(told) == 6
    manifest = corpus / "manifest.json"
    kept = manifest.read_bytes()
    manifest.write_bytes(kept.replace(b"six-clips", b"rebuilt"))
    try:
        rebuilt = trained("train.stages.0.steps=2", "groups={}")
    finally:
        manifest.write_bytes(kept)
    assert len(told) == 8
    assert {sha for _, sha in rebuilt}.isdisjoint(sha for _, sha in after)


def test_runs_on_corpora_of_one_folder_keep_apart(study: Path) -> None:
    (study.parent / "made" / "other").symlink_to("corpus")
    told: list[str] = []
    given = read_study(study, ["out=apart", "train.stages.0.steps=1"])
    given = msgspec.structs.replace(given, runs=[Run(corpus=f"made/{name}", seed=0) for name in ("corpus", "other")])
    run_study(given, study, told.append)
    run_study(given, study, told.append)
    assert len(told) == 4
    with pytest.raises(CallError, match="two runs would share the folder"):
        read_study(study, ["runs=[{corpus: made/corpus, seed: 0}, {corpus: made/corpus, seed: 0}]"])


def test_a_model_of_another_preset_is_trained_again(study: Path) -> None:
    preset = study.parent / "own.yaml"
    kept = files("training") / "presets" / "tiny.yaml"
    preset.write_text(kept.read_text(encoding="utf-8"), encoding="utf-8")
    told: list[str] = []
    runs = "runs=[{corpus: made/corpus, seed: 0}]"
    given = read_study(study, ["out=by-own", "train.preset=own.yaml", "train.stages.0.steps=1", runs])
    run_study(given, study, told.append)
    run_study(given, study, told.append)
    assert len(told) == 2
    preset.write_text(
        preset.read_text(encoding="utf-8").replace("vocabulary: 1024", "vocabulary: 900"), encoding="utf-8"
    )
    run_study(given, study, told.append)
    assert len(told) == 4


def test_a_model_without_motion_tokens_scores_without_them(study: Path) -> None:
    model = study.parent / "studied" / "made-corpus-0-without motion"
    checkpoint = load_checkpoint(model)
    corpus = study.parent / "made" / "corpus"
    (row,) = score_clips(checkpoint, [corpus / "media" / "clip0.mp4"])
    assert row.score is not None
    located = next(iter(read_samples(corpus, "stage2-ugc", "train")))
    assert located.sample.media[0].motion_frames == FRAMES


def test_stages_that_teach_motion_alone_are_left_out_without_it(study: Path) -> None:
    corpus = study.parent / "made" / "corpus"
    stages = [{**STAGE, "name": "motion", "train": ["motion", "motion_projector"]}, STAGE]
    recipe = load(write_recipe(corpus, out="unmoved", stages=stages, **UNMOVED), TrainRecipe)
    assert [stage["steps"] for stage in train(recipe, corpus)["stages"]] == [0, 4]


def found(variant: str, seed: int, value: float | None) -> Found:
    group = {"all": value}
    return Found(variant=variant, corpus="c", seed=seed, begun_from={}, asked=[], n={"all": 9}, srcc=group, plcc=group)


def test_differences_are_taken_run_by_run(study: Path) -> None:
    given = msgspec.structs.replace(read_study(study), groups={}, variants={"a": {}, "b": {}, "c": {}})
    values = {"a": [0.5, 0.6, 0.4], "b": [0.55, 0.62, 0.47], "c": [0.5, None, 0.4]}
    rows = [found(v, seed, x) for v, xs in values.items() for seed, x in enumerate(xs)]
    table = table_of(given, rows)["all"]
    apart = [0.05, 0.02, 0.07]
    difference = table["b"]["difference"]
    assert difference is not None
    assert difference.half is not None
    assert difference.mean == pytest.approx(fmean(apart))
    assert difference.half == pytest.approx(t.ppf(0.975, 2) * stdev(apart) / math.sqrt(3))
    assert table["a"]["difference"] is None
    assert table["c"]["srcc"] is None
    text = page(given, rows, "vqa2 ablate study.yaml")
    assert "| b | 0.547 ± " in text
    assert "| c | undefined (constant scores) |" in text
    assert mean_of([0.3]).half is None


def test_what_is_no_study_is_told_before_anything_is_trained(study: Path, tmp_path: Path) -> None:
    plain = yaml.safe_load(study.read_text())
    wrong: list[tuple[dict[str, object], str]] = [
        ({"variants": {"a": {}}}, "two variants or more"),
        ({"groups": {"odd": "("}}, "no regular expression"),
        ({"variants": {"a": {}, "b": {"sed": 1}}}, "variant 'b': unknown key 'sed'; did you mean 'seed'"),
    ]
    for change, words in wrong:
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({**plain, **change}))
        with pytest.raises(RecipeError, match=words.replace("(", r"\(")):
            read_study(path)
    few = msgspec.structs.replace(read_study(study), groups={"few": "clip0"})
    with pytest.raises(CallError, match="group 'few': 1 of 6 samples; a ranking needs 3"):
        run_study(msgspec.structs.replace(few, out="fewer", runs=few.runs[:1]), study)
    assert isinstance(few, Study)
