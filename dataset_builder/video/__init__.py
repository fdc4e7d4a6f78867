"""Video: clips are opened, inspected, and read for a model.

A clip is opened by PyAV with one decoder thread (parallelism is one clip a process). Still images are clips of one
frame. Rotation metadata is applied, 10-bit and other pixel formats are converted to 8-bit, a variable frame rate is
read frame by frame with its average rate; what cannot be read is refused by name with MediaError.
"""

from dataset_builder.video.inspecting import Header, count_packets, inspect, inspect_item, read_header
from dataset_builder.video.opening import CLIP_SUFFIXES, PLAYLISTS, MediaError
from dataset_builder.video.pixels import DENSE_FORMS, DenseForm, Pixels, rgb_of
from dataset_builder.video.reading import Clip, decoded_frames, read_clip, rgb_frames, small_lumas

__all__ = [
    "CLIP_SUFFIXES",
    "DENSE_FORMS",
    "PLAYLISTS",
    "Clip",
    "DenseForm",
    "Header",
    "MediaError",
    "Pixels",
    "count_packets",
    "decoded_frames",
    "inspect",
    "inspect_item",
    "read_clip",
    "read_header",
    "rgb_frames",
    "rgb_of",
    "small_lumas",
]
