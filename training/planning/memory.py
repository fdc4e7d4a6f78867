"""What a training stage holds in memory, foretold without holding it: the model is built on torch's meta device.

Weights, gradients and optimiser states are counted tensor by tensor. Activations are those of
training.planning.activations, walked through in the order in which they come and go, since gradients appear while
activations disappear:

1. forward: what is there before, and what each part leaves; beside it what a part needs while it runs;
2. backward, from the last part to the first: a part's activations go when its gradients have come;
3. the optimiser's step: weights, gradients and states alone.

The peak is the most of these. Sizes are bytes, of one process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import torch
from torch import nn

from training.checkpoints.schedule import freeze_but
from training.models.config import MotionConfig
from training.models.model import model_class
from training.planning.activations import EXTRACTOR, FLOAT, TOWERS, Adapters, Load, Numbers, Segment, segments

LAYERS = "model.language_model.layers."
"""What the parameters of the language model's layers begin with."""
BITS_OF_SCALES = 0.127
"""Bits a weight that the scales of 4-bit weights take, themselves quantised (arXiv 2305.14314, section 3)."""

Sharding = Literal["none", "zero2", "zero3"]
"""What processes share out among them: nothing (DDP); gradients and optimiser states; weights too (as FSDP does)."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a stage is trained, as far as memory goes.

    `parts` learn (training.checkpoints.schedule.PARTS), and are float32 in memory; `frozen` is the type of the rest,
    and `bf16` autocast over both. With adapters `bits` may be 4: the language model's linear layers are so kept
    (QLoRA). `load` is what one process sees of a batch.
    """

    parts: tuple[str, ...]
    load: Load
    frozen: Literal["float32", "bfloat16"] = "float32"
    bf16: bool = False
    gradient_checkpointing: bool = False
    accumulate: int = 1
    adapters: Adapters | None = None
    bits: Literal[4] | None = None
    processes: int = 1
    sharding: Sharding = "none"


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What one process holds, in bytes; `activations` at most, `peak` of all together at any time.

    `flops` are those of one forward and backward pass, `extraction` the motion extractor's among them; `parameters` and
    `learning` count numbers.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    peak: int
    flops: int
    extraction: int
    parameters: int
    learning: int

    @property
    def fixed(self) -> int:
        """Give what no smaller batch makes smaller."""
        return self.weights + self.gradients + self.optimizer


def meta_model(config: MotionConfig) -> Any:
    """Build the model of a configuration without memory for it."""
    with torch.device("meta"):
        return model_class(config)(config)


def memory(config: MotionConfig, plan: Plan, counts: Counts | None = None) -> Memory:
    """Foretell the memory of a plan; `counts` of an equal plan but for its load save counting anew."""
    counts = counts or Counts(meta_model(config), plan)
    found = _parts(config, plan)
    activations, peak = _walk(found, counts, plan, _inputs(config, plan.load))
    return Memory(
        weights=counts.weights,
        gradients=counts.gradients,
        optimizer=counts.optimizer,
        activations=activations,
        peak=peak,
        flops=_flops(found, counts, plan),
        extraction=_flops([part for part in found if part.of == EXTRACTOR], counts, plan),
        parameters=counts.parameters,
        learning=counts.learning,
    )


def flops(config: MotionConfig, plan: Plan, counts: Counts) -> tuple[int, int]:
    """Count the operations of a forward and backward pass, and how many of them are the motion extractor's."""
    found = _parts(config, plan)
    return _flops(found, counts, plan), _flops([part for part in found if part.of == EXTRACTOR], counts, plan)


def _parts(config: MotionConfig, plan: Plan) -> list[Segment]:
    return [
        _checkpointed(part) if plan.gradient_checkpointing and part.layer and part.flows else part
        for part in segments(config, plan.load, frozenset(plan.parts), _numbers(plan), plan.adapters)
    ]


class Counts:
    """Bytes of weights, gradients and states of one process, and which part of the model they are of."""

    def __init__(self, model: Any, plan: Plan) -> None:
        """Count those of a model, whose freezing is changed; the plan's load does not matter."""
        parts = frozenset(plan.parts)
        freeze_but(model, parts - {"llm", "vision"} if plan.adapters else parts)
        if plan.adapters:
            for parameter in model.model.parameters(recurse=False):
                parameter.requires_grad_(False)  # PEFT lets modules learn whole, no parameter beside them
            if plan.adapters.head:
                model.lm_head.weight.requires_grad_(True)
        self._gradients: dict[str, int] = {}
        self._matrices: dict[str, int] = {}
        self.optimizer = self.gradients = self.parameters = self.learning = 0
        self._split = plan.processes if plan.sharding != "none" else 1
        number = FLOAT if plan.frozen == "float32" else 2
        whole = float(sum(b.numel() * b.element_size() for b in model.buffers()))
        for name, parameter in model.named_parameters():
            count = parameter.numel()
            self.parameters += count
            if parameter.ndim > 1 and "embed" not in name:
                self._matrices[name] = count
            if plan.bits and name.startswith(LAYERS) and parameter.ndim > 1:
                whole += count * (plan.bits + BITS_OF_SCALES) / 8
            else:
                whole += count * (FLOAT if parameter.requires_grad else number)
            if parameter.requires_grad:
                self._learn(name, count)
                whole += count * number * (plan.adapters is not None)  # PEFT keeps what learns whole twice
        for name, count in _adapter_counts(model, plan):
            self.parameters += count
            whole += count * FLOAT
            self._learn(name, count)
        shared = plan.processes if plan.sharding == "zero3" else 1
        self.weights = round(whole / shared)
        self.gathered = self._gathered(model) if shared > 1 else 0
        if plan.bits:  # a matrix is made whole again when it is used
            self.gathered = max(count for name, count in self._matrices.items() if name.startswith(LAYERS))

    def _gathered(self, model: nn.Module) -> int:
        """Count the weights that are whole at a time where they are shared out.

        Only the language model's layers are gathered one by one (training.trainer.sharding): of them it is the one
        that runs, the next, and one's gradients. The rest stays whole for the step.
        """
        layers = _layers(self._matrices)
        inside = sum(p.numel() for name, p in model.named_parameters() if name.startswith(LAYERS))
        return self.parameters - inside + 3 * max(_of(self._matrices, prefix) for prefix in layers)

    def _learn(self, name: str, count: int) -> None:
        self.learning += count
        self._gradients[name] = count * FLOAT // self._split
        self.gradients += count * FLOAT // self._split
        self.optimizer += 2 * count * FLOAT // self._split + FLOAT  # two moments, and the number of the step

    def gradients_of(self, prefix: str) -> int:
        """Give the bytes of the gradients of a part."""
        return _of(self._gradients, prefix)

    def learns(self, prefix: str) -> bool:
        """Say whether anything in a part learns."""
        return any(name.startswith(prefix) for name in self._gradients)

    def matrices_of(self, prefix: str) -> int:
        """Count the weights of matrix products in a part."""
        return _of(self._matrices, prefix)


def _of(counts: dict[str, int], prefix: str) -> int:
    return sum(count for name, count in counts.items() if name.startswith(prefix))


def _layers(names: dict[str, int]) -> set[str]:
    """Give the prefixes of the language model's layers."""
    return {".".join(name.split(".")[:4]) + "." for name in names if name.startswith(LAYERS)}


def _adapter_counts(model: nn.Module, plan: Plan) -> list[tuple[str, int]]:
    """Name the adapters' two matrices for each linear layer that has them, and count their numbers."""
    if plan.adapters is None:
        return []
    layers = (LAYERS,) * ("llm" in plan.parts) + TOWERS * ("vision" in plan.parts)
    found = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name.startswith(layers):
            found.append((f"{name}.lora_A.", plan.adapters.rank * module.in_features))
            found.append((f"{name}.lora_B.", plan.adapters.rank * module.out_features))
    return found


def _numbers(plan: Plan) -> Numbers:
    """Say in what is computed: FSDP and DeepSpeed under bf16 gather weights as bfloat16 and run the model in it."""
    whole = plan.sharding == "zero3" and plan.bf16
    return Numbers(frozen=plan.frozen, autocast=plan.bf16, whole=whole)


def _checkpointed(segment: Segment) -> Segment:
    """Keep the input alone; the rest is computed again when its gradients are."""
    return Segment(
        of=segment.of,
        saved=segment.width,
        forward=segment.forward + segment.saved // 3,
        backward=segment.backward + segment.saved,
        flops=segment.flops,
        layer=True,
        flows=segment.flows,
    )


def _inputs(config: MotionConfig, load: Load) -> int:
    """Give the bytes of a batch: float32 pictures, motion as features or as frames of bytes, and ids."""
    size = 0
    vision = config.vision_config
    kinds: tuple[tuple[int, Literal["video", "image"]], ...] = ((load.key_frames, "video"), (load.images, "image"))
    for count, kind in kinds:
        if not count:
            continue
        if config.backbone == "llava-onevision":
            size += count * 3 * int(vision.image_size) ** 2 * FLOAT
        else:
            times = 1 if kind == "video" else count
            tokens = times * config.estimated_tokens(kind, count if kind == "video" else 1)
            patch = 3 * int(vision.temporal_patch_size) * int(vision.patch_size) ** 2
            size += tokens * int(vision.spatial_merge_size) ** 2 * patch * FLOAT
    if load.cached or config.motion_extractor != "slowfast":
        size += load.motion_frames * config.motion_channels * FLOAT
    else:
        size += load.motion_frames * 3 * config.dense_size**2
    return load.batch * (size + 32 * load.tokens(config))


def _walk(found: Sequence[Segment], counts: Counts, plan: Plan, inputs: int) -> tuple[int, int]:
    """Give the most that activations take, and all together."""
    numbers = _numbers(plan)
    there = counts.weights + counts.optimizer + inputs + counts.gathered * (2 if plan.bf16 else FLOAT)
    growing = plan.accumulate == 1 and plan.sharding == "none" and plan.processes == 1
    live = there if growing else there + counts.gradients
    if plan.sharding == "none" and plan.processes > 1:
        live += counts.gradients  # the buckets in which they are sent

    def copies_of(segment: Segment) -> int:
        learns = counts.learns(segment.of) and not (plan.adapters and segment.layer)
        return 2 * counts.matrices_of(segment.of) if segment.flows and numbers.of(learns=learns).copies else 0

    start, peak, copies = live, live, 0
    for segment in found:
        copy = copies_of(segment)
        peak = max(peak, live + segment.forward + copy)
        live += segment.saved + copy
        copies += copy
    held = live - start
    most = held + max((s.backward for s in found), default=0) + inputs
    if plan.gradient_checkpointing:
        live -= copies  # autocast lets go of them at the end of the forward pass
    for segment in reversed(found):
        gradients = counts.gradients_of(segment.of) if growing else 0
        peak = max(peak, live + segment.backward + gradients)
        copy = copies_of(segment)
        live += gradients - segment.saved - (0 if plan.gradient_checkpointing else copy)
    return most, max(peak, live, there - inputs + counts.gradients)


def _flops(found: Sequence[Segment], counts: Counts, plan: Plan) -> int:
    """Count the operations of a step: as many again for the gradients of inputs, and of weights that learn."""
    total = 0
    for segment in found:
        times = 1
        if segment.flows:
            times += 1 + (counts.learns(segment.of) and not (plan.adapters and segment.layer))
            times += plan.gradient_checkpointing and segment.layer
        total += times * segment.flops
    return total
