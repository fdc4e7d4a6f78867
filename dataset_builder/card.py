"""The dataset card of a corpus folder: what is in it, and the declared features by which every config loads.

Without declared features `datasets.load_dataset` guesses types per file and fails over nulls and empty lists.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from schemas.manifest import ConfigCount
from schemas.record import SPLITS
from schemas.sample import Sample

_DTYPES = {str: "string", int: "int64", float: "float64", bool: "bool"}


def features() -> list[dict[str, Any]]:
    """Declare the columns of a data file in the card's form, generated from the Sample struct."""
    return _fields(Sample)


def card(name: str, counts: Mapping[str, ConfigCount], licences: list[str], synthetic: bool) -> str:
    """Write the card: YAML header with the configs and their features, then what a reader wants to know first."""
    header = {
        "pretty_name": name,
        "task_categories": ["video-text-to-text", "visual-question-answering"],
        "tags": ["video-quality-assessment", "vqa2"],
        "configs": [
            {
                "config_name": config,
                "data_files": [
                    {"split": split, "path": f"data/{config}/{split}-*.jsonl"}
                    for split in SPLITS
                    if counts[config].splits.get(split)
                ],
            }
            for config in counts
        ],
        "dataset_info": [{"config_name": config, "features": features()} for config in counts],
    }
    rows = "\n".join(
        f"| `{config}` | " + " | ".join(str(count.splits.get(split, 0)) for split in SPLITS) + " |"
        for config, count in counts.items()
    )
    note = (
        "\nScores marked `synthetic` in `target` are computed by a program, not given by people.\n" if synthetic else ""
    )
    first = next(iter(counts), "stage2-ugc")
    return f"""---
{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---

# {name}

Instruction samples for video quality assessment by multimodal models, built with vqa2.
{note}
| config | {" | ".join(SPLITS)} |
|---|{"---|" * len(SPLITS)}
{rows}

Licences of the sources: {", ".join(licences)}.

```python
from datasets import load_dataset

samples = load_dataset("path/to/this/folder", "{first}")
```

`media` of a sample lists its clips by path and sha256. In the text, `<video>` stands for the key frames of a clip,
`<motion>` for its motion features and `<image>` for a still image. `manifest.json` holds the recipe and a checksum of
every file; `vqa2 check` verifies them.
"""


def _fields(struct: type[msgspec.Struct]) -> list[dict[str, Any]]:
    hints = get_type_hints(struct)
    return [{"name": name, **_feature(hints[name])} for name in struct.__struct_fields__]


def _feature(kind: Any) -> dict[str, Any]:
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(k for k in get_args(kind) if k is not type(None))
    if get_origin(kind) is Literal:
        kind = type(get_args(kind)[0])
    if get_origin(kind) is list:
        inner = get_args(kind)[0]
        return {"list": _fields(inner)} if issubclass(inner, msgspec.Struct) else {"list": _DTYPES[inner]}
    if issubclass(kind, msgspec.Struct):
        return {"struct": _fields(kind)}
    return {"dtype": _DTYPES[kind]}
