"""Image sets: two scales in one file, DMOS that means MOS, and distortion words, from hand-typed rows."""

from pathlib import Path
from typing import Any

import pytest

from dataset_builder.labels import LabelRow
from dataset_builder.sources import Labelled, _liqe, kadid_10k, koniq_10k, spaq
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.recipe import SourceRecipe
from stages.wording.taxonomy import SPATIAL


def read(source: Any, folder: Path, table: str, **options: Any) -> list[Labelled]:
    recipe = SourceRecipe(name="s", source="s", table=table, clips=".", licence="l", **options)
    return list(source.labels(recipe, folder))


def kept(rows: list[Labelled]) -> list[LabelRow]:
    assert all(isinstance(row, LabelRow) for row in rows), rows
    return [row for row in rows if isinstance(row, LabelRow)]


def test_every_word_of_liqe_is_the_taxonomys_or_none() -> None:
    assert {word for word in _liqe.TAXONOMY.values() if word} <= set(SPATIAL)
    assert set(kadid_10k.WORDS) <= set(_liqe.TAXONOMY)
    assert len(set(kadid_10k.WORDS)) == 25


def test_koniq_lists_of_liqe_give_split_distortion_and_what_has_no_counterpart(tmp_path: Path) -> None:
    (tmp_path / "koniq10k_train_clip.txt").write_text(
        "1024x768/1.jpg\t3.4\trealistic blur\thuman\tinvalid\tinvalid\n"
        "1024x768/2.jpg\t2.5\tother realistic\tnight\tlandscape\tinvalid\n"
        "1024x768/3.jpg\t2.5\trealistic contrast change\tnight\tinvalid\tinvalid\n"
        "1024x768/4.jpg\t2.5\tblurred\tnight\tinvalid\tinvalid\n"
        "1024x768/5.jpg\t2.5\n"
    )
    (tmp_path / "koniq10k_val_clip.txt").write_text("1024x768/6.jpg\t1.5\tunderexposure\tnight\tinvalid\tinvalid\n")
    blur, other, contrast, unknown, short, dark = read(koniq_10k, tmp_path, "koniq10k_*_clip.txt")
    assert isinstance(blur, LabelRow)
    assert (blur.clip, blur.split, blur.distortions, blur.remark) == ("1024x768/1.jpg", "train", ["spatial blur"], "")
    for row in (other, contrast):
        assert isinstance(row, LabelRow)
        assert row.score is not None
        assert (row.score.value, row.score.hi, row.distortions) == (2.5, 5, [])
        assert "only the score is used" in row.remark
    assert isinstance(unknown, Quarantined)
    assert (unknown.row, unknown.field) == (4, "distortion")
    assert isinstance(short, Quarantined)
    assert "2 cells, the header 6" in short.reason
    assert isinstance(dark, LabelRow)
    assert (dark.split, dark.distortions, dark.row) == ("val", ["underexposure"], 1)
    with pytest.raises(CallError, match="LIQE's lists hold the variant mos, not zscore"):
        read(koniq_10k, tmp_path, "koniq10k_*_clip.txt", variant="zscore")


OFFICIAL = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore\n"
SETS = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set\n"


def test_koniq_scores_are_read_on_the_scale_that_the_variant_names(tmp_path: Path) -> None:
    (tmp_path / "koniq10k_scores_and_distributions.csv").write_text(OFFICIAL + "7.jpg,0,0,25,70,5,100,3.8,0.51,76.2\n")
    table = "koniq10k_scores_and_distributions.csv"
    (row,) = kept(read(koniq_10k, tmp_path, table))
    assert row.score is not None
    assert (row.score.value, row.score.lo, row.score.hi, row.score.std, row.score.ratings) == (3.8, 1, 5, 0.51, 100)
    assert row.split is None
    (row,) = kept(read(koniq_10k, tmp_path, table, variant="zscore"))
    assert row.score is not None
    assert (row.score.value, row.score.lo, row.score.hi, row.score.std) == (76.2, 0, 100, None)


def test_the_same_column_mos_of_koniqs_split_file_is_on_the_other_scale(tmp_path: Path) -> None:
    (tmp_path / "koniq10k_distributions_sets.csv").write_text(
        SETS + "7.jpg,0.0,0.0,0.25,0.70,0.05,100,76.2,0.51,training\n8.jpg,0,0,0,0,0,100,76.2,0.5,validation\n"
        "9.jpg,0,0,1,0,0,100,61,0.5,holdout\n"
    )
    good, empty, strange = read(koniq_10k, tmp_path, "koniq10k_distributions_sets.csv")
    assert isinstance(good, LabelRow)
    assert good.score is not None
    assert good.score.value == pytest.approx(3.8)
    assert (good.score.std, good.split) == (0.51, "train")
    assert isinstance(empty, Quarantined)
    assert "no shares" in empty.reason
    assert isinstance(strange, Quarantined)
    assert strange.field == "set"
    first, second, _ = read(koniq_10k, tmp_path, "koniq10k_distributions_sets.csv", variant="zscore")
    assert isinstance(first, LabelRow)
    assert first.score is not None
    assert (first.score.value, first.score.hi, first.score.std) == (76.2, 100, None)
    assert isinstance(second, LabelRow)
    assert second.split == "val"


def test_a_koniq_table_of_neither_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text("image_name,MOS\n7.jpg,3.8\n")
    with pytest.raises(CallError, match="no column 'MOS_zscore' or 'set'"):
        read(koniq_10k, tmp_path, "k.csv")


def test_kadids_dmos_is_good_when_high_and_its_var_a_standard_deviation(tmp_path: Path) -> None:
    (tmp_path / "dmos.csv").write_text("dist_img,ref_img,dmos,var\nI90_01_02.png,I90.png,4.2,0.71\n")
    (row,) = kept(read(kadid_10k, tmp_path, "dmos.csv"))
    assert row.score is not None
    assert (row.score.value, row.score.std, row.score.direction, row.group) == (
        4.2,
        0.71,
        "higher_is_better",
        "kadid_10k/I90",
    )


@pytest.mark.parametrize(
    ("image", "distortions"),
    [
        ("I90_02_01", ["spatial blur"]),
        ("I90_03_01", ["motion blur"]),
        ("I90_07_04", ["desaturation"]),
        ("I90_07_05", []),
        ("I90_08_01", []),
        ("I90_08_02", ["oversaturation"]),
        ("I90_10_01", ["compression artifact"]),
        ("I90_13_01", ["noise"]),
        ("I90_15_01", []),
        ("I90_16_01", ["overexposure"]),
        ("I90_17_01", ["underexposure"]),
        ("I90_21_01", ["block effect"]),
        ("I90_25_03", ["high contrast"]),
        ("I90_25_04", ["low contrast"]),
    ],
)
def test_kadids_distortion_is_what_the_generator_does(tmp_path: Path, image: str, distortions: list[str]) -> None:
    (tmp_path / "dmos.csv").write_text(f"dist_img,ref_img,dmos,var\n{image}.png,I90.png,4.2,0.71\n")
    (row,) = kept(read(kadid_10k, tmp_path, "dmos.csv"))
    assert row.distortions == distortions
    assert bool(row.remark) == (not distortions)


def test_where_liqe_and_kadids_generator_disagree_the_generator_is_believed_and_it_is_told(tmp_path: Path) -> None:
    rest = "animal\tinvalid\tinvalid"
    (tmp_path / "kadid10k_test_clip.txt").write_text(
        f"images/I90_07_02.png\t2.4\toversaturation\t{rest}\nimages/I90_08_02.png\t2.4\tdesaturation\t{rest}\n"
        f"images/I90_11_02.png\t2.4\twhite noise\t{rest}\nimages/I90_25_05.png\t2.4\tcontrast\t{rest}\n"
    )
    grey, vivid, noise, flat = kept(read(kadid_10k, tmp_path, "kadid10k_test_clip.txt"))
    assert grey.distortions == ["desaturation"]
    assert "LIQE says oversaturation" in grey.remark
    assert vivid.distortions == ["oversaturation"]
    assert "LIQE says desaturation" in vivid.remark
    assert (noise.distortions, noise.remark, noise.split, noise.clip) == (["noise"], "", "test", "images/I90_11_02.png")
    assert (flat.distortions, flat.remark) == (["low contrast"], "")


@pytest.mark.parametrize("name", ["photo.png", "I90_26_01.png", "I90_00_01.png", "I90_01_06.png", "I90_1.png"])
def test_an_image_that_is_not_called_as_kadids_is_quarantined(tmp_path: Path, name: str) -> None:
    (tmp_path / "dmos.csv").write_text(f"dist_img,ref_img,dmos,var\n{name},I90.png,4.2,0.71\n")
    (row,) = read(kadid_10k, tmp_path, "dmos.csv")
    assert isinstance(row, Quarantined)
    assert row.field == "dist_img"


def test_spaq_saved_with_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("Image name;MOS;Brightness\n90001.jpg;48,5;50,1\n90002.jpg;101;50,1\n")
    first, second = read(spaq, tmp_path, "s.csv", separator=";", decimal=",")
    assert isinstance(first, LabelRow)
    assert first.score is not None
    assert (first.clip, first.score.value) == ("90001.jpg", 48.5)
    assert isinstance(second, Quarantined)
    assert "outside the declared scale 0 to 100" in second.reason
    assert spaq.ABOUT.expected("Annotations/MOS and Image attribute scores.xlsx") == 11125
