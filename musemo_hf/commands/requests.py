"""What a command asks of a generator, checked before torch is loaded."""

import argparse
import math
from typing import Any

from musemo_hf.pipelines.steering.condition_ranges import RANGES, check_range


def read_emotion(args: argparse.Namespace) -> tuple[float, float]:
    """Return the requested (valence, arousal).

    Raises:
        ValueError: There is neither one point nor one preset, or it is outside [-1, 1], or the preset is unknown.
    """
    _check_given(args)
    if args.preset is not None:
        return _preset(args.preset)
    return _coordinate("valence", args.valence), _coordinate("arousal", args.arousal)


def read_emotions(args: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Return several requested values of valence, and as many of arousal.

    Raises:
        ValueError: See `read_emotion`; or there are not as many values of valence as of arousal.
    """
    _check_given(args)
    if args.preset is not None:
        points = [_preset(name) for name in args.preset]
        return [valence for valence, _ in points], [arousal for _, arousal in points]
    if len(args.valence) != len(args.arousal):
        got = f"{len(args.valence)} and {len(args.arousal)}"
        raise ValueError(f"expected as many values of --valence as of --arousal, got {got}")
    valence, arousal = ([_coordinate(name, each) for each in getattr(args, name)] for name in ("valence", "arousal"))
    return valence, arousal


def check_sampling(args: argparse.Namespace) -> None:
    """Check the seed, the settings of the sampling and the conditions.

    Raises:
        ValueError: One of them is out of its range.
    """
    if args.seed is not None and not 0 <= args.seed < 2**63:
        raise ValueError(f"expected --seed as a number from 0 on, got {args.seed}")
    if args.num_inference_steps is not None and args.num_inference_steps < 1:
        raise ValueError(f"expected --num-inference-steps of at least 1, got {args.num_inference_steps}")
    if args.guidance_scale is not None and not 0 <= args.guidance_scale < math.inf:
        raise ValueError(f"expected --guidance-scale as a number from 0 on, got {args.guidance_scale:g}")
    for name, value in _conditions(args).items():
        check_range(name, value, f"--{name}")


def sampling_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a pipeline's call, without the seed: how songs are sampled, and what is asked for."""
    options = {"num_inference_steps": args.num_inference_steps, "guidance_scale": args.guidance_scale}
    return {**options, "conditions": _conditions(args) or None, "genre": args.genre}


def _conditions(args: argparse.Namespace) -> dict[str, float]:
    return {name: value for name in RANGES if (value := getattr(args, name)) is not None}


def _check_given(args: argparse.Namespace) -> None:
    given = [name for name in ("valence", "arousal", "preset") if getattr(args, name) is not None]
    if given not in (["valence", "arousal"], ["preset"]):
        got = " and ".join(f"--{name}" for name in given) or "neither"
        raise ValueError(f"expected --valence and --arousal, or --preset, got {got}")


def _coordinate(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"expected a finite --{name}, got {value}")
    if not -1 <= value <= 1:
        hint = "; DEAM's 1-9 maps by (x - 5) / 4" if 1 <= value <= 9 else ""
        raise ValueError(f"expected --{name} in [-1, 1], got {value:g}{hint}")
    return value


def _preset(name: str) -> tuple[float, float]:
    """Return the point of a preset, which its first letters can name."""
    from musemo_hf.pipelines.song import PRESETS, TYPICAL_PRESETS

    presets = PRESETS | TYPICAL_PRESETS
    found = [point for preset, point in presets.items() if preset.startswith(name.strip().lower())]
    if len(found) != 1 or not name.strip():
        raise ValueError(f"expected --preset to be one of {', '.join(map(repr, presets))}, got {name!r}")
    return found[0]
