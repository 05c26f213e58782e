"""Export the one notebook that is named, and leave the other modules alone.

    python tools/export_notebook.py nbs/20_perceiver.ipynb
"""
import sys

from nbdev.export import nb_export

for name in sys.argv[1:]:
    nb_export(name)
