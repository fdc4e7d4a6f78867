"""`vqa2 score`: what it is given, the files it writes, and how it goes on."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
import torch
from safetensors.torch import save_file

import training.commands
import training.inference.score_file
from schemas.errors import CallError, DataError
from tests.conftest import ROOT
from tests.training.conftest import Call, Invoke
from training.checkpoints.checkpoint import BLOCK, WHOLE, Checkpoint, identity


@pytest.fixture(scope="module")
def model(trained: Checkpoint, shared_corpus: Path) -> Path:
    return shared_corpus / "model"


@pytest.fixture
def clips(shared_corpus: Path, tmp_path: Path) -> Path:
    """Eighteen clips of six contents, two images, and a file that is no clip."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for index in range(18):
        shutil.copy(shared_corpus / "media" / f"clip{index % 6}.mp4", folder / f"c{index:02}.mp4")
    for name in ("a.png", "z.png"):
        shutil.copy(shared_corpus / "media" / "still.png", folder / name)
    (folder / "bad.mp4").write_text("hello")
    return folder


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_table(path).to_pylist())
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_every_kind_of_file_holds_the_same_rows_and_is_gone_on_with(
    call: Call, model: Path, clips: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / "new" / f"scores{suffix}"
    code, printed = call("score", model, clips, "--out", out, "--json", "--batch", 2)
    assert code == 1
    rows = rows_of(out)
    assert list(rows[0]) == ["clip", "score", "low", "poor", "fair", "good", "high", "error", "model"]
    told = json.loads(printed)
    assert [row["clip"] for row in rows] == [row["clip"] for row in told] == sorted(map(str, clips.iterdir()))
    for row, also in zip(rows, told, strict=True):
        if Path(row["clip"]).name == "bad.mp4":
            assert row["error"] == "no readable video or picture (Invalid data found when processing input)"
            assert row["score"] in {None, ""}
        else:
            assert float(row["score"]) == also["score"]
            assert float(row["fair"]) == also["levels"]["fair"]
            assert not row["error"]
    assert len({row["model"] for row in rows}) == 1
    before = out.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    code, printed = call("score", model, clips, "--out", out, "--json", "--batch", 2)
    assert (code, json.loads(printed)) == (1, told)
    assert out.read_bytes() == before


def test_what_is_new_is_scored_and_what_is_done_is_not_decoded_again(
    call: Call, model: Path, clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.csv"
    call("score", model, clips, "--out", out)
    before = {row["clip"]: row for row in rows_of(out)}
    (clips / "c03.mp4").write_text("spoilt after it was scored")
    shutil.copy(clips / "c01.mp4", clips / "b.mp4")
    shutil.copy(clips / "c01.mp4", clips / "bad.mp4")
    assert call("score", model, clips, "--out", out)[0] == 1
    after = {row["clip"]: row for row in rows_of(out)}
    assert {clip for clip in after if after[clip] != before.get(clip)} == {str(clips / "b.mp4")}
    assert after[str(clips / "b.mp4")]["score"] != ""
    assert call("score", model, clips, "--out", out, "--retry-failed")[0] == 0
    mended = {row["clip"]: row for row in rows_of(out)}
    assert {clip for clip in after if after[clip] != mended[clip]} == {str(clips / "bad.mp4")}


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.5, 0.77, 0.999])
def test_work_cut_off_anywhere_goes_on_to_the_same_bytes(
    call: Call, model: Path, clips: Path, tmp_path: Path, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    kept: list[bytes] = []
    finish = training.inference.score_file.ScoreFile.finish

    def looked_at(self: Any, *arguments: Any) -> None:
        kept.append(self.part.read_bytes())
        finish(self, *arguments)

    monkeypatch.setattr(training.inference.score_file.ScoreFile, "finish", looked_at)
    assert call("score", model, clips, "--out", whole, "--batch", 1)[0] == 1
    (work,) = kept
    assert work.count(b"\n") == 7  # what is being done, and 21 clips in windows of 4
    (tmp_path / "cut.csv.part").write_bytes(work[: int(share * len(work))])
    assert call("score", model, clips, "--out", cut, "--batch", 1)[0] == 1
    assert kept[1] == work
    assert cut.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "cut.csv.part").exists()


@pytest.mark.full
def test_killed_and_called_again_gives_the_same_bytes(model: Path, clips: Path, tmp_path: Path) -> None:
    for index in range(30):
        shutil.copy(clips / f"c{index % 18:02}.mp4", clips / f"d{index:02}.mp4")

    def start(out: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "vqa2", "score", model, clips, "--out", out, "--batch", "1"]
        return subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    whole = start(tmp_path / "whole.csv")
    killed = start(tmp_path / "killed.csv")
    part = tmp_path / "killed.csv.part"
    while not (part.exists() and part.read_bytes().count(b"\n") > 2):
        assert killed.poll() is None
        time.sleep(0.002)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert part.exists()
    assert not (tmp_path / "killed.csv").exists()
    interrupted = start(tmp_path / "killed.csv")
    size = part.stat().st_size
    while part.stat().st_size == size:
        assert interrupted.poll() is None
        time.sleep(0.002)
    interrupted.send_signal(signal.SIGINT)
    told = interrupted.communicate()[1].decode()
    assert interrupted.returncode == 130, told
    assert "interrupted; " in told
    assert "clips are kept in" in told
    assert "call it again to go on" in told
    last = start(tmp_path / "killed.csv")
    last.communicate()
    whole.communicate()
    assert last.returncode == whole.returncode == 1
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_file_of_something_else_is_left_alone(
    call: Call, model: Path, clips: Path, tmp_path: Path, shared_corpus: Path
) -> None:
    out, clip = tmp_path / "scores.csv", clips / "c01.mp4"
    call("score", model, clip, clips / "c02.mp4", "--out", out)
    before = out.read_bytes()
    other = Path(shutil.copytree(model, tmp_path / "other"))
    block = json.loads((other / BLOCK).read_text())
    block["scoring"]["video_prefix"] = "The overall quality of this video is"
    (other / BLOCK).write_text(json.dumps(block))
    with pytest.raises(CallError, match="holds scores of another model"):
        call("score", other, clip, clips / "c02.mp4", "--out", out)
    with pytest.raises(CallError, match=r"rows of 1 clips that are not given now, as .*c02.mp4"):
        call("score", model, clip, "--out", out)
    (tmp_path / "scores.csv.part").write_text('{"model":"0123456789ab","todo":""}\n')
    with pytest.raises(CallError, match="holds scores of another model"):
        call("score", model, clip, clips / "c02.mp4", "--out", out)
    (tmp_path / "scores.csv.part").write_text("notes of mine\n")
    with pytest.raises(DataError, match="no work of `vqa2 score`"):
        call("score", model, clip, clips / "c02.mp4", "--out", out)
    (tmp_path / "scores.csv.part").unlink()
    for name, content in {
        "mine.csv": b"clip,mos\na,1\n",
        "mine.jsonl": b"[1]\n",
        "mine.parquet": b"PAR",
        "other.csv": b"\xff\xfe",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CallError, match=f"{name} is there, and"):
            call("score", model, clip, "--out", tmp_path / name)
        assert (tmp_path / name).read_bytes() == content
    with pytest.raises(CallError, match=r"scores are written as .csv, .parquet or .jsonl"):
        call("score", model, clip, "--out", tmp_path / "scores.txt")
    with pytest.raises(CallError, match="is a folder"):
        call("score", model, clip, "--out", Path(shutil.copytree(clips, tmp_path / "folder.csv")))
    with pytest.raises(CallError, match="--retry-failed is of what --out holds"):
        call("score", model, clip, "--retry-failed")
    assert out.read_bytes() == before


def test_two_runs_on_one_file_do_not_mix(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    file = training.inference.score_file.ScoreFile(out, "0" * 12, ["low"])
    with file.progress([], 4, retry_failed=False), pytest.raises(CallError, match="another run is at work on it"):
        call("score", model, clips / "c01.mp4", "--out", out)


def write_tables(folder: Path) -> dict[str, Path]:
    """Write the same four rows in several forms: two of clips, one that names none, one whose clip is missing."""
    rows = [
        {"name": "c01.mp4", "score": 3.5, "note": "sharp, and quiet"},
        {"name": "c02", "score": 1.0, "note": ""},
        {"name": "", "score": 2.0, "note": "nameless"},
        {"name": "c99.mp4", "score": 4.0, "note": "lost"},
    ]
    tables = {kind: folder / f"table.{kind}" for kind in ("csv", "tsv", "xlsx", "parquet", "jsonl", "json")}
    for kind, separator in (("csv", ","), ("tsv", "\t")):
        with tables[kind].open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
            writer.writeheader()
            writer.writerows(rows)
    book = openpyxl.Workbook()
    for line in (list(rows[0]), *(list(row.values()) for row in rows)):
        book.active.append(line)
    book.save(tables["xlsx"])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tables["parquet"])
    tables["jsonl"].write_text("".join(json.dumps(row) + "\n" for row in rows))
    tables["json"].write_text(json.dumps(rows))
    return tables


@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx", "parquet", "jsonl", "json"])
def test_a_table_names_clips_and_its_columns_travel(
    call: Call, model: Path, clips: Path, tmp_path: Path, kind: str
) -> None:
    table = write_tables(tmp_path)[kind]
    for out in (tmp_path / "scores.csv", tmp_path / "scores.parquet"):
        assert call("score", model, table, "--clips", clips, "--out", out)[0] == 1
        rows = rows_of(out)
        assert list(rows[0])[-4:] == ["model", "name", "given_score", "note"]
        assert [row["clip"] for row in rows] == [
            *(str(clips / name) for name in ("c01.mp4", "c02.mp4")),
            f"table.{kind} row 3",
            "c99.mp4",
        ]
        assert [float(row["given_score"]) for row in rows] == [3.5, 1.0, 2.0, 4.0]
        assert rows[0]["note"] == "sharp, and quiet"
        assert 0 <= float(rows[1]["score"]) <= 1
        assert rows[2]["error"] == "name: the row names no clip"
        assert rows[3]["error"] == "no clip is called 'c99.mp4' in 'clips', with or without extension"


def test_tables_and_clips_together_give_a_row_each(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    """The same clip three times is scored once, and is three rows; a copy in another folder is a clip of its own."""
    (clips / "table.csv").write_text("video,mos\nc01.mp4,3\nc01,2\n")
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    shutil.copy(clips / "c01.mp4", copy)
    out = tmp_path / "scores.csv"
    assert call("score", model, clips / "c01.mp4", clips / "table.csv", copy, "--out", out)[0] == 0
    rows = rows_of(out)
    assert [row["clip"] for row in rows] == [str(clips / "c01.mp4")] * 3 + [str(copy / "c01.mp4")]
    assert [row["mos"] for row in rows] == ["", "3", "2", ""]
    assert len({row["score"] for row in rows[:3]}) == 1
    assert float(rows[3]["score"]) == pytest.approx(float(rows[0]["score"]), abs=1e-6)


def test_tables_that_say_too_little_are_told(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("mos,std\n1,2\n")
    with pytest.raises(CallError, match=r"which column holds the clip\? Say it with --clip-column. It has: mos, std"):
        call("score", model, table, "--clips", clips)
    table.write_text("left video,right video\nc01,c02\n")
    with pytest.raises(CallError, match="2 columns may hold the clip: 'left video', 'right video'; say which with"):
        call("score", model, table, "--clips", clips)
    code, told = call("score", model, table, "--clips", clips, "--clip-column", "right video")
    assert code == 0
    assert told.startswith(f"{clips / 'c02.mp4'}: 0.")
    table.write_text("c01,3\nc02,4\n")
    assert len(call("score", model, table, "--clips", clips, "--header", "clip,mos")[1].splitlines()) == 2
    table.write_text("clip,mos\n")
    with pytest.raises(CallError, match="the table has no rows"):
        call("score", model, table, "--clips", clips)
    table.write_text("clip,mos\nc01,3,4\nc02,1\n")
    code, told = call("score", model, table, "--clips", clips)
    assert code == 1
    assert told.splitlines()[0] == (
        "table.csv row 1: error: the row has 3 cells, the header 2: mend the row (is a separator in a name?)"
    )
    with pytest.raises(CallError, match="are for tables, and none is given"):
        call("score", model, clips / "c01.mp4", "--clips", clips)
    with pytest.raises(CallError, match="there is no folder of clips"):
        call("score", model, table, "--clips", tmp_path / "clisp")


def test_a_folder_gives_links_to_nothing_too_and_says_what_it_leaves_out(
    invoke: Invoke, model: Path, clips: Path, tmp_path: Path
) -> None:
    for path in clips.glob("c*.mp4"):
        path.unlink()
    (clips / "lost.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (clips / "linked").symlink_to(tmp_path)
    (clips / "notes.txt").write_text("hello")
    done = invoke("score", model, clips)
    assert done.exit_code == 1
    assert f"{clips / 'lost.mp4'}: error: the file cannot be read (No such file or directory)" in done.stdout
    assert "linked is a linked folder, which is not entered" in done.stderr
    assert "1 other files are no clips" in done.stderr
    assert done.stderr.endswith("2 scored, 2 failed, 4 given\n")


def test_the_level_words_are_those_of_the_checkpoint(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(model, tmp_path / "other"))
    block = json.loads((other / BLOCK).read_text())
    scoring = block["scoring"]
    keep = [1, 2, 4]
    scoring |= {name: [scoring[name][i] for i in keep] for name in ("levels", "level_tokens")}
    scoring["weights"] = [0.0, 0.5, 1.0]
    (other / BLOCK).write_text(json.dumps(block))
    out = tmp_path / "scores.csv"
    code, told = call("score", other, clips / "c01.mp4", "--out", out, "--json")
    (row,) = json.loads(told)
    assert code == 0
    assert list(row["levels"]) == ["poor", "fair", "high"]
    assert row["score"] == pytest.approx(0.5 * row["levels"]["fair"] + row["levels"]["high"])
    assert list(rows_of(out)[0]) == ["clip", "score", "poor", "fair", "high", "error", "model"]


def test_the_page_on_scoring_says_what_runs(
    call: Call, model: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")
    ((commands),) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (clips / "bad.mp4").unlink()
    for name in ("harbour.mp4", "stadium.mp4"):
        shutil.copy(clips / "c01.mp4", clips / name)
    (tmp_path / "my-model").symlink_to(model)
    (tmp_path / "labels.csv").write_text("clip,mos\nharbour,3\nstadium.mp4,4\n")
    monkeypatch.chdir(tmp_path)
    for line in commands.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        code, told = call(*arguments)
        assert (program, code) == ("vqa2", 0), told
    assert len(rows_of(tmp_path / "scores.csv")) == 22
    assert [row["mos"] for row in rows_of(tmp_path / "scored.csv")] == ["3", "4"]


def test_what_an_earlier_run_wrote_is_not_lost(call: Call, model: Path, clips: Path, tmp_path: Path) -> None:
    """Not even rows that failed, nor the columns of a table that is not given any more."""
    table, out = tmp_path / "labels.csv", tmp_path / "out.csv"
    table.write_text("clip,mos\nc00.mp4,3\nnowhere.mp4,4\n")
    assert call("score", model, table, "--clips", clips, "--out", out)[0] == 1
    before = out.read_bytes()
    with pytest.raises(CallError, match=r"out.csv holds rows of 1 clips that are not given now, as .*nowhere.mp4"):
        call("score", model, clips / "c00.mp4", "--out", out)
    assert out.read_bytes() == before
    out.unlink()
    table.write_text("clip,mos\nc00.mp4,3\n")
    assert call("score", model, table, "--clips", clips, "--out", out)[0] == 0
    with pytest.raises(CallError, match=r"out.csv holds the column '.*' of a table that is not given now"):
        call("score", model, clips / "c00.mp4", "--out", out)
    (tmp_path / "file").write_text("")
    with pytest.raises(CallError, match="its folder cannot be made"):
        call("score", model, clips / "c00.mp4", "--out", tmp_path / "file" / "x.csv")


def test_a_folder_that_is_no_cache_is_refused(call: Call, model: Path, clips: Path) -> None:
    with pytest.raises(CallError, match="no cache folder; `vqa2 features` makes one"):
        call("score", model, clips / "c00.mp4", "--cache", clips)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", "[]", "config.json: "),
        ("tokenizer.json", "{}", "KeyError"),
        ("config.json", None, "its weights have other shapes than its config.json says"),
    ],
)
def test_a_model_folder_that_is_damaged_is_told(
    call: Call, model: Path, clips: Path, tmp_path: Path, name: str, content: str | None, told: str
) -> None:
    shutil.copytree(model, tmp_path / "broken")
    path = tmp_path / "broken" / name
    whole = json.loads(path.read_text())
    if content is None:
        whole["text_config"]["hidden_size"] //= 2
    path.write_text(content or json.dumps(whole))
    with pytest.raises(CallError, match=f"broken: the model folder cannot be read: .*{told}"):
        call("score", tmp_path / "broken", clips / "c00.mp4")


def test_a_model_can_be_read_by_all_who_may_read_its_folder(model: Path) -> None:
    assert len({path.stat().st_mode for path in model.iterdir()}) == 1


def test_motion_that_is_fed_in_steps_is_told(invoke: Invoke, model: Path, clips: Path, long_clip: Path) -> None:
    done = invoke("score", model, clips / "c00.mp4", long_clip)
    assert done.exit_code == 0
    told = f"1 clips have more than the 256 motion features that the model takes, which are fed in steps: {long_clip} "
    assert f"{told}(1 of 2)\n" in done.stderr
    assert "fed in steps" not in invoke("score", model, clips / "c00.mp4").stderr


def test_whatever_a_stage_trains_changes_what_a_model_is_told_by(tmp_path: Path) -> None:
    (tmp_path / BLOCK).write_text("{}")
    path = tmp_path / "model.safetensors"
    for size in (1_000, WHOLE // 4 + 1_000_000):  # read whole, and by its tensors' beginnings
        weights = {"large": torch.zeros(size), "little": torch.zeros(3), "middle": torch.zeros(100_000)}
        known = set()
        for name in (None, *weights):
            if name:
                weights[name] += 1e-6
            save_file(weights, path)
            known.add(identity(tmp_path))
            assert identity(tmp_path) in known
        assert len(known) == 1 + len(weights)
        path.write_bytes(path.read_bytes()[:-4])
        assert identity(tmp_path) not in known


def test_a_damaged_model_file_is_named(tmp_path: Path) -> None:
    (tmp_path / BLOCK).write_text("{}")
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(WHOLE + 1)
    with pytest.raises(CallError, match=r"model\.safetensors: no whole safetensors file"):
        identity(tmp_path)
