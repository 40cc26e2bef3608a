"""The code that a pushed pipeline carries: every module that it needs, in one folder."""

import re

import pytest

from musemo_hf.hub.pipeline_code import flatten

PIPELINE, EXTRACTOR = "musemo_hf.pipelines.emotion_to_music", "musemo_hf.audio.feature_extraction_musemo"


@pytest.mark.parametrize("model", ["flow.modeling_flow", "gan.modeling_gan"])
def test_the_code_of_a_pipeline_is_flat_and_whole(model):
    files = flatten([PIPELINE, f"musemo_hf.models.{model}", EXTRACTOR])
    needed = {name for text in files.values() for name in re.findall(r"^\s*from \.(\w+) import ", text, re.MULTILINE)}
    assert {f"{name}.py" for name in needed} <= set(files)
    assert set(re.findall(r"^from \.(\w+) import ", files["pipeline.py"], re.MULTILINE)) == {
        file.removesuffix(".py") for file in files if file != "pipeline.py"
    }
    assert not [text for text in files.values() if re.search(r"^\s*(from|import) musemo_hf", text, re.MULTILINE)]
