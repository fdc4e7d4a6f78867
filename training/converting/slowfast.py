"""All tensors of SlowFast-R50 8x8 with both pathways (arXiv 1812.03982), by pytorchvideo's names."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from training.models.slowfast import COUNTER, STAGES, SlowFastFast

Shapes = dict[str, tuple[int, ...]]

WIDER = 8
"""The slow pathway has this many times the channels of the fast one (the paper's 1 / beta)."""
FUSED = 2
"""A fusion doubles the fast channels that it hands to the slow pathway."""
FUSION_REACH = 7
HEAD = {"blocks.6.proj.weight": (400, 2304), "blocks.6.proj.bias": (400,)}
"""The classifier of Kinetics-400, over both pathways."""


@functools.cache
def fast_shapes() -> Shapes:
    """List the fast pathway, which every motion feature comes from."""
    return {name: tuple(value.shape) for name, value in SlowFastFast().state_dict().items()}


@functools.cache
def slow_shapes() -> Shapes:
    """List the slow pathway and the fusions that feed it: no fast feature depends on them."""
    return dict(_slow())


def _slow() -> Iterator[tuple[str, tuple[int, ...]]]:
    fast = STAGES[0][1]
    yield "blocks.0.multipathway_blocks.0.conv.weight", (fast * WIDER, 3, 1, 7, 7)
    yield from _norm("blocks.0.multipathway_blocks.0.norm", fast * WIDER)
    yield from _fusion(0, fast)
    for index, (depth, inner, outputs) in enumerate(STAGES, 1):
        inputs = fast * (WIDER + FUSED)
        for block in range(depth):
            name = f"blocks.{index}.multipathway_blocks.0.res_blocks.{block}"
            yield from _block(name, inputs, inner * WIDER, outputs * WIDER, 3 if index > 2 else 1)
            inputs = outputs * WIDER
        if index < len(STAGES):
            yield from _fusion(index, outputs)
        fast = outputs


def _block(name: str, inputs: int, inner: int, outputs: int, frames: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    if inputs != outputs:
        yield f"{name}.branch1_conv.weight", (outputs, inputs, 1, 1, 1)
        yield from _norm(f"{name}.branch1_norm", outputs)
    yield f"{name}.branch2.conv_a.weight", (inner, inputs, frames, 1, 1)
    yield from _norm(f"{name}.branch2.norm_a", inner)
    yield f"{name}.branch2.conv_b.weight", (inner, inner, 1, 3, 3)
    yield from _norm(f"{name}.branch2.norm_b", inner)
    yield f"{name}.branch2.conv_c.weight", (outputs, inner, 1, 1, 1)
    yield from _norm(f"{name}.branch2.norm_c", outputs)


def _fusion(index: int, fast: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    name = f"blocks.{index}.multipathway_fusion"
    yield f"{name}.conv_fast_to_slow.weight", (fast * FUSED, fast, FUSION_REACH, 1, 1)
    yield from _norm(f"{name}.norm", fast * FUSED)


def _norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.{COUNTER}", ()
