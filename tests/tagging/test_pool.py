"""A pool gives each adapter the base that it names, to any number of threads at once, and keeps what it is told to."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.adapters import save_adapter, save_base
from tests.tiny import TEXTS
from zoo.errors import HubError, ZooError
from zoo.modeling.adapters import named_base
from zoo.modeling.windows import Entity
from zoo.tagging import models
from zoo.tagging.pool import Pool
from zoo.tagging.stream import tag_stream
from zoo.tagging.tagger import OutOfTimeError, Tagger
from zoo.tagging.texts import Text

pytestmark = pytest.mark.usefixtures("kernels")
LONG = " ".join(TEXTS)
CONTENTS = [*TEXTS, LONG]


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Eight adapters: four on each of two bases of one backbone."""
    folder = tmp_path_factory.mktemp("pool")
    bases = [save_base(folder / "bases" / f"tiny-{number}", seed=number) for number in range(2)]
    return [save_adapter(folder / str(seed), bases[seed % 2], seed=seed) for seed in range(8)]


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams take our kernels for short texts too."""
    monkeypatch.setattr("zoo.tagging.stream.MERGE_TOKENS", 50)


@pytest.fixture(scope="module")
def alone(adapters: list[Path]) -> list[list[list[tuple[int, int, str]]]]:
    """What each adapter finds, loaded by plain transformers."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    found = []
    for adapter in adapters:
        tokenizer = AutoTokenizer.from_pretrained(named_base(adapter))
        model = AutoModelForTokenClassification.from_pretrained(adapter)
        found.append(keys(Tagger.of(model, tokenizer).tag(CONTENTS)))
    assert len({str(each) for each in found}) == 8 and all(sum(map(len, each)) > 20 for each in found)
    return found


def keys(found: list[list[Entity]]) -> list[list[tuple[int, int, str]]]:
    return [[entity.key for entity in entities] for entities in found]


def each_at_once(pool: Pool, adapters: list[Path]) -> Iterator[list[list[tuple[int, int, str]]]]:
    """What eight threads find that begin together, each with an adapter of its own, text by text and as a stream."""
    start = threading.Barrier(len(adapters))

    def work(adapter: Path) -> list[list[list[tuple[int, int, str]]]]:
        start.wait()
        answers = []
        for _ in range(2):
            tagger = pool.get(adapter)
            answers.append([keys(tagger.tag([content]))[0] for content in CONTENTS])
            stream = tag_stream([tagger], (Text(str(n), content) for n, content in enumerate(CONTENTS)))
            answers.append([keys([tagged.entities[0]])[0] for tagged in stream])
            answers.append([[e.key for step in tagger.steps(content) for e in step.entities] for content in CONTENTS])
        return answers

    with ThreadPoolExecutor(len(adapters)) as threads:
        for answers in threads.map(work, adapters):
            assert all(answer == answers[0] for answer in answers)
            yield answers[0]


@pytest.mark.parametrize("most_adapters", [None, 2])
def test_eight_threads_with_eight_adapters_on_two_bases(
    adapters: list[Path], alone: list[list[list[tuple[int, int, str]]]], most_adapters: int | None
) -> None:
    assert list(each_at_once(Pool(most_adapters=most_adapters), adapters)) == alone


def test_eight_threads_with_eight_adapters_on_one_base(adapters: list[Path], tmp_path: Path) -> None:
    base = Path(named_base(adapters[0]))
    own = [save_adapter(tmp_path / str(seed), base, seed=seed) for seed in range(8)]
    pool = Pool()
    expected = [keys(Tagger.load(adapter).tag(CONTENTS)) for adapter in own]
    assert list(each_at_once(pool, own)) == expected and len(pool.loaded()) == 1


def test_adapters_together_in_one_stream_find_what_each_finds(
    adapters: list[Path], alone: list[list[list[tuple[int, int, str]]]]
) -> None:
    pool = Pool(most_adapters=2)
    taggers = [pool.get(adapter) for adapter in adapters]
    stream = list(tag_stream(taggers, (Text(str(n), content) for n, content in enumerate(CONTENTS))))
    for number, expected in enumerate(alone):
        assert keys([tagged.entities[number] for tagged in stream]) == expected


def test_what_was_used_least_recently_goes_and_comes_back(
    adapters: list[Path], alone: list[list[list[tuple[int, int, str]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []
    load = models._load_model
    monkeypatch.setattr(models, "_load_model", lambda folder, pickles: loads.append(folder) or load(folder, pickles))  # type: ignore[func-returns-value]
    pool = Pool(most_bases=1, most_adapters=2)
    taggers = [pool.get(adapter) for adapter in adapters]
    assert len(pool.loaded()) == 1 and len(loads) == 8  # they take turns
    assert all(keys(tagger.tag(CONTENTS)) == found for tagger, found in zip(taggers, alone, strict=True))
    even = [pool.get(adapter) for adapter in adapters[::2]]
    assert len(loads) == 9
    assert list(even[0].base._adapters) == [str(adapter) for adapter in adapters[4::2]]


def test_a_whole_model_is_not_changed_by_the_adapters_on_it(adapters: list[Path]) -> None:
    base = named_base(adapters[0])
    expected = keys(Tagger.load(base).tag(CONTENTS))
    pool = Pool()
    whole, tuned = pool.get(base), pool.get(adapters[0])
    assert keys(tuned.tag(CONTENTS)) != expected == keys(whole.tag(CONTENTS))


def test_what_cannot_be_loaded_leaves_the_others_as_they_are(
    adapters: list[Path], alone: list[list[list[tuple[int, int, str]]]], tmp_path: Path
) -> None:
    damaged = shutil.copytree(adapters[0], tmp_path / "damaged")
    (damaged / "adapter_model.safetensors").write_bytes(b"no")
    foreign = shutil.copytree(adapters[0], tmp_path / "foreign")
    config = json.loads((foreign / "adapter_config.json").read_text())
    (foreign / "adapter_config.json").write_text(json.dumps({**config, "r": 3}))  # shapes that do not fit
    pool = Pool()
    for first in (True, False):
        for bad in (damaged, foreign):
            with pytest.raises(ZooError, match="cannot load it as a token-classification model"):
                pool.get(bad)
        assert keys(pool.get(adapters[0]).tag(CONTENTS)) == alone[0], first
    with pytest.raises(ZooError, match="there is no model folder"):
        pool.get(tmp_path / "none")


def test_a_text_has_a_limit_on_time_and_progress_by_window(adapters: list[Path]) -> None:
    tagger, text = Pool().get(adapters[0]), f"{LONG} {LONG}"
    steps = list(tagger.steps(text))
    number = steps[0].windows
    assert [(step.done, step.windows) for step in steps] == [(n, number) for n in range(1, number + 1)] and number > 3
    assert keys([list(steps[-1].entities)]) == keys(tagger.tag([text])) and not steps[-2].entities
    assert [step.entities for step in tagger.steps(" \n")] == [()]
    seconds = iter(range(100))
    with pytest.raises(OutOfTimeError, match=f"after 3 of {number} windows"):
        list(tagger.steps(text, limit_seconds=2, clock=lambda: next(seconds)))
    with pytest.raises(OutOfTimeError):
        list(Pool(limit_seconds=-1).steps(adapters[0], text))


def test_a_hub_that_cannot_be_reached_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(HubError, match="the Hub cannot be reached") as error:
        Pool().get("a/b")
    assert error.value.exit_code == 3 and time.monotonic() - started < 10
