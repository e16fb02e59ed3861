# pragma version 0.4.3
"""
@title Records
@license Apache-2.0
@author The assay contributors
@notice What market and game hand to each other. Nothing of it is stored: the chain keeps hashes, callers bring the records.
"""


struct Work:
    spec: bytes32  # SHA-256 of the canonical TaskSpec, which is also its name in the store
    code_root: bytes32  # the program as the referee reads it (docs/dispute.md)
    initial_root: bytes32  # state root of checkpoint 0
    dataset_root: bytes32
    rows: uint256  # rows of the dataset
    batch_size: uint256  # rows of a batch
    seed: uint256  # of the sampler, and the program's input `seed`
    ways: uint256  # parts into which one move of a dispute splits: a power of two, 2 to 64
    clock: uint256  # seconds that each party of a dispute has for all its moves
    extension: uint256  # seconds that it has for a move at least
    bond: uint256  # what a challenger puts down at each level of a dispute


struct Terms:
    work: bytes32  # keccak256(abi_encode(Work)): what is to be computed, and how one quarrels about it
    program_root: bytes32  # what the spec's program lowers to
    steps: uint256  # optimizer steps, or runs
    interval: uint256  # steps between two checkpoints; the last interval may be shorter
    price: uint256  # what the solver gets
    fee: uint256  # what each verifier gets
    verifiers: uint256  # how many are drawn
    audit_intervals: uint256  # how many intervals each of them replays
    collateral: uint256  # part of the solver's stake that is locked while the task lives
    open_for: uint256  # seconds for a solver to accept
    work_for: uint256  # seconds for the solver to commit
    patrol_for: uint256  # seconds after the commitment in which whistleblowers may seal accusations, at least
    attest_for: uint256  # seconds for the draw and for the verifiers to attest, at least patrol_for
    reveal_for: uint256  # seconds for the solver to reveal, and for sealed findings to be opened as disputes


struct Key:
    submitter: address
    salt: bytes32
    terms: Terms


struct Result:
    root: bytes32  # Merkle root of the trajectory: the commitment
    final_root: bytes32  # state root of the last checkpoint
    trajectory: bytes32  # SHA-256 of the trajectory's blob
    trajectory_size: uint256  # its bytes
    committed_at: uint256  # Unix seconds
    anchor: uint256  # block whose hash is the randomness of the draw
    seats: uint256  # length of the verifiers' list at that block
    seed: bytes32  # the randomness; zero until the draw
    verifiers: DynArray[address, 16]  # those drawn, by position; empty until the draw
