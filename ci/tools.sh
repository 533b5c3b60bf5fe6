# Sourced by the steps of headrace.yml: sees to it that python, ruff and pytest are there, at the pinned versions.
set -e
if ! { command -v ruff && python -c "import pytest, hypothesis, sqlalchemy"; } >/dev/null 2>&1; then
    if [ ! -x "$BUILD_DIR/tools/bin/ruff" ]; then
        python3.11 -m venv "$BUILD_DIR/tools"
        "$BUILD_DIR/tools/bin/pip" install --quiet --require-hashes --requirement requirements-dev.txt
    fi
    PATH="$BUILD_DIR/tools/bin:$PATH"
    export PATH
fi
ruff --version
