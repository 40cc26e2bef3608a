"""A saved folder with its code is loaded by a process that has not imported the package."""

import json
import os
import subprocess
import sys

import pytest
import torch

from musemo_hf import MusemoViTForEmotionRegression

SAVE = """
import sys, torch
from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
MusemoViTForEmotionRegression.register_for_auto_class("AutoModel")
MusemoViTConfig.register_for_auto_class("AutoConfig")
torch.manual_seed(0)
config = MusemoViTConfig(
    n_frames=40, patch_size=(16, 16), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
    uncertainty=True, deviation_scale=[1.5, 0.5], kernel_read_out=True, window_frames=32,
)
model = MusemoViTForEmotionRegression(config).eval()
generator = torch.Generator().manual_seed(1)
model.fit_in_closed_form(torch.rand(9, 1, 128, 40, generator=generator), torch.rand(9, 2, generator=generator))
model.save_pretrained(sys.argv[1])
"""
LOAD = """
import json, sys, torch
from transformers import AutoModel
model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True).eval()
output = model(spectrogram=torch.linspace(-1, 1, 2 * 128 * 40).view(2, 1, 128, 40))
values = {key: value.flatten().tolist() for key, value in output.items()}
print(json.dumps({"module": type(model).__module__, "package": "musemo_hf" in sys.modules, "values": values}))
"""


def test_trust_remote_code_from_a_folder(tmp_path):
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    folder = str(tmp_path / "recogniser")
    subprocess.run([sys.executable, "-c", SAVE, folder], env=environment, check=True, capture_output=True)
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, folder], env=environment, check=True, capture_output=True, text=True, cwd=tmp_path
    )
    seen = json.loads(loaded.stdout.splitlines()[-1])
    assert seen["module"].startswith("transformers_modules.")
    assert not seen["package"]
    model = MusemoViTForEmotionRegression.from_pretrained(folder).eval()
    output = model(spectrogram=torch.linspace(-1, 1, 2 * 128 * 40).view(2, 1, 128, 40))
    assert set(seen["values"]) == {"emotion", "pooled", "deviation"}
    for key, value in seen["values"].items():
        assert value == pytest.approx(output[key].flatten().tolist(), abs=1e-5)
