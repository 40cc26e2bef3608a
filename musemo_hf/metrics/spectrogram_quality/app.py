"""The Space of this metric: from two files of log-mels to the score and its reference scale."""

from pathlib import Path
from typing import Any

import evaluate
import gradio as gr
import numpy as np

HERE = Path(__file__).resolve().parent
TABLE = ("quality_score", "tier", "skill", "kid", "precision", "recall", "density", "coverage", "published_score")


def report(references: str | None, predictions: str | None) -> tuple[list[list[Any]], list[list[Any]], str]:
    """Return the figures, the reference scale with the predictions on it, and the notes, from two .npy files."""
    if references is None or predictions is None:
        raise gr.Error(
            "expected two .npy files of log-mels (N, 128, n_frames), got " + ("one" if predictions else "none")
        )
    metric = evaluate.load(str(HERE / "spectrogram_quality.py"))
    try:
        for side, path in (("references", references), ("predictions", predictions)):
            metric.add_batch(**{side: np.load(path, allow_pickle=False)})
        answer = metric.compute()
    except ValueError as error:
        raise gr.Error(str(error)) from error
    steps = {**answer["ladder"], "YOUR PREDICTIONS": answer["quality_score"]}
    scale = sorted(([name, round(score, 1)] for name, score in steps.items()), key=lambda step: -step[1])
    figures = [[name, str(answer[name])] for name in TABLE]
    return figures, scale, "\n".join(f"- {name}: {note}" for name, note in answer["notes"].items())


with gr.Blocks(title="Spectrogram quality") as app:
    gr.Markdown((HERE / "README.md").read_text(encoding="utf-8").split("---", 2)[2])
    with gr.Row():
        files = [
            gr.File(label=f"{side}: .npy of log-mels (N, 128, n_frames), dB") for side in ("References", "Predictions")
        ]
    button = gr.Button("Compute", variant="primary")
    with gr.Row():
        figures = gr.Dataframe(headers=["figure", "value"], label="Figures")
        scale = gr.Dataframe(headers=["candidate", "score"], label="Reference scale")
    notes = gr.Markdown()
    button.click(report, files, [figures, scale, notes])

if __name__ == "__main__":
    app.launch()
