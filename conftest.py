"""What is not collected where its extra is missing."""

from importlib.util import find_spec

collect_ignore_glob = (
    [] if find_spec("starlette") and find_spec("uvicorn") else ["src/ntkit/studio/*"]
)
