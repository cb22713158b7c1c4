"""What runs in child processes starts quickly: it imports nothing that it does not need."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["datasets.facts", "datasets.squares"])
def test_what_runs_in_children_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pandas", "pyarrow", "pydantic", "sklearn", "tensorflow", "keras", "mlflow", "hydra", "matplotlib", "rich"}
    assert heavy & set(done.stdout.split()) == set()
    assert "PIL" in done.stdout


def test_the_package_loads_no_framework():
    code = (
        "import sys, datasets.audit, datasets.prepare, datasets.pixels, datasets.limit\n"
        "print(*sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"tensorflow", "keras", "mlflow", "hydra", "omegaconf", "matplotlib"} & set(done.stdout.split()) == set()
