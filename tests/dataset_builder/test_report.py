"""The report shows what the manifest says, the same bytes each time, and lets nothing in that a corpus holds."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from dataset_builder.check import check
from dataset_builder.corpus import file_entry, read_manifest, read_samples, write_manifest
from dataset_builder.notes import read_notes
from dataset_builder.report.facts import BINS, Facts, Shown, gather_facts
from dataset_builder.report.page import REPORT, Leaks, report
from dataset_builder.report.pictures import PER_DISTORTION, PER_LEVEL, SIDE, choose, draw_here
from dataset_builder.report.texts import Texts, asked, by_length
from schemas.errors import CallError, DataError
from schemas.levels import LEVELS
from schemas.licence import Terms
from schemas.manifest import Manifest, PairCounts, SourceNote
from schemas.notes import AgreementNote, LedgerNote, Notes
from schemas.pair import Acceptance
from schemas.record import SPLITS, Distortion
from tests.conftest import Cli
from tests.dataset_builder.made_corpus import draw, picture, sample, write_corpus
from tests.dataset_builder.pages import Page

SECTIONS = [
    *("contents", "scores", "clips", "pictures", "words", "splits"),
    *("raters", "pairs", "costs", "quarantine", "sources", "limits", "recipe"),
]
EVIL = "</style></title><script>alert(1)</script><img src=https://example.org/x onerror=alert(2)>'\"&amp;"
ACCEPTANCE = Acceptance(
    of="llm:m",
    pairs=10,
    accepted=6,
    edited=2,
    rejected=1,
    undecided=1,
    accepted_95=(0.3, 0.8),
    kept_95=(0.5, 0.9),
)
NOTES = Notes(
    agreement=[
        AgreementNote(
            source="s",
            project="p",
            kind="depict",
            raters=7,
            excluded=2,
            annotations=641,
            level_alpha=0.79,
            level_alpha_95=(0.74, 0.81),
            score_icc=0.54,
        ),
        AgreementNote(source="s", project="q", kind="review", raters=2, excluded=0, annotations=3, level_alpha=-0.2),
    ],
    ledgers=[
        LedgerNote(
            source=source,
            requests=100,
            answered=80,
            input_tokens=12_345,
            output_tokens=678,
            spent=spent,
            held="0.01",
            models={"m-1": 100},
        )
        for source, spent in (("s", "0.80"), ("t", "1.23"))
    ],
)


def page_of(corpus: Path, *, pictures: bool = True, **more: Any) -> Page:
    find = corpus.joinpath if pictures else None
    return Page(report(corpus, read_manifest(corpus), read_notes(corpus), pictures=find, **more))


def made(corpus: Path) -> Manifest:
    """Write a corpus that has something for every section."""
    records = []
    for index in range(12):
        split = SPLITS[index % 3]
        names = [Distortion(name="noise", severity=index % 5 + 1), Distortion(name="blur", main=False)]
        records.append(draw(corpus, picture(f"{index}.png", split, distortions=names[: index % 3])))
    rated = [sample(record, index / 11, stage="stage2-ugc") for index, record in enumerate(records)]
    asked_of = [
        sample(record, question="What is wrong?", answer="It is noisy.", generator="llm:m", family="quality-centric")
        for record in records
    ]
    return write_corpus(
        corpus,
        records,
        {"stage2-ugc": rated, "stage3": asked_of},
        NOTES,
        quarantined=30,
        transient=4,
        reasons={"no clip is called …": 26, "timed out (a limit of the machine)": 4},
        pairs=PairCounts(
            taken={"yes-no": {"no": 5, "yes": 7}},
            left_out={"over the budget": 3},
            doubted={"motion": 2},
            acceptance=[ACCEPTANCE],
        ),
        remarks=["a clip is there twice"],
        sources=[
            SourceNote(
                name="s",
                title="A set",
                homepage="https://example.org/set",
                citation="A paper",
                licence="CC-BY-4.0",
                terms=Terms(redistribute=True, commercial=False),
                records=12,
                rendered=3,
            )
        ],
    )


def test_a_build_writes_it_and_it_says_what_the_manifest_says(corpus: Path) -> None:
    manifest = read_manifest(corpus)
    assert REPORT in manifest.files
    assert list(check(corpus)) == []
    page = Page((corpus / REPORT).read_text(encoding="utf-8"))
    assert list(page.sections) == SECTIONS
    rows = page.tables["Samples by config and split"]
    assert rows[0] == ["config", *SPLITS, "all"]
    assert rows[1:] == [
        [config, *(str(count.splits.get(split, 0)) for split in SPLITS), str(sum(count.splits.values()))]
        for config, count in manifest.configs.items()
    ]
    for what in ("family", "task", "generator"):
        head, *rows = page.tables[f"Samples by {what}"]
        told = {
            config: {row[0]: int(row[index]) for row in rows if row[index] != "0"}
            for index, config in enumerate(head)
            if index
        }
        said = {
            config: getattr(count, {"family": "families"}.get(what, f"{what}s"))
            for config, count in manifest.configs.items()
        }
        assert told == {config: counts for config, counts in said.items() if counts}
    for config, count in manifest.configs.items():
        if count.levels:
            head, *rows = page.tables[f"mine in {config}"]
            told_levels = {level: sum(int(row[head.index(level)]) for row in rows) for level in LEVELS}
            assert told_levels == {level: count.levels.get(level, 0) for level in LEVELS}
    reasons = {row[0]: int(row[2]) for row in page.tables["Quarantine by reason"][1:]}
    assert reasons == manifest.reasons
    assert manifest.recipe_sha256 in page.sections["recipe"]
    assert page.tables["Terms"][1][1:] == ["no", "no", "no", "no", "no"]
    assert "not looked for" in page.sections["splits"]


def test_its_pictures_are_of_the_clips_it_names(corpus: Path) -> None:
    page = Page((corpus / REPORT).read_text(encoding="utf-8"))
    shown = {image["alt"].split(":")[0]: image for image in page.all_of("img")}
    assert shown.keys() == {
        media.record_id
        for config in read_manifest(corpus).configs
        for located in read_samples(corpus, config)
        for media in located.sample.media
    }
    for image in shown.values():
        picture = Image.open(io.BytesIO(base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))))
        assert picture.size == (int(image["width"]), int(image["height"]))
        assert max(picture.size) == SIDE
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_the_same_corpus_has_the_same_page_anywhere(corpus: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(corpus, tmp_path / "some" / "where" / "else"))
    written = (corpus / REPORT).read_text(encoding="utf-8")
    for folder, workers in ((corpus, 1), (elsewhere, 3)):
        again = report(
            folder,
            read_manifest(folder),
            read_notes(folder),
            pictures=folder.joinpath,
            draw=partial(draw_here, workers=workers),
        )
        assert again == written
    assert str(tmp_path) not in written


def test_every_section_of_a_corpus_that_has_all(tmp_path: Path) -> None:
    made(tmp_path)
    page = page_of(tmp_path)
    assert list(page.sections) == SECTIONS
    assert page.tables["Agreement by project"][1][3:] == ["7", "2", "641", "0.79 (0.74 to 0.81)", "", "0.54", ""]
    assert page.tables["What made the text, and what reviewers said"][1:] == [
        ["llm:m", "12", "10", "6", "2", "1", "1", "80 % (50 % to 90 %)"],
        ["template", "12", "none", "", "", "", "", ""],
    ]
    costs = page.tables["Requests by source, in dollars"]
    assert costs[1] == ["s", "m-1 (100)", "100", "80", "12,345", "678", "0.80", "0.01000", "0.01"]
    assert costs[3] == ["all", "", "200", "160", "24,690", "1,356", "2.03", "", "0.02"]
    assert page.tables["Terms"][1] == ["s", "yes", "not known", "no", "not known", "not known"]
    assert "4 say something of the machine" in page.sections["quarantine"]
    assert {"href": "https://example.org/set", "rel": "noreferrer noopener"} in page.all_of("a")
    assert "synthetic" in page.sections["limits"]
    assert "a clip is there twice" in page.sections["limits"]
    assert page.tables["Main distortion of the clips, by ground truth"][1:] == [
        ["noise", "2", "2", "2", "1", "1", "8"],
    ]
    assert page.tables["What the splits hold"][1] == ["stage2-ugc train", "4", "4", "4"]
    assert page.tables["Most frequent words of the answers of stage3"][1] == ["noisy", "", "12", "33 %"]
    assert [row[0] for row in page.tables["How the questions of stage3 begin"][1:]] == ["what is wrong"]
    assert len(page.all_of("svg")) == 3
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in page.all_of("svg"))


def test_every_section_of_a_corpus_that_has_nothing(tmp_path: Path) -> None:
    write_corpus(tmp_path, [], {}, recipe={})
    page = page_of(tmp_path)
    assert list(page.sections) == SECTIONS
    for section, words in {
        "contents": "holds no samples",
        "scores": "No sample has a score",
        "clips": "No clip is shown",
        "pictures": "No clip has a level",
        "words": "There is no text",
        "splits": "No content group of 0",
        "raters": "Nothing is known of raters",
        "pairs": "There is no text",
        "costs": "No language model was asked",
        "quarantine": "Nothing is in quarantine",
        "sources": "names no source",
        "limits": "None is known",
        "recipe": "abab",
    }.items():
        assert words in page.sections[section]


def test_nothing_that_a_corpus_holds_becomes_markup(tmp_path: Path) -> None:
    record = draw(tmp_path, picture(EVIL, "test", group=EVIL, distortions=[Distortion(name=EVIL)]))
    other = draw(tmp_path, picture("b", group=EVIL))
    rows = [
        sample(r, 0.5, question=f"{EVIL} evilword?", answer=f"fair {EVIL}", task=EVIL, generator=EVIL)
        for r in (record, other)
    ]
    agreement = msgspec.structs.replace(NOTES.agreement[0], project=EVIL, kind=EVIL, source=EVIL)
    spent = msgspec.structs.replace(NOTES.ledgers[0], models={EVIL: 1}, spent=EVIL, source=EVIL)
    write_corpus(
        tmp_path,
        [record, other],
        {"stage1": rows},
        Notes(agreement=[agreement], ledgers=[spent, spent]),
        name=EVIL,
        recipe={"sources": [{"name": EVIL, "scale": {"kind": "synthetic"}}]},
        recipe_sha256=EVIL,
        tools={EVIL: EVIL},
        media="copy",
        quarantined=1,
        reasons={EVIL: 1},
        remarks=[EVIL],
        pairs=PairCounts(
            taken={EVIL: {EVIL: 1}},
            left_out={EVIL: 1},
            doubted={EVIL: 1},
            acceptance=[msgspec.structs.replace(ACCEPTANCE, of=EVIL)],
        ),
        sources=[
            SourceNote(
                name=EVIL,
                title=EVIL,
                homepage=f"javascript:{EVIL}",
                citation=EVIL,
                licence=EVIL,
                terms=Terms(),
                records=1,
                rendered=0,
            )
        ],
    )
    page = page_of(tmp_path, leaks=Leaks([EVIL], [EVIL]))
    assert list(page.sections) == SECTIONS
    assert not {tag for tag, _ in page.elements} & {"script", "iframe", "object", "link", "base", "form"}
    assert not [key for _, told in page.elements for key in told if key.startswith("on")]
    assert {image["src"][:23] for image in page.all_of("img")} == {"data:image/jpeg;base64,"}
    assert {address["href"][0] for address in page.all_of("a")} == {"#"}
    for section in (
        "contents",
        "clips",
        "pictures",
        "splits",
        "raters",
        "pairs",
        "costs",
        "quarantine",
        "sources",
        "limits",
    ):
        assert EVIL in page.sections[section], section


def test_a_clip_that_gives_no_picture_is_told_of(tmp_path: Path) -> None:
    made(tmp_path)
    kept, changed, gone = sorted(tmp_path.glob("media/*.png"))[:3]
    changed.write_bytes(kept.read_bytes())
    gone.unlink()
    page = page_of(tmp_path)
    told = page.sections["pictures"]
    assert "2 of 12 clips have no picture" in told
    assert "the file is another one than when the corpus was built (1)" in told
    assert "the clip is not at hand (1)" in told
    assert str(tmp_path) not in page.source
    shutil.rmtree(tmp_path / "media")
    page = page_of(tmp_path)
    assert "12 of 12 clips have no picture: the clip is not at hand (12)" in page.sections["pictures"]
    assert page.all_of("img") == []
    assert page_of(tmp_path, pictures=False).sections["pictures"].endswith("may not be passed on.")


def test_a_clip_that_is_none_is_told_of(tmp_path: Path) -> None:
    record = draw(tmp_path, picture("a"))
    (tmp_path / record.media.path).write_text("hello")
    media = msgspec.structs.replace(record.media, sha256=file_entry(tmp_path / record.media.path).sha256)
    record = msgspec.structs.replace(record, media=media)
    write_corpus(tmp_path, [record], {"stage1": [sample(record, 0.5)]})
    assert "1 of 1 clips have no picture: decoding fails" in page_of(tmp_path).sections["pictures"]


def test_what_is_in_two_splits_is_named(tmp_path: Path) -> None:
    one, other = picture("a", "train", group="both"), picture("b", "test", group="both")
    same = msgspec.structs.replace(picture("c", "val"), media=msgspec.structs.replace(one.media, sha256="ff"))
    other = msgspec.structs.replace(other, media=msgspec.structs.replace(other.media, sha256="ff"))
    write_corpus(tmp_path, [one, other, same], {"stage1": [sample(one), sample(other), sample(same)]})
    told = page_of(tmp_path, pictures=False).sections["splits"]
    assert "1 of 2 content groups are in more than one split:both: train, test" in told
    assert "1 of 2 files are in more than one split:ff: val, test" in told


def test_histograms_have_the_cuts_at_the_edges_of_their_bars(tmp_path: Path) -> None:
    """What lies between two cuts adds up to the level: a score that is a cut belongs to the level above it."""
    scores = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.5999999999999999, 0.19999999999999998, *(i / 97 for i in range(98))]
    records = [picture(f"{index}") for index in range(len(scores))]
    rows = [sample(record, mos) for record, mos in zip(records, scores, strict=True)]
    write_corpus(tmp_path, records, {"stage1": rows})
    found = gather_facts(tmp_path, ["stage1"]).scores["stage1", "s"]["train"]
    a_level = BINS // len(LEVELS)
    assert [sum(found.bins[i * a_level : (i + 1) * a_level]) for i in range(len(LEVELS))] == [
        found.levels[level] for level in LEVELS
    ]
    assert found.count == len(scores)


def test_the_sheet_is_bounded_and_does_not_depend_on_the_order() -> None:
    rng = random.Random(0)
    clips = [
        Shown(f"s/{i}", f"{i}.png", "", 0, "train", f"g{i % 40}", LEVELS[i % 5], 0.5, (("noise", i % 7 or None),))
        for i in range(2000)
    ]
    chosen = choose(Facts(shown={clip.record_id: clip for clip in clips}))
    rng.shuffle(clips)
    assert choose(Facts(shown={clip.record_id: clip for clip in clips})) == chosen
    assert {level: len(of) for level, of in chosen.levels.items()} == dict.fromkeys(LEVELS, PER_LEVEL)
    assert len({clip.group for clip in chosen.levels["low"]}) == PER_LEVEL
    assert [clip.distortions[0][1] for clip in chosen.distortions["noise"]] == [1, 2, 3, 4, 5][:PER_DISTORTION]
    many = [Shown(f"s/{i}", "", "", 0, "train", "g", None, None, ((f"d{i}", 1),)) for i in range(500)]
    assert len(choose(Facts(shown={clip.record_id: clip for clip in many})).clips()) < 50


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("The key frames are:\n<video>. And the motion is\n<motion>. How good is it?", "How good is it?"),
        ("<video> <motion>. Watch it, and then answer the following question: Is it dark? ", "Is it dark?"),
        ("What is a < b here?", "What is a < b here?"),
        ("Look at this: <image>", "Look at this: <image>"),
    ],
)
def test_a_question_is_what_is_asked_behind_the_media(text: str, question: str) -> None:
    assert asked(text) == question


def test_words_and_lengths_are_counted() -> None:
    texts = Texts()
    for text in ("It's low-key noise, NOISE.", "", "é 4 x", "w " * 300, "é 4 x"):
        texts.add(text)
    assert texts.words.most_common(2) == [("w", 300), ("noise", 2)]
    assert texts.words["it's"] == texts.words["low-key"] == 1
    assert texts.openings == {"it's low-key noise": 1, "é x": 2, "w w w": 1}
    assert (texts.count, len(texts.distinct)) == (5, 4)
    told = by_length(texts.lengths)
    assert told[:4] == [("0", 1), ("1", 0), ("2", 2), ("3 to 4", 1)]
    assert told[-1] == ("257 or more", 1)
    assert sum(count for _, count in told) == 5


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    data = next((tmp_path / "data" / "stage3").glob("train-*.jsonl"))
    data.write_bytes(data.read_bytes() + b"{}\n")
    with pytest.raises(DataError, match=r"data/stage3/train-00000-of-00001.jsonl:5"):
        report(tmp_path, manifest, Notes())
    shutil.rmtree(tmp_path / "data" / "stage3")
    with pytest.raises(CallError, match="no config 'stage3'"):
        report(tmp_path, manifest, Notes())


def test_the_command_writes_it_into_the_corpus_or_elsewhere(corpus: Path, tmp_path: Path, vqa2: Cli) -> None:
    before = read_manifest(corpus)
    (corpus / REPORT).unlink()
    files = {path: entry for path, entry in before.files.items() if path != REPORT}
    write_manifest(corpus, msgspec.structs.replace(before, files=files))
    done = vqa2("report", corpus, "--json")
    assert json.loads(done.stdout) == {
        "file": str(corpus / REPORT),
        "bytes": before.files[REPORT].bytes,
        "leaks": None,
    }
    assert read_manifest(corpus) == before
    assert list(check(corpus)) == []
    elsewhere = tmp_path / "out" / "page.html"
    assert vqa2("report", corpus, "--out", elsewhere, "--no-pictures").returncode == 0
    assert Page(elsewhere.read_text(encoding="utf-8")).all_of("img") == []
    assert read_manifest(corpus) == before
    inside = vqa2("report", corpus, "--out", corpus / "media" / "page.html")
    assert (inside.returncode, "inside the corpus" in inside.stderr) == (2, True)


def test_the_command_looks_for_leaks_on_demand(
    corpus: Path, tmp_path: Path, vqa2: Cli, real_clips: dict[str, Path]
) -> None:
    benchmark = tmp_path / "bench"
    benchmark.mkdir()
    shutil.copy(real_clips["bikes"], benchmark / "x.mp4")
    passport = tmp_path / "bench.json"
    assert vqa2("passport", "create", benchmark, "--out", passport).returncode == 0
    manifest = read_manifest(corpus)
    done = vqa2("report", corpus, "--against", passport, "--near-duplicates", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["leaks"]
    told = Page((corpus / REPORT).read_text(encoding="utf-8")).sections["splits"]
    assert "Looked for 1 clips of bench among those trained on and the same pictures in two splits" in told
    assert found == vqa2("check", corpus, "--against", passport, "--near-duplicates").stdout.splitlines()[:-1]
    assert [re.search(r"same file as", leak) is not None for leak in found] == [True]
    assert found[0] in told
    assert manifest.files[REPORT] != read_manifest(corpus).files[REPORT]
