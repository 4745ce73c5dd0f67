"""What a training imports, looked at in processes of their own."""

import subprocess
import sys

import pytest


def printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module", ["torch._dynamo", "torch._inductor", "sklearn", "scipy.stats", "matplotlib", "tensorboard"]
)
def test_a_training_does_not_import(module):
    assert printed(f"import lossopt_cli.training.running, sys; print({module!r} in sys.modules)") == "False"


def test_keras_runs_on_torch_whatever_the_environment_says():
    backend = "import lossopt_cli.training, keras; print(keras.backend.backend())"
    code = f"import os; os.environ['KERAS_BACKEND'] = 'jax'; {backend}"
    assert printed(code) == "torch"


def test_what_was_left_out_can_be_imported_afterwards():
    code = (
        "import lossopt_cli.training, torch, sklearn, matplotlib, torch._dynamo\n"
        "print(torch._dynamo.__file__ is not None, hasattr(torch._dynamo, 'optimize'), torch.compiler.is_compiling())"
    )
    assert printed(code) == "True True False"


def test_the_stand_in_becomes_the_compiler_when_keras_asks_for_more():
    code = (
        "from lossopt_cli.training.start_up import _compiler_postponed\n"
        "import torch, sys\n"
        "with _compiler_postponed(torch):\n"
        "    import torch._dynamo as dynamo\n"
        "    marked = dynamo.disable()(len)\n"
        "    print(marked is len, callable(dynamo.reset), dynamo is not sys.modules['torch._dynamo'])"
    )
    assert printed(code) == "True True True"


def test_seeded_random_numbers_of_keras_are_those_of_a_plain_import():
    draw = "print(keras.ops.convert_to_numpy(keras.random.normal((3,), seed=7)).tolist())"
    plain = printed(f"import os; os.environ['KERAS_BACKEND'] = 'torch'; import keras; {draw}")
    assert printed(f"import lossopt_cli.training, keras; {draw}") == plain


def test_a_whole_training_with_a_recorded_step_never_imports_the_compiler(tmp_path):
    code = (
        "import sys\n"
        "from lossopt_cli.__main__ import run\n"
        f"code = run(['train', '-q', '--epochs', '4', '--logs', {str(tmp_path)!r}])\n"
        "assert code == 0\n"
        "assert not {'torch._dynamo', 'torch._inductor', 'sympy'} & set(sys.modules)"
    )
    printed(code)
    result = next(tmp_path.glob("*/result.json")).read_text()
    assert '"way": "traced"' in result
