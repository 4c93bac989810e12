"""The tree against RFC 6962's reference: known roots and proofs, all small sizes, and forgeries."""

from __future__ import annotations

import pytest

from core import seal_tree as tree

# The reference of Certificate Transparency (google/certificate-transparency,
# merkletree/merkle_tree_test.cc): eight inputs, the roots of their first trees, and proofs.
INPUTS = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# Leaf and size, both counted from one as there; then the hashes.
INCLUSION = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
SIZES = 34
LEAVES = [tree.leaf_hash(str(number).encode()) for number in range(SIZES)]


def hashes(spans):
    return [tree.root(LEAVES[first:end]) for first, end in spans]


REFERENCE = [tree.leaf_hash(data) for data in INPUTS]


class TestReference:
    def proof(self, spans):
        return [tree.root(REFERENCE[first:end]).hex() for first, end in spans]

    def test_the_empty_tree(self):
        assert tree.root([]).hex().startswith("e3b0c44298fc1c149afbf4c8996fb924")

    @pytest.mark.parametrize("size", range(1, 9))
    def test_roots(self, size):
        assert tree.root(REFERENCE[:size]).hex() == ROOTS[size - 1]

    @pytest.mark.parametrize(("leaf", "size", "proof"), INCLUSION)
    def test_inclusion(self, leaf, size, proof):
        assert self.proof(tree.inclusion(leaf - 1, size)) == proof
        found = [bytes.fromhex(each) for each in proof]
        wanted = bytes.fromhex(ROOTS[size - 1])
        assert tree.includes(leaf - 1, size, REFERENCE[leaf - 1], found, wanted)

    @pytest.mark.parametrize(("older", "newer", "proof"), CONSISTENCY)
    def test_consistency(self, older, newer, proof):
        assert self.proof(tree.consistency(older, newer)) == proof
        found = [bytes.fromhex(each) for each in proof]
        roots = [bytes.fromhex(ROOTS[size - 1]) for size in (older, newer)]
        assert tree.grew(older, roots[0], newer, roots[1], found)


@pytest.mark.parametrize("size", range(1, SIZES + 1))
class TestEverySize:
    def test_an_edge_that_grew_has_the_root_and_the_subtrees(self, size):
        edge, kept = tree.Edge(), {}
        for number, leaf in enumerate(LEAVES[:size]):
            kept[tree.Subtree(0, number)] = leaf
            kept |= dict(edge.append(leaf))
        assert (edge.size, edge.root()) == (size, tree.root(LEAVES[:size]))
        assert edge.hashes == [kept[part] for part in tree.parts((0, size))]
        for part, found in kept.items():
            first = part.position << part.level
            assert found == tree.root(LEAVES[first : first + (1 << part.level)])

    def test_every_leaf_is_proved_and_no_other(self, size):
        root = tree.root(LEAVES[:size])
        for index in range(size):
            proof = hashes(tree.inclusion(index, size))
            assert tree.includes(index, size, LEAVES[index], proof, root)
            for other in range(size):
                if other != index:
                    assert not tree.includes(other, size, LEAVES[index], proof, root)
                    assert not tree.includes(index, size, LEAVES[other], proof, root)
            for forged in forgeries(proof):
                assert not tree.includes(index, size, LEAVES[index], forged, root)
            assert not tree.includes(index, size, LEAVES[index], proof, bytes(32))
            assert not tree.includes(size, size, LEAVES[index], proof, root)
            assert not tree.includes(-1, size, LEAVES[index], proof, root)

    def test_every_older_size_is_proved_and_no_other(self, size):
        root = tree.root(LEAVES[:size])
        for older in range(1, size + 1):
            before = tree.root(LEAVES[:older])
            proof = hashes(tree.consistency(older, size))
            assert tree.grew(older, before, size, root, proof)
            for other in range(1, size + 1):
                if other != older:
                    assert not tree.grew(other, before, size, root, proof)
            for forged in forgeries(proof):
                assert not tree.grew(older, before, size, root, forged)
            assert not tree.grew(older, bytes(32), size, root, proof)
            assert not tree.grew(older, before, size, bytes(32), proof)
        assert not tree.grew(0, tree.EMPTY_ROOT, size, root, [])
        assert not tree.grew(size + 1, root, size, root, [])

    def test_a_span_is_the_hash_of_its_parts(self, size):
        kept = {}
        edge = tree.Edge()
        for number, leaf in enumerate(LEAVES[:size]):
            kept[tree.Subtree(0, number)] = leaf
            kept |= dict(edge.append(leaf))
        for index in range(size):
            for span in tree.inclusion(index, size) + tree.consistency(index + 1, size):
                assert tree.span_hash(span, kept.__getitem__) == tree.root(LEAVES[slice(*span)])


def forgeries(proof):
    """The same proof with a bit turned, a hash too many, too few, or two of them swapped."""
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]
    if proof:
        yield proof[1:]
        yield proof[:-1]
    for number, each in enumerate(proof):
        turned = bytes([each[0] ^ 1]) + each[1:]
        yield [*proof[:number], turned, *proof[number + 1 :]]
    if len(proof) > 1 and proof[0] != proof[1]:
        yield [proof[1], proof[0], *proof[2:]]


def test_a_leaf_cannot_pass_for_a_node():
    two = tree.node_hash(*LEAVES[:2])
    assert tree.leaf_hash(LEAVES[0] + LEAVES[1]) != two
