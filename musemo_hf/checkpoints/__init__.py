"""The packaged checkpoints, each made by a command of the repository (see the card in its folder)."""

from pathlib import Path


def embedded_checkpoint(name: str) -> str:
    """Return the folder of a packaged checkpoint.

    Args:
        name: "generator" (a GAN), "flow" (the better generator; the pipeline loads either), "recogniser" (of log-mels
            alone) or "recogniser-yamnet" (with YAMNet's features beside them, which need the extra `yamnet`).

    Raises:
        ValueError: There is no such checkpoint.
    """
    root = Path(__file__).parent
    known = sorted(path.parent.name for path in root.glob("*/config.json"))
    if name not in known:
        raise ValueError(f"expected one of the packaged checkpoints {known}, got {name!r}")
    return str(root / name)
