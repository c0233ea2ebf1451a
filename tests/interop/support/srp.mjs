// The client's half of Cognito's SRP-6a: the group of RFC 3526 §4 with 3072 bits, SHA-256, and the signature that
// PASSWORD_VERIFIER wants. The AWS SDK leaves this to its user.

import { createDiffieHellmanGroup, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const N = BigInt(`0x${createDiffieHellmanGroup('modp15').getPrime('hex')}`);
const G = 2n;

/** Hex of even length that no reader takes for a negative number. */
const padded = (number) => {
  let hex = number.toString(16);
  if (hex.length % 2) hex = `0${hex}`;
  return /^[89a-f]/.test(hex) ? `00${hex}` : hex;
};
const hashed = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const number = (bytes) => BigInt(`0x${bytes.toString('hex')}`);
const bytes = (value) => Buffer.from(padded(value), 'hex');

function power(base, exponent) {
  let result = 1n;
  for (let b = ((base % N) + N) % N, e = exponent; e > 0n; e >>= 1n, b = (b * b) % N) if (e & 1n) result = (result * b) % N;
  return result;
}

const K = number(hashed(bytes(N), bytes(G)));

/** `A` for USER_SRP_AUTH, and what turns the challenge into its responses. */
export function begin() {
  const a = number(randomBytes(128)) % N;
  const A = power(G, a);
  return {
    A: A.toString(16),
    respond(poolId, parameters, password, now = new Date()) {
      const pool = poolId.slice(poolId.indexOf('_') + 1);
      const user = parameters.USER_ID_FOR_SRP;
      const B = BigInt(`0x${parameters.SRP_B}`);
      const u = number(hashed(bytes(A), bytes(B)));
      const x = number(hashed(bytes(BigInt(`0x${parameters.SALT}`)), hashed(`${pool}${user}:${password}`)));
      const S = power(B - K * power(G, x), a + u * x);
      const key = Buffer.from(hkdfSync('sha256', bytes(S), bytes(u), 'Caldera Derived Key', 16));
      const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) (\S+)/.exec(now.toUTCString());
      const timestamp = `${now.toUTCString().slice(0, 3)} ${month} ${Number(day)} ${time} UTC ${year}`;
      const secretBlock = Buffer.from(parameters.SECRET_BLOCK, 'base64');
      const signature = createHmac('sha256', key).update(pool).update(user).update(secretBlock).update(timestamp);
      return {
        USERNAME: user,
        PASSWORD_CLAIM_SECRET_BLOCK: parameters.SECRET_BLOCK,
        PASSWORD_CLAIM_SIGNATURE: signature.digest('base64'),
        TIMESTAMP: timestamp,
      };
    },
  };
}
