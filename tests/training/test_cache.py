"""The cache's files: found by content and parameters alone, refused when damaged, the same whoever packed them."""

import hashlib
import itertools
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from schemas.errors import CallError, DataError
from training.inputs.cache import ENTRIES_PER_SHARD, INDEX, NEW, Cache, Entry, Method, pack, write_new

METHOD = Method(what="motion", version=1, params={"size": 224, "weights": "a" * 64})


def clip(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def entry(number: int, frames: int = 4) -> Entry:
    generator = torch.Generator().manual_seed(number)
    return Entry(torch.randn((frames + number % 3, 5), generator=generator), {"frames": number, "fps": 29.97})


def keep(root: Path, *numbers: int, method: Method = METHOD) -> int:
    for number in numbers:
        write_new(root, method, clip(number), entry(number))
    return pack(root, method)


def bytes_of_files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def holds(root: Path, *numbers: int) -> bool:
    cache = Cache(root, METHOD)
    found = {n: cache.get(clip(n)) for n in numbers}
    return all(f and torch.equal(f.data, entry(n).data) and f.facts == entry(n).facts for n, f in found.items())


def test_entries_come_back_as_they_were(tmp_path: Path) -> None:
    odd = Method(what="odd", version=1, params={})
    tensors = [torch.arange(7, dtype=torch.uint8), torch.randn(3, 2).bfloat16(), torch.tensor(2.5), torch.empty(0, 4)]
    for number, tensor in enumerate(tensors):
        write_new(tmp_path, odd, clip(number), Entry(tensor))
    assert pack(tmp_path, odd) == 4
    cache = Cache(tmp_path, odd)
    for number, tensor in enumerate(tensors):
        found = cache.get(clip(number))
        assert found is not None
        assert found.data.dtype == tensor.dtype
        assert torch.equal(found.data, tensor)
    assert cache.get(clip(9)) is None
    assert clip(9) not in cache


@pytest.mark.parametrize(
    "other",
    [
        Method(what="motion", version=2, params=METHOD.params),
        Method(what="motion", version=1, params={**METHOD.params, "size": 225}),
        Method(what="motion", version=1, params={**METHOD.params, "weights": "a" * 63 + "b"}),
        Method(what="moti", version=1, params=METHOD.params),
    ],
)
def test_a_stale_entry_cannot_be_read_even_from_a_folder_that_was_renamed(tmp_path: Path, other: Method) -> None:
    keep(tmp_path, 0, 1)
    assert clip(0) not in Cache(tmp_path, other)
    (tmp_path / METHOD.folder).rename(tmp_path / other.folder)
    with pytest.raises(DataError, match=r"index.json is damaged \(it is another method's"):
        Cache(tmp_path, other)
    keep(tmp_path / "own", 2, method=other)
    shutil.copy(tmp_path / "own" / other.folder / INDEX, tmp_path / other.folder / INDEX)
    cache = Cache(tmp_path, other)
    assert clip(0) not in cache
    assert cache.get(clip(0)) is None


def test_no_flipped_byte_of_a_shard_is_read_as_something_else(tmp_path: Path) -> None:
    keep(tmp_path, 0, 1, 2)
    (shard,) = (tmp_path / METHOD.folder).glob("*.safetensors")
    whole = shard.read_bytes()
    refused = 0
    for at in range(len(whole)):
        shard.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        cache = Cache(tmp_path, METHOD)
        for number in range(3):
            try:
                found = cache.get(clip(number))
            except DataError as error:
                refused += str(shard) in str(error)
            else:
                assert found is None or torch.equal(found.data, entry(number).data), at
                assert found is None or found.facts == entry(number).facts, at
    assert refused > len(whole)  # of three entries, a flip in the header refuses more than one
    for cut in (0, 7, 100, len(whole) - 1):
        shard.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="is damaged"):
            Cache(tmp_path, METHOD).get(clip(0))


def test_damage_does_not_spread_and_a_removed_shard_is_filled_again(tmp_path: Path) -> None:
    keep(tmp_path, *range(100))
    reference = bytes_of_files(tmp_path)
    shards = sorted((tmp_path / METHOD.folder).glob("*.safetensors"))
    assert len(shards) == 2
    content = bytearray(shards[0].read_bytes())
    content[-1] ^= 1
    shards[0].write_bytes(content)
    with pytest.raises(DataError, match=shards[0].name):
        keep(tmp_path, *range(100, 110))
    assert shards[0].read_bytes() == content
    shutil.rmtree(tmp_path / METHOD.folder / NEW)
    shards[0].unlink()
    cache = Cache(tmp_path, METHOD)
    missing = [n for n in range(100) if clip(n) not in cache]
    assert 30 < len(missing) < 70
    assert keep(tmp_path, *missing) == len(missing)
    assert bytes_of_files(tmp_path) == reference


def test_a_waiting_entry_that_is_damaged_is_refused_by_name(tmp_path: Path) -> None:
    files = write_new(tmp_path, METHOD, clip(0), entry(0))
    (name,) = files
    path = tmp_path / name
    assert path.stat().st_size == files[name]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=path.name):
        pack(tmp_path, METHOD)
    assert not list((tmp_path / METHOD.folder).glob("*.safetensors"))
    path.write_bytes(content)
    path.rename(path.with_name("0" * 64 + ".safetensors"))
    with pytest.raises(DataError, match="holds the entry of another key"):
        pack(tmp_path, METHOD)


def test_the_files_follow_from_the_entries_alone(tmp_path: Path) -> None:
    count = 3 * ENTRIES_PER_SHARD
    keep(tmp_path / "at once", *range(count))
    order = sorted(range(count), key=lambda n: clip(n)[::-1])
    for start in range(0, count, 50):
        keep(tmp_path / "bit by bit", *order[start : start + 50], *order[:3])
    assert bytes_of_files(tmp_path / "at once") == bytes_of_files(tmp_path / "bit by bit")
    assert len(list((tmp_path / "at once" / METHOD.folder).glob("*.safetensors"))) == 4
    assert holds(tmp_path / "bit by bit", *range(count))


def test_a_new_entry_rewrites_one_shard(tmp_path: Path) -> None:
    keep(tmp_path, *range(3 * ENTRIES_PER_SHARD))
    shards = sorted((tmp_path / METHOD.folder).glob("*.safetensors"))
    before = [path.stat().st_ino for path in shards]
    assert keep(tmp_path, 1000) == 1
    changed = [a != path.stat().st_ino for a, path in zip(before, shards, strict=True)]
    assert sum(changed) == 1
    assert keep(tmp_path, 1000) == 0


def test_a_reader_finds_what_was_packed_after_it_looked(tmp_path: Path) -> None:
    keep(tmp_path, *range(10))
    cache = Cache(tmp_path, METHOD)
    assert clip(1) in cache
    assert clip(30) not in cache
    keep(tmp_path, *range(10, 40))  # one shard, as before
    assert clip(30) in cache
    keep(tmp_path, *range(40, 3 * ENTRIES_PER_SHARD))  # four, and the old one is gone
    for number in range(3 * ENTRIES_PER_SHARD):
        found = cache.get(clip(number))
        assert found is not None
        assert torch.equal(found.data, entry(number).data)


def test_a_reader_of_an_empty_cache_finds_what_comes(tmp_path: Path) -> None:
    cache = Cache(tmp_path, METHOD)
    assert clip(0) not in cache
    keep(tmp_path, 0)
    assert clip(0) in cache


def test_the_index_is_read_again_only_where_it_changed(tmp_path: Path) -> None:
    keep(tmp_path, 0)
    cache, index = Cache(tmp_path, METHOD), tmp_path / METHOD.folder / INDEX
    written = index.stat()
    index.write_text("what would be refused")
    os.utime(index, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert clip(1) not in cache
    index.touch()
    with pytest.raises(DataError, match="index.json is damaged"):
        cache.get(clip(1))


def ends_at_step(root: Path, step: int) -> bool:
    """Pack in a process that ends itself at its n-th change of the file system; says whether it came to that."""
    child = os.fork()
    if child == 0:
        left = step

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in {"os.rename", "os.remove"} or (event == "open" and "w" in str(arguments[1])):
                left -= 1
                if left < 0:
                    os._exit(9)

        sys.addaudithook(watch)
        pack(root, METHOD)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_packing_that_ends_at_any_step_is_taken_up_again(tmp_path: Path) -> None:
    first, then = range(ENTRIES_PER_SHARD), range(ENTRIES_PER_SHARD, ENTRIES_PER_SHARD + 4)
    keep(tmp_path / "reference", *first, *then)
    reference = bytes_of_files(tmp_path / "reference")
    keep(tmp_path / "start", *first)
    for number in then:
        write_new(tmp_path / "start", METHOD, clip(number), entry(number))
    for step in itertools.count():
        root = tmp_path / f"step{step}"
        shutil.copytree(tmp_path / "start", root)
        ended = ends_at_step(root, step)
        assert holds(root, *first), step
        pack(root, METHOD)
        assert bytes_of_files(root) == reference, step
        if not ended:
            break
    assert step > 10


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="no such cache folder; `vqa2 features` makes one"):
        Cache(tmp_path / "nowhere", METHOD)
    (tmp_path / METHOD.folder).mkdir()
    (tmp_path / METHOD.folder / INDEX).write_text("{")
    with pytest.raises(DataError, match="index.json is damaged"):
        Cache(tmp_path, METHOD)
