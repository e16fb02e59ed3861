from __future__ import annotations

import numpy as np
import pytest

RNG = np.random.default_rng(1)
X = RNG.normal(size=(3, 4, 5)).astype(np.float32)
Y = RNG.normal(size=(4, 1)).astype(np.float32)
I = RNG.integers(-9, 9, (3, 4)).astype(np.int64)
J = np.where((j := RNG.integers(-5, 5, (3, 4))) == 0, 3, j).astype(np.int64)
B = RNG.random((3, 4)) < 0.5
C = RNG.random((3, 1)) < 0.5
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-40, 2.5, -3.5, 0.5], np.float32)


CURVES = ["Cos", "Erf", "Exp", "Sigmoid", "Sin", "Softplus", "Softsign", "Tanh"]
STEPS = ["Abs", "Ceil", "Floor", "Neg", "Relu", "Round", "Sign"]


@pytest.mark.parametrize("op", [*CURVES, *STEPS])
def test_unary(agrees, op):
    agrees(op, [X * 3])


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
def test_unary_of_positive_numbers(agrees, op):
    agrees(op, [np.abs(X) + 0.1])


@pytest.mark.parametrize("op", ["Abs", "Ceil", "Floor", "Neg", "Round", "Relu", "IsNaN", "IsInf", "Sign"])
def test_special_values(agrees, op):
    agrees(op, [ODD])


@pytest.mark.parametrize(
    "op", ["Add", "Sub", "Mul", "Div", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]
)
def test_binary_broadcasts(agrees, op):
    agrees(op, [X, Y])
    agrees(op, [Y[:, 0], X[:, :, :1]])
    agrees(op, [I, J])


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic(agrees, op):
    agrees(op, [B, C])


def test_not(agrees):
    agrees("Not", [B])


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits(agrees, op):
    agrees(op, [I, J])
    agrees("BitwiseNot", [I])


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64])
def test_shifts(agrees, direction, dtype):
    agrees("BitShift", [np.array([1, 200, 77], dtype), np.array([1, 3, 7], dtype)], direction=direction)


@pytest.mark.parametrize("op", ["Min", "Max", "Sum", "Mean"])
def test_any_number_of_inputs(agrees, op):
    agrees(op, [X, Y, X[:1] * 2])
    agrees(op, [X])


@pytest.mark.parametrize("op", ["Min", "Max"])
def test_nan_wins(one_node, op):
    nan, one = np.full(2, np.nan, np.float32), np.ones(2, np.float32)
    for pair in ([nan, one], [one, nan]):
        assert np.isnan(one_node(op, pair).run()["y0"]).all()


def test_mod(agrees):
    agrees("Mod", [I, J])
    agrees("Mod", [I, J], fmod=1)


def test_integer_division_is_toward_zero_and_total(one_node):
    x, y = np.array([7, -7, 5, -(2**63)], np.int64), np.array([-2, 2, 0, -1], np.int64)
    assert one_node("Div", [x, y]).run()["y0"].tolist() == [-3, -3, 0, -(2**63)]
    assert one_node("Div", [x, y], constant=(0, 1)).run()["y0"].tolist() == [-3, -3, 0, -(2**63)]
    assert one_node("Mod", [x, y]).run()["y0"].tolist() == [-1, 1, 0, 0]


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5, 1.7, -1.0])
def test_pow_of_constants(agrees, exponent):
    agrees("Pow", [np.abs(X) + 0.1, np.float32(exponent)], constant=(1,))


def test_pow(agrees):
    agrees("Pow", [np.abs(X) + 0.1, Y])
    agrees("Pow", [np.abs(X) + 0.1, I[:1, :1]])
    agrees("Pow", [I, np.array(2, np.int64)], constant=(1,))


def test_square_is_a_product(one_node):
    program = one_node("Pow", [X, np.float32(2)], constant=(1,)).program()
    assert [k.op for k in program.kernels] == ["mul"]


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("LeakyRelu", {"alpha": 0.2}),
        ("Elu", {"alpha": 0.7}),
        ("Celu", {"alpha": 0.7}),
        ("Selu", {}),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}),
        ("HardSwish", {}),
        ("ThresholdedRelu", {"alpha": 0.3}),
        ("Gelu", {}),
        ("Gelu", {"approximate": "tanh"}),
        ("Mish", {"opset": 22}),
        ("Swish", {"alpha": 1.5, "opset": 24}),
        ("Shrink", {"lambd": 0.4, "bias": 0.1}),
    ],
)
def test_activations(agrees, op, attributes):
    agrees(op, [X * 2], **attributes)


def test_prelu(agrees):
    agrees("PRelu", [X, Y])


@pytest.mark.parametrize("bounds", [(-0.5, 0.5), (None, 0.2), (-0.1, None), (None, None)])
def test_clip(agrees, bounds):
    low, high = (None if b is None else np.float32(b) for b in bounds)
    agrees("Clip", [X, low, high])


def test_where(agrees):
    agrees("Where", [B[:, :, None], X, Y])
    agrees("Where", [B, I, J])


FLOATS, INTEGERS = ("float32", "float16"), ("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8")


@pytest.mark.parametrize("source", [*FLOATS, *INTEGERS, "bool"])
@pytest.mark.parametrize("target", [*FLOATS, *INTEGERS, "bool"])
def test_cast(agrees, source, target):
    from onnx import helper

    x = np.array([0, 1, 3, 100, 0], source)
    agrees("Cast", [x], to=helper.np_dtype_to_tensor_dtype(np.dtype(target)))
    agrees("CastLike", [x, np.zeros(1, target)])


def test_cast_saturates(one_node):
    x = np.array([np.nan, np.inf, -np.inf, 1e20, -1e20, -1.9], np.float32)
    found = one_node("Cast", [x], to=6).run()["y0"]
    assert found.tolist() == [0, 2**31 - 1, -(2**31), 2**31 - 1, -(2**31), -1]


def test_half_precision_rounds_once_per_kernel(one_node):
    x, y = np.array([2049, 1e-7], np.float16), np.array([1, 3e-8], np.float16)
    expected = (x.astype(np.float32) * y.astype(np.float32)).astype(np.float16)
    assert one_node("Mul", [x, y]).run()["y0"].tobytes() == expected.tobytes()


def test_dropout_is_the_identity(agrees):
    agrees("Dropout", [X], outputs=2)
