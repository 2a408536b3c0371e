#!/usr/bin/env bash
# All that needs a GPU, in one go of less than ten minutes: the tests, what is fused, and the table of `benchmarks/gpu`.
# It ends with an error where a test fails or a promise is not kept; without a GPU it says so.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
"$python" -c "import ntkit" || exit 1
if ! "$python" -c "import sys, torch; sys.exit(not torch.cuda.is_available())"; then
    echo "No GPU is here: nothing to check."
    exit 0
fi
failed=0
timeout 240 "$python" -m pytest -q tests/test_cuda.py -p no:cacheprovider || failed=1
timeout 300 "$python" -m benchmarks gpu || failed=1
exit "$failed"
