# pragma version 0.4.3
"""
@title Board
@license Apache-2.0
@author The assay contributors
@notice The record of a dispute, which game and evidence share. The chain keeps its keccak256 only; whoever moves brings it.
"""


# @dev What a game is about.
INTERVAL: constant(uint256) = 1  # the state at the end of an interval
LEAF: constant(uint256) = 2  # the two leaves of an interval, which nobody could read
DATA: constant(uint256) = 3  # a KiB of a checkpoint at its beginning or end, which nobody could read
BATCHES: constant(uint256) = 4  # the row numbers of an interval
TRACE: constant(uint256) = 5  # the trace of an interval

# @dev What is on trial at the moment. A level is entered with a bond, except STATE and PROOF.
STEPS: constant(uint256) = 1  # state roots between the steps lo and hi
VALUES: constant(uint256) = 2  # the tree over the values of a step; at height 0 the data root of one value
STATE: constant(uint256) = 3  # the tree over the tensors of the state after the step; at height 0 one tensor
TENSOR: constant(uint256) = 4  # the tree over the KiB of a value; at height 0 one KiB
FOLD: constant(uint256) = 5  # accumulators between the terms lo and hi
PROOF: constant(uint256) = 6  # so few terms that the referee executes them
OPENING: constant(uint256) = 7  # of two leaves of the trajectory
SHOWING: constant(uint256) = 8  # of a KiB of a checkpoint
DRAWS: constant(uint256) = 9  # the tree over the steps of an interval, each with its row numbers
ROWS: constant(uint256) = 10  # the tree over the KiB of a step's row numbers; at height 0 one KiB
PRINTS: constant(uint256) = 11  # the tree over the fingerprints of an interval

# @dev Whose turn it is.
SOLVER: constant(uint256) = 1
CHALLENGER: constant(uint256) = 2


struct Game:
    task: bytes32
    work: bytes32  # keccak256(abi_encode(Work))
    solver: address
    challenger: address
    kind: uint256
    ways: uint256  # from Work, like the next two
    extension: uint256
    bond: uint256
    paid: uint256  # bonds put down so far
    level: uint256
    turn: uint256
    deadline: uint256  # Unix seconds; the last one still counts
    solver_left: uint256  # seconds of its clock when its turn begins
    challenger_left: uint256
    moves: uint256  # made so far, by both
    shape: uint256  # V 4 || outputs 4 || metrics 4 || states 4 || row bytes 8, as in the code root
    entries: bytes32  # root over the program's entries
    interval: uint256  # which interval, counted from 0
    claim: bytes32  # hash of the result (LEAF), state root of the checkpoint (DATA), trace, then fingerprint (TRACE)
    mark: uint256  # the checkpoint (DATA), the step whose fingerprint is in doubt (TRACE)
    lo: uint256  # steps, later terms: what is at lo is granted, what is at hi is in doubt
    hi: uint256
    low: bytes32  # state root at lo; in a fold the keccak256 of the accumulator, zero where it is the first one
    high: bytes32  # state root at hi; in a fold the keccak256 of the accumulator, or the element itself at the end
    step: uint256  # the one step that is left
    before: bytes32  # state root before it
    after: bytes32  # state root after it
    values: bytes32  # values root, once stated
    node: bytes32  # node of the tree that is in doubt; zero as long as its root is not stated
    height: uint256  # levels under it
    index: uint256  # its place among the nodes of that height
    count: uint256  # leaves of the tree
    revealed: bytes32  # keccak256 of the list that the solver has revealed and that nobody has chosen from
    entry: bytes32  # leaf hash of the value's entry
    value: uint256  # number of the value, or the place of its entry
    size: uint256  # bytes of the value, or of a step's row numbers
    item: uint256  # bytes of an element
    element: uint256  # the element in doubt
    terms: uint256  # terms of its fold
    piece: uint256  # how many of them the referee executes at once
    width: uint256  # words of an accumulator; more than one for sixteen lanes


struct Opening:
    prev_root: bytes32
    state_root: bytes32
    step: uint256
    batches: bytes32
    program_root: bytes32
    trace: bytes32
    proof: DynArray[bytes32, 64]


struct Metric:
    number: uint256  # of the value that it is
    entry_proof: DynArray[bytes32, 64]
    size: uint256  # bytes, at most 1,024
    proof: DynArray[bytes32, 64]  # of the value, under the values root
