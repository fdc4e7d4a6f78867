"""A miniature checkpoint of the original LLaVA layout, and what upstream computes of it, stated a second time.

Names and steps are those of Q-Future/Visual-Question-Answering-for-Video-Quality-Assessment (`llava_arch.py`,
`slowfast/builder.py`, `model_score_*.py`); Qwen2 and SigLIP are transformers' own, SlowFast is plain torch with both
pathways, the slow one fed the first quarter of the frames as upstream feeds it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, SiglipVisionConfig, SiglipVisionModel

WIDTH, VISION, SIDE, POSITIONS = 64, 32, 5, 40
SIZE = 72  # five patches of 14 and a rest, as 384 leaves one
VOCABULARY = 512
SYSTEM = "You are a helpful assistant."
PICTURE = -200
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
}
TOWER = {
    "hidden_size": VISION,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": SIZE,
    "patch_size": 14,
}
CONFIG = {
    "architectures": ["LlavaQwenForCausalLM"],
    "model_type": "llava_qwen",
    **TEXT,
    "rope_theta": 1000000.0,
    "rope_scaling": None,
    "sliding_window": 131072,
    "use_sliding_window": False,
    "mm_vision_tower": "tower",
    "mm_projector_type": "mlp2x_gelu",
    "mm_patch_merge_type": "spatial_unpad",
    "mm_newline_position": "one_token",
    "mm_spatial_pool_mode": "bilinear",
    "mm_vision_select_layer": -2,
    "mm_vision_select_feature": "patch",
    "mm_use_im_start_end": False,
    "image_aspect_ratio": "anyres_max_9",
    "torch_dtype": "float32",
}
LEVELS = ("high", "good", "fair", "poor", "low")


def make_original(folder: Path, **changes: Any) -> Path:
    """Write a checkpoint of random weights; `changes` are to its configuration."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    config = {**CONFIG, **changes}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "tower").mkdir()
    (folder / "tower" / "config.json").write_text(json.dumps({"model_type": "siglip_vision_model", **TOWER}))
    tokenizer().save_pretrained(folder)
    state = qwen(config).state_dict()
    if config["tie_word_embeddings"]:
        del state["lm_head.weight"]
    for name, value in siglip().state_dict().items():
        state[f"model.vision_tower.vision_tower.vision_model.{name.removeprefix('vision_model.')}"] = value
    state["model.image_newline"] = torch.randn(WIDTH)
    for name, module in {
        "model.mm_projector.0": nn.Linear(VISION, WIDTH),
        "model.mm_projector.2": nn.Linear(WIDTH, WIDTH),
        "model.slowfast_projector.0": nn.Linear(256, WIDTH),
        "model.slowfast_projector.2": nn.Linear(WIDTH, WIDTH),
        "model.slowfast.position_embedding": nn.Embedding(POSITIONS, 256),
    }.items():
        state |= {f"{name}.{part}": value for part, value in module.state_dict().items()}
    for name, value in make_slowfast().items():
        if not name.startswith("blocks.6."):
            state[f"model.slowfast.feature_extraction.{name.removeprefix('blocks.')}"] = value
    save_file({k: v.detach().contiguous() for k, v in state.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


def qwen(config: dict[str, Any]) -> Qwen2ForCausalLM:
    """Make the language model that a configuration describes."""
    plain = {key: config[key] for key in TEXT}
    return Qwen2ForCausalLM(
        Qwen2Config(
            **plain,
            initializer_range=0.12,
            rope_parameters={"rope_type": "default", "rope_theta": config["rope_theta"]},
        )
    ).eval()


def siglip() -> SiglipVisionModel:
    """Make the tower as upstream keeps it: without its last layer and its head."""
    config = SiglipVisionConfig(**{**TOWER, "num_hidden_layers": TOWER["num_hidden_layers"] - 1})
    config.vision_use_head = False
    return SiglipVisionModel(config).eval()


def tokenizer() -> PreTrainedTokenizerFast:
    """Train a tokenizer that has Qwen2's special tokens and no other, and keeps the level words whole."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    trained.train_from_iterator([" " + " ".join(LEVELS)] * 99 + ["user\nassistant\nsystem\n"] * 99, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=trained, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def make_slowfast() -> dict[str, Tensor]:
    """Make SlowFast-R50 8x8 of random weights, both pathways and classifier, by pytorchvideo's names."""
    made: dict[str, Tensor] = {}

    def conv(name: str, *shape: int) -> None:
        made[f"{name}.weight"] = torch.randn(shape) * (2 / torch.tensor(shape[1:]).prod()) ** 0.5

    def norm(name: str, channels: int, gain: float = 1.0) -> None:
        made[f"{name}.weight"] = gain * (0.5 + torch.rand(channels))
        made[f"{name}.bias"] = 0.1 * torch.randn(channels)
        made[f"{name}.running_mean"] = 0.1 * torch.randn(channels)
        made[f"{name}.running_var"] = 0.5 + torch.rand(channels)
        made[f"{name}.num_batches_tracked"] = torch.tensor(7)

    for path, width in ((0, 64), (1, 8)):
        conv(f"blocks.0.multipathway_blocks.{path}.conv", width, 3, *((1, 7, 7) if path == 0 else (5, 7, 7)))
        norm(f"blocks.0.multipathway_blocks.{path}.norm", width)
        inputs = 80 if path == 0 else 8
        for stage, depth in enumerate((3, 4, 6, 3), 1):
            inner, out = width << (stage - 1), width << (stage + 1)
            time = 3 if path == 1 or stage > 2 else 1
            for block in range(depth):
                name = f"blocks.{stage}.multipathway_blocks.{path}.res_blocks.{block}"
                if block == 0:
                    conv(f"{name}.branch1_conv", out, inputs, 1, 1, 1)
                    norm(f"{name}.branch1_norm", out, 0.5)
                conv(f"{name}.branch2.conv_a", inner, inputs, time, 1, 1)
                norm(f"{name}.branch2.norm_a", inner)
                conv(f"{name}.branch2.conv_b", inner, inner, 1, 3, 3)
                norm(f"{name}.branch2.norm_b", inner)
                conv(f"{name}.branch2.conv_c", out, inner, 1, 1, 1)
                norm(f"{name}.branch2.norm_c", out, 0.3)
                inputs = out
            inputs = out + (out // 8 * 2 if path == 0 else 0)
    for stage, channels in enumerate((8, 32, 64, 128)):
        conv(f"blocks.{stage}.multipathway_fusion.conv_fast_to_slow", 2 * channels, channels, 7, 1, 1)
        norm(f"blocks.{stage}.multipathway_fusion.norm", 2 * channels)
    made["blocks.6.proj.weight"], made["blocks.6.proj.bias"] = torch.randn(400, 2304), torch.randn(400)
    return made


@dataclass
class Original:
    """Upstream's computations on an original checkpoint."""

    folder: Path

    def __post_init__(self) -> None:
        """Read the weights by their original names."""
        self.config = json.loads((self.folder / "config.json").read_bytes())
        self.state = load_file(self.folder / "model.safetensors")
        self.tokens = PreTrainedTokenizerFast.from_pretrained(self.folder)
        self.qwen = qwen(self.config)
        text = {
            k: v for k, v in self.state.items() if k.startswith(("model.embed", "model.layers", "model.norm", "lm_"))
        }
        if self.config["tie_word_embeddings"]:
            text["lm_head.weight"] = text["model.embed_tokens.weight"]
        self.qwen.load_state_dict(text)
        self.siglip = siglip()
        start = "model.vision_tower.vision_tower.vision_model."
        vision = {k.removeprefix(start): v for k, v in self.state.items() if k.startswith(start)}
        names = {name.removeprefix("vision_model."): name for name in self.siglip.state_dict()}
        self.siglip.load_state_dict({names[k]: v for k, v in vision.items()})

    def of_video(self, prompt: str, prefix: str, keys: Tensor, dense: Tensor) -> Tensor:
        """Give the logits that upstream reads for a video: uint8 key frames and frames [n, 3, S, S]."""
        patches = self._mlp("model.mm_projector", self._vision(keys))
        grid = patches.view(len(keys), SIDE, SIDE, WIDTH).permute(0, 3, 1, 2)
        pooled = F.interpolate(grid, size=[(SIDE + 1) // 2] * 2, mode="bilinear").permute(0, 2, 3, 1)
        shown = torch.cat([pooled.reshape(-1, WIDTH), self.state["model.image_newline"][None]])
        frames = dense[: len(dense) // 4 * 4]
        motion = self.slowfast(_seen(frames)) + self.state["model.slowfast.position_embedding.weight"][: len(frames)]
        return self._read(prompt, prefix, [shown, self._mlp("model.slowfast_projector", motion)])

    def of_image(self, prompt: str, prefix: str, image: Tensor) -> Tensor:
        """Give the logits for one image of one tile."""
        patches = self._mlp("model.mm_projector", self._vision(image[None]))[0]
        return self._read(prompt, prefix, [torch.cat([patches, self.state["model.image_newline"][None]])])

    def slowfast(self, frames: Tensor) -> Tensor:
        """Give the fast features [T, 256] of normalised frames, the slow pathway computed beside them."""
        clip = frames.transpose(0, 1)[None]
        slow, fast = clip[:, :, : round(len(frames) / 4)], clip
        for stage in range(5):
            block: Callable[[str, Tensor], Tensor] = self._stem if stage == 0 else self._stage
            name = f"model.slowfast.feature_extraction.{stage}"
            slow, fast = block(f"{name}.multipathway_blocks.0", slow), block(f"{name}.multipathway_blocks.1", fast)
            if stage < 4:
                fused = F.conv3d(
                    fast, self._w(f"{name}.multipathway_fusion.conv_fast_to_slow"), stride=(4, 1, 1), padding=(3, 0, 0)
                )
                slow = torch.cat([slow, F.relu(self._norm(f"{name}.multipathway_fusion.norm", fused))], dim=1)
        return F.adaptive_avg_pool2d(fast[0].transpose(0, 1), 1).flatten(1)

    def level_ids(self) -> list[int]:
        """Give the token ids of the level words, best first, as upstream's weighing takes them."""
        return [i for word in LEVELS for i in self.tokens(f" {word}", add_special_tokens=False).input_ids]

    def _vision(self, pixels: Tensor) -> Tensor:
        return self.siglip(_seen(pixels), output_hidden_states=True).hidden_states[-1]

    def _mlp(self, name: str, x: Tensor) -> Tensor:
        hidden = F.gelu(F.linear(x, self._w(f"{name}.0"), self.state[f"{name}.0.bias"]))
        return F.linear(hidden, self._w(f"{name}.2"), self.state[f"{name}.2.bias"])

    def _read(self, prompt: str, prefix: str, features: list[Tensor]) -> Tensor:
        def ids(text: str) -> list[int]:
            return self.tokens(text, add_special_tokens=False).input_ids if text else []

        start, end = ids("<|im_start|>"), ids("<|im_end|>")
        asked = start + ids("system") + ids("\n") + ids(SYSTEM) + end + ids("\n") + start + ids("user") + ids("\n")
        first, *others = prompt.split("<image>")
        asked += ids(first)
        for piece in others:
            asked += [PICTURE, *ids(piece)]
        asked += end + ids("\n") + start + ids("assistant") + ids("\n") + ids(prefix) + end + ids("\n")
        table, waiting, rows = self.state["model.embed_tokens.weight"], list(features), []
        for i in asked:
            rows.append(waiting.pop(0) if i == PICTURE else table[i][None])
        logits: Tensor = self.qwen(inputs_embeds=torch.cat(rows)[None]).logits
        return logits[0, -3]

    def _w(self, name: str) -> Tensor:
        return self.state[f"{name}.weight"].float()

    def _norm(self, name: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (
            self.state[f"{name}.{part}"].float().view(1, -1, 1, 1, 1)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def _stem(self, name: str, x: Tensor) -> Tensor:
        weight = self._w(f"{name}.conv")
        x = F.conv3d(x, weight, stride=(1, 2, 2), padding=(weight.shape[2] // 2, 3, 3))
        x = F.relu(self._norm(f"{name}.norm", x))
        return F.max_pool3d(x, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))

    def _stage(self, name: str, x: Tensor) -> Tensor:
        first = 1 if ".1.multipathway" in name else 2
        block = 0
        while f"{name}.res_blocks.{block}.branch2.conv_a.weight" in self.state:
            at, stride = f"{name}.res_blocks.{block}", (1, *(first if block == 0 else 1,) * 2)
            aside = x
            if block == 0:
                aside = self._norm(f"{at}.branch1_norm", F.conv3d(x, self._w(f"{at}.branch1_conv"), stride=stride))
            weight = self._w(f"{at}.branch2.conv_a")
            x = F.conv3d(x, weight, padding=(weight.shape[2] // 2, 0, 0))
            x = F.relu(self._norm(f"{at}.branch2.norm_a", x))
            x = F.conv3d(x, self._w(f"{at}.branch2.conv_b"), stride=stride, padding=(0, 1, 1))
            x = F.relu(self._norm(f"{at}.branch2.norm_b", x))
            x = self._norm(f"{at}.branch2.norm_c", F.conv3d(x, self._w(f"{at}.branch2.conv_c")))
            x = F.relu(aside + x)
            block += 1
        return x


def _seen(pixels: Tensor) -> Tensor:
    return (pixels.float() / 255 - 0.5) / 0.5
