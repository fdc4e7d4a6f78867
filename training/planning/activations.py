"""What a forward pass leaves in memory for the backward pass, and how many operations both take, by formula.

The way of counting is that of Korthikanti et al. (arXiv 2205.05198, section 4): a tensor counts where some operation
keeps it for its gradient, and each storage once. Their layer is GPT's, in 16 bits; the terms here are those of the
layers that our backbones have. Attention is fused (arXiv 2205.14135): it keeps queries, keys, values, its output and
one number a head and token, never a matrix of all pairs. What an operation keeps depends on what learns: a linear layer
keeps its input for the gradient of its weights alone, so frozen ones keep none.

Sizes are bytes, of one process. FLOPs count a multiplication and an addition as two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Literal

from training.models.config import MotionConfig, PatchedConfig
from training.models.slowfast import CHUNK, REACH, STAGES

FLOAT = 4
"""Bytes of a float32."""
TOWERS = ("model.vision_tower.", "model.visual.patch_embed.", "model.visual.blocks.")
"""What the parameters of vision towers begin with."""
EXTRACTOR = "model.motion_extractor."
"""The same of the motion extractor."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a batch shows: `batch` samples that are all as long as the longest.

    `text` tokens are those beside pictures and motion; `answers` counts the positions at which logits are computed.
    `cached` says that motion features come from a cache, or from a rule, instead of from a network in the model,
    `kept_vision` that a vision tower that does not learn was asked before (`keep_vision`).
    """

    batch: int = 1
    key_frames: int = 0
    images: int = 0
    motion_frames: int = 0
    text: int = 100
    answers: int = 20
    cached: bool = False
    kept_vision: bool = False

    def tokens(self, config: MotionConfig) -> int:
        """Count the tokens of one sample."""
        seen = config.estimated_tokens("video", self.key_frames) if self.key_frames else 0
        seen += self.images * config.estimated_tokens("image", 1)
        return self.text + seen + config.motion_tokens(self.motion_frames)


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """Low-rank adapters (arXiv 2106.09685): the linear layers of a language model or vision tower learn by them alone.

    With `head` the language model's head learns too, whole.
    """

    rank: int
    dropout: float = 0.0
    head: bool = False

    def kept(self, numbers: Numbers, widths: Sequence[int]) -> int:
        """Bytes a token that adapters of inputs so wide keep, beside the inputs.

        That is what they make small, and with dropout a mask of bytes and what is left of the input.
        """
        small = numbers.product * self.rank * len(widths)
        return small + (1 + numbers.product) * sum(widths) * (self.dropout > 0)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """In which types a model computes. What learns is float32 in memory; `frozen` is the type of the rest.

    With `autocast`, matrix products are in bfloat16. `whole` says that what learns is bfloat16 too while it is computed
    with, as FSDP gathers it. `learns` is whether the weights of the part at hand do.
    """

    frozen: Literal["float32", "bfloat16"] = "float32"
    autocast: bool = False
    whole: bool = False
    learns: bool = False

    def of(self, *, learns: bool) -> Numbers:
        """Give the same for another part."""
        return replace(self, learns=learns)

    @property
    def stream(self) -> int:
        """Bytes of a number that goes from layer to layer: that of text embeddings, which never learn."""
        return FLOAT if self.frozen == "float32" and not self.whole else 2

    @property
    def weights(self) -> int:
        """Bytes of a weight of the part at hand, as it is computed with."""
        return FLOAT if self.learns and not self.whole else self.stream

    @property
    def product(self) -> int:
        """Bytes of a number that a matrix product gives."""
        return 2 if self.autocast else self.weights

    @property
    def copies(self) -> bool:
        """Say whether matrix products read copies of weights and inputs: autocast over float32."""
        return self.autocast and self.weights == FLOAT

    def inputs(self, width: int, readers: int) -> int:
        """Bytes a token that linear layers keep of their common input; autocast makes each its own copy."""
        return width * 2 * readers if self.copies else width * self.product * bool(readers)

    def rms_norm(self, width: int, *, learns: bool) -> int:
        """Bytes a token that an RMS norm keeps: its input in float32, and the normed one for the weight's gradient."""
        return width * (FLOAT + self.stream * learns)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of the model that runs as one, in the order of the forward pass.

    `of` is what its parameters' names begin with. `saved` stays until its gradients are computed, `forward` and
    `backward` only while it is computed itself. `flops` are those of the forward pass, `layer` says that gradient
    checkpointing keeps no more of it than its input of `width` bytes.
    """

    of: str
    saved: int = 0
    forward: int = 0
    backward: int = 0
    flops: int = 0
    width: int = 0
    layer: bool = field(default=False)
    flows: bool = True


def segments(
    config: MotionConfig, load: Load, learning: Set[str], numbers: Numbers, adapters: Adapters | None = None
) -> Iterator[Segment]:
    """List the parts that a batch runs through, in order; `learning` names those of
    `training.checkpoints.schedule.PARTS`.
    """
    if load.key_frames or load.images:
        towers = _qwen_tower if isinstance(config, PatchedConfig) else _siglip
        for segment in towers(config, load, learning, numbers, adapters):
            if not (load.kept_vision and segment.of.startswith(TOWERS)):
                yield segment
    if load.motion_frames:
        yield from _motion(config, load, learning, numbers)
    yield from _language_model(config, load, learning, numbers, adapters)


def _language_model(
    config: MotionConfig, load: Load, learning: Set[str], n: Numbers, adapters: Adapters | None
) -> Iterator[Segment]:
    text = config.text_config
    width, inner = int(text.hidden_size), int(text.intermediate_size)
    heads, groups = int(text.num_attention_heads), int(text.num_key_value_heads)
    head = int(getattr(text, "head_dim", None) or width // heads)
    queries, keys = heads * head, groups * head
    tokens, length = load.batch * load.tokens(config), load.tokens(config)
    learns = "llm" in learning
    n = n.of(learns=learns)
    norms = learns and adapters is None
    padded = load.batch > 1  # a mask for padding has keys repeated for all queries, and becomes numbers itself
    kept_keys = queries if padded else keys
    saved = 2 * n.rms_norm(width, learns=norms) + FLOAT * heads
    saved += n.product * (2 * queries + 2 * kept_keys + (3 + learns) * inner)
    saved += (n.inputs(width, 3) + n.inputs(width, 2)) * learns
    saved += n.product * length * padded
    if config.backbone == "qwen3-vl":
        saved += n.rms_norm(queries, learns=norms) + n.rms_norm(keys, learns=norms)
    if learns and adapters:
        saved += adapters.kept(n, [width] * 5 + [queries, inner])
    matrices = 2 * width * (queries + keys) + 3 * width * inner
    for index in range(int(text.num_hidden_layers)):
        yield Segment(
            of=f"model.language_model.layers.{index}.",
            saved=saved * tokens,
            forward=tokens * n.stream * 3 * width,
            backward=tokens * (n.product * 2 * inner + n.stream * 3 * width),
            flops=2 * tokens * matrices + 2 * tokens * length * queries,
            width=n.stream * width * tokens,
            layer=True,
        )
    answers, words = load.batch * load.answers, int(text.vocab_size)
    yield Segment(
        of="model.language_model.norm.",
        saved=tokens * (n.rms_norm(width, learns=norms) + n.stream * width),
        backward=tokens * n.stream * width,
    )
    yield Segment(
        of="lm_head.",
        saved=answers * (words * (FLOAT + n.product) + n.inputs(width, 1)),
        backward=2 * answers * words * FLOAT,
        flops=2 * answers * words * width,
    )


def _siglip(
    config: MotionConfig, load: Load, learning: Set[str], n: Numbers, adapters: Adapters | None
) -> Iterator[Segment]:
    vision = config.vision_config
    width, inner, heads = int(vision.hidden_size), int(vision.intermediate_size), int(vision.num_attention_heads)
    patches = (int(vision.image_size) // int(vision.patch_size)) ** 2
    pictures = load.batch * (load.key_frames + load.images)
    tokens = pictures * patches
    learns = "vision" in learning
    n = n.of(learns=learns)
    stream = n.weights
    pixels = pictures * 3 * int(vision.image_size) ** 2
    yield Segment(
        of="model.vision_tower.embeddings.",
        saved=pixels * 2 * (n.product == 2) * learns,
        forward=2 * tokens * width * stream,
        flops=2 * tokens * width * 3 * int(vision.patch_size) ** 2,
        flows=learns,
    )
    saved = tokens * (
        2 * stream * width + n.inputs(width, 3) + n.inputs(width, 1) + n.product * (4 * width + 2 * inner)
        + FLOAT * heads
    )  # fmt: skip
    if adapters:
        saved += tokens * adapters.kept(n, [width] * 5 + [inner])
    for index in range(int(vision.num_hidden_layers)):
        held = stream * width * tokens  # the states of every layer are given out
        yield Segment(
            of=f"model.vision_tower.encoder.layers.{index}.",
            saved=saved if learns else held,
            forward=0 if learns else tokens * (n.product * 2 * inner + stream * 2 * width),
            backward=tokens * (n.product * inner + stream * 3 * width) * learns,
            flops=2 * tokens * (4 * width * width + 2 * width * inner) + 4 * tokens * patches * width,
            width=held,
            layer=True,
            flows=learns,
        )
    deep = int(config.text_config.hidden_size)
    learnt = "vision_projector" in learning
    n = n.of(learns=learnt)
    flows = learns or learnt
    yield Segment(
        of="model.multi_modal_projector.",
        saved=tokens * (n.inputs(width, 1) * n.copies + n.product * (deep + deep * learnt)) * flows,
        forward=tokens * n.product * 2 * deep,
        backward=tokens * n.product * 2 * deep * flows,
        flops=2 * tokens * (width * deep + deep * deep),
        flows=flows,
    )


def _qwen_tower(
    config: MotionConfig, load: Load, learning: Set[str], n: Numbers, adapters: Adapters | None
) -> Iterator[Segment]:
    assert isinstance(config, PatchedConfig)
    vision = config.vision_config
    width, inner, heads = int(vision.hidden_size), int(vision.intermediate_size), int(vision.num_heads)
    merge = int(vision.spatial_merge_size) ** 2
    shown = load.images * config.estimated_tokens("image", 1)
    shown += config.estimated_tokens("video", load.key_frames) if load.key_frames else 0
    steps = load.images + config.steps(load.key_frames)
    tokens = load.batch * shown * merge
    length = shown * merge // max(1, steps)  # of a step in time: what sees each other
    learns, gated = "vision" in learning, config.backbone == "qwen2.5-vl"
    n = n.of(learns=learns)
    stream = n.weights
    patch = 3 * int(vision.temporal_patch_size) * int(vision.patch_size) ** 2
    yield Segment(
        of="model.visual.patch_embed.",
        saved=tokens * patch * 2 * (n.product == 2) * learns,
        forward=2 * tokens * width * stream,
        flops=2 * tokens * width * patch,
        flows=learns,
    )
    norm = n.rms_norm(width, learns=adapters is None) if gated else stream * width
    block = 2 * norm + n.inputs(width, 1) + n.product * 7 * width + FLOAT * heads
    block += n.inputs(width, 2 if gated else 1) + n.product * (4 if gated else 2) * inner
    if adapters:
        block += adapters.kept(n, [width] * (4 if gated else 3) + [inner])
    for index in range(int(vision.depth)):
        yield Segment(
            of=f"model.visual.blocks.{index}.",
            saved=tokens * block * learns,
            forward=tokens * (n.product * (3 if gated else 2) * inner + stream * 3 * width) * (not learns),
            backward=tokens * (n.product * (2 if gated else 1) * inner + stream * 3 * width) * learns,
            flops=2 * tokens * (4 * width * width + (3 if gated else 2) * width * inner) + 4 * tokens * length * width,
            width=stream * width * tokens,
            layer=True,
            flows=learns,
        )
    learnt = "vision_projector" in learning
    n = n.of(learns=learnt)
    flows = learns or learnt
    out = int(config.text_config.hidden_size)
    mergers = [("model.visual.merger.", norm)]
    for index in range(len(getattr(vision, "deepstack_visual_indexes", ()))):
        mergers.append((f"model.visual.deepstack_merger_list.{index}.", stream * width))
    for name, kept in mergers:
        saved = kept + n.inputs(width, 1) * learnt + n.product * (width + width * learnt)
        yield Segment(
            of=name,
            saved=tokens * saved * flows,
            forward=tokens * n.product * 2 * width,
            backward=tokens * n.product * 2 * width * flows,
            flops=2 * tokens * width * (merge * width + out),
            flows=flows,
        )


def _motion(config: MotionConfig, load: Load, learning: Set[str], n: Numbers) -> Iterator[Segment]:
    learns = "motion" in learning
    n = n.of(learns=learns)
    if config.motion_extractor == "slowfast" and not load.cached:
        frames, side = load.motion_frames, config.dense_size
        chunks = -(-frames // CHUNK)
        computed = load.batch * (frames + 2 * REACH * (chunks - 1))
        kept, most, flops = _fast_path(side, n)
        clip = frames * 3 * side**2 * n.weights
        yield Segment(
            of=EXTRACTOR,
            saved=(computed * kept + load.batch * clip) * learns,
            forward=(2 * clip if learns else clip + min(frames, CHUNK + REACH) * most),
            backward=2 * min(frames, CHUNK + 2 * REACH) * most * learns,
            flops=computed * flops,
            flows=learns,
        )
    width, channels = int(config.text_config.hidden_size), config.motion_channels
    tokens, learnt = load.batch * config.motion_tokens(load.motion_frames), "motion_projector" in learning
    n = n.of(learns=learnt)
    flows = learns or learnt
    yield Segment(
        of="model.motion_projector.",
        saved=tokens * (n.inputs(channels, 1) * learnt + n.product * (width + width * learnt)) * flows,
        forward=tokens * n.product * 2 * width,
        backward=tokens * n.product * 2 * width * flows,
        flops=2 * tokens * width * (channels + width),
        flows=flows,
    )


def _fast_path(side: int, n: Numbers) -> tuple[int, int, int]:
    """Give, for one frame of the fast pathway: bytes kept, the most bytes of two layers at a time, and FLOPs.

    A convolution and a norm on stored statistics keep their inputs, a ReLU its output.
    """
    stem = STAGES[0][1]
    half, quarter = (side // 2) ** 2, (side // 4) ** 2
    kept = stem * (2 * half * n.product + quarter * (n.product + 8))  # 8: where the pool found its largest, int64
    flops = 2 * stem * 3 * 5 * 49 * half
    most, inputs, area = 3 * stem * half * n.product, stem, quarter
    for stage, (depth, inner, outputs) in enumerate(STAGES):
        for index in range(depth):
            before = inputs if index == 0 else outputs
            after = area // 4 if stage and index == 0 else area
            numbers = 2 * inner * area + 2 * inner * after + outputs * after * (3 if before != outputs else 2)
            kept += numbers * n.product
            most = max(most, (before * area + inner * area + 2 * outputs * after) * n.product)
            flops += 2 * (3 * before * inner * area + 9 * inner * inner * after + inner * outputs * after)
            flops += 2 * before * outputs * after * (before != outputs)
            area = after
        inputs = outputs
    return kept, most, flops
