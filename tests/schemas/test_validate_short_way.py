"""The struct alone may take a line only where schema and struct together do, and nothing is told otherwise of it."""

import random
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import orjson
import pytest

from schemas.annotation import Annotation
from schemas.pair import Pair
from schemas.passport import Passport
from schemas.record import Record
from schemas.sample import Sample
from schemas.session import ClipSession
from schemas.validate import LOOSE, PUBLISHED, Problem, check_bytes, json_schema

GOOD: list[tuple[type[msgspec.Struct], bytes]] = [
    (
        Record,
        b'{"id":"s/a.mp4@blur-2","source":"s","licence":"l","group":"s/a.mp4","split":"train","media":{"path":"a.mp4",'
        b'"sha256":"0e","bytes":7114233,"kind":"video","width":1280,"height":720,"fps":25.0,"frames":132,"duration":5.28,'
        b'"codec":"h264","pixel_format":"yuv420p","rotation":0,"variable_frame_rate":false},"score":{"value":4.4,"lo":1.0,'
        b'"hi":5.0,"direction":"higher_is_better","kind":"mos","std":0.6,"ratings":24,"ci95":null,"opinion":null},'
        b'"distortions":[{"name":"noise","severity":2,"start":null,"end":null,"box":[0.0,0.5,0.5,0.5],"main":true}],'
        b'"stalls":[{"start":1,"duration":0.5}],"origin":{"record_id":"s/a.mp4","sha256":"f2","chain":[{"kind":"blur",'
        b'"severity":2,"parameters":{"sigma":0.007},"start":null,"end":null,"box":null}],"seed":0,"encoder":{"crf":"4"},'
        b'"session":null}}',
    ),
    (
        Sample,
        b'{"id":"stage2-ugc/s/a.mp4/scoring","stage":"stage2-ugc","task":"scoring","media":[{"record_id":"s/a.mp4",'
        b'"kind":"video","path":"a.mp4","sha256":"f2","frames":132,"fps":25.0,"key_frames":6,"motion_frames":132}],'
        b'"turns":[{"role":"user","text":"<video><motion> How good is it?"},{"role":"assistant","text":"It is high."}],'
        b'"target":{"level":"high","mos":1.0,"raw":4.4,"lo":1.7,"hi":4.4,"synthetic":false,"std":null,"distribution":null},'
        b'"provenance":{"source":"s","licence":"l","group":"s/a.mp4","wording":"w","generator":"template","family":"",'
        b'"evidence":["score"],"recipe":"e5","original":""}}',
    ),
    (
        Annotation,
        b'{"id":"a","clip":"c","rater":"r","score":50,"level":"good","attributes":[{"name":"noise","degree":"slight",'
        b'"start":1,"end":2.5,"when":"late"}],"conversations":[{"question":"q","answer":"a"}]}',
    ),
    (
        Pair,
        b'{"id":"p","record_id":"r","family":"causal-analysis","form":"open","question":"q","answer":"a",'
        b'"evidence":["a"],"generator":"template:x","checks":[],"verdict":null}',
    ),
    (
        ClipSession,
        b'{"clip":"a","session":{"segments":[{"representation":1,"width":640,"height":360,"bitrate_kbps":800.5,'
        b'"duration":2},{"representation":"hd","width":1280,"height":720,"bitrate_kbps":2000.0,"duration":2.0}],'
        b'"stalls":[{"media_time":2.5,"duration":1.0}],"initial_buffering":0.5,"shown":"spinner"}}',
    ),
    (
        Passport,
        b'{"schema_version":"1.0.0","name":"n","hash":"signs-1","parameters":{"rate":4,"grid":32,"frequencies":9,"lag":2},'
        b'"clips":[{"name":null,"sha256":"f2","seconds":0,"samples":"' + b"A" * 43 + b'="}],"unread":[]}',
    ),
]
LITERALS = [
    *(b"null", b"true", b"0", b"-0", b"1.0", b"1e2", b"1e400", b"-1e-400", b"1.", b"01", b"NaN", b"-Infinity", b'"1"'),
    *(b"[]", b"{}", b'""', b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\udc00"', b'"a\\u0000"', b'"a\x01"', b'"\xff"'),
    *(b"[" * 300 + b"]" * 300, b'{"a":' * 300 + b"1" + b"}" * 300, b"9" * 19, b"9" * 20, b"-" + b"9" * 20),
    *(b"1" * 308, b"1" * 309, b"9" * 309, b"-" + b"1" * 310, b"1" * 4000, b"1" * 5000, b"1" * 309 + b".5"),
]


VALIDATORS = {kind: jsonschema_rs.Draft202012Validator(json_schema(name)) for name, kind in PUBLISHED.items()}


def the_long_way(raw: bytes, kind: type[msgspec.Struct]) -> object:
    """Parse, hold to the schema, build the struct: what decides."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return Problem("f", 1, "", f"not JSON: {error}")
    try:
        broken = next(VALIDATORS[kind].iter_errors(value), None)
    except ValueError as error:
        return Problem("f", 1, "", f"nested too deep: {error}")
    if broken:
        return Problem("f", 1, "/".join(map(str, broken.instance_path)), broken.message)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as problem:
        return str(problem).partition(" - at `")[0]
    except ArithmeticError as error:
        return Problem("f", 1, "", f"a number is out of range: {error}")


def told(raw: bytes, kind: type[msgspec.Struct]) -> tuple[object, object]:
    """Give what is said of a line, and what the long way says of it."""
    found, decided = check_bytes(raw, kind, "f", 1), the_long_way(raw, kind)
    return (found.rule if isinstance(decided, str) and isinstance(found, Problem) else found), decided


@pytest.mark.parametrize(("kind", "raw"), GOOD)
def test_a_good_line_is_good(kind: type[msgspec.Struct], raw: bytes) -> None:
    found, decided = told(raw, kind)
    assert isinstance(found, kind)
    assert found == decided


@pytest.mark.parametrize(("kind", "raw"), GOOD)
def test_whatever_stands_in_a_field_is_judged_as_the_long_way_judges_it(kind: type[msgspec.Struct], raw: bytes) -> None:
    taken = refused = 0
    for changed in with_each_value_changed(orjson.loads(raw)):
        for literal in LITERALS:
            line = orjson.dumps(changed).replace(b'"@"', literal)
            found, decided = told(line, kind)
            assert found == decided, line[:3000]
            taken += isinstance(found, kind)
            refused += not isinstance(found, kind)
    assert taken
    assert refused


@pytest.mark.parametrize(("kind", "raw"), GOOD)
def test_damaged_bytes_are_judged_as_the_long_way_judges_them(kind: type[msgspec.Struct], raw: bytes) -> None:
    draw = random.Random(kind.__name__)
    for _ in range(3000):
        line = bytearray(raw)
        for _ in range(draw.choice((1, 1, 2, 3))):
            at, much = draw.randrange(len(line)), draw.choice((0, 1, 1, 2, 10))
            put = draw.choice((b"", b"", bytes([draw.randrange(256)]), b"1", b'"', b",", b"\\", line[at : at + 30]))
            line[at : at + much] = put
        found, decided = told(bytes(line), kind)
        assert found == decided, bytes(line)


@pytest.mark.parametrize("offset", range(0, 64, 7))
@pytest.mark.parametrize("digits", [308, 309, 310, 700])
def test_an_integer_beyond_a_float_is_refused_wherever_it_stands(offset: int, digits: int) -> None:
    kind, raw = GOOD[0]
    line = raw.replace(b'"s/a.mp4@blur-2"', b'"' + b"x" * offset + b'"').replace(b"7114233", b"9" * digits)
    found, decided = told(line, kind)
    assert found == decided
    assert isinstance(found, Record if digits == 308 else Problem)


def test_structs_with_room_for_anything_go_the_long_way() -> None:
    """Any value can nest deeper than a parser follows: such a struct must go the long way."""
    loose = {kind for kind in PUBLISHED.values() if "AnyType" in repr(msgspec.inspect.type_info(kind))}
    assert loose == LOOSE
    deep = b"[" * 5000 + b"]" * 5000
    for kind in loose:
        assert isinstance(check_bytes(deep, kind, "f", 1), Problem)


def with_each_value_changed(whole: Any) -> Iterator[Any]:
    """Give the value with "@" in the place of each part of it, in turn, and beside each field of each object."""
    yield "@"
    if isinstance(whole, dict):
        yield {**whole, "@": "@"}
    parts = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for key, part in parts:
        for changed in with_each_value_changed(part):
            copy = whole.copy()
            copy[key] = changed
            yield copy
        if isinstance(whole, dict):
            yield {name: value for name, value in whole.items() if name != key}
