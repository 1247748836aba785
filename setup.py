"""Packaging of the zoo; versions are ranges that are known to install and pass the tests together."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "sdss_gs" / "__init__.py").read_text()).group(1)

# docs/measured/supply_chain.md says which lower bounds keep out a known vulnerability.
REQUIREMENTS = [
    "tensorflow>=2.21,<3",
    "keras>=3.15,<4",
    "mlflow>=3.17,<4",
    "numpy>=2.2,<3",
    "pandas>=2.3,<4",
    "astropy>=7.1,<9",
    "pillow>=12.3,<14",
    "simplejpeg>=1.9,<2",
    "scikit-learn>=1.7,<2",
    "tensorboard>=2.21,<3",
    "matplotlib>=3.10,<4",
    "scipy>=1.15,<2",
    "h5py>=3.12,<4",
    "speclite>=1.0,<2",
    "pyarrow>=21",
    "filelock>=3.20.3,<4",
    "joblib>=1.5,<2",
    "packaging>=24.2",
    "tqdm>=4.67,<5",
    "wrapt>=1.17,<3",
    "pyyaml>=6,<7",
    "jinja2>=3.1.6,<4",
    "threadpoolctl>=3.5,<4",
    "requests>=2.32.4,<3",
    "urllib3>=2.7,<3",
    "optuna>=5,<6",
    "sqlalchemy>=2,<3",
    "click>=8.5,<9",
    "onnxruntime>=1.30,<2",
    "onnx>=1.20,<2",
    "tf2onnx>=1.17,<2",
]

SERVE = ["fastapi>=0.115", "starlette>=0.49.1", "uvicorn>=0.30,<1", "h11>=0.16,<1", "python-multipart>=0.0.32"]
EXPORT = ["astropy-healpix>=1.1,<3"]
POSTGRESQL = ["psycopg[binary]>=3.2,<4"]
EXTRAS = {
    "serve": SERVE,
    "export": EXPORT,
    "postgresql": POSTGRESQL,
    "test": [
        *SERVE,
        *EXPORT,
        *POSTGRESQL,
        "hypothesis>=6.130,<7",
        "selenium>=4.30,<5",
        "pytest>=8.4,<10",
        "pytest-cov>=6.2,<8",
        "pytest-socket>=0.8,<1",
        "pytest-xdist>=3.6,<4",
        "ruff>=0.14,<1",
        "uv>=0.9",
    ],
    # Other people's readers of our files (tests/clients); lsdb needs pandas 3, which the zoo does not.
    "clients": ["polars>=2,<3", "duckdb>=2,<3", "lsdb>=0.11,<0.12"],
    # make docs: the site of docs/, without a network.
    "docs": [
        "sphinx>=9,<10",
        "myst-nb>=1.4,<2",
        "pydata-sphinx-theme>=0.24,<1",
        "numpydoc>=1.11,<2",
        "sphinx-design>=0.8,<1",
        "sphinx-copybutton>=0.5.2,<1",
        "nbclient>=0.10,<1",
        "nbformat>=5.10,<6",
        "ipykernel>=6.29,<8",
    ],
    # Beside onnxruntime in the benchmarks.
    "openvino": ["openvino>=2026.2,<2027"],
    "fuzz": ["atheris>=3,<4"],
    "umap": ["umap-learn>=0.5.12,<0.6"],
    "ray": ["ray>=2.60,<3"],
    # zoo predict --pdf qp, and the stages of common/elsewhere/rail.py.
    "rail": ["pz-rail-base>=2.0.11,<3", "qp-prob>=1.1.4,<2", "ceci>=2.7,<3"],
    "jax": ["jax>=0.10,<0.12"],
    "gpu": ["tensorflow[and-cuda]>=2.21,<3"],
}

setup(
    name="sdss-zoo",
    version=VERSION,
    description="A model zoo for characterising galaxies: redshift, mass, sub-class and morphology from SDSS data",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    package_data={
        "common": ["judge/templates/*", "serve/static/*", "elsewhere/static/*", "shipped/*"],
        "sdss_gs": ["citations.bib", "explore/*.css"],
    },
    packages=find_packages(include=["common", "common.*", "sdss_gs", "sdss_gs.*"]),
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": ["zoo = common.cli.command:main"],
        "mlflow.run_context_provider": ["zoo = common.runs.mlflow_plugin:ZooRunContext"],
    },
)
