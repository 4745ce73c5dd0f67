"""YAML 1.2 with places; what is refused, and where it says the fault is."""

import pytest

from lossopt_cli.config.reading import parse, read, scalar
from lossopt_cli.config.writing import flow
from lossopt_cli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("True", True),
        ("~", None),
        ("null", None),
        ("010", 10),
        ("0x10", 16),
        ("0o10", 8),
        ("-3", -3),
        (".5", 0.5),
        (".inf", float("inf")),
        ("nan", "nan"),
        ("2001-01-01", "2001-01-01"),
        ("1:30", "1:30"),
        ("[1, 0.5, a]", [1, 0.5, "a"]),
        ("{a: 1}", {"a": 1}),
        ("'3'", "3"),
        ("torch.SGD", "torch.SGD"),
    ],
)
def test_scalars_are_yaml_1_2(text, value):
    found = scalar(text)
    assert (found, type(found)) == (value, type(value))


def test_every_key_has_its_line_and_column():
    document = parse("a: 1\nb:\n  c: {d: 2}\n", "x.yaml")
    assert document.values == {"a": 1, "b": {"c": {"d": 2}}}
    assert document.places == {"a": (1, 1), "b": (2, 1), "b.c": (3, 3), "b.c.d": (3, 7)}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "x.yaml", "the file is empty"),
        ("# only a comment\n", "x.yaml", "the file is empty"),
        ("- 1\n", "x.yaml:1:1", "the file holds a list"),
        ("word\n", "x.yaml:1:1", "the file holds a single value"),
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1", "a is given twice (first in line 1)"),
        ("a: {b: 1, b: 2}\n", "x.yaml:1:11", "a.b is given twice (first in line 1)"),
        ("a:\n\tb: 1\n", "x.yaml:2:1", "not YAML: found character"),
        ("a: [1\n", "x.yaml:2:1", "not YAML: "),
        ("a: b: c\n", "x.yaml:1:5", "not YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1", "not YAML: but found another document"),
        ("a: !!python/object:os.system {}\n", "x.yaml:1:4", "the tag "),
        ("a: !mine 3\n", "x.yaml:1:4", "the tag "),
        ("a: &x [1]\nb: *x\n", "x.yaml:1:4", "b is an alias"),
        ("a: &x [*x]\n", "x.yaml:1:4", "a[0] is an alias"),
        ("[1, 2]: 3\n", "x.yaml:1:1", "a key must be a single word"),
        ("a: \x01\n", "x.yaml", "not YAML: unacceptable character"),
    ],
)
def test_what_is_no_config_is_refused_with_its_place(text, where, what):
    with pytest.raises(UsageError) as caught:
        parse(text, "x.yaml")
    fault = caught.value.faults[0]
    assert fault.where == where
    assert fault.what.startswith(what)


def test_all_duplicate_keys_in_one_go():
    with pytest.raises(UsageError) as caught:
        parse("a: 1\na: 2\nb: {c: 1, c: 2}\n", "x.yaml")
    assert [fault.where for fault in caught.value.faults] == ["x.yaml:2:1", "x.yaml:3:11"]


def test_tabs_get_a_remedy():
    with pytest.raises(UsageError) as caught:
        parse("a:\n\tb: 1\n", "x.yaml")
    assert caught.value.faults[0].remedy == "indent with spaces, not tabs"


def refusal(path):
    with pytest.raises(UsageError) as caught:
        read(path)
    return caught.value.faults[0]


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\x89PNG\xff\x00")
    (tmp_path / "digits_sgd.yaml").write_text("loss: mse\n")
    (tmp_path / "config.yaml").write_text("loss: mse\n")
    assert refusal(tmp_path / "binary.yaml").what == "not a text file (UTF-8)"
    assert refusal(tmp_path / "digits_sdg.yaml").remedy == f"did you mean {tmp_path / 'digits_sgd.yaml'}?"
    assert refusal(tmp_path).remedy == f"did you mean {tmp_path / 'config.yaml'}?"


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    (tmp_path / "x.yaml").write_bytes("\ufeffloss: mse\n".encode())
    assert read(tmp_path / "x.yaml").values == {"loss": "mse"}


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 3, -1, 0.1, 1e-07, 1e22, float("inf"), "word", "no", "3", "a: b", "# c", "", " x", "é"),
        *("null", "/tmp/mine.py:f", "x:", "cuda:0", 'say "no"', "line\nbreak", "1e3", ".5"),
        [1, "2", [None]],
        {"a b": {"c": 1e-9}},
    ],
)
def test_flow_is_read_back_as_it_was(value):
    found = scalar(flow(value))
    assert (found, type(found)) == (value, type(value))
