from pathlib import Path

import pytest
import torch

from dataset_builder.corpus import read_samples
from schemas.errors import CallError, DataError
from schemas.sample import MediaRef, Sample
from stages.wording.prompts import PUBLISHED
from tests.training.conftest import image_ref, sample, scored, video_ref, write_clip, write_samples
from training.checkpoints.checkpoint import Checkpoint
from training.inputs.conversation import NO_LOSS
from training.inputs.dataset import Collator, SampleDataset
from training.inputs.feeds import FeedReader, read_feed


def dataset(corpus: Path, samples: list[Sample], checkpoint: Checkpoint, config: str = "stage2-ugc") -> SampleDataset:
    write_samples(corpus, config, "train", samples)
    feeds = FeedReader(corpus, checkpoint.config, keep=True)
    return SampleDataset(list(read_samples(corpus, config, "train")), feeds, checkpoint.config, checkpoint.tokens)


def test_a_batch_mixes_images_videos_and_lengths(corpus: Path, trained: Checkpoint) -> None:
    write_clip(corpus / "media" / "long.mp4", 1, frames=25)
    long = video_ref("long", frames=25, key_frames=4, motion_frames=24)
    image = sample(
        "stage2-ugc", image_ref("still"), PUBLISHED["ours/ugc/image"], "The quality of this image is low.", 0.1
    )
    data = dataset(corpus, [scored(video_ref("clip0"), 0.9), image, scored(long, 0.5)], trained)
    batch = Collator(trained.config, trained.tokens, side="right")([data[i] for i in range(3)])
    assert batch["pixel_values"].shape == (3, 1, 3, 64, 64)
    assert batch["image_mask"].sum(1).tolist() == [0, 1, 0]
    assert batch["frame_mask"].sum(1).tolist() == [2, 0, 4]
    assert batch["motion_mask"].sum(1).tolist() == [16, 0, 24]
    assert (batch["labels"] != NO_LOSS).sum(1).min() > 0
    batch.pop("names")
    assert trained.model(**batch).loss.isfinite()


def test_a_clip_is_decoded_once(corpus: Path, trained: Checkpoint) -> None:
    data = dataset(corpus, [scored(video_ref("clip0"), 0.9)], trained)
    first = data[0].feeds[0]
    (corpus / "media" / "clip0.mp4").unlink()
    assert data[0].feeds[0] is first


@pytest.mark.parametrize(
    ("stated", "wrong"),
    [
        ({"frames": 20, "key_frames": 3, "motion_frames": 20}, "frames 20, the file gives 16"),
        ({"fps": 4.0, "key_frames": 4}, "key_frames 4, the file gives 2"),
    ],
)
def test_a_count_that_the_clip_does_not_have_is_refused(
    corpus: Path, trained: Checkpoint, stated: dict[str, float], wrong: str
) -> None:
    data = dataset(corpus, [scored(video_ref("clip1"), 0.5), scored(video_ref("clip0", **stated), 0.9)], trained)
    with pytest.raises(DataError, match=rf"train-00000.jsonl:2: sample stage2-ugc/clip0/\d+: .*{wrong}"):
        data[1]


def test_a_video_stated_to_be_an_image_is_refused(corpus: Path, trained: Checkpoint) -> None:
    clip = image_ref("clip0")
    wrong = MediaRef(**{**{f: getattr(clip, f) for f in clip.__struct_fields__}, "path": "media/clip0.mp4"})
    data = dataset(corpus, [sample("stage1", wrong, PUBLISHED["stage1/image"], "It is noise.")], trained)
    with pytest.raises(DataError, match="stated to be an image, but 16 frames decode"):
        data[0]


def test_a_line_that_is_no_sample_is_named(corpus: Path) -> None:
    path = write_samples(corpus, "stage2-ugc", "train", [scored(video_ref("clip0"), 0.9)])
    path.write_bytes(path.read_bytes() + path.read_bytes().replace(b'"mos":0.9', b'"mos":"high"'))
    with pytest.raises(DataError, match="data/stage2-ugc/train-00000.jsonl:2: target"):
        list(read_samples(corpus, "stage2-ugc", "train"))


def test_an_unknown_config_names_the_nearest(corpus: Path) -> None:
    with pytest.raises(CallError, match="did you mean 'stage2-ugc'"):
        list(read_samples(corpus, "stage2_ugc", "train"))
    with pytest.raises(CallError, match="no corpus folder"):
        list(read_samples(corpus / "media", "stage2-ugc", "train"))


def test_a_clip_too_short_for_motion_has_none(tmp_path: Path, trained: Checkpoint) -> None:
    feed = read_feed(write_clip(tmp_path / "short.mp4", 1, frames=3), trained.config)
    assert (feed.kind, feed.motion, len(feed.media_tokens(trained.config))) == ("video", None, 1)


def test_left_padding_ends_every_row_with_its_last_token(corpus: Path, trained: Checkpoint) -> None:
    asked = PUBLISHED["stage3/video"].format(images=2, frames=16, question="Is it noisy?")
    data = dataset(corpus, [scored(video_ref("clip0"), 0.9), sample("s", video_ref("clip1"), asked, "No.")], trained)
    examples = [data[0], data[1]]
    batch = Collator(trained.config, trained.tokens, side="left")(examples)
    assert batch["input_ids"][:, -1].tolist() == [e.input_ids[-1] for e in examples]
    assert torch.equal(batch["position_ids"][:, -1] + 1, batch["attention_mask"].sum(1))
