"""The run-time type checker of the test suite: beartype, where an int will do for a float.

`make test-typed` and `make test-slow` name it in `--jaxtyping-packages`, so every annotated function of ntkit
is checked on each call of a test: types by beartype, shapes by jaxtyping. `make test` does without, in less than
half of the time.
"""

from beartype import BeartypeConf, beartype

numeric_tower = beartype(conf=BeartypeConf(is_pep484_tower=True))
