"""The Space of this metric: two files of log-mels in, the score and its ladder out."""

from pathlib import Path
from typing import Any

import evaluate
import gradio as gr
import numpy as np

HERE = Path(__file__).resolve().parent
TABLE = ("quality_score", "tier", "skill", "kid", "precision", "recall", "density", "coverage", "published_score")


def report(references: str | None, predictions: str | None) -> tuple[list[list[Any]], list[list[Any]], str]:
    """The figures, the ladder with the predictions on it, and the notes, from two .npy files."""
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
    rungs = {**answer["ladder"], "YOUR PREDICTIONS": answer["quality_score"]}
    ladder = sorted(([name, round(score, 1)] for name, score in rungs.items()), key=lambda rung: -rung[1])
    figures = [[name, str(answer[name])] for name in TABLE]
    return figures, ladder, "\n".join(f"- {name}: {note}" for name, note in answer["notes"].items())


with gr.Blocks(title="Spectrogram quality") as app:
    gr.Markdown((HERE / "README.md").read_text(encoding="utf-8").split("---", 2)[2])
    with gr.Row():
        files = [
            gr.File(label=f"{side}: .npy of log-mels (N, 128, n_frames), dB") for side in ("References", "Predictions")
        ]
    button = gr.Button("Compute", variant="primary")
    with gr.Row():
        figures = gr.Dataframe(headers=["figure", "value"], label="Figures")
        ladder = gr.Dataframe(headers=["what", "score"], label="Ladder: what others score")
    notes = gr.Markdown()
    button.click(report, files, [figures, ladder, notes])

if __name__ == "__main__":
    app.launch()
