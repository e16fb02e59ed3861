# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Referee
@license Apache-2.0
@author The assay contributors
@notice Executes a piece of one element of one kernel (docs/dispute.md, section 8), on operands that are opened under the
        root of a step's values. It keeps nothing: whoever calls it has checked that the kernel is the program's, and whose
        values these are.
@dev Kernels and openings are read where they lie in the call, and not from the copy that the compiler makes: handing that
     on would copy it again each time. `at` is always a place in the call's data; what lies beyond its end reverts.
     Every kernel that has a code root keeps within the bounds below (assay.program.code_bounds). Other bytes are no
     kernel; of those it is only said that nothing but a revert or some number comes of them.
"""


interface Arithmetic:
    def apply(op: uint256, kind: uint256, out: uint256, a: uint256, b: uint256, c: uint256) -> uint256: pure
    def widen(dtype: uint256, bits: uint256) -> uint256: pure
    def store(dtype: uint256, bits: uint256) -> uint256: pure


# What the code of a kernel says first.
struct Head:
    op: uint256
    order: uint256
    dtype: uint256
    piece: uint256
    initial: uint256
    elements: uint256
    terms: uint256
    domain: uint256  # axes of the domain
    axes: uint256  # of domain and fold
    sources: uint256
    operands: uint256
    extents: uint256  # where they begin
    table: uint256  # where the sources begin
    body: uint256  # where the operands begin


# What a kernel is about, for those who do not execute it.
struct Facts:
    dtype: uint256
    order: uint256  # SINGLE, CHAIN, LANES or SCATTER
    elements: uint256  # of its output
    terms: uint256  # of each element: of its fold; 1 without one; points of the domain where it scatters
    piece: uint256  # terms that one call executes at most


# The operands of a piece that the operation takes, and where a scatter writes.
struct Arguments:
    count: uint256
    types: uint256[3]
    values: uint256[16][3]  # of each operand, for each term: the stored bits
    target: uint256[16]
    inside: uint256  # bit t: whether term t writes


# Where a read lies, for each term of a piece.
struct Places:
    flat: uint256[16]
    inside: uint256  # bit t: whether there is such an element
    next: uint256  # where the view ends


# Bounds.
KERNEL: constant(uint256) = 9_216
OPENINGS: constant(uint256) = 32_768
AXES: constant(uint256) = 32
OPERANDS: constant(uint256) = 40
LANES_TERMS: constant(uint256) = 16
PLACES: constant(uint256) = 192
INDICES: constant(uint256) = 64
CHUNKS: constant(uint256) = 31  # that openings have room for

# Orders.
SINGLE: constant(uint256) = 0
CHAIN: constant(uint256) = 1
LANES: constant(uint256) = 2
SCATTER: constant(uint256) = 3

# Kinds of operands.
CONST: constant(uint256) = 0
COORDINATE: constant(uint256) = 1
READ: constant(uint256) = 2

# What an axis says besides its strides.
HAS_OFFSET: constant(uint256) = 1
HAS_DIVISOR: constant(uint256) = 2
HAS_INDEX: constant(uint256) = 4

# Operations that are not like the others.
COPY: constant(uint256) = 26
FIRST: constant(uint256) = 27
BITCAST: constant(uint256) = 35

# Element types.
FLOAT32: constant(uint256) = 0
FLOAT16: constant(uint256) = 1
BFLOAT16: constant(uint256) = 2
INT64: constant(uint256) = 3
UINT64: constant(uint256) = 7
BOOL: constant(uint256) = 11

CHUNK: constant(uint256) = 1024
ONE: constant(uint256) = 1
WORD64: constant(uint256) = (1 << 64) - 1
# Every second byte of 64 bits, every second pair of bytes.
BYTES: constant(uint256) = 71777214294589695
PAIRS: constant(uint256) = 281470681808895

ARITHMETIC: immutable(Arithmetic)


@deploy
def __init__(arithmetic: address):
    """
    @param arithmetic The contract with the scalar operations.
    """
    ARITHMETIC = Arithmetic(arithmetic)


@external
@view
def facts(kernel: Bytes[KERNEL]) -> Facts:
    """
    @notice What the code of a kernel says about it.
    """
    head: Head = self._head(self._argument(0))
    return Facts(
        dtype=head.dtype, order=head.order, elements=head.elements, terms=head.terms, piece=head.piece
    )


@external
@view
def terms(kernel: Bytes[KERNEL]) -> uint256:
    """
    @notice How many terms an element has: those of its fold, 1 without one, the points of the domain for a scatter.
    """
    return self._head(self._argument(0)).terms


@external
@view
def start(
    kernel: Bytes[KERNEL], element: uint256, values_root: bytes32, depth: uint256, openings: Bytes[OPENINGS]
) -> DynArray[uint256, LANES_TERMS]:
    """
    @notice The accumulator before the first term: `initial`, sixteen times for LANES; for a scatter the element of its
            base, which `openings` opens; nothing without a fold.
    @param kernel Its code.
    @param element Row-major position in the output.
    @param values_root Root over the data roots of the step's values.
    @param depth Levels of that tree.
    @param openings See `execute`.
    """
    return self._start(element, values_root, depth)


@external
@view
def execute(
    kernel: Bytes[KERNEL],
    element: uint256,
    first: uint256,
    last: uint256,
    acc: DynArray[uint256, LANES_TERMS],
    values_root: bytes32,
    depth: uint256,
    openings: Bytes[OPENINGS],
) -> DynArray[uint256, LANES_TERMS]:
    """
    @notice The accumulator after the terms first .. last - 1, at most `piece` of them. Without a fold, the element.
            "referee: opening" if an element that is read is not opened, or openings are not what they should be.
    @param kernel Its code.
    @param element Row-major position in the output.
    @param first The first term.
    @param last The one after the last.
    @param acc The accumulator before: one word, sixteen for LANES, none without a fold.
    @param values_root Root over the data roots of the step's values.
    @param depth Levels of that tree.
    @param openings Chunks of the values that are read, with proofs (docs/dispute.md, section 8).
    """
    return self._execute(element, first, last, acc, values_root, depth)


@external
@view
def finish(kernel: Bytes[KERNEL], acc: DynArray[uint256, LANES_TERMS]) -> uint256:
    """
    @notice The stored bits of the element of which `acc` is the accumulator after the last term.
    """
    return self._finish(self._head(self._argument(0)), acc)


@internal
@view
def _start(element: uint256, root: bytes32, depth: uint256) -> DynArray[uint256, LANES_TERMS]:
    """
    @notice See `start`.
    """
    head: Head = self._head(self._argument(0))
    assert element < head.elements, "referee: element"
    if head.order == SINGLE:
        return []
    if head.order == CHAIN:
        return [head.initial]
    if head.order == LANES:
        lanes: DynArray[uint256, LANES_TERMS] = []
        for lane: uint256 in range(LANES_TERMS):
            lanes.append(head.initial)
        return lanes
    base: uint256 = self._base(head)
    opened: DynArray[uint256, CHUNKS] = self._open(head, self._argument(4), root, depth)
    at: uint256[16] = empty(uint256[16])
    at[0] = element
    return [self._read(base, head.dtype, at, 1, 1, 0, opened)[0]]


@internal
@view
def _execute(
    element: uint256,
    first: uint256,
    last: uint256,
    acc: DynArray[uint256, LANES_TERMS],
    root: bytes32,
    depth: uint256,
) -> DynArray[uint256, LANES_TERMS]:
    """
    @notice See `execute`.
    """
    head: Head = self._head(self._argument(0))
    assert element < head.elements, "referee: element"
    assert first <= last and last <= head.terms and last - first <= head.piece, "referee: piece"
    if head.order == SINGLE:
        assert len(acc) == 0 and first < last, "referee: accumulator"
    elif head.order == LANES:
        assert len(acc) == LANES_TERMS, "referee: accumulator"
    else:
        assert len(acc) == 1, "referee: accumulator"
    count: uint256 = unsafe_sub(last, first)
    if count == 0:
        return acc
    found: Arguments = self._arguments(head, element, first, count, self._open(head, self._argument(7), root, depth))
    if head.order == SINGLE:
        return [self._plain(head, found)]
    if head.order == SCATTER:
        return [self._scatter(head, found, element, count, acc[0])]
    return self._fold(head, found, first, count, acc)


@internal
@view
def _finish(head: Head, acc: DynArray[uint256, LANES_TERMS]) -> uint256:
    """
    @notice See `finish`.
    """
    if head.order == SINGLE or head.order == SCATTER:
        assert len(acc) == 1, "referee: accumulator"
        return acc[0]
    lanes: DynArray[uint256, LANES_TERMS] = acc
    if head.order == LANES:
        assert len(acc) == LANES_TERMS, "referee: accumulator"
        kind: uint256 = self._computed(head.dtype)
        width: uint256 = 8
        for level: uint256 in range(4):
            for lane: uint256 in range(width, bound=8):
                lanes[lane] = staticcall ARITHMETIC.apply(
                    head.op, kind, head.dtype, lanes[lane + width], lanes[lane], 0
                )
            width = width >> 1
    else:
        assert len(acc) == 1, "referee: accumulator"
    return staticcall ARITHMETIC.store(head.dtype, lanes[0])


@internal
@view
def _plain(head: Head, found: Arguments) -> uint256:
    """
    @notice The element of a kernel without a fold, as it is stored.
    """
    kind: uint256 = found.types[found.count - 1]
    x: uint256[3] = empty(uint256[3])
    for n: uint256 in range(found.count, bound=3):
        x[n] = found.values[n][0]
        if head.op != BITCAST:
            x[n] = self._widen(found.types[n], x[n])
    if head.op == FIRST:
        return staticcall ARITHMETIC.store(head.dtype, x[0])
    if head.op != BITCAST:
        kind = self._computed(kind)
    result: uint256 = staticcall ARITHMETIC.apply(head.op, kind, head.dtype, x[0], x[1], x[2])
    return staticcall ARITHMETIC.store(head.dtype, result)


@internal
@view
def _fold(
    head: Head, found: Arguments, first: uint256, count: uint256, acc: DynArray[uint256, LANES_TERMS]
) -> DynArray[uint256, LANES_TERMS]:
    """
    @notice acc = op(x.., acc) for each term, in the term's lane.
    """
    kind: uint256 = self._computed(head.dtype)
    lanes: DynArray[uint256, LANES_TERMS] = acc
    lane: uint256 = 0
    for t: uint256 in range(count, bound=16):
        if head.order == LANES:
            lane = unsafe_add(first, t) % LANES_TERMS
        a: uint256 = self._widen(found.types[0], found.values[0][t])
        b: uint256 = lanes[lane]
        c: uint256 = 0
        if found.count == 2:
            b = self._widen(found.types[1], found.values[1][t])
            c = lanes[lane]
        lanes[lane] = staticcall ARITHMETIC.apply(head.op, kind, head.dtype, a, b, c)
    return lanes


@internal
@view
def _scatter(head: Head, found: Arguments, element: uint256, count: uint256, acc: uint256) -> uint256:
    """
    @notice output[t] = op(x, output[t]) for each point that writes to the element, read and stored each time.
    """
    kind: uint256 = self._computed(head.dtype)
    stored: uint256 = acc
    for t: uint256 in range(count, bound=16):
        if (found.inside >> t) & 1 == 1 and found.target[t] == element:
            x: uint256 = self._widen(found.types[0], found.values[0][t])
            if head.op != COPY:
                x = staticcall ARITHMETIC.apply(head.op, kind, head.dtype, x, self._widen(head.dtype, stored), 0)
            stored = staticcall ARITHMETIC.store(head.dtype, x)
    return stored


@internal
@view
def _arguments(
    head: Head, element: uint256, first: uint256, count: uint256, opened: DynArray[uint256, CHUNKS]
) -> Arguments:
    """
    @notice The values of all operands, one operand after the other, for all terms of the piece.
    """
    found: Arguments = empty(Arguments)
    rows: DynArray[uint256, PLACES] = self._rows(head, element, first, count)
    indices: DynArray[uint256, INDICES] = []
    all: uint256 = (max_value(uint256) >> unsafe_sub(256, count))
    at: uint256 = head.body
    for n: uint256 in range(head.operands, bound=OPERANDS):
        # kind 1, index 1, element type 1
        kind: uint256 = self._number(at, 3)
        dtype: uint256 = kind & 255
        is_index: bool = (kind >> 8) & 1 == 1
        kind = kind >> 16
        at += 3
        values: uint256[16] = empty(uint256[16])
        inside: uint256 = all
        if kind == CONST:
            values = self._repeated(self._number(at, 8))
            at += 8
        elif kind == COORDINATE:
            places: Places = self._locate(at, 1, head.axes, count, rows, indices, True)
            values = places.flat
            at = places.next
        else:
            # source 1, guarded 1, outside 8, axes 1
            about: uint256 = self._number(at, 11)
            source: uint256 = about >> 80
            assert source < head.sources, "referee: kernel"
            places: Places = self._locate(at + 11, about & 255, head.axes, count, rows, indices, False)
            inside = places.inside
            at = places.next
            values = self._read(source, dtype, places.flat, count, inside, (about >> 8) & WORD64, opened)
        if is_index:
            for t: uint256 in range(count, bound=16):
                indices.append(self._extended(dtype, values[t]))
        else:
            if head.op == FIRST:
                found.count = 0
            found.types[found.count] = dtype
            found.values[found.count] = values
            found.count += 1
            if head.op == FIRST and inside == 1:
                break
    if head.order == SCATTER:
        places: Places = self._locate(at + 2, self._number(at + 1, 1), head.axes, count, rows, indices, False)
        found.target = places.flat
        found.inside = places.inside
    return found


@internal
@view
def _rows(head: Head, element: uint256, first: uint256, count: uint256) -> DynArray[uint256, PLACES]:
    """
    @notice The index along each axis of domain and fold for each term, the last axis first: `count` words an axis.
    """
    rows: DynArray[uint256, PLACES] = []
    rest: uint256[16] = empty(uint256[16])
    in_domain: bool = head.order == SINGLE
    for t: uint256 in range(count, bound=16):
        rest[t] = unsafe_add(first, t)
        if in_domain:
            rest[t] = element
    in_domain = in_domain or head.order == SCATTER
    axis: uint256 = head.axes
    for n: uint256 in range(head.axes, bound=AXES):
        if axis == head.domain and not in_domain:
            for t: uint256 in range(count, bound=16):
                rest[t] = element
        axis -= 1
        extent: uint256 = self._number(head.extents + 8 * axis, 8)
        for t: uint256 in range(count, bound=16):
            rows.append(rest[t] % extent)
            rest[t] = unsafe_div(rest[t], extent)
    return rows


@internal
@view
def _locate(
    start: uint256,
    axes: uint256,
    loops: uint256,
    count: uint256,
    rows: DynArray[uint256, PLACES],
    indices: DynArray[uint256, INDICES],
    coordinate: bool,
) -> Places:
    """
    @notice The row-major position under a view of `axes` axes, and whether there is one; the number itself for a coordinate.
    @dev All modulo 2^64: a negative number is one of the upper half, and so lies outside.
    """
    flat: uint256[16] = empty(uint256[16])
    inside: uint256 = (max_value(uint256) >> unsafe_sub(256, count))
    at: uint256 = start
    for a: uint256 in range(axes, bound=AXES):
        # extent 8, flags 1, strides 1
        about: uint256 = self._number(at, 10)
        at += 10
        offset: uint256 = 0
        if (about >> 8) & HAS_OFFSET != 0:
            offset = self._number(at, 8)
            at += 8
        divisor: uint256 = 1
        if (about >> 8) & HAS_DIVISOR != 0:
            divisor = self._number(at, 8)
            at += 8
        n: uint256[16] = self._repeated(offset)
        if (about >> 8) & HAS_INDEX != 0:
            index: uint256 = self._number(at, 1) * count
            at += 1
            for t: uint256 in range(count, bound=16):
                n[t] = unsafe_add(n[t], indices[index + t])
        for s: uint256 in range(about & 255, bound=AXES):
            # axis 1, stride 8
            stride: uint256 = self._number(at, 9)
            at += 9
            row: uint256 = (loops - 1 - (stride >> 64)) * count
            stride = stride & WORD64
            for t: uint256 in range(count, bound=16):
                n[t] = unsafe_add(n[t], unsafe_mul(stride, rows[unsafe_add(row, t)]))
        extent: uint256 = about >> 16
        for t: uint256 in range(count, bound=16):
            x: uint256 = n[t] & WORD64
            if coordinate:
                flat[t] = x
            elif x >> 63 == 1 or x % divisor != 0 or unsafe_div(x, divisor) >= extent:
                inside = inside & ~(ONE << t)
            else:
                flat[t] = unsafe_add(unsafe_mul(flat[t], extent), unsafe_div(x, divisor))
    return Places(flat=flat, inside=inside, next=at)


@internal
@view
def _read(
    source: uint256,
    dtype: uint256,
    flat: uint256[16],
    count: uint256,
    inside: uint256,
    outside: uint256,
    opened: DynArray[uint256, CHUNKS],
) -> uint256[16]:
    """
    @notice The stored bits at each place, `outside` where there is none. A bool is 0 or 1, whatever byte is stored.
    """
    size: uint256 = self._size(dtype)
    values: uint256[16] = empty(uint256[16])
    hint: uint256 = 0
    for t: uint256 in range(count, bound=16):
        bits: uint256 = outside
        if (inside >> t) & 1 == 1:
            place: uint256 = unsafe_mul(flat[t], size)
            wanted: uint256 = (source << 32) | (place >> 10)
            found: uint256 = 0
            for n: uint256 in range(len(opened), bound=CHUNKS):
                found = opened[hint]
                if found >> 32 == wanted:
                    break
                hint = unsafe_add(hint, 1)
                if hint == len(opened):
                    hint = 0
            assert found >> 32 == wanted and found != 0, "referee: opening"
            bits = self._little((found & 4294967295) + (place & 1023), size)
        if dtype == BOOL:
            bits = min(bits, 1)
        values[t] = bits
    return values


@internal
@view
def _open(head: Head, start: uint256, root: bytes32, depth: uint256) -> DynArray[uint256, CHUNKS]:
    """
    @notice Checks openings against the values root.
    @return For each chunk: position of its value among the sources << 64 | chunk << 32 | where its bytes begin.
    """
    opened: DynArray[uint256, CHUNKS] = []
    end: uint256 = start + self._number(start - 32, 32)
    if start == end:
        return opened
    # sources 1, then for each: position 1, chunks 1, data root 32
    count: uint256 = self._number(start, 1)
    at: uint256 = start + 1 + 34 * count
    numbers: DynArray[uint256, CHUNKS] = []
    roots: DynArray[bytes32, CHUNKS] = []
    for n: uint256 in range(count, bound=CHUNKS):
        place: uint256 = start + 1 + 34 * n
        source: uint256 = self._number(place, 1)
        assert source < head.sources, "referee: opening"
        numbers.append(self._number(head.table + 13 * source, 4))
        roots.append(convert(self._number(place + 2, 32), bytes32))
    found: bytes32 = empty(bytes32)
    found, at = self._root(numbers, roots, depth, at)
    assert found == root, "referee: opening"
    for n: uint256 in range(count, bound=CHUNKS):
        place: uint256 = start + 1 + 34 * n
        source: uint256 = self._number(place, 1)
        places: DynArray[uint256, CHUNKS] = []
        places, at = self._chunks(head.table + 13 * source, self._number(place + 1, 1), roots[n], at)
        for chunk: uint256 in places:
            opened.append((source << 64) | chunk)
    assert at == end, "referee: opening"
    return opened


@internal
@view
def _chunks(
    entry: uint256, count: uint256, root: bytes32, start: uint256
) -> (DynArray[uint256, CHUNKS], uint256):
    """
    @notice Checks the chunks of one value against its data root: numbers, 4 bytes each; bytes, 1,024 each; siblings.
    @param entry Where the value's entry in the kernel's table begins.
    @return For each chunk: its number << 32 | where its bytes begin; and where all of this ends.
    """
    places: DynArray[uint256, CHUNKS] = []
    numbers: DynArray[uint256, CHUNKS] = []
    leaves: DynArray[bytes32, CHUNKS] = []
    # value number 4, element type 1, elements 8
    about: uint256 = self._number(entry + 4, 9)
    size: uint256 = (about & WORD64) * self._size(about >> 64)
    assert size != 0, "referee: opening"
    # the last chunk may be shorter
    end: uint256 = (size - 1) >> 10
    at: uint256 = start + 4 * count
    for n: uint256 in range(count, bound=CHUNKS):
        chunk: uint256 = self._number(start + 4 * n, 4)
        assert chunk <= end, "referee: opening"
        length: uint256 = CHUNK
        if chunk == end:
            length = size - (end << 10)
        places.append((chunk << 32) | at)
        numbers.append(chunk)
        leaves.append(self._leaf(at, length))
        at += CHUNK
    depth: uint256 = 0
    for n: uint256 in range(32):
        if end >> depth == 0:
            break
        depth += 1
    found: bytes32 = empty(bytes32)
    found, at = self._root(numbers, leaves, depth, at)
    assert found == root, "referee: opening"
    return places, at


@internal
@view
def _root(
    numbers: DynArray[uint256, CHUNKS], hashes: DynArray[bytes32, CHUNKS], depth: uint256, start: uint256
) -> (bytes32, uint256):
    """
    @notice The root of a tree of `depth` levels with these nodes at its foot, by rising number, and the siblings that do
            not follow from them: level by level, from left to right.
    @return The root, and where the siblings end.
    """
    assert len(numbers) != 0 and depth <= 32, "referee: opening"
    places: DynArray[uint256, CHUNKS] = numbers
    nodes: DynArray[bytes32, CHUNKS] = hashes
    count: uint256 = len(nodes)
    assert places[count - 1] >> depth == 0, "referee: opening"
    for n: uint256 in range(count - 1, bound=CHUNKS):
        assert places[n] < places[n + 1], "referee: opening"
    at: uint256 = start
    for level: uint256 in range(depth, bound=32):
        if count == 1:
            return self._climb(nodes[0], places[0], unsafe_sub(depth, level), at)
        kept: uint256 = 0
        n: uint256 = 0
        for step: uint256 in range(count, bound=CHUNKS):
            if n == count:
                break
            place: uint256 = places[n]
            node: bytes32 = nodes[n]
            n = unsafe_add(n, 1)
            if place & 1 == 1:
                node = self._node(self._word(at), node)
                at = unsafe_add(at, 32)
            elif n != count and places[n] == unsafe_add(place, 1):
                node = self._node(node, nodes[n])
                n = unsafe_add(n, 1)
            else:
                node = self._node(node, self._word(at))
                at = unsafe_add(at, 32)
            places[kept] = place >> 1
            nodes[kept] = node
            kept = unsafe_add(kept, 1)
        count = kept
    return nodes[0], at


@internal
@view
def _climb(foot: bytes32, number: uint256, levels: uint256, start: uint256) -> (bytes32, uint256):
    """
    @notice The root `levels` above one node, and where its siblings end.
    """
    node: bytes32 = foot
    place: uint256 = number
    at: uint256 = start
    for level: uint256 in range(levels, bound=32):
        if place & 1 == 1:
            node = self._node(self._word(at), node)
        else:
            node = self._node(node, self._word(at))
        place = place >> 1
        at = unsafe_add(at, 32)
    return node, at


@internal
@pure
def _node(left: bytes32, right: bytes32) -> bytes32:
    """
    @notice The hash of an inner node.
    """
    return sha256(concat(b"\x01", left, right))


@internal
@view
def _leaf(at: uint256, length: uint256) -> bytes32:
    """
    @notice The hash of a leaf of `length` bytes.
    """
    chunk: Bytes[CHUNK] = slice(msg.data, at, 1024)
    if length == CHUNK:
        return sha256(concat(b"\x00", chunk))
    return sha256(concat(b"\x00", slice(chunk, 0, length)))


@internal
@view
def _widen(dtype: uint256, bits: uint256) -> uint256:
    """
    @notice What an operation sees of a stored element.
    """
    if dtype == BFLOAT16:
        return bits << 16
    if dtype == FLOAT16:
        return staticcall ARITHMETIC.widen(dtype, bits)
    return bits


@internal
@pure
def _computed(dtype: uint256) -> uint256:
    """
    @notice The type in which elements of a type are computed.
    """
    if dtype <= BFLOAT16:
        return FLOAT32
    return dtype


@internal
@view
def _extended(dtype: uint256, bits: uint256) -> uint256:
    """
    @notice An integer with its sign, modulo 2^64.
    """
    if dtype < INT64 or dtype >= UINT64:
        return bits
    width: uint256 = 8 * self._size(dtype)
    if bits >> (width - 1) == 0:
        return bits
    return (bits | (max_value(uint256) << width)) & WORD64


@internal
@pure
def _size(dtype: uint256) -> uint256:
    """
    @notice Bytes of an element.
    """
    assert dtype <= BOOL, "referee: kernel"
    # one hexadecimal digit each, that of float32 the lowest
    return (18848483148324 >> (4 * dtype)) & 15


@internal
@pure
def _repeated(x: uint256) -> uint256[16]:
    """
    @notice The same word for every term.
    """
    return [x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x]


@internal
@view
def _base(head: Head) -> uint256:
    """
    @notice The source that a scatter starts from: its place stands behind the operands, which have to be passed over.
    """
    at: uint256 = head.body
    for n: uint256 in range(head.operands, bound=OPERANDS):
        kind: uint256 = self._number(at, 1)
        axes: uint256 = 0
        at += 3
        if kind == CONST:
            at += 8
        elif kind == COORDINATE:
            axes = 1
        else:
            axes = self._number(at + 10, 1)
            at += 11
        for a: uint256 in range(axes, bound=AXES):
            # extent 8, flags 1, strides 1
            about: uint256 = self._number(at, 10)
            flags: uint256 = (about >> 8) & 255
            at += 10 + 8 * (flags & 1) + 4 * (flags & 2) + ((flags & 4) >> 2) + 9 * (about & 255)
    source: uint256 = self._number(at, 1)
    assert source < head.sources, "referee: kernel"
    return source


@internal
@view
def _head(at: uint256) -> Head:
    """
    @notice The head of the kernel whose code begins at `at`.
    """
    word: uint256 = self._number(at, 32)
    domain: uint256 = (word >> 24) & 255
    axes: uint256 = domain + ((word >> 16) & 255)
    sources: uint256 = (word >> 8) & 255
    return Head(
        op=word >> 248,
        order=(word >> 240) & 255,
        dtype=(word >> 232) & 255,
        piece=(word >> 224) & 255,
        initial=(word >> 160) & WORD64,
        elements=(word >> 96) & WORD64,
        terms=(word >> 32) & WORD64,
        domain=domain,
        axes=axes,
        sources=sources,
        operands=word & 255,
        extents=at + 32,
        table=at + 32 + 8 * axes,
        body=at + 32 + 8 * axes + 13 * sources,
    )


@internal
@view
def _argument(position: uint256) -> uint256:
    """
    @notice Where the bytes of an argument of the call begin; the word before that is their number.
    """
    return 36 + self._number(4 + 32 * position, 32)


@internal
@view
def _word(at: uint256) -> bytes32:
    """
    @notice A hash in the call's data.
    """
    return convert(slice(msg.data, at, 32), bytes32)


@internal
@view
def _number(at: uint256, size: uint256) -> uint256:
    """
    @notice `size` bytes of the call's data as a number, 1 to 32. Read from behind: so the end of the data is no hindrance.
    """
    word: uint256 = convert(slice(msg.data, unsafe_sub(unsafe_add(at, size), 32), 32), uint256)
    return word & (max_value(uint256) >> unsafe_sub(256, unsafe_mul(8, size)))


@internal
@view
def _little(at: uint256, size: uint256) -> uint256:
    """
    @notice `size` bytes of the call's data as a number whose lowest byte comes first.
    """
    x: uint256 = self._number(at, size)
    if size == 1:
        return x
    x = ((x & BYTES) << 8) | ((x >> 8) & BYTES)
    if size == 2:
        return x
    x = ((x & PAIRS) << 16) | ((x >> 16) & PAIRS)
    if size == 4:
        return x
    return ((x << 32) | (x >> 32)) & WORD64
