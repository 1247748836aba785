#!/usr/bin/env bash
# MLflow 3.17.2: `mlflow run -P` records parameters as the shell sees them, not as they were typed.
# Guess: the run's parameter is what the user typed after -P.
# Seen:  the project's command gets the value as typed, but the run has it quoted for a shell: a path with a blank, or a list
#        written with |, is recorded with quotation marks around it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlflow==3.17.2
mkdir "$folder/project" && cd "$folder"
cat > project/MLproject <<'PROJECT'
name: quotes
entry_points:
  main:
    parameters:
      ds: {type: str, default: ""}
    command: "python show.py --ds {ds}"
PROJECT
echo 'import sys; print("the command got:", sys.argv[1:])' > project/show.py
export MLFLOW_TRACKING_URI="sqlite:///$folder/store.db" MLFLOW_DISABLE_TELEMETRY=true PATH="$folder/venv/bin:$PATH"
mlflow run project -P ds="/data/my sky" -P plain=/data/sky --env-manager=local 2> /dev/null | grep "the command got"
python - <<'PYTHON'
import mlflow

(run,) = mlflow.search_runs(output_format="list")
print(f"recorded: {run.data.params}")
assert run.data.params == {"ds": "'/data/my sky'", "plain": "/data/sky"}, "the behaviour has changed"
PYTHON
