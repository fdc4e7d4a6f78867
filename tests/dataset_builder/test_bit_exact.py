"""Distorted clips have the same bytes whatever the processor can do: shown with its features masked."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import dataset_builder.distortions
from dataset_builder.distort import applied
from dataset_builder.encode import encode_frames, encode_picture
from dataset_builder.frame import frames_of
from dataset_builder.video import inspect
from schemas.plugins import load_plugin, plugin_names

KINDS = plugin_names(dataset_builder.distortions)
SEVERITY, FRAMES = 4, 10
SSE2_FLAGS = 0x1 | 0x2 | 0x8 | 0x10
"""MMX, MMXEXT, SSE and SSE2, by libavutil's names of them."""
MASKS = {"plain C": (0, "asm=0"), "SSE2": (SSE2_FLAGS, "asm=MMX2,SSE2")}
"""What libav and what x264 may use of the processor."""
GLIBC = "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX,-FMA,-FMA4,-BMI1,-BMI2,-ERMS,-SSE4_2,-SSE4_1,-SSSE3"
SCRIPT = """
import ctypes, json, sys
from pathlib import Path
import av
flags, x264, items = json.load(sys.stdin)
used = None
if flags is not None:
    (library,) = (Path(av.__file__).parents[1] / "av.libs").glob("libavutil-*")
    libavutil = ctypes.CDLL(str(library))
    libavutil.av_force_cpu_flags(flags)
    used = libavutil.av_get_cpu_flags()
from dataset_builder import encode
encode.X264 = ":".join(filter(None, (encode.X264, x264)))
from dataset_builder.distort import distort_item
from numpy._core._multiarray_umath import __cpu_features__, __cpu_dispatch__
made = {name: distort_item(item)["sha256"] for name, item in items.items()}
print(json.dumps([made, used, [name for name in __cpu_dispatch__ if __cpu_features__[name]]]))
"""


Made = tuple[dict[str, str], int | None, list[str]]
"""The hashes, libav's features and numpy's."""


def distort_in_a_process(
    items: dict[str, Any], flags: int | None = None, x264: str = "", without: Sequence[str] = ()
) -> Made:
    """Distort in a process of its own; `flags` mask libav and glibc, `x264` x264, `without` numpy."""
    masks = {} if flags is None else {"GLIBC_TUNABLES": GLIBC, "NPY_DISABLE_CPU_FEATURES": ",".join(without)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps([flags, x264, items]),
        env={**os.environ, **masks},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made, used, features = json.loads(done.stdout)
    return made, used, features


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path], photograph: Path) -> dict[str, Any]:
    """Every distortion of a short real clip and, where it can be, of an odd-sized photograph."""
    folder = tmp_path_factory.mktemp("sources")
    clip, still = folder / "clip.mp4", folder / "still.png"
    frames = [frame for frame, _ in zip(frames_of(real_clips["carphone_pristine"]), range(FRAMES), strict=False)]
    encode_frames(frames, 10, clip)
    (picture,) = frames_of(photograph)
    encode_picture(np.ascontiguousarray(picture.rgb()[60:205, 100:301]), still)
    made = {}
    for kind in KINDS:
        sources = [clip, still] if load_plugin(dataset_builder.distortions, kind).STILLS else [clip]
        for source in sources:
            made[f"{kind} {source.stem}"] = {
                "source": str(source),
                "media": msgspec.to_builtins(inspect(source, source.name)),
                "chain": [msgspec.to_builtins(applied(kind, SEVERITY))],
                "seed": 3,
                "out_folder": str(folder / "out"),
                "plugins": [],
            }
    return made


@pytest.fixture(scope="module")
def unmasked(items: dict[str, Any]) -> Made:
    return distort_in_a_process(items)


@pytest.fixture(scope="module", params=MASKS)
def masked(request: pytest.FixtureRequest, items: dict[str, Any], unmasked: Made) -> dict[str, str]:
    flags, x264 = MASKS[request.param]
    made, used, features = distort_in_a_process(items, flags, x264, unmasked[2])
    assert used == flags
    assert not features
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_masked_features_change_no_byte(kind: str, masked: dict[str, str], unmasked: Made) -> None:
    mine = [name for name in unmasked[0] if name.split()[0] == kind]
    assert mine
    assert {name: masked[name] for name in mine} == {name: unmasked[0][name] for name in mine}
