"""What several processes share of a model in training, and what makes that safe for this family of models.

Samples differ in what they show: one process may have images, key frames and motion in its batch while another has key
frames alone. Two things would then go wrong, silently or by waiting for ever: a layer that is gathered by all when one
computes it, and gradients that are summed in the order in which they come. So only the layers of the language model,
which every batch passes through once, are gathered one by one; and every weight outside it is held to the loss by a
term that is always zero (`Anchor`), by which its gradient is there in every process, in the same place of the order.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from training.checkpoints.schedule import PARTS
from training.planning.launched import launched, uses_fsdp

LAYERS = PARTS["llm"]
"""What the names of weights begin with that every batch passes through, once."""
OUTSIDE = tuple(prefix for part, prefixes in PARTS.items() if part != "llm" for prefix in prefixes)
WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""With this in its environment torch.load runs no code, whatever it is told."""
ZERO_ID = "ds_id"
"""DeepSpeed's mark on a parameter that ZeRO-3 has cut."""


def let_go() -> None:
    """Give back what the last stage's model took; the next one begins as if it were the first."""
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def shard_on_cpu(accelerator: Any) -> None:
    """Have accelerate shard where there is no GPU, as it does with one.

    Left alone, accelerate (1.15) takes "FSDP without a GPU" for plain data parallelism, and says nothing.
    """
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    state = accelerator.state
    if uses_fsdp() and state.distributed_type == DistributedType.MULTI_CPU:
        state.fsdp_plugin = FullyShardedDataParallelPlugin()
        if state.mixed_precision != "no":
            state.fsdp_plugin.set_mixed_precision(state.mixed_precision)
        state.distributed_type = DistributedType.FSDP


def layer_class(model: Any) -> str:
    """Name the class of the language model's layers, the units that are gathered one by one."""
    return type(model.model.language_model.layers[0]).__name__


def set_zero(plugin: Any, model: Any) -> None:
    """Have ZeRO-3 leave small weights whole by the measure that transformers takes, which fits models of any size."""
    zero = plugin.deepspeed_config.get("zero_optimization", {})
    zero.setdefault("stage3_param_persistence_threshold", 10 * model.config.text_config.hidden_size)


def gather_for_good(model: nn.Module, optimizer: Any) -> None:
    """Have ZeRO-3 keep whole in every process what not every batch passes through, as FSDP gathers it once a step.

    Its hooks are taken from those modules, too: it holds all processes to the same order of them.
    """
    outside = [p for n, p in model.named_parameters() if not n.startswith(LAYERS) and hasattr(p, ZERO_ID)]
    if not outside:
        return
    for parameter in outside:
        if not parameter.ds_persist:  # type: ignore[attr-defined]
            parameter.ds_persist = True  # type: ignore[attr-defined]
            optimizer.persistent_parameters.append(parameter)
    outside[0].all_gather(outside)  # type: ignore[attr-defined]
    hooked = set()
    for name, module in model.named_modules():
        if f"{name}.".startswith(OUTSIDE):
            hooked |= {id(module._forward_hooks), id(module._forward_pre_hooks)}
    for handle in (*optimizer.parameter_offload.forward_hooks, *optimizer.parameter_offload.backward_hooks):
        if id(handle.hooks_dict_ref()) in hooked:
            handle.remove()


@contextmanager
def at_hand(root: nn.Module) -> Iterator[None]:
    """Keep gathered what lies outside the layers, so that parts of a model can be called by themselves."""
    if not isinstance(root, FSDPModule):
        yield
        return
    root.unshard()
    yield
    for module in root.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


class Anchor:
    """Holds to the loss, with a weight of 0, all that learns outside the language model.

    The term is made before the model is run, so its gradients come last, and in the same order everywhere. One process
    has it too: AdamW moves a weight whose gradient is 0, and leaves alone one that has none.
    """

    def __init__(self, model: nn.Module) -> None:
        """Take the model of the family, before it is sharded."""
        self._names = [n for n, p in model.named_parameters() if p.requires_grad and not n.startswith(LAYERS)]
        self._term: Tensor | None = None
        model.register_forward_pre_hook(self._begin)

    def _begin(self, model: nn.Module, _inputs: Any) -> None:
        """Runs after the hook of FSDP that gathers these weights."""
        if self._names and torch.is_grad_enabled():
            self._term = 0 * torch.stack([model.get_parameter(n).sum(dtype=torch.float32) for n in self._names]).sum()

    def held(self, loss: Tensor) -> Tensor:
        """Give the loss with the term added."""
        term, self._term = self._term, None
        return loss if term is None else loss + term


def whole(parameter: nn.Parameter) -> Tensor:
    """Gather a weight, in the precision that it learns in; all processes must ask at once."""
    if isinstance(parameter, DTensor):
        gathered: Tensor = parameter.full_tensor()
        return gathered
    if hasattr(parameter, ZERO_ID) or hasattr(parameter, "_hp_mapping"):
        from deepspeed.utils import safe_get_full_fp32_param

        found: Tensor | None = safe_get_full_fp32_param(parameter)
        assert found is not None, "asked of a weight that does not learn"
        return found
    return parameter


def put(parameter: nn.Parameter, value: Tensor) -> None:
    """Put a whole value in the place of a weight, of which this process may hold a part alone."""
    with torch.no_grad():
        if isinstance(parameter, DTensor):
            value = distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
        parameter.copy_(value)


def parts_of(optimizer: Any) -> dict[str, Any]:
    """Give what this process holds of an optimiser's state, as plain tensors and numbers."""
    told = optimizer.state_dict()
    return {**told, "state": {at: {name: _local(v) for name, v in of.items()} for at, of in told["state"].items()}}


def put_parts(optimizer: Any, parts: dict[str, Any]) -> None:
    """Put back what `parts_of` gave in the same one of as many processes."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = {at: {name: _part(v, parameters[at]) for name, v in of.items()} for at, of in parts["state"].items()}
    optimizer.load_state_dict({**parts, "state": state})


@contextmanager
def no_code_read() -> Iterator[None]:
    """Have DeepSpeed, which unpickles its own snapshots, take nothing from them but tensors and plain values."""
    if not launched().startswith("zero"):
        yield
        return
    from deepspeed.runtime.fp16.loss_scaler import DynamicLossScaler, LossScaler
    from deepspeed.runtime.zero.config import ZeroStageEnum
    from deepspeed.utils.tensor_fragment import fragment_address

    before = os.environ.get(WEIGHTS_ONLY)
    os.environ[WEIGHTS_ONLY] = "1"
    try:
        with torch.serialization.safe_globals([DynamicLossScaler, LossScaler, ZeroStageEnum, fragment_address]):
            yield
    finally:
        os.environ.pop(WEIGHTS_ONLY)
        if before is not None:
            os.environ[WEIGHTS_ONLY] = before


def _local(value: Any) -> Any:
    return value.to_local() if isinstance(value, DTensor) else value


def _part(value: Any, parameter: nn.Parameter) -> Any:
    """Give a part of a state back as the part that the weight itself is of the whole; a count of steps has none."""
    if not isinstance(parameter, DTensor) or not torch.is_tensor(value) or not value.ndim:
        return value
    mesh, placements = parameter.device_mesh, parameter.placements
    here = value.to(parameter.device)
    return DTensor.from_local(here, mesh, placements, shape=parameter.shape, stride=parameter.stride())


def measured(model: nn.Module, optimizer: Any) -> dict[str, Any]:
    """Measure on live objects what this process holds of a model that learns, as shares of the whole.

    `weights` is of all numbers in the model, `optimizer` of the two that AdamW keeps for each that learns.
    """
    held = every = learning = 0
    kinds = set()
    for parameter in model.parameters():
        if isinstance(parameter, DTensor):
            kinds.add("fsdp2")
            count, here = parameter.numel(), parameter.to_local().numel()
        elif hasattr(parameter, ZERO_ID):
            kinds.add("zero3")
            count = parameter.ds_numel  # type: ignore[attr-defined]
            here = parameter.numel() or parameter.ds_tensor.numel()  # type: ignore[attr-defined]
        else:
            count = here = parameter.numel()
        every, held = every + count, held + here
        learning += count if parameter.requires_grad else 0
    outer = optimizer
    while not isinstance(optimizer, torch.optim.Optimizer) or hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    states = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    kept = sum((s.to_local() if isinstance(s, DTensor) else s).numel() for s in states if s.ndim)
    if not kinds:
        kinds.add("zero2" if hasattr(getattr(outer, "optimizer", outer), "optimizer") else "whole")
    return {"kind": "+".join(sorted(kinds)), "weights": held / every, "optimizer": kept / (2 * learning)}
