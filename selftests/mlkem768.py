#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
ML-KEM-768 (FIPS 203) for tests, with nothing but Python's standard library:
neither fast nor constant time. Algorithms, sections and names are those of
FIPS 203.
"""

import hashlib
import os

N, Q, K = 256, 3329, 3
ETA = 2
DU, DV = 10, 4

EK_LEN = 384 * K + 32
CT_LEN = 32 * (DU * K + DV)


def _bit_rev7(i):
    return int(f"{i:07b}"[::-1], 2)


ZETAS = [pow(17, _bit_rev7(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * _bit_rev7(i) + 1, Q) for i in range(128)]


def byte_encode(d, f):
    """ByteEncode, algorithm 5."""
    value = sum(x << (d * i) for i, x in enumerate(f))
    return value.to_bytes(32 * d, "little")


def byte_decode(d, b):
    """ByteDecode, algorithm 6."""
    value, mask = int.from_bytes(b, "little"), (1 << d) - 1
    m = Q if d == 12 else 1 << d
    return [(value >> (d * i) & mask) % m for i in range(N)]


def _compress(d, f):
    return [((x << d) * 2 + Q) // (2 * Q) % (1 << d) for x in f]


def _decompress(d, f):
    return [(x * Q * 2 + (1 << d)) >> (d + 1) for x in f]


def _sample_ntt(seed):
    """SampleNTT, algorithm 7."""
    need = 1008
    while True:
        out, buf = [], hashlib.shake_128(seed).digest(need)
        for a, b, c in zip(buf[::3], buf[1::3], buf[2::3]):
            out += [x for x in (a + 256 * (b % 16), b // 16 + 16 * c) if x < Q]
        if len(out) >= N:
            return out[:N]
        need *= 2


def _noise(seed, number):
    """SamplePolyCBD of PRF, algorithm 8."""
    bits = int.from_bytes(hashlib.shake_256(seed + bytes([number])).digest(64 * ETA), "little")
    out = []
    for i in range(N):
        x = bits >> (2 * ETA * i)
        out.append(((x & 1) + (x >> 1 & 1) - (x >> 2 & 1) - (x >> 3 & 1)) % Q)
    return out


def _ntt(f):
    """NTT, algorithm 9."""
    f, i, size = f[:], 1, 128
    while size >= 2:
        for start in range(0, N, 2 * size):
            for j in range(start, start + size):
                t = ZETAS[i] * f[j + size] % Q
                f[j + size], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
            i += 1
        size //= 2
    return f


def _inverse_ntt(f):
    """NTT^-1, algorithm 10."""
    f, i, size = f[:], 127, 2
    while size <= 128:
        for start in range(0, N, 2 * size):
            for j in range(start, start + size):
                t = f[j]
                f[j] = (t + f[j + size]) % Q
                f[j + size] = ZETAS[i] * (f[j + size] - t) % Q
            i -= 1
        size *= 2
    return [x * 3303 % Q for x in f]


def _multiply(f, g):
    """MultiplyNTTs, algorithm 11."""
    out = []
    for i in range(128):
        a, b, c, d = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a * c + b * d * GAMMAS[i]) % Q, (a * d + b * c) % Q]
    return out


def _add(*polys):
    return [sum(x) % Q for x in zip(*polys)]


def _matrix(rho):
    return [[_sample_ntt(rho + bytes([j, i])) for j in range(K)] for i in range(K)]


def _encrypt(ek, message, seed):
    """K-PKE.Encrypt, algorithm 14."""
    t = [byte_decode(12, ek[384 * i:384 * (i + 1)]) for i in range(K)]
    matrix = _matrix(ek[384 * K:])
    y = [_ntt(_noise(seed, i)) for i in range(K)]
    out = b""
    for i in range(K):
        row = _add(*(_multiply(matrix[j][i], y[j]) for j in range(K)))
        u = _add(_inverse_ntt(row), _noise(seed, K + i))
        out += byte_encode(DU, _compress(DU, u))
    v = _add(_inverse_ntt(_add(*map(_multiply, t, y))), _noise(seed, 2 * K),
             _decompress(1, byte_decode(1, message)))
    return out + byte_encode(DV, _compress(DV, v))


def encapsulate(ek, message):
    """ML-KEM.Encaps_internal, algorithm 17: the shared secret and the ciphertext."""
    out = hashlib.sha3_512(message + hashlib.sha3_256(ek).digest()).digest()
    return out[:32], _encrypt(ek, message, out[32:])


class DecapsulationKey:
    """A key pair; self.public is the encapsulation key."""

    def __init__(self, d=None, z=None):
        """ML-KEM.KeyGen, algorithm 19, with the seeds d and z."""
        seeds = hashlib.sha3_512((d or os.urandom(32)) + bytes([K])).digest()
        rho, sigma = seeds[:32], seeds[32:]
        matrix = _matrix(rho)
        self.secret = [_ntt(_noise(sigma, i)) for i in range(K)]
        self.public = b""
        for i in range(K):
            row = _add(*map(_multiply, matrix[i], self.secret), _ntt(_noise(sigma, K + i)))
            self.public += byte_encode(12, row)
        self.public += rho
        self.reject = z or os.urandom(32)

    def decapsulate(self, ct):
        """ML-KEM.Decaps_internal, algorithm 18."""
        u = [_decompress(DU, byte_decode(DU, ct[32 * DU * i:32 * DU * (i + 1)])) for i in range(K)]
        v = _decompress(DV, byte_decode(DV, ct[32 * DU * K:]))
        product = _inverse_ntt(_add(*map(_multiply, self.secret, map(_ntt, u))))
        message = byte_encode(1, _compress(1, [(a - b) % Q for a, b in zip(v, product)]))
        shared, again = encapsulate(self.public, message)
        if again != ct:
            return hashlib.shake_256(self.reject + ct).digest(32)
        return shared


def _selftest():
    # Wycheproof, mlkem_768_keygen_seed_test, test 1: the sum of the right key.
    seed = bytes.fromhex("7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d"
                         "8626ed79d451140800e03b59b956f8210e556067407d13dc90fa9e8b872bfb8f")
    public = DecapsulationKey(seed[:32], seed[32:]).public
    assert hashlib.sha256(public).hexdigest() == \
        "86adbca81f4fee893e2fb58fb98aa2fe188f501fed268d7f4056f8c05c4e53c4"
    key = DecapsulationKey()
    shared, ct = encapsulate(key.public, os.urandom(32))
    assert len(key.public) == EK_LEN and len(ct) == CT_LEN
    assert key.decapsulate(ct) == shared
    assert key.decapsulate(ct[:-1] + bytes([ct[-1] ^ 1])) != shared
    print("ok")


if __name__ == "__main__":
    _selftest()
