"""Packaging from settings.ini, the one place where version, requirements and texts are kept."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
ini = ConfigParser(delimiters=["="])
ini.read(here / "settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]
lib = cfg["lib_name"]


def words(key):
    "The white-space separated words of one settings.ini entry."
    return cfg.get(key, "").split()


setup(
    name=lib,
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8") if (here / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=cfg["git_url"],
    license="Apache-2.0",
    keywords=cfg["keywords"],
    packages=find_packages(include=[lib, f"{lib}.*"]),
    package_data={lib: ["configs/*.yaml", "data/assets/*", "data/assets/*/*"]},
    include_package_data=False,
    python_requires=f">={cfg['min_python']}",
    install_requires=words("requirements"),
    extras_require={key.removesuffix("_requirements"): words(key) for key in cfg if key.endswith("_requirements")},
    entry_points={
        "console_scripts": [f"edge-glass={lib}.cli:main"],
        "nbdev": [f"{lib}={lib}._modidx:d"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        f"Intended Audience :: {cfg['audience']}",
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    zip_safe=False,
)
