"""Write README.md from nbs/index.ipynb: `python tools/make_readme.py`, or with `--check` only compare.

Cells marked `#| hide` are left out, of those marked `#| echo: false` only the output is kept, figures among the outputs are written to nbs/images/.
"""
import re
import sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

NOTE = "<!-- Written from nbs/index.ipynb by tools/make_readme.py; edit the notebook. -->\n\n"


def readme(root: Path) -> dict[Path, bytes]:
    "path -> content of the README and its figures"
    nb = nbformat.read(root / "nbs" / "index.ipynb", as_version=4)
    nb.cells = [c for c in nb.cells if c.cell_type != "raw" and not re.search(r"^#\|\s*(hide|export)", c.source, re.M)]
    for cell in nb.cells:
        if cell.cell_type == "code":
            silent = re.search(r"^#\|\s*echo:\s*false", cell.source, re.M)
            cell.source = "" if silent else re.sub(r"^#\|.*\n?", "", cell.source, flags=re.M)
    nb.cells = [c for c in nb.cells if c.source.strip() or c.get("outputs")]
    template = {"output_files_dir": "nbs/images", "unique_key": "README"}
    text, resources = MarkdownExporter().from_notebook_node(nb, resources=template)
    text = re.sub(r"^```\w*\s*```\n", "", text, flags=re.M)  # the input of cells that show only their output
    text = re.sub(r"\]\(((?:images/|[\w/]+\.ipynb)[^)]*)\)", r"](nbs/\1)", text)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.strip().splitlines()))
    figures = {root / name: data for name, data in resources.get("outputs", {}).items()}
    return {root / "README.md": (NOTE + text + "\n").encode(), **figures}


def problems(root: Path) -> list[str]:
    "One line for every file that is not what the notebook says."
    return [f"{path.relative_to(root)}: not what nbs/index.ipynb says; run python tools/make_readme.py"
            for path, data in readme(root).items() if not path.is_file() or path.read_bytes() != data]


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    if "--check" in sys.argv:
        bad = problems(root)
        print("\n".join(bad) or "readme: as nbs/index.ipynb says")
        sys.exit(bool(bad))
    for path, data in readme(root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(path.relative_to(root))
