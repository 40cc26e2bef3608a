"""The Space of this metric: computes the agreement of two pasted columns."""

from pathlib import Path
from typing import Any

import evaluate
import gradio as gr

HERE = Path(__file__).resolve().parent
EXAMPLE = ("0.1 0.2\n0.3 -0.1\n-0.2 0.4\n0.5 0.0", "0.2 0.1\n0.4 -0.2\n-0.3 0.6\n0.3 0.1")
metric = evaluate.load(str(HERE / "concordance_correlation.py"))


def numbers(text: str) -> list:
    """Parse lines of one number, or of valence and arousal, separated by spaces or commas."""
    rows = [[float(cell) for cell in line.replace(",", " ").split()] for line in text.splitlines() if line.strip()]
    return [row[0] for row in rows] if all(len(row) == 1 for row in rows) else rows


def agreement(predictions: str, references: str) -> dict[str, Any]:
    """Compute the metric with 95 % intervals."""
    try:
        answer = metric.compute(predictions=numbers(predictions), references=numbers(references), confidence=0.95)
    except ValueError as error:
        raise gr.Error(str(error)) from error
    return {name: None if value != value else value for name, value in answer.items()}  # JSON has no NaN


with gr.Blocks(title="Concordance correlation") as app:
    gr.Markdown((HERE / "README.md").read_text(encoding="utf-8").split("---", 2)[2])
    with gr.Row():
        columns = [
            gr.Textbox(value=EXAMPLE[0], label="Predictions", lines=8),
            gr.Textbox(value=EXAMPLE[1], label="References", lines=8),
        ]
    button = gr.Button("Compute", variant="primary")
    button.click(agreement, columns, gr.JSON(label="Agreement"))

if __name__ == "__main__":
    app.launch()
