import math
from pathlib import Path

import pytest

from schemas.recipe import BuildRecipe, RecipeError, TrainRecipe, convert, digest, load

NAN = math.nan
GOOD = "name: n\nsources: [{name: a, table: t.csv, clips: c, licence: l, columns: {clip: file}}]\nstages: [stage1]\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text("\ufeff" + GOOD, encoding="utf-8")
    return path


def test_overrides_reach_into_lists_and_absent_sections(recipe: Path) -> None:
    made = load(recipe, BuildRecipe, ["seed=3", "sources.0.columns.score=mos", "split={train: 1, test: 0}"])
    assert (made.seed, made.sources[0].columns.score, made.split.train) == (3, "mos", 1.0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sources.0.colums.clip=x", r"unknown key 'sources\[0\].colums'; did you mean 'columns'\?"),
        ("prompt=varied", r"unknown key 'prompt'; did you mean 'prompts'\?"),
        ("split.trian=1", r"unknown key 'split.trian'; did you mean 'train'\?"),
        ("seed=many", "Expected `int`, got `str` at `seed`"),
        ("prompts=free", "prompts: 'free' is none of its values; there are: published, varied"),
        ("media=cpoy", "'cpoy' is none of its values; did you mean 'copy'"),
        ("split.train=.nan", "split shares"),
        ("timeout=.inf", "timeout is above 0"),
        ("sources=[]", "name at least one"),
        ("sources.0.separator=;;", "separator is one character"),
        ("sources.0.encoding=utf-99", "Python knows no"),
        ("sources.0.scale={lo: 1, hi: 5, range: explicit, range_lo: 4, range_hi: 2}", "range_lo must lie below"),
        ("sources.0.name=..", "plain word"),
        ("name=a/b", "plain name"),
        ("max_quarantine=-1", "0 or more"),
        ("split.train=0.5", "split shares"),
        ("seed", "an override reads key.path=value"),
        ("sources.7.name=x", "there is no '7'"),
        ("seed=[", "not YAML"),
    ],
)
def test_wrong_keys_and_values_are_named(recipe: Path, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load(recipe, BuildRecipe, [override])


def test_unreadable_recipes(tmp_path: Path, recipe: Path) -> None:
    with pytest.raises(RecipeError, match="no such recipe; did you mean 'recipe.yaml'"):
        load(tmp_path / "recipes.yaml", BuildRecipe)
    for text, message in [
        ("- a", "mapping"),
        ("a: [", "not readable as YAML"),
        ("", "mapping"),
        ("name: 2020-13-45", "not readable as YAML"),
        ("a: 1\nb: 2\na: 3", "'a' is given twice .line 1"),
        ("[" * 3000, "nested too deep|not readable"),
    ]:
        recipe.write_text(text)
        with pytest.raises(RecipeError, match=message):
            load(recipe, BuildRecipe)


def test_digest_changes_with_meaning_only(recipe: Path) -> None:
    plain = load(recipe, BuildRecipe)
    recipe.write_text(GOOD + "seed: 0\n")
    assert digest(load(recipe, BuildRecipe)) == digest(plain)
    assert digest(load(recipe, BuildRecipe, ["seed=1"])) != digest(plain)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("steps", [0, -1]),
        ("batch", [0]),
        ("epochs", [0, -1, NAN, math.inf]),
        *((key, [-1, NAN, math.inf]) for key in ("lr", "vision_lr", "weight_decay", "soft_levels")),
        ("warmup", [-0.1, 1, 5, NAN, math.inf]),
    ],
)
def test_impossible_training_numbers_are_refused(key: str, values: list[float]) -> None:
    stage = {"name": "s", "configs": ["stage1"], "train": ["llm"]}
    length = {} if key in {"steps", "epochs"} else {"steps": 1}
    for value in values:
        wrong = {**stage, **length, key: value}
        with pytest.raises(RecipeError, match=f"stage 's': {key}"):
            convert({"corpus": "c", "out": "o", "stages": [wrong]}, TrainRecipe, "r.yaml")
    good = {**stage, "epochs": 0.5, "warmup": 0.99, "weight_decay": 0.1}
    convert({"corpus": "c", "out": "o", "stages": [good]}, TrainRecipe, "r.yaml")


def test_a_schedule_has_a_stage() -> None:
    with pytest.raises(RecipeError, match="name at least one"):
        convert({"corpus": "c", "out": "o", "stages": []}, TrainRecipe, "r.yaml")


def test_a_training_stage_has_one_length() -> None:
    stage = {"name": "s", "configs": ["stage1"], "train": ["llm"]}
    with pytest.raises(RecipeError, match="epochs or steps"):
        convert({"corpus": "c", "out": "o", "stages": [stage]}, TrainRecipe, "r.yaml")
    with pytest.raises(RecipeError, match=r"unknown key 'stages\[0\].epoch'; did you mean 'epochs'"):
        convert({"corpus": "c", "out": "o", "stages": [{**stage, "epoch": 1}]}, TrainRecipe, "r.yaml")


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("corpus: c\nout: o\nstages: [{name: s, configs: [stage1], train: [llm], steps: 1, lr: 1e-4}]\n")
    cases: list[tuple[list[str], float]] = [([], 1e-4), (["stages.0.lr=2E-5"], 2e-5), (["stages.0.lr=1.0e-3"], 1e-3)]
    for overrides, lr in cases:
        stages = load(path, TrainRecipe, overrides).stages
        assert stages
        assert stages[0].lr == lr
    assert load(path, TrainRecipe, ["out=1e-4x"]).out == "1e-4x"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("seed=-1", "seed is 0 to 4294967295, got -1"),
        ("seed=4294967296", "seed is 0 to 4294967295"),
        ("stages.0.train=[]", "stage 's': train names one part or more"),
        ("stages.0.accumulate=2", "stage 's': accumulate follows from step, so give one of the two"),
    ],
)
def test_a_training_recipe_that_cannot_be_is_refused(tmp_path: Path, override: str, told: str) -> None:
    path = tmp_path / "train.yaml"
    stages = "[{name: s, configs: [stage1], train: [llm], steps: 1}]"
    path.write_text(f"corpus: c\nout: o\nstep: 8\nstages: {stages}\n")
    with pytest.raises(RecipeError, match=told):
        load(path, TrainRecipe, [override])
