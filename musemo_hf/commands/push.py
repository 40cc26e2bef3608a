"""Push a model, a data set, the metrics or the page to the Hub, with its card.

musemo push generator user/musemo-generator
musemo push dataset user/deam-spectrograms --data DEAM

The token comes from HF_TOKEN or `hf auth login`.
"""

from musemo_hf.cli_push import add_arguments, run

HELP = "push a model, a data set, the metrics or the page to the Hub"

__all__ = ["HELP", "add_arguments", "run"]
