"""What a push makes of a model folder: versions with a card, held to the data that it was trained on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData
from safetensors.torch import load_file

from dataset_builder.corpus import MANIFEST, file_entry
from dataset_builder.intervals import wilson
from schemas.levels import LEVELS
from schemas.lock import BenchmarkLock, Encode, LockedClip, MetricReport, Metrics, fingerprint
from tests.hub_sync.conftest import Client, Corpora
from tests.hub_sync.hub import WRITER, HubServer
from tests.hub_sync.models import trained
from tests.hub_sync.test_push import ran, writes
from tests.training.original_layout import make_original
from training.checkpoints.checkpoint import load_checkpoint
from training.converting.convert import convert, to_llava
from training.evaluation.grading import Grade, accuracies
from training.evaluation.metrics import agreement
from training.evaluation.outcomes import Outcome

REPO, KEPT = "lab/tiny", "lab/tiny (model)"
CORPUS = "lab/small"


@pytest.fixture(scope="session")
def tiny(corpora: Corpora, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained on the small corpus, to be read only."""
    return trained(corpora("first"), tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def adapters(corpora: Corpora, tiny: Path) -> Path:
    """Adapters to it, to be read only."""
    return trained(corpora("first"), tiny.with_name("adapters"), model=str(tiny), lora={"rank": 2})


@pytest.fixture
def copied(tiny: Path, tmp_path: Path) -> Path:
    """The model, to be changed."""
    return Path(shutil.copytree(tiny, tmp_path / "copies" / "tiny"))


EACH = """
import contextlib, io, json, sys
import vqa2
for line in sys.stdin:
    sys.argv = ["vqa2", *json.loads(line)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(out):
        try:
            vqa2.main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
"""Runs one command after another in one process: starting it takes longer than most of them."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


Push = Callable[..., Done]


@pytest.fixture
def push(hub_python: Client) -> Push:
    """Pushes folders to REPO, or where `repo` says; `command` runs another one."""
    process = hub_python.start(EACH)

    def run(folder: Path, *options: object, repo: str = REPO, command: str = "push") -> Done:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([command, str(folder), str(repo), *map(str, options)]) + "\n")
        process.stdin.flush()
        return Done(*json.loads(process.stdout.readline()))

    return run


def pushed(push: Push, folder: Path, *options: object, repo: str = REPO) -> dict[str, Any]:
    done = push(folder, "--json", *options, repo=repo)
    assert done.code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def published(hub: HubServer, revision: str, repo: str = KEPT) -> dict[str, bytes]:
    return {path: data for path, data in hub.files(repo, revision).items() if path != ".gitattributes"}


def card_of(hub: HubServer, revision: str = "v1.0.0", repo: str = KEPT) -> ModelCard:
    """The card, read as the Hub's own library reads it."""
    return ModelCard(published(hub, revision, repo)["README.md"].decode())


def test_the_first_version_and_the_same_again(hub: HubServer, push: Push, tiny: Path) -> None:
    planned = pushed(push, tiny, "--dry-run")
    assert (planned["dry_run"], planned["commit"], planned["plan"]["tag"]) == (True, None, "v1.0.0")
    assert not hub.exists(KEPT)
    done = pushed(push, tiny)
    assert hub.tags(KEPT) == {"v1.0.0": done["commit"]}
    assert not hub.exists(REPO)
    there = published(hub, "v1.0.0")
    own = {"README.md", "training.json"}
    assert {p: d for p, d in there.items() if p not in own} == {
        path.name: path.read_bytes() for path in tiny.iterdir() if path.name not in own
    }
    assert [path.name for path in tiny.parent.iterdir() if "push" in path.name] == []
    hub.clear_log()
    told = push(tiny).stdout
    assert told == "lab/tiny holds this model already, as v1.0.0: nothing to do\n"
    assert writes(hub) == []
    assert not hub.requests("unknown")


def test_what_is_published_is_a_model_again(hub: HubServer, push: Push, hub_python: Client, tiny: Path) -> None:
    pushed(push, tiny, "--private")
    code = (
        "import sys; from huggingface_hub import snapshot_download; from pathlib import Path\n"
        "folder = snapshot_download(sys.argv[1], revision='v1.0.0', local_dir=sys.argv[2])\n"
        "from training.checkpoints.checkpoint import load_checkpoint\n"
        "print(load_checkpoint(Path(folder)).block.scoring.levels)"
    )
    got = hub_python(code, REPO, tiny.parent / "got")
    assert ran(got).splitlines()[-1] == str(list(LEVELS))
    refused = hub_python(code, REPO, tiny.parent / "not", token=None)
    assert "RepositoryNotFoundError" in refused.stderr


def test_another_model_is_a_major_version_and_a_card_a_patch(hub: HubServer, push: Push, copied: Path) -> None:
    pushed(push, copied)
    done = pushed(push, copied, "--license", "apache-2.0")
    assert (done["plan"]["step"], done["plan"]["tag"], done["plan"]["changed"]) == ("patch", "v1.0.1", ["README.md"])
    assert card_of(hub, "v1.0.1").data.license == "apache-2.0"
    assert "--revision v1.0.1" in card_of(hub, "v1.0.1").text
    block = json.loads((copied / "vqa2.json").read_bytes())
    block["scoring"]["video_prefix"] = "I find this video"
    (copied / "vqa2.json").write_text(json.dumps(block))
    (copied / "curve.png").unlink()
    done = pushed(push, copied, "--license", "apache-2.0")
    assert (done["plan"]["step"], done["plan"]["tag"]) == ("major", "v2.0.0")
    assert done["plan"]["reasons"] == ["it is another model: vqa2.json differ"]
    assert done["plan"]["removed"] == ["curve.png"]
    assert "curve.png" in published(hub, "v1.0.0")
    assert "I find this video" in card_of(hub, "v2.0.0").text
    refused = push(copied, "--tag", "v1.0.0")
    assert (refused.code, "a tag is never moved" in refused.stderr) == (2, True)


def test_what_others_put_there_stays(hub: HubServer, push: Push, tiny: Path) -> None:
    hub.create_repo(KEPT)
    hub.commit(KEPT, {"README.md": b"# of the web page\n", "LICENSE": b"mine\n"})
    done = pushed(push, tiny)
    assert (done["plan"]["others"], done["plan"]["changed"]) == (["LICENSE"], ["README.md"])
    assert published(hub, "v1.0.0")["LICENSE"] == b"mine\n"
    hub.create_repo("lab/theirs (model)")
    hub.commit("lab/theirs (model)", {"config.json": b"{}"})
    refused = push(tiny, repo="lab/theirs")
    assert refused.code == 2
    assert "holds files that are no model of this program (config.json)" in refused.stderr


# Converted models.


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature checkpoint in the original layout, with what else lies in a released folder, to be read only."""
    folder = make_original(tmp_path_factory.mktemp("released") / "VQA-UGC-Scorer-llava_qwen")
    (folder / "trainer_state.json").write_text('{"epoch": 1.0}')
    (folder / "README.md").write_text("# The original's card\n")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    return folder


@pytest.fixture
def converted(released: Path, tmp_path: Path) -> Path:
    """The same as `vqa2 convert` writes it, to be changed."""
    convert(released, tmp_path / "copies" / "tiny")
    return tmp_path / "copies" / "tiny"


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_converted_model_is_published_whole_and_converts_back(
    hub: HubServer, push: Push, hub_python: Client, released: Path, converted: Path, tmp_path: Path
) -> None:
    local = files_below(converted)
    carried = {path for path in local if path.startswith("original/")}
    assert {"original/config.json", "original/tokenizer.json", "original/README.md"} < carried
    pushed(push, converted)
    there = published(hub, "v1.0.0")
    own = {"README.md", "training.json"}
    assert there.keys() - own == local.keys() - own - {"original/.gitattributes"}
    assert {path for path in there.keys() - own if there[path] != local[path]} == set()
    assert json.loads(there["training.json"]) == json.loads(local["training.json"])
    code = (
        "import sys; from huggingface_hub import snapshot_download\n"
        "snapshot_download(sys.argv[1], revision='v1.0.0', local_dir=sys.argv[2])"
    )
    ran(hub_python(code, REPO, tmp_path / "got"))
    assert load_checkpoint(tmp_path / "got").block == load_checkpoint(converted).block
    to_llava(tmp_path / "got", tmp_path / "back")
    theirs, back = load_file(released / "model.safetensors"), load_file(tmp_path / "back" / "model.safetensors")
    assert theirs.keys() == back.keys()
    assert all(theirs[name].equal(back[name]) for name in theirs)
    small = {path.removeprefix("original/") for path in carried - {"original/.gitattributes"}}
    assert {name: (tmp_path / "back" / name).read_bytes() for name in small} == {
        name: (released / name).read_bytes() for name in small
    }


def test_what_lies_under_original_goes_with_the_model(hub: HubServer, push: Push, converted: Path) -> None:
    pushed(push, converted)
    (converted / "original" / "trainer_state.json").unlink()
    (converted / "original" / "README.md").write_text("# Another\n")
    hub.commit(KEPT, {"original/theirs.bin": b"x"})
    done = pushed(push, converted)
    assert done["plan"]["removed"] == ["original/trainer_state.json"]
    assert "original/README.md" in done["plan"]["changed"]
    there = published(hub, done["plan"]["tag"])
    assert "original/trainer_state.json" not in there
    assert (there["original/README.md"], there["original/theirs.bin"]) == (b"# Another\n", b"x")


def test_what_no_conversion_writes_under_original_is_refused(hub: HubServer, push: Push, converted: Path) -> None:
    place = converted / "original"
    (place / "deeper").mkdir()
    for name, told in (
        ("model.safetensors", "is no file of a model folder"),
        ("model.safetensors.index.json", "is no file of a model folder"),
        ("code.py", "is no file of a model folder"),
        ("deeper/config.json", "is no file of a model folder"),
        ("training_args.bin", "may run code when it is loaded"),
    ):
        (place / name).write_bytes(b"{}")
        refused = push(converted)
        (place / name).unlink()
        assert (refused.code, f"original/{name}: {told}" in refused.stderr) == (1, True), refused.stderr
    for name, text, told in (
        ("generation_config.json", '{"from": "/home/anna/model"}', "holds a path of somebody's home"),
        ("README.md", WRITER, "holds the token that is in use"),
    ):
        (place / name).write_text(text)
        refused = push(converted)
        (place / name).unlink()
        assert (refused.code, f"original/{name}" in refused.stderr, told in refused.stderr) == (1, True, True)
    assert not hub.exists(KEPT)


# The card: data, terms, licence.


def test_the_data_are_named_where_they_are_the_data(hub: HubServer, push: Push, tiny: Path, corpora: Corpora) -> None:
    pushed(push, corpora("first"), repo=CORPUS)
    pushed(push, corpora("flipped"), repo=CORPUS)
    hub.clear_log()
    for options, told in (
        (["--data", CORPUS], "a branch may move"),
        (["--data", f"{CORPUS}@v1.0.0"], "its manifest is not the one that the model was trained on"),
        (["--data", f"{CORPUS}@v2.0.0", "--corpus", corpora("first")], "its rows are not those of"),
        (["--data", f"{CORPUS}@v1.0.0", "--corpus", corpora("flipped")], "it is not the corpus that the model"),
        (["--data", "lab/none@v1.0.0"], "there is no data set lab/none"),
        (["--corpus", corpora("first")], "name that with --data REPO@TAG"),
    ):
        refused = push(tiny, *options)
        assert refused.code in {1, 2}
        assert told in refused.stderr
    assert writes(hub) == []
    pushed(push, tiny, "--data", f"{CORPUS}@v1.0.0", "--corpus", corpora("first"))
    card = card_of(hub)
    assert card.data.datasets == [CORPUS]
    assert card.data["vqa2"]["data"] == f"{CORPUS}@v1.0.0"
    assert card.data["vqa2"]["corpus_manifest_sha256"] == file_entry(corpora("first") / MANIFEST).sha256
    assert f"vqa2 pull {CORPUS}@v1.0.0" in card.text


def test_data_that_were_pulled_are_known_by_their_manifest(
    hub: HubServer, push: Push, corpora: Corpora, tmp_path: Path
) -> None:
    pushed(push, corpora("first"), repo=CORPUS)
    assert push(Path(f"{CORPUS}@v1.0.0"), repo=str(tmp_path / "pulled"), command="pull").code == 0
    model = trained(tmp_path / "pulled", tmp_path / "tiny", data=f"{CORPUS}@v1.0.0")
    pushed(push, model)
    assert card_of(hub).data["vqa2"]["data"] == f"{CORPUS}@v1.0.0"
    record = json.loads((model / "training.json").read_bytes())
    record["data"]["manifest_sha256"] = record["corpus_manifest_sha256"] = "0" * 64
    (model / "training.json").write_text(json.dumps(record))
    refused = push(model)
    assert (refused.code, "its manifest is not the one" in refused.stderr) == (1, True)


def test_terms_and_licence_go_together(hub: HubServer, push: Push, copied: Path) -> None:
    record = json.loads((copied / "training.json").read_bytes())
    record["data"]["terms"]["commercial"] = False
    (copied / "training.json").write_text(json.dumps(record))
    for licence in ("apache-2.0", "cc-by-4.0", "our own"):
        refused = push(copied, "--license", licence)
        assert refused.code == 2
        assert "may not be used commercially, and this licence does not say so" in refused.stderr
    assert not hub.exists(KEPT)
    pushed(push, copied, "--license", "cc-by-nc-4.0")
    card = card_of(hub)
    assert card.data.license == "cc-by-nc-4.0"
    assert "**It was trained on data that may not be used commercially.**" in card.text
    pushed(push, copied)
    assert (card_of(hub, "v1.0.1").data.license, card_of(hub, "v1.0.1").data.license_name) == ("other", "see-the-card")


def test_the_card_tells_recipe_and_tools_and_no_path(hub: HubServer, push: Push, tiny: Path) -> None:
    record = json.loads((tiny / "training.json").read_bytes())
    assert Path(record["recipe"]["corpus"]).is_absolute()
    pushed(push, tiny)
    sent = json.loads(published(hub, "v1.0.0")["training.json"])
    assert (sent["recipe"]["corpus"], sent["recipe"]["out"]) == ("corpus", "tiny")
    assert {**sent, "recipe": 0} == {**record, "recipe": 0}
    card = card_of(hub)
    for told in (
        record["recipe_sha256"],
        "preset `tiny`, seed 0",
        f"torch {record['tools']['torch']}",
        "| ugc | 1 | 1 |",
    ):
        assert told in card.text
    data = card.data
    assert isinstance(data, ModelCardData)
    assert (data.library_name, data.pipeline_tag, data.base_model) == ("transformers", "video-text-to-text", None)
    assert {"video-quality-assessment", "vqa2"} <= set(data.tags or [])
    assert str(tiny.parent).encode() not in b"".join(published(hub, "v1.0.0").values())


# Metrics.


def lock() -> BenchmarkLock:
    clips = [LockedClip(id=f"{i}", sha256=f"{i:064x}", raw=float(i)) for i in range(6)]
    encode = Encode(
        sha256=fingerprint(clips), frame_rates={"10": 6}, seconds=3.6, probed=0, codecs={}, sizes={}, bytes=0
    )
    return BenchmarkLock(
        name="small/test", config="stage2-ugc", split="test", n=6, scales=[], encode=encode, clips=clips
    )


def report(model: str, **changes: Any) -> MetricReport:
    known: dict[str, Any] = {
        "benchmark": lock().named(),
        "config": "stage2-ugc",
        "split": "test",
        "model": model,
        "n_expected": 6,
        "errors": [],
        "not_scored": [],
        "trained": Metrics(n=6, srcc=0.8125, plcc=0.75),
    }
    return MetricReport(**{**known, **changes})


def outcome(model: str, n_scored: int = 6) -> Outcome:
    return Outcome(
        set="konvid_1k",
        part="",
        model=model,
        weights="",
        by="",
        notes="",
        published=6,
        listed=6,
        n_expected=6,
        n_scored=n_scored,
        missing=[],
        refused=[],
        errors={},
        lock=lock().named(),
        metrics=agreement([0.1, 0.3, 0.2, 0.5, 0.6, 0.9], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], resamples=50),
    )


Written = Callable[[Any], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(found: Any) -> Path:
        path = tmp_path / f"report{len(list(tmp_path.glob('report*')))}.json"
        path.write_bytes(msgspec.json.encode(found))
        return path

    return write


def test_metrics_are_told_with_the_lock_that_they_are_over(
    hub: HubServer, push: Push, tiny: Path, written: Written
) -> None:
    paths = [written(report("tiny")), written(outcome("tiny"))]
    pushed(push, tiny, *(word for path in paths for word in ("--metrics", path)))
    card = card_of(hub)
    found = {(r.dataset_name, r.metric_type): r for r in card.data.eval_results or []}
    assert found["small/test", "srcc"].metric_value == 0.8125
    assert found["small/test", "plcc"].metric_value == 0.75
    assert found["konvid_1k", "srcc"].metric_value == pytest.approx(33 / 35)
    assert {name for of, name in found if of == "konvid_1k"} == {"srcc", "plcc", "plcc_fitted", "krcc"}
    assert all(r.dataset_args == {"lock": lock().digest, "n": 6} for r in found.values())
    assert card.data.model_name == "tiny"
    assert f"| small/test | SRCC | 0.812 | 6 | `{lock().digest[:12]}` |" in card.text
    header = yaml.safe_load(card.content.split("---")[1])
    assert header["model-index"][0]["name"] == "tiny"


def test_metrics_of_another_model_or_over_part_of_a_benchmark_are_no_result(
    hub: HubServer, push: Push, tiny: Path, written: Written
) -> None:
    for wrong, told in (
        (report("other"), "it is of the model 'other', this folder is 'tiny'"),
        ({"srcc": 1}, "no report of `vqa2 eval --out`"),
    ):
        refused = push(tiny, "--metrics", written(wrong))
        assert refused.code in {1, 2}
        assert told in refused.stderr
    part = report("tiny", not_scored=["5"], errors=["5: gone"], trained=Metrics(n=5, srcc=1.0, plcc=1.0))
    pushed(push, tiny, "--metrics", written(part))
    assert card_of(hub).data.eval_results is None
    assert "**5 of 6**" in card_of(hub).text
    assert "Some results leave out clips" in card_of(hub).text


def of_questions(model: str, unjudged: int = 0) -> Outcome:
    """Eight questions of two types, five of them right; so many of them have no grade."""
    credits_ = [1, 1, 1, 0, 1, 0, 1, 0]
    graded = [None if i < unjudged else float(credit) for i, credit in enumerate(credits_)]
    grades = [
        Grade(type="yes-or-no" if i < 4 else "what", concerns=("technical",), pair=False, credit=credit)
        for i, credit in enumerate(graded)
    ]
    return msgspec.structs.replace(
        outcome(model, n_scored=8),
        set="q_bench_video",
        part="dev",
        by="letter",
        published=8,
        listed=8,
        n_expected=8,
        metrics=None,
        accuracy=accuracies(grades),
        unjudged=unjudged,
    )


def test_accuracies_are_told_overall_and_by_type(hub: HubServer, push: Push, tiny: Path, written: Written) -> None:
    found = of_questions("tiny")
    pushed(push, tiny, "--metrics", written([found, outcome("tiny")]))
    card = card_of(hub)
    for group, right, n in (("overall", 5, 8), ("type: yes-or-no", 3, 4), ("type: what", 2, 4)):
        low, high = wilson(right, n)
        told = f"{right / n:.3f} ({low:.3f} to {high:.3f}) | {n} | `{lock().digest[:12]}` |"
        assert f"| q_bench_video/dev, by letter | {group.removeprefix('type: ')} | {told}" in card.text
    assert "technical" not in card.text
    assert "| konvid_1k | SRCC |" in card.text
    (entry,) = [r for r in card.data.eval_results or [] if r.dataset_type == "q_bench_video"]
    assert (entry.metric_type, entry.metric_value, entry.dataset_split) == ("accuracy", 0.625, "dev")
    assert entry.dataset_args == {"lock": lock().digest, "n": 8, "asked": "by letter"}


def test_questions_without_a_grade_make_no_result(hub: HubServer, push: Push, tiny: Path, written: Written) -> None:
    nothing = msgspec.structs.replace(of_questions("tiny"), accuracy={})
    refused = push(tiny, "--metrics", written(nothing))
    assert (refused.code, "has neither correlations nor accuracies" in refused.stderr) == (2, True)
    pushed(push, tiny, "--metrics", written(of_questions("tiny", unjudged=1)))
    card = card_of(hub)
    assert card.data.eval_results is None
    assert "| **7 of 8** |" in card.text
    assert "| **3 of 4** |" in card.text
    assert "Some results leave out clips or questions" in card.text


# Adapters.


def test_adapters_name_their_base_and_find_it(
    hub: HubServer, push: Push, hub_python: Client, tiny: Path, adapters: Path, tmp_path: Path
) -> None:
    repo = "lab/adapters"
    refused = push(adapters, repo=repo)
    assert (refused.code, "push that one first" in refused.stderr) == (2, True)
    refused = push(adapters, "--base", REPO, repo=repo)
    assert (refused.code, "there is no model lab/tiny" in refused.stderr) == (2, True)
    pushed(push, tiny)
    pushed(push, adapters, "--base", f"{REPO}@v1.0.0", repo=repo)
    there = published(hub, "v1.0.0", "lab/adapters (model)")
    assert "model.safetensors" not in there
    assert there["adapter_model.safetensors"] == (adapters / "adapter_model.safetensors").read_bytes()
    assert json.loads(there["adapter_config.json"])["base_model_name_or_path"] == REPO
    card = card_of(hub, repo="lab/adapters (model)")
    assert (card.data.library_name, card.data.base_model) == ("peft", REPO)
    assert card.data["base_model_relation"] == "adapter"
    # The commands of the card, in their order, give a model that scores.
    commands = [line.split() for line in card.text.splitlines() if line.startswith("hf download")]
    assert [command[2] for command in commands] == [repo, REPO]
    code = (
        "import sys; from huggingface_hub import snapshot_download\n"
        "snapshot_download(sys.argv[1], revision=sys.argv[2], local_dir=sys.argv[3])"
    )
    for command in commands:
        ran(hub_python(code, command[2], command[4], tmp_path / command[6]))
    assert load_checkpoint(tmp_path / "adapters").block.scoring.levels == list(LEVELS)


# What is never sent.


def spoiled(folder: Path, what: str) -> str:
    """Put something into a model folder that may not be sent, and give what is said of it."""
    if what.endswith((".bin", ".pt", ".pkl")):
        (folder / what).write_bytes(b"x")
        return f"{what}: may run code when it is loaded"
    if what == "other":
        (folder / "notes.docx").write_bytes(b"x")
        return "notes.docx: is no file of a model folder"
    if what == "folder":
        (folder / "checkpoint-1").mkdir()
        (folder / "checkpoint-1" / "model.safetensors").write_bytes(b"x")
        return "checkpoint-1/model.safetensors: is no file of a model folder"
    if what == "link":
        (folder.parent / "outside.json").write_text("{}")
        (folder / "special.json").symlink_to(folder.parent / "outside.json")
        return "special.json: a link leads out of the model folder"
    if what == "weights":
        (folder / "model.safetensors").unlink()
        return "there are no weights beside it"
    if what == "home":
        config = json.loads((folder / "config.json").read_bytes())
        (folder / "config.json").write_text(json.dumps({**config, "came_from": "/home/anna/model"}, indent=2))
        return "holds a path of somebody's home"
    (folder / "chat_template.jinja").write_text(f"{{# {WRITER} #}}")
    return "chat_template.jinja:1: holds the token that is in use"


SPOILED = ("pytorch_model.bin", "training_args.pt", "a.pkl", "other", "folder", "link", "weights", "home", "token")


def test_what_may_not_be_sent(hub: HubServer, push: Push, tiny: Path, tmp_path: Path) -> None:
    for what in SPOILED:
        folder = Path(shutil.copytree(tiny, tmp_path / f"with {what}" / "tiny"))
        told = spoiled(folder, what)
        refused = push(folder)
        assert refused.code == 1
        assert "this model cannot be published; nothing was sent" in refused.stderr
        assert told in refused.stderr
        assert WRITER not in refused.stderr
    assert not hub.exists(KEPT)
    assert writes(hub) == []


def test_each_kind_of_folder_has_its_options(hub: HubServer, push: Push, tiny: Path, first: Path) -> None:
    for folder, option, told in (
        (tiny, ["--clips", "tars"], "--clips is for a corpus"),
        (tiny, ["--with-quarantine"], "--with-quarantine is for a corpus"),
        (first, ["--base", REPO], "--base is for a model"),
        (first, ["--metrics", os.devnull], "--metrics is for a model"),
    ):
        refused = push(folder, *option)
        assert (refused.code, told in refused.stderr) == (2, True), refused.stderr
    assert not hub.requests("create-repo")


def test_a_push_that_was_cut_short_is_finished_by_the_next(hub: HubServer, push: Push, tiny: Path) -> None:
    hub.fault(kind="create-tag", status=403, times=None)
    assert push(tiny).code == 2
    assert hub.tags(KEPT) == {}
    hub.clear_faults()
    hub.clear_log()
    done = pushed(push, tiny)
    assert hub.tags(KEPT) == {"v1.0.0": done["commit"]}
    assert not hub.requests("xorb")
