"""Fill an experiment notebook with the outputs of a fuller parameter set than its default one.

    python tools/fill_outputs.py nbs/experiments/00_quickstart.ipynb tiny=false 'seeds=[0,1,2]'

The notebook is executed with these parameters, as `edge-glass run` does; its cells stay as they are (default parameters, so that everybody can run it
in a minute), only their outputs are replaced. The header of the notebook names the command.
"""
import base64
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path

from nbdev.clean import nbdev_clean
from PIL import Image

from edge_glass_modular.config import read_yaml
from edge_glass_modular.notebooks import NotebookFailed, check_parameters, execute_notebook


def light(output: dict) -> dict:
    "The same output, its PNG with a palette of 256 colours: a quarter of the bytes, and nothing that a reader of curves would miss."
    if png := output.get("data", {}).get("image/png"):
        small = io.BytesIO()
        Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
        output["data"]["image/png"] = min(base64.b64encode(small.getvalue()).decode(), png, key=len)
    return output


def fill(path: Path, parameters: dict) -> None:
    "Execute with `parameters` and keep the outputs, cell by cell."
    asked = check_parameters(path, parameters)
    folder = Path(tempfile.mkdtemp(prefix="fill-outputs-"))  # stays where a cell fails: hours of work may stand above it
    try:
        execute_notebook(path, asked, out := folder / path.name)
    except NotebookFailed as e:
        raise NotebookFailed(f"{e}; what was computed is in {folder}") from None
    done = {cell["id"]: cell for cell in json.loads(out.read_text())["cells"]}
    shutil.rmtree(folder)
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = done[cell["id"]]["execution_count"]
            cell["outputs"] = [light(o) for o in done[cell["id"]]["outputs"] if o.get("name") != "stderr"]  # progress is not a result
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    nbdev_clean(str(path))  # counters and the like, as everywhere


if __name__ == "__main__":
    pairs = [argument.partition("=") for argument in sys.argv[2:]]
    try:
        fill(Path(sys.argv[1]), {name: read_yaml(value, f"{name}={value}")[0] for name, _, value in pairs})
    except (ValueError, NotebookFailed) as e:
        sys.exit(f"fill_outputs: {e}")
