"""Configurations: any text, and YAML that is nested, tagged or full of aliases."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musemo_hf.training.configuration import Configuration, load_configuration

fuzz = settings(settings.get_profile("fuzz"))
SECTIONS = (
    "data",
    "generator",
    "gan_training",
    "flow",
    "flow_training",
    "recogniser_training",
    "ablation",
    "base",
    "x",
)
TAGS = (
    "!!set",
    "!!omap",
    "!!pairs",
    "!!binary",
    "!!timestamp",
    "!!int",
    "!!bool",
    "!!python/object/apply:os.system",
    "!x",
)
SCALARS = st.one_of(
    st.none().map(lambda _: "~"),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=8),
    st.sampled_from(["2020-01-01", "1:2:3", "*a", "&a 1", "<<", "${data.x}", "???", '"\\ud800"', "{", "]", "9" * 5000]),
)
VALUES = st.recursive(
    st.tuples(st.sampled_from(("", *TAGS)), SCALARS).map(" ".join),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(["steps", "a", "<<", "seeds", "1"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        ),
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("configurations") / "run.yaml"


def load(path, content, answer_or_error):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    # a base that is not there is a file that is not there
    loaded = answer_or_error(
        lambda: load_configuration(path), ValueError, FileNotFoundError, message=r"expected|must|:"
    )
    assert loaded is None or isinstance(loaded, Configuration)


@fuzz
@given(parts=st.dictionaries(st.sampled_from(SECTIONS), VALUES, max_size=4))
def test_any_values(path, answer_or_error, parts):
    load(path, "\n".join(f"{name}: {value}" for name, value in parts.items()), answer_or_error)


@fuzz
@given(content=st.binary(max_size=200))
def test_any_bytes(path, answer_or_error, content):
    load(path, content, answer_or_error)


@fuzz
@given(depth=st.integers(1, 40), width=st.integers(1, 9), as_keys=st.booleans())
def test_aliases_of_aliases_take_no_time(path, answer_or_error, depth, width, as_keys):
    rows = ["a0: &a0 {x: 1}" if as_keys else "a0: &a0 [x, x]"]
    for level in range(1, depth):
        inside = ", ".join([f"*a{level - 1}"] * width)
        rows.append(f"a{level}: &a{level} " + (f"{{<<: [{inside}]}}" if as_keys else f"[{inside}]"))
    load(path, "generator:\n " + "\n ".join(rows), answer_or_error)


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]", "a: &a {b: *a}", "[" * 5000 + "]" * 5000, "a: " + "{a: " * 3000 + "1" + "}" * 3000, "? [a]\n: 1"],
)
def test_what_contains_itself_or_is_too_deep_is_refused(path, text):
    path.write_text(text)
    with pytest.raises(ValueError, match=r"run\.yaml: expected YAML, got "):
        load_configuration(path)
