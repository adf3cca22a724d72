"""`zoo.toml`: what it sets, what comes over it, what is wrong with it, and the one that `zoo init` writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.in_process import Zoo
from zoo.errors import ZooError
from zoo.project import create_project, render_settings
from zoo.registry.loader import load_registry
from zoo.settings import FOLDERS, SETTINGS, TABLES, Settings, find_settings_file, is_offline


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("error:") == 1, done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} not in:\n{done.stderr}"


class TestFile:
    def test_all_keys_and_relative_folders(self, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_text(
            'org = "my-org"\ncountry = "DEU"\nout = "made/here"\nregistry = "../other"\ncorpora = "/data/corpora"\n'
            'checkpoint_name = "ner-{backbone}-{corpus}"\nbase_name = "{backbone}-base"\n'
            'originals = "o"\npassages = "p"\ncache = "~/c"\nstore = "s3://bucket/zoo"\n'
        )
        settings = Settings.load({}, tmp_path)
        assert settings == Settings(
            org="my-org",
            checkpoint_name="ner-{backbone}-{corpus}",
            base_name="{backbone}-base",
            country="DEU",
            out=tmp_path / "made" / "here",
            registry=tmp_path / ".." / "other",
            corpora=Path("/data/corpora"),
            originals=tmp_path / "o",
            passages=tmp_path / "p",
            cache=Path.home() / "c",
            store="s3://bucket/zoo",
            file=tmp_path / "zoo.toml",
        )

    def test_every_key_is_a_setting(self) -> None:
        assert set(Settings.__dataclass_fields__) - set(SETTINGS) == {"offline", "file"}
        folders = {name for name, item in Settings.__dataclass_fields__.items() if "Path" in str(item.type)}
        assert folders == {*FOLDERS, "file"}

    def test_the_nearest_file_upwards_counts_alone(self, tmp_path: Path) -> None:
        below = tmp_path / "a" / "b" / "c"
        below.mkdir(parents=True)
        (tmp_path / "zoo.toml").write_text('org = "far"\nout = "far"\n')
        assert Settings.load({}, below).out == tmp_path / "far"
        (tmp_path / "a" / "zoo.toml").write_text('org = "near"\n')
        settings = Settings.load({}, below)
        assert (settings.org, settings.out) == ("near", Path("builds"))
        (below / "zoo.toml").mkdir()  # a folder of that name is no settings file
        assert find_settings_file(below) == tmp_path / "a" / "zoo.toml"

    @pytest.mark.parametrize("store", ["memory://zoo", "/mnt/zoo", "zoo", "~/zoo"])
    def test_a_store_is_an_address_or_a_folder(self, store: str, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_text(f'store = "{store}"\n')
        expected = {"zoo": str(tmp_path / "zoo"), "~/zoo": str(Path.home() / "zoo")}.get(store, store)
        assert Settings.load({}, tmp_path).store == expected
        assert Settings.load({"ZOO_STORE": "elsewhere"}, tmp_path).store == "elsewhere"

    def test_mirrors_are_a_table_and_no_variable(self, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_text('[mirrors]\n"https://a.org/x/" = "http://proxy:8080/a/"\n')
        settings = Settings.load({"ZOO_MIRRORS": "nothing"}, tmp_path)
        assert settings.mirrors == {"https://a.org/x/": "http://proxy:8080/a/"}

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('mirrors = "https://a.org/"', "must be a table"),
            ('mirrors = ["https://a.org/"]', "must be a table"),
            ('[mirrors]\n"a.org/" = "https://b.org/"', "'a.org/' is not the start of an address"),
            ('[mirrors]\n"https://a.org/" = "ftp://b.org/"', "'ftp://b.org/' is not the start of an address"),
            ('[mirrors]\n"https://a.org/" = 3', "3 is not the start of an address"),
            ('[mirrors]\n"https://a.org/" = "https://b.org"', "one ends with a slash"),
        ],
    )
    def test_malformed_mirrors(self, line: str, words: str, zoo: Zoo, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_text(f"{line}\n")
        refused(zoo("corpora", "list", check=None), words, "zoo.toml: mirrors", "fix:")

    def test_an_empty_file_sets_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_text("# nothing\n")
        assert Settings.load({}, tmp_path) == Settings(file=tmp_path / "zoo.toml")

    def test_a_byte_order_mark_is_no_error(self, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_bytes(b'\xef\xbb\xbforg = "mine"\n')
        assert Settings.load({}, tmp_path).org == "mine"

    def test_nothing_is_looked_for_where_the_folder_is_gone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        assert find_settings_file() is None and Settings.load({}) == Settings()

    def test_a_user_without_a_home_has_a_cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """As in a container that runs under a number that no user has."""

        def no_home() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", no_home)
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
        assert Settings.load({}, tmp_path).cache == tmp_path / "zoo"

    def test_reading_settings_imports_no_schema(self, tmp_path: Path) -> None:
        code = "import sys; from zoo.settings import Settings; Settings.load({}); print('pydantic' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False"


class TestEnvironment:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        lines = [f'{name} = "file-{name}"' for name in FOLDERS]
        (tmp_path / "zoo.toml").write_text("\n".join(['org = "file-org"', 'country = "FRA"', *lines]) + "\n")
        return tmp_path

    @pytest.mark.parametrize("name", FOLDERS)
    def test_a_folder(self, name: str, folder: Path) -> None:
        assert getattr(Settings.load({}, folder), name) == folder / f"file-{name}"
        assert getattr(Settings.load({f"ZOO_{name.upper()}": "there"}, folder), name) == Path("there")
        assert getattr(Settings.load({f"ZOO_{name.upper()}": ""}, folder), name) == folder / f"file-{name}"

    def test_org_and_country(self, folder: Path) -> None:
        settings = Settings.load({"ZOO_ORG": "env-org", "ZOO_COUNTRY": "USA"}, folder)
        assert (settings.org, settings.country) == ("env-org", "USA")
        settings = Settings.load({}, folder)
        assert (settings.org, settings.country) == ("file-org", "FRA")

    def test_patterns_of_names(self, folder: Path) -> None:
        pattern = "NER.{corpus}_{backbone}"
        names = Settings.load({"ZOO_CHECKPOINT_NAME": pattern, "ZOO_BASE_NAME": "base-{backbone}"}, folder).names
        assert names.of_checkpoint("minilm-l6", "cll") == "file-org/NER.cll_minilm-l6"
        assert (names.of_base("minilm-l6"), names.of_base("minilm-l6", "0a1b")) == (
            "file-org/base-minilm-l6",
            "file-org/base-minilm-l6-0a1b",
        )

    @pytest.mark.parametrize(
        ("variable", "pattern", "words"),
        [
            ("CHECKPOINT", "{backbone}", "needs {backbone} and {corpus}"),
            ("CHECKPOINT", "{backbone}-{corpus}-{corpus}", "once each"),
            ("CHECKPOINT", "{backbone}-{corpus}-{seed}", "nothing else"),
            ("CHECKPOINT", "{backbone}-{corpus", "needs {backbone} and {corpus}"),
            ("CHECKPOINT", "{backbone}-{corpus!r}", "needs {backbone} and {corpus}"),
            ("CHECKPOINT", "{backbone}-{corpus:>9}", "needs {backbone} and {corpus}"),
            ("CHECKPOINT", "{backbone.id}-{corpus}", "needs {backbone} and {corpus}"),
            ("CHECKPOINT", "{backbone}{corpus}", "nothing between"),
            ("CHECKPOINT", "a/{backbone}-{corpus}", "does not allow"),
            ("CHECKPOINT", "{backbone}--{corpus}", "does not allow"),
            ("CHECKPOINT", "-{backbone}-{corpus}", "does not allow"),
            ("BASE", "ner", "needs {backbone}"),
            ("BASE", "{backbone}-{corpus}", "needs {backbone}"),
            ("BASE", "{backbone} ner", "does not allow"),
        ],
    )
    def test_a_wrong_pattern(self, variable: str, pattern: str, words: str, folder: Path) -> None:
        with pytest.raises(ZooError, match=re.escape(words)) as caught:
            Settings.load({f"ZOO_{variable}_NAME": pattern}, folder)
        assert caught.value.where == f"ZOO_{variable}_NAME" and caught.value.fix

    def test_an_adapter_is_not_called_as_its_base(self) -> None:
        with pytest.raises(ZooError, match="both be called 'minilm-l6-ner'"):
            Settings().names.of_checkpoint("minilm-l6", "ner")

    def test_one_variable_leaves_the_rest_of_the_file(self, folder: Path) -> None:
        settings = Settings.load({"ZOO_OUT": "there"}, folder)
        assert (settings.out, settings.org, settings.corpora) == (Path("there"), "file-org", folder / "file-corpora")

    @pytest.mark.parametrize("name", ["ZOO_OFFLINE", "HF_HUB_OFFLINE"])
    def test_offline_is_of_the_environment_alone(self, name: str, folder: Path) -> None:
        assert Settings.load({name: "1"}, folder).offline and is_offline({name: "Yes"})
        assert not Settings.load({name: "0"}, folder).offline and not is_offline({})

    def test_an_org_that_is_none(self) -> None:
        with pytest.raises(ZooError) as caught:
            Settings.load({"ZOO_ORG": "https://huggingface.co/mine"})
        assert caught.value.where == "ZOO_ORG" and "https://huggingface.co/mine" in caught.value.what

    def test_a_home_that_is_not_there(self) -> None:
        with pytest.raises(ZooError, match="home"):
            Settings.load({"ZOO_OUT": "~no-such-user-here/x"})


class TestCommands:
    """Through the command line; the folder that a command would use is in its error message."""

    def test_options_come_over_environment_over_file(self, zoo: Zoo, tmp_path: Path) -> None:
        assert f"where: {Path('builds')}\n" in zoo("board", check=2).stderr
        (tmp_path / "zoo.toml").write_text('out = "from-file"\n')
        assert f"where: {tmp_path / 'from-file'}\n" in zoo("board", check=2).stderr
        assert "where: from-env\n" in zoo("board", check=2, ZOO_OUT="from-env").stderr
        assert "where: option\n" in zoo("board", "--out", "option", check=2, ZOO_OUT="from-env").stderr

    def test_registry(self, zoo: Zoo, tiny_registry: Path, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_text(f'registry = "{tiny_registry}"\n')
        assert "tiny-bert/tiny" in zoo("list").stdout
        refused(zoo("list", "--registry", "nowhere", check=None), "nowhere", "--registry")
        (tmp_path / "zoo.toml").write_text('registry = "nowhere"\n')
        refused(zoo("list", check=None), str(tmp_path / "nowhere"), "zoo.toml")
        assert "tiny-bert/tiny" in zoo("list", ZOO_REGISTRY=str(tiny_registry)).stdout

    def test_corpora(self, zoo: Zoo, tmp_path: Path) -> None:
        (tmp_path / "mine" / "cll").mkdir(parents=True)
        (tmp_path / "zoo.toml").write_text('corpora = "mine"\n')
        rows = {row["id"]: row["files"] for row in json.loads(zoo("corpora", "list", "--json").stdout)}
        assert rows["cll"] == "local copy" and rows["gellus"] != "local copy"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ('outt = "x"\n', ("unknown field 'outt'", "zoo.toml: outt", "did you mean out?")),
            ('[zoo]\nout = "x"\n', ("unknown field 'zoo'", "known:", "country")),
            ("out = 3\n", ("zoo.toml: out", "must be a text, not 3")),
            ('out = ""\n', ("zoo.toml: out", "must be a text, not ''")),
            ("org = ['a']\n", ("zoo.toml: org", "must be a text")),
            ('org = "a/b"\n', ("zoo.toml: org", "a/b")),
            ('base_name = "x"\n', ("zoo.toml: base_name", "needs {backbone}")),
            ('country = "Germany"\n', ("zoo.toml: country", "Germany", "DEU")),
            ('country = "deu"\n', ("zoo.toml: country", "deu", "did you mean DEU")),
            ('out = "a"\norg = "b\n', ("not valid TOML", "zoo.toml:2", "fix:")),
            ('out = "a"\nout = "b"\n', ("not valid TOML", "zoo.toml:2")),
            ("out: builds\n", ("not valid TOML", "zoo.toml:1")),
            ('out = "a"\n[zoo', ("not valid TOML", "zoo.toml:2")),
            (b'out = "a"\norg = "\xff"\n', ("not UTF-8: byte 0xff", "zoo.toml:2")),
        ],
    )
    def test_a_wrong_file(self, content: str | bytes, words: tuple[str, ...], zoo: Zoo, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
        refused(zoo("list", check=None), *words)

    def test_a_wrong_variable(self, zoo: Zoo) -> None:
        refused(zoo("list", check=None, ZOO_ORG="a b"), "'a b'", "ZOO_ORG")


class TestInit:
    def test_without_options(self, zoo: Zoo, tmp_path: Path) -> None:
        done = zoo("init")
        assert [path.name for path in tmp_path.iterdir()] == ["zoo.toml"]
        assert "written: zoo.toml" in done.stdout and "zoo doctor" in done.stdout and "world average" in done.stdout
        assert len(done.stdout.splitlines()) == 3
        text = (tmp_path / "zoo.toml").read_text()
        assert '\n# country = "DEU"\n' in text and "the world average is used" in text
        assert Settings.load({}, tmp_path) == Settings(out=tmp_path / "builds", file=tmp_path / "zoo.toml")

    def test_with_options_into_a_new_folder(self, zoo: Zoo, tmp_path: Path) -> None:
        done = zoo("init", "a/b", "--org", "my-org", "--country", "DEU", "--out", "/scratch/o", "--with-registry")
        assert "world average" not in done.stdout and "a/b/registry" in done.stdout
        folder = tmp_path / "a" / "b"
        assert Settings.load({}, folder) == Settings(
            org="my-org",
            country="DEU",
            out=Path("/scratch/o"),
            registry=folder / "registry",
            file=folder / "zoo.toml",
        )
        assert not any(path.name.startswith(".") for path in tmp_path.rglob("*"))

    def test_the_registry_that_it_makes_is_one(self, zoo: Zoo, tmp_path: Path) -> None:
        zoo("init", "--registry", "mine", "--with-registry")
        assert {path.name for path in (tmp_path / "mine").iterdir()} == {
            "backbones",
            "corpora",
            "passages",
            "ontologies",
            "recipes.yaml",
        }
        plain = load_registry()
        found = load_registry(tmp_path / "mine")
        assert found.recipes == plain.recipes and found.corpora == plain.corpora
        zoo("list", "--suite", "quickstart")

    def test_the_example_in_its_recipes_is_valid(self, tmp_path: Path) -> None:
        create_project(tmp_path, {"registry": "r"}, with_registry=True)
        recipes = tmp_path / "r" / "recipes.yaml"
        lines = recipes.read_text().splitlines()
        example = [line[2:] for line in lines[lines.index("# overrides:") : lines.index("overrides: []")]]
        recipes.write_text("\n".join(example) + "\n")
        (override,) = yaml.safe_load(recipes.read_text())["overrides"]
        recipe = load_registry(tmp_path / "r").recipes.for_checkpoint(override["match"])
        assert (recipe.finetune.epochs, recipe.lora.rank) == (8, 6)

    def test_its_comments_are_valid_settings(self, tmp_path: Path) -> None:
        text = render_settings({})
        keys = re.findall(r"^# (\w+) = ", text, re.MULTILINE)
        assert keys == [name for name in SETTINGS if name not in TABLES]
        (tmp_path / "zoo.toml").write_text(re.sub(r'^# (\w+ = |\[|")', r"\1", text, flags=re.MULTILINE))
        settings = Settings.load({}, tmp_path)
        assert settings.country == "DEU" and settings.registry == tmp_path / "registry"
        assert settings.mirrors == {"https://raw.githubusercontent.com/": "https://mirror.example.org/github/"}
        assert replace_home(settings.cache) == replace_home(Settings().cache)

    def test_any_name_of_a_folder_comes_back(self, tmp_path: Path) -> None:
        for name in ('a "b" \\ c', "tab\there", "Größe/日本", "line\nbreak", "del\x7f", "# no comment"):
            create_project(tmp_path, {"out": name}, force=True)
            assert Settings.load({}, tmp_path).out == tmp_path / name

    def test_nothing_is_overwritten(self, zoo: Zoo, tmp_path: Path) -> None:
        zoo("init", "--org", "first", "--with-registry")
        (tmp_path / "registry" / "recipes.yaml").write_text("overrides: [] # mine\n")
        before = (tmp_path / "zoo.toml").read_bytes()
        refused(zoo("init", "--org", "second", check=None), "already", "zoo.toml", "--force")
        assert (tmp_path / "zoo.toml").read_bytes() == before
        zoo("init", "--org", "second", "--with-registry", "--force")
        assert Settings.load({}, tmp_path).org == "second"
        assert (tmp_path / "registry" / "recipes.yaml").read_text() == "overrides: [] # mine\n"

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--country", "Germany"), ("Germany", "--country", "DEU")),
            (("--org", "a/b"), ("a/b", "--org")),
            (("--registry", "nowhere"), ("nowhere", "--with-registry")),
            (("--out", ""), ("out",)),
        ],
    )
    def test_wrong_options_write_nothing(
        self, options: tuple[str, ...], words: tuple[str, ...], zoo: Zoo, tmp_path: Path
    ) -> None:
        refused(zoo("init", "new", *options, check=None), *words)
        assert list(tmp_path.iterdir()) == []

    def test_a_registry_that_is_there(self, zoo: Zoo, tiny_registry: Path, tmp_path: Path) -> None:
        shutil.copytree(tiny_registry, tmp_path / "project" / "mine")
        zoo("init", "project", "--registry", "mine")
        settings = Settings.load({}, tmp_path / "project")
        assert "tiny-bert" in load_registry(settings.registry).backbones

    def test_a_file_in_the_way(self, zoo: Zoo, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        refused(zoo("init", "file/new", check=None), "cannot write", "file/new")
        assert (tmp_path / "file").read_text() == "in the way"


def replace_home(path: Path) -> Path:
    """The folder as seen from the home folder of whoever runs the tests."""
    return path.relative_to(Path.home())
