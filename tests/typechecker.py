"""The run-time type checker of the test suite: beartype, where an int will do for a float.

`pyproject.toml` names it in `--jaxtyping-packages`, so every annotated function of ntkit is checked
on each call of a test: types by beartype, shapes by jaxtyping.
"""

from beartype import BeartypeConf, beartype

numeric_tower = beartype(conf=BeartypeConf(is_pep484_tower=True))
