"""Links that reproduce sounds: the point, the seed, the samples, the wishes and the generator as query parameters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr
from abilities import Abilities
from studio import check_settings


@dataclass(frozen=True)
class Linked:
    """Contains what a link asks for: the values of `make_sounds`, and whether the page has the generator it names."""

    valence: float
    arousal: float
    seed: int | None
    num_samples: int
    conditions: dict[str, float]
    is_same_generator: bool
    genre: str | None = None


def read_link(query: Mapping[str, str], abilities: Abilities) -> Linked | None:
    """Read the query parameters of the page's address; None if they ask for no sound.

    Raises:
        gradio.Error: A value is no number, or out of its range, or the generator does not know the genre.
    """
    if "valence" not in query or "arousal" not in query:
        return None
    try:
        valence, arousal = float(query["valence"]), float(query["arousal"])
        seed, num_samples = (int(query[name]) if name in query else None for name in ("seed", "samples"))
        conditions = {name: float(query[name]) for name in abilities.conditions if name in query}
    except ValueError as error:
        raise gr.Error(f"This link asks for a sound with a value that is no number: {error}.") from None
    num_samples = 1 if num_samples is None else num_samples
    check_settings(valence, arousal, seed, num_samples)
    abilities.check_conditions(conditions)
    genre = abilities.find_genre(query.get("genre")) if abilities.genres else None
    is_same = query.get("generator", abilities.name) == abilities.name
    return Linked(valence, arousal, seed, num_samples, conditions, is_same, genre)


def copy_link_js(abilities: Abilities) -> str:
    """Return the JavaScript that copies a link to the settings it is given, and returns the button's new text."""
    return f"""async (valence, arousal, seed, samples, asked, ...values) => {{
      const query = new URLSearchParams({{valence, arousal, samples}});
      if (seed !== null) query.set('seed', seed);
      {json.dumps(abilities.conditions)}.forEach((name, i) => {{
        if (asked.includes(name)) query.set(name, values[i]);
      }});
      if ({json.dumps(bool(abilities.genres))} && values.at(-1) !== null) query.set('genre', values.at(-1));
      query.set('generator', {json.dumps(abilities.name)});
      const link = `${{location.origin}}${{location.pathname}}?${{query}}`;
      try {{ await navigator.clipboard.writeText(link); return 'Link copied'; }}
      catch {{ window.prompt('The link to this sound:', link); return 'Copy link'; }}
    }}"""
