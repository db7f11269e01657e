import functools
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest

from ncjax.data.code_digest import code_digest


def compiled(source, name="make", **names):
    module = types.ModuleType("users_module")
    module.__dict__.update(names)
    exec(textwrap.dedent(source), module.__dict__)
    return getattr(module, name)


CHANGES = {
    "a number": ("def make():\n    return 1000", "def make():\n    return 700"),
    "a default": ("def make(count=1000):\n    return count", "def make(count=700):\n    return count"),
    "a keyword's default": ("def make(*, count=1):\n    return count", "def make(*, count=2):\n    return count"),
    "an operator": ("def make(a=1):\n    return a + a", "def make(a=1):\n    return a - a"),
    "a global": ("N = 1000\ndef make():\n    return N", "N = 700\ndef make():\n    return N"),
    "a global list": ("N = [1]\ndef make():\n    return N", "N = [2]\ndef make():\n    return N"),
    "a global table": ("N = {'a': 1}\ndef make():\n    return N", "N = {'b': 1}\ndef make():\n    return N"),
    "a function called": (
        "def count():\n    return 1000\ndef make():\n    return count()",
        "def count():\n    return 700\ndef make():\n    return count()",
    ),
    "a function within": (
        "def make():\n    def count():\n        return 1000\n    return count()",
        "def make():\n    def count():\n        return 700\n    return count()",
    ),
    "a method": (
        "class Maker:\n    def __call__(self):\n        return 1000\nmake = Maker()",
        "class Maker:\n    def __call__(self):\n        return 700\nmake = Maker()",
    ),
    "an attribute": (
        "class Maker:\n    def run(self):\n        return self.n\nmaker = Maker()\nmaker.n = 1\nmake = maker.run",
        "class Maker:\n    def run(self):\n        return self.n\nmaker = Maker()\nmaker.n = 2\nmake = maker.run",
    ),
    "a text within": (
        "def make():\n    return (lambda: 'cat')()",
        "def make():\n    return (lambda: 'dog')()",
    ),
    "which function of a library": (
        "import math\ndef make():\n    return math.floor(1.5)",
        "import math\ndef make():\n    return math.ceil(1.5)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_code_changes_the_digest(change):
    before, after = (compiled(source) for source in CHANGES[change])
    assert code_digest(before) != code_digest(after)
    assert code_digest(before) == code_digest(compiled(CHANGES[change][0]))


def test_comments_documentation_and_place_make_no_difference():
    plain = compiled("def make(n=3):\n    return [i for i in range(n)]")
    told = compiled('''
        # Why.


        def make(n=3):
            """What."""
            return [
                i  # each
                for i in range(n)
            ]
    ''')
    documented = compiled('def make(n=3):\n    """Other words."""\n    return [i for i in range(n)]')
    assert code_digest(told) == code_digest(documented)
    assert code_digest(plain) == code_digest(compiled("\n\n# more\ndef make(n=3):\n    return [i for i in range(n)]"))


def test_arrays_and_arguments_that_are_bound_count():
    make = compiled("def make(images):\n    return images")
    one, other = (functools.partial(make, np.full(3, value)) for value in (1, 2))
    assert code_digest(one) != code_digest(other)
    assert code_digest(one) == code_digest(functools.partial(make, np.full(3, 1)))


def test_another_module_of_the_users_is_followed():
    source = "def make():\n    return helpers.count()"
    helpers = [types.ModuleType("helpers"), types.ModuleType("helpers")]
    for number, module in enumerate(helpers):
        exec(f"def count():\n    return {number}", module.__dict__)
    first, second = (compiled(source, helpers=module) for module in helpers)
    assert code_digest(first) != code_digest(second)


def test_what_refers_to_itself_ends():
    source = "def make(n=3):\n    return make(n - 1) if n else TABLE\nTABLE = [1]\nTABLE.append(TABLE)"
    assert code_digest(compiled(source)) == code_digest(compiled(source))


def test_another_process_has_the_same_digest():
    program = (
        "from ncjax.data.code_digest import code_digest\n"
        "NAMES = {'ant', 'bee', 'cat'}\n"
        "def make(seed=0):\n    return seed in {'a', 'b', 'c'} or NAMES\n"
        "print(code_digest(make))\n"
    )
    digests = {
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
                       capture_output=True, check=True, text=True).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(digests) == 1
