"""What `--link` names is opened: an index is built once and found again, a trained linker is used where it fits."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.linking.vocabulary import CODES, save_linker
from zoo.errors import ZooError
from zoo.linking import indexes
from zoo.linking.indexes import open_index
from zoo.linking.opening import open_linker, open_linking, parse_links
from zoo.modeling.windows import Entity
from zoo.registry.loader import Registry, load_registry
from zoo.settings import Settings
from zoo.tagging.texts import Tagged, Text

DISEASES = "sample-diseases"
TEXT = "Asthma and sick headache, asthma, aspirin."
FOUND = [Entity(0, 6, "Disease", 0.9), Entity(11, 24, "Disease", 0.9), Entity(34, 41, "Chemical", 0.8)]


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    path = tmp_path / "My Codes.csv"
    path.write_text(CODES)
    return path


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)  # where no zoo.lock.yaml is
    return Settings(cache=tmp_path / "cache", offline=True)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(None)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint folder, as far as the linker beside its adapter is concerned."""
    folder = tmp_path / "checkpoint"
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "config.json").write_text("{}")
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(folder / "base")})
    )
    return folder


class TestIndex:
    @pytest.mark.parametrize("name", [DISEASES, "codes"])
    def test_it_is_built_once(self, name: str, codes: Path, registry: Registry, settings: Settings) -> None:
        said: list[str] = []
        given = str(codes) if name == "codes" else name
        first = open_index(given, registry, settings, say=said.append)
        assert [line.split()[0] for line in said] == ["reading", "building"]
        again = open_index(given, registry, settings, say=said.append)
        assert len(said) == 2 and again.index.folder == first.index.folder and again.key == first.key
        assert (
            first.index.folder == settings.cache / "indexes" / f"{first.index.info.ontology}-{first.fingerprint[:12]}"
        )
        assert not [path for path in first.index.folder.parent.iterdir() if "tmp" in path.name]

    def test_a_file_that_has_changed_has_another_index(
        self, codes: Path, registry: Registry, settings: Settings
    ) -> None:
        first = open_index(str(codes), registry, settings)
        codes.write_text(CODES.replace("sick headache", "hemicrania"))
        second = open_index(str(codes), registry, settings)
        assert first.key != second.key and first.key.startswith("my-codes-")
        assert second.index.exact("hemicrania") and not second.index.exact("sick headache")
        assert first.index.exact("sick headache")

    def test_a_local_copy_comes_before_the_registered_files(
        self, tmp_path: Path, registry: Registry, settings: Settings
    ) -> None:
        registered = open_index(DISEASES, registry, settings)
        (tmp_path / "copies").mkdir()
        (tmp_path / "copies" / f"{DISEASES}.csv").write_text(CODES)
        own = open_index(DISEASES, registry, Settings(cache=settings.cache, ontologies=tmp_path / "copies"))
        assert own.fingerprint != registered.fingerprint and own.index.info.concepts == 4

    def test_what_is_damaged_is_built_again(self, codes: Path, registry: Registry, settings: Settings) -> None:
        first = open_index(str(codes), registry, settings)
        (first.index.folder / "index.json").write_text("{")
        assert open_index(str(codes), registry, settings).index.exact("asthma")

    def test_a_build_that_fails_leaves_nothing(
        self, codes: Path, registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(indexes.Index, "build", full)
            with pytest.raises(ZooError, match="cannot write the index: No space left"):
                open_index(str(codes), registry, settings)
        assert not list((settings.cache / "indexes").glob("*codes*/*"))
        assert open_index(str(codes), registry, settings).index.info.concepts == 4

    def test_who_comes_second_waits_for_the_first(
        self, codes: Path, registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built: list[Path] = []
        build = indexes.Index.build

        def slow(concepts: Any, destination: Path, **options: Any) -> Any:
            built.append(destination)
            time.sleep(0.5)
            return build(concepts, destination, **options)

        monkeypatch.setattr(indexes.Index, "build", slow)
        with ThreadPoolExecutor(4) as pool:
            opened = list(pool.map(lambda _: open_index(str(codes), registry, settings), range(4)))
        assert len(built) == 1 and len({each.index.folder for each in opened}) == 1

    @pytest.mark.parametrize(
        ("name", "what"), [("mehs", "no ontology 'mehs', and no such file"), ("codes.tsv", "there is no such file")]
    )
    def test_what_is_not_there(self, name: str, what: str, registry: Registry, settings: Settings) -> None:
        with pytest.raises(ZooError, match=what):
            open_index(name, registry, settings)


class TestValues:
    def test_types_and_files(self, tmp_path: Path) -> None:
        (tmp_path / "a=b.csv").write_text(CODES)
        assert parse_links(["Disease=medic", "mesh", "mesh", str(tmp_path / "a=b.csv")]) == [
            ("Disease", "medic"),
            ("", "mesh"),
            ("", str(tmp_path / "a=b.csv")),
        ]

    @pytest.mark.parametrize("values", [["Disease="], [""], ["=mesh"], ["Disease=medic", "Disease=mesh"]])
    def test_what_cannot_be(self, values: list[str]) -> None:
        with pytest.raises(ZooError, match="--link"):
            parse_links(values)


class TestLinking:
    def link(
        self, links: list[str], registry: Registry, settings: Settings, model: Path, said: list[str] | None = None
    ) -> list[str]:
        """The ids that the entities of the text are linked to; `-` where nothing was to be linked."""
        linking = open_linking(
            links,
            [model],
            [None],
            ["Disease", "Chemical"],
            registry,
            settings,
            say=([] if said is None else said).append,
        )
        (entities,) = linking.link(Tagged(Text("a", TEXT), (FOUND,))).entities
        assert [entity.key for entity in entities] == [entity.key for entity in FOUND]
        return [";".join(e.concept_ids) if e.link else "-" for e in entities]

    def test_a_file_is_for_all_types(
        self, codes: Path, registry: Registry, settings: Settings, checkpoint: Path
    ) -> None:
        assert self.link([str(codes)], registry, settings, checkpoint) == ["A1", "B2", "C3"]

    def test_an_ontology_is_for_its_types(
        self, codes: Path, registry: Registry, settings: Settings, checkpoint: Path
    ) -> None:
        first, _, last = self.link([DISEASES], registry, settings, checkpoint)
        assert first.startswith("ZOOD:") and last == "-"
        assert self.link([DISEASES, f"Chemical={codes}"], registry, settings, checkpoint) == [first, _, "C3"]
        assert self.link([f"Disease={codes}"], registry, settings, checkpoint) == ["A1", "B2", "-"]

    def test_an_ontology_for_none_of_the_types_is_refused(
        self, registry: Registry, settings: Settings, checkpoint: Path
    ) -> None:
        with pytest.raises(ZooError, match="the ontology is for Disease; the model finds DISO") as error:
            open_linking([DISEASES], [checkpoint], [None], ["DISO"], registry, settings)
        assert error.value.fix == f"--link DISO={DISEASES}"

    def test_two_files_for_all_types_are_refused(
        self, tmp_path: Path, codes: Path, registry: Registry, settings: Settings, checkpoint: Path
    ) -> None:
        other = shutil.copy(codes, tmp_path / "other.csv")
        with pytest.raises(ZooError, match="two ontologies for all types"):
            open_linking([str(codes), str(other)], [checkpoint], [None], ["Disease"], registry, settings)

    def test_the_trained_linker_beside_the_adapter_is_used_where_it_fits(
        self, codes: Path, registry: Registry, settings: Settings, checkpoint: Path
    ) -> None:
        fingerprint = open_index(str(codes), registry, settings).fingerprint
        said: list[str] = []
        save_linker(checkpoint / "linker", ontology="my-codes", fingerprint=fingerprint)
        assert self.link([str(codes)], registry, settings, checkpoint, said) == ["A1", "B2", "C3"]
        assert "trained linker" in said[-1] and "names alone" in said[-1]  # Disease by the one, the rest by the other
        assert open_linker(str(codes), checkpoint, registry=registry, settings=settings).ontologies.keys() == {
            "Disease"
        }
        assert self.link([DISEASES], registry, settings, checkpoint, said)[0].startswith("ZOOD:")
        assert "trained" not in said[-1]

    def test_one_for_another_version_is_not(
        self, codes: Path, registry: Registry, settings: Settings, checkpoint: Path
    ) -> None:
        said: list[str] = []
        save_linker(checkpoint / "linker", ontology="my-codes", fingerprint="0" * 64)
        assert self.link([str(codes)], registry, settings, checkpoint, said) == ["A1", "B2", "C3"]
        assert "another version of my-codes" in said[-2] and "trained" not in said[-1]

    def test_the_key_tells_the_linkers_apart(
        self, codes: Path, registry: Registry, settings: Settings, checkpoint: Path
    ) -> None:
        def key(*links: str) -> list[str]:
            return list(open_linking(links, [checkpoint], [None], ["Disease"], registry, settings).key)

        before = key(str(codes))
        assert before == key(str(codes)) != key(f"Disease={codes}")
        codes.write_text(CODES + "E5,Gout,\n")
        assert key(str(codes)) != before

    def test_names_of_concepts(self, codes: Path, registry: Registry, settings: Settings, checkpoint: Path) -> None:
        linking = open_linking([str(codes)], [checkpoint], [None], ["Disease"], registry, settings)
        assert linking.concept_name("my-codes", "B2") == "Migraine"
        assert linking.concept_name("my-codes", "ZZ") == "ZZ"


def test_in_python_without_settings(codes: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import zoo

    monkeypatch.setenv("ZOO_CACHE", str(settings.cache))
    linker = zoo.open_linker(str(codes))
    assert isinstance(linker, zoo.Linker)
    (entities,) = linker.link([TEXT], [FOUND])
    assert [entity.concept_ids for entity in entities] == [("A1",), ("B2",), ("C3",)]


def test_in_python_an_ontology_is_for_its_types(registry: Registry, settings: Settings) -> None:
    linker = open_linker(DISEASES, registry=registry, settings=settings)
    (entities,) = linker.link([TEXT], [FOUND])
    assert [bool(entity.link) for entity in entities] == [True, True, False]
    linker = open_linker(DISEASES, every_type=True, registry=registry, settings=settings)
    assert linker.link_names(["asthma"])[0].concept_ids[0].startswith("ZOOD:")
