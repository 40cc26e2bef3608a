"""Runs code in a fresh process, against one Hub, with an empty cache of its own."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

# In these processes `import musemo_hf` fails, and so do imports of its parts.
WITHOUT_PACKAGE = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "musemo_hf":
            raise ModuleNotFoundError("No module named 'musemo_hf' (blocked by this test)", name=name)
sys.meta_path.insert(0, Blocker())
try:
    import musemo_hf
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("musemo_hf can still be imported")
"""

RUN_CARD = """
    def run_card(repo, kind="model"):
        # The snippet of a card as it stands; the answer is the types of what it made.
        import re
        from huggingface_hub import hf_hub_download
        with open(hf_hub_download(repo, "README.md", repo_type=kind)) as card:
            snippet = re.search("```python(.*?)```", card.read(), re.DOTALL)[1]
        names = {}
        exec(snippet, names)
        return {name: type(value).__name__ for name, value in names.items() if not name.startswith("__")}
"""


class Client:
    """A user's machine: one home, one token, one Hub."""

    def __init__(self, url: str, home: Path, token: str | None = None):
        self.url, self.home, self.token = url, home, token

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MUSEMO_"))}
        kept |= {"HF_ENDPOINT": self.url, "HF_HOME": str(self.home / "hf"), "HF_HUB_DISABLE_XET": "1"}
        kept |= {"HOME": str(self.home), "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
        kept |= {"HF_HUB_ETAG_TIMEOUT": "3", "HF_HUB_DOWNLOAD_TIMEOUT": "3", "MUSEMO_CACHE": str(self.home / "musemo")}
        if self.token:
            kept["HF_TOKEN"] = self.token
        return kept | extra

    def start(self, arguments: list[str], cwd: Path | None = None, **extra: str) -> subprocess.CompletedProcess:
        """Run `python ARGUMENTS`; nothing is checked."""
        self.home.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or self.home,
            env=self.environment(**extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def run(self, code: str, package: bool = True, **extra: str) -> Any:
        """What `code` leaves in `result`, through JSON; fails with the process's output where it fails.

        The code runs as a file: where `package` is False, one in which `musemo_hf` cannot be imported.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.home) as folder:
            script, answer = Path(folder, "script.py"), Path(folder, "answer.json")
            end = f"\nimport json\njson.dump(result, open({str(answer)!r}, 'w'))\n"
            script.write_text(("" if package else WITHOUT_PACKAGE) + textwrap.dedent(code) + end)
            done = self.start([str(script)], **extra)
            assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
            return json.loads(answer.read_text())
