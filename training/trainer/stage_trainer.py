"""One stage of training by Hugging Face's Trainer, with what ours needs besides.

The loss is taken from answers alone, and a loss that is no number stops the run and names its batch. Batches come in
an order that follows from seed and epoch; snapshots hold what learns, and nothing else, so a run that goes on from one
gives the same bits as one that was never cut short.
"""

from __future__ import annotations

import math
import pickle
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import prepare_data_loader
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import SCHEDULER_NAME
from transformers.trainer_callback import PrinterCallback

from schemas.errors import CallError, DataError
from schemas.recipe import TrainRecipe, TrainStage
from training.inputs.conversation import NO_LOSS
from training.inputs.dataset import Example
from training.inputs.soft_levels import divergence
from training.trainer.curve import Curve, Point
from training.trainer.order import Dealt, LengthGrouped, Silenced
from training.trainer.reading_ahead import ReadAhead
from training.trainer.run_folder import LEARNED, StageFolder, lay_over
from training.trainer.sharding import (
    Anchor,
    at_hand,
    gather_for_good,
    layer_class,
    measured,
    no_code_read,
    parts_of,
    put,
    put_parts,
    set_zero,
    shard_on_cpu,
    whole,
)

PART = "optimizer-{}.pt"
"""What each process of a sharded run writes of the optimiser's state, by its number."""
SHOWN = 20
"""Steps whose mean loss is shown while training."""


@dataclass(frozen=True)
class Kept:
    """Where a stage keeps what it needs to go on, and its curve."""

    place: StageFolder
    curve: Curve


def arguments(stage: TrainStage, recipe: TrainRecipe, folder: Path) -> TrainingArguments:
    """Say a stage in the Trainer's own words; snapshots go to `folder`."""
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=stage.steps or -1,
        num_train_epochs=stage.epochs or 1,
        per_device_train_batch_size=stage.batch,
        gradient_accumulation_steps=stage.accumulate,
        learning_rate=stage.lr,
        lr_scheduler_type="cosine",
        warmup_steps=stage.warmup,
        seed=recipe.seed,
        bf16=recipe.bf16,
        use_cpu=not torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
        activation_checkpointing=recipe.gradient_checkpointing,
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
        save_strategy="steps",
        save_steps=recipe.save_every,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
    )


class StageTrainer(Trainer):  # type: ignore[misc]  # transformers ships no types
    """Trainer of one stage."""

    def __init__(
        self,
        *,
        stage: TrainStage,
        model: Any,
        inner: Any,
        learning: torch.optim.Optimizer,
        lengths: Sequence[int],
        level_tokens: Sequence[int],
        kept: Kept,
        progress: Progress,
        watch: Callable[[], tuple[float | None, float | None]] | None = None,
        every: int = 0,
        readers: int = 0,
        **kwargs: Any,
    ) -> None:
        """Take the stage, and the samples' `lengths` in tokens.

        `inner` is the model of the family that `model` is or wraps, `learning` the optimiser over what of it learns;
        `watch` scores it, every so many steps; so many `readers` decode ahead.
        """
        self._stage, self._inner, self._kept, self._level_tokens = stage, inner, kept, level_tokens
        self._watch, self._every, self._watched = watch, every, 0
        # By what a whole step takes: however that is cut, into batches or over processes, steps hold the same samples.
        step = stage.batch * stage.accumulate * kwargs["args"].world_size
        self._order = LengthGrouped(lengths, step, kwargs["args"].seed)
        self._optimizer = learning
        self._learning = {name for name, p in inner.named_parameters() if p.requires_grad}
        self._readers = readers
        self._ahead: ReadAhead | None = None
        self._tokens, self._since = 0, time.monotonic()
        self._shown: list[str] = []
        self._anchor = Anchor(inner)
        self.shares: dict[str, Any] = {}
        """What this process held of model and optimiser after its first step (`measured`)."""
        super().__init__(model=model, callbacks=[_Bar(progress, kept)], **kwargs)
        self.remove_callback(PrinterCallback)

    def go(self) -> None:
        """Train, from the newest snapshot if there is one."""
        snapshot = self._kept.place.snapshot()
        if self.is_world_process_zero():
            self._kept.place.forget_best_after(int(snapshot.name.rpartition("-")[2]) if snapshot else 0)
        try:
            with no_code_read():
                self.train(resume_from_checkpoint=str(snapshot) if snapshot else None)
        except pickle.UnpicklingError:
            raise CallError(
                f"{snapshot}: holds more than tensors and numbers, and pickled code is never run; remove it, and the "
                "stage begins anew"
            ) from None
        finally:
            if self._ahead:
                self._ahead.close()

    def create_accelerator_and_postprocess(self) -> None:
        """Make the accelerator; what is sharded on a GPU is so without one."""
        super().create_accelerator_and_postprocess()
        shard_on_cpu(self.accelerator)
        if plugin := getattr(self.accelerator.state, "fsdp_plugin", None):
            self.is_fsdp_enabled = True
            plugin.transformer_cls_names_to_wrap = [layer_class(self._inner)]
        if self.is_deepspeed_enabled:
            set_zero(self.accelerator.state.deepspeed_plugin, self._inner)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Give ours: one that is handed over in the usual way is refused where the model is sharded."""
        del model
        self.optimizer: Any = self._optimizer
        return self._optimizer

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_for_training(*args, **kwargs)
        if self.is_deepspeed_enabled:
            gather_for_good(self._inner, self.model_wrapped.optimizer)
        return prepared

    def learned(self) -> dict[str, Tensor]:
        """Give the weights that learn, whole, on the first process; all processes must ask at once."""
        found = {}
        for name, parameter in self._inner.named_parameters():
            if name in self._learning:
                tensor = whole(parameter).detach()
                if self.is_world_process_zero():
                    found[name] = tensor.cpu().contiguous()
        return found

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the loss of answers, and of level words where the stage weighs it. Raises DataError if not finite.

        The divergences of a step's level words are summed and divided by its answer tokens, as the tokens' losses are,
        so that accumulated batches equal a large one.
        """
        names = inputs.pop("names")
        rows, wanted = inputs.pop("soft_rows", None), inputs.pop("soft_levels", None)
        answers = answers_only(inputs["labels"])
        loss, outputs = super().compute_loss(model, inputs | answers, True, num_items_in_batch)
        if rows is not None:
            apart = divergence(outputs.logits, answers["logits_to_keep"], rows, wanted, self._level_tokens)
            over = num_items_in_batch or (answers["shift_labels"] != NO_LOSS).sum()
            loss = loss + self._stage.soft_levels * apart / over * self.accelerator.num_processes
        loss = self._anchor.held(loss)
        if not math.isfinite(told := float(loss.detach())):
            raise DataError(
                f"stage {self._stage.name}: the loss is {told} at step {self.state.global_step + 1}, on the batch "
                f"{', '.join(names)}; lower lr, or look at these samples"
            )
        self._tokens += inputs["input_ids"].numel()
        self._shown += names
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Put a step's numbers into the curve. Raises DataError where the gradients were no numbers."""
        del start_time
        shown, self._shown = self._shown, []
        if not math.isfinite(norm := logs.get("grad_norm") or 0.0):
            raise DataError(
                f"stage {self._stage.name}: the gradients' norm is {norm} at step {self.state.global_step}, after the "
                f"samples {', '.join(shown)}; lower lr, or look at these samples"
            )
        now, tokens = time.monotonic(), self._tokens
        if "loss" in logs and self.is_world_process_zero():
            point = Point(
                stage=self._kept.place.name,
                step=self.state.global_step,
                loss=logs["loss"],
                lr=logs["learning_rate"],
                grad_norm=logs.get("grad_norm"),
            )
            seconds = now - self._since
            also = {"seconds": seconds, "tokens_per_second": tokens * self.accelerator.num_processes / seconds}
            self._kept.curve.add(point, **also)
        self._tokens, self._since = 0, now

    def _run_epoch(self, **kwargs: Any) -> None:
        self._order.epoch = kwargs["epoch"]
        super()._run_epoch(**kwargs)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Give this process its batches; accelerate deals none out, since it would repeat some at an epoch's end."""
        args = self.args
        batches = Dealt(self._order, args.train_batch_size, args.process_index, args.world_size)
        dataset: Dataset[Example] = Silenced(self.train_dataset)
        if self._readers:
            dataset = self._ahead = ReadAhead(dataset, lambda: list(batches), self._readers)
        loader = DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=self.data_collator,
            pin_memory=args.dataloader_pin_memory,
        )
        prepared: DataLoader[Any] = prepare_data_loader(
            loader, self.accelerator.device, num_processes=1, process_index=0, put_on_device=True
        )
        return prepared

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        """Log, score when it is time, and only then save: what goes on from a snapshot has been scored."""
        step = self.state.global_step
        self.shares = self.shares or measured(self._inner, self.optimizer)
        if self._watch and step > self._watched and (step % self._every == 0 or step == self.state.max_steps):
            self._watched = step
            self._score()
        super()._maybe_log_save_evaluate(*args, **kwargs)

    def _score(self) -> None:
        assert self._watch is not None
        self._inner.eval()
        # Adapters are asked through the model inside, which nobody has prepared for 16 bits, as theirs around it is.
        with at_hand(self.model_wrapped), self.accelerator.autocast():
            srcc, plcc = self._watch()
        self._inner.train()
        place, step = self._kept.place, self.state.global_step
        best = place.best()
        better = srcc is not None and (best is None or srcc > best[0])
        learned = self.learned() if better else {}
        if self.is_world_process_zero():
            self._kept.curve.add(Point(stage=place.name, step=step, srcc=srcc, plcc=plcc))
            if srcc is not None and better:
                place.keep_best(learned, srcc, step)
        self.accelerator.wait_for_everyone()

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the weights that learn."""
        del _internal_call
        learned = self.learned()
        if self.args.should_save:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            save_file(learned, folder / LEARNED)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.state.global_step >= self.state.max_steps:
            return  # the stage is written whole in a moment
        snapshot = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        if self.is_world_process_zero():
            shutil.rmtree(snapshot, ignore_errors=True)  # what a kill left of it
        self.accelerator.wait_for_everyone()
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            self._kept.place.keep(snapshot)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """Have each process write its part of the optimiser's state; the weights that learn are written whole.

        As plain tensors: what PyTorch and accelerate write of a sharded state is unpickled when it is read.
        """
        if not self.is_fsdp_enabled:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        folder = Path(output_dir)
        folder.mkdir(parents=True, exist_ok=True)  # this process may be ahead of the one that makes it
        torch.save(parts_of(self.optimizer), folder / PART.format(self.args.process_index))
        if self.args.should_save:
            torch.save(self.lr_scheduler.state_dict(), folder / SCHEDULER_NAME)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or not self.is_fsdp_enabled:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        own = Path(checkpoint) / PART.format(self.args.process_index)
        put_parts(self.optimizer, torch.load(own, map_location="cpu", weights_only=True))
        self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / SCHEDULER_NAME, weights_only=True))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        weights = Path(resume_from_checkpoint) / LEARNED
        if self.is_fsdp_enabled:
            for name, value in load_file(weights).items():
                put(self._inner.get_parameter(name), value)
        else:
            lay_over(self._inner, weights)


def answers_only(labels: Tensor) -> dict[str, Tensor]:
    """Have logits computed only where some sample of the batch has an answer: most of a sequence is patches.

    The logits at a position are those of the next token, so labels are moved by one, here instead of in the loss.
    """
    following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=NO_LOSS)
    kept = (following != NO_LOSS).any(0).nonzero().flatten()
    return {"logits_to_keep": kept, "shift_labels": following[:, kept]}


class _Bar(TrainerCallback):  # type: ignore[misc]  # as above
    def __init__(self, progress: Progress, kept: Kept) -> None:
        self._progress, self._kept = progress, kept

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._task = self._progress.add_task(
            self._said(state), total=state.max_steps, completed=state.global_step, visible=state.is_world_process_zero
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._progress.update(self._task, completed=state.global_step, description=self._said(state))

    def _said(self, state: Any) -> str:
        """The stage, and how its loss stands."""
        name = self._kept.place.name
        losses = [p.loss for p in self._kept.curve.points[-SHOWN:] if p.stage == name and p.loss is not None]
        return f"train {name} loss {sum(losses) / len(losses):.3f}" if losses else f"train {name}"
