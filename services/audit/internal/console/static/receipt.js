// Checks a receipt in the browser, with nothing but the ledger's public keys: commitments of the parts, leaf, way to the root (RFC 6962), signature of
// the checkpoint (C2SP signed note, Ed25519). The same as samvirke-verify does.

const text = new TextEncoder();
const bytes = (base64) => Uint8Array.from(atob((base64 || "").replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

function join(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

async function commitment(part, number) {
  const salt = bytes(part?.salt);
  if (salt.length === 0) return bytes(part?.digest);
  return sha256(text.encode("samvirke part v1\0"), Uint8Array.of(number), salt, bytes(part.content));
}

// root follows the audit path from a leaf, by the algorithm of RFC 9162 section 2.1.3.2. Sizes are BigInt: they may exceed 2^53.
async function root(leaf, index, size, path) {
  if (index >= size) throw new Error("The place lies outside of the log.");
  let fn = index;
  let sn = size - 1n;
  let r = leaf;
  for (const p of path) {
    if (sn === 0n) throw new Error("The proof is too long.");
    if (fn & 1n || fn === sn) {
      r = await sha256(Uint8Array.of(1), p, r);
      while (fn !== 0n && !(fn & 1n)) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      r = await sha256(Uint8Array.of(1), r, p);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  if (sn !== 0n) throw new Error("The proof is too short.");
  return r;
}

// note takes a signed note apart: what was signed, and the signatures by name.
function note(checkpoint) {
  const end = checkpoint.indexOf("\n\n");
  if (end < 0) throw new Error("The checkpoint is not a signed note.");
  const signatures = checkpoint.slice(end + 2).split("\n").filter(Boolean).map((line) => /^— (\S+) (\S+)$/.exec(line)).filter(Boolean);
  const lines = checkpoint.slice(0, end).split("\n");
  if (lines.length < 3 || !/^[0-9]+$/.test(lines[1])) throw new Error("The checkpoint has no size and root.");
  return { signed: text.encode(checkpoint.slice(0, end + 1)), signatures, origin: lines[0], size: BigInt(lines[1]), root: bytes(lines[2]) };
}

// The ledger's keys, one a line: name, hash, and base64 of the algorithm (1: Ed25519) and the key. All logs of a ledger share them, and each log
// has a name of its own below the ledger's, under which the key has another number (C2SP signed-note).
function ledgerKeys(lines) {
  return lines.split("\n").filter(Boolean).map((line) => {
    const first = line.indexOf("+");
    const second = line.indexOf("+", first + 1);
    const raw = bytes(line.slice(second + 1));
    if (first < 0 || second < 0 || raw.length !== 33 || raw[0] !== 1) throw new Error("The ledger's key is not an Ed25519 key.");
    return { name: line.slice(0, first), raw };
  });
}

async function signed(parsed, keys) {
  for (const key of ledgerKeys(keys)) {
    if (!parsed.origin.startsWith(key.name + "/")) continue;
    const number = (await sha256(text.encode(parsed.origin + "\n"), key.raw)).slice(0, 4);
    const imported = await crypto.subtle.importKey("raw", key.raw.slice(1), { name: "Ed25519" }, false, ["verify"]);
    for (const [, name, body] of parsed.signatures) {
      const raw = bytes(body);
      if (name === parsed.origin && same(raw.slice(0, 4), number) && (await crypto.subtle.verify({ name: "Ed25519" }, imported, raw.slice(4), parsed.signed))) return true;
    }
  }
  return false;
}

// check tells by say(good, text) what it found, step by step, and returns whether all is well.
export async function check(receipt, keys, event, say) {
  if (receipt.eventId !== event) {
    say(false, "The receipt is of another event.");
    return false;
  }
  const parts = [receipt.exchange, receipt.staff, receipt.subject, receipt.bodies];
  const shown = parts.filter((p) => p?.salt).length;
  const commitments = await Promise.all(parts.map((p, i) => commitment(p, i + 1)));
  if (!receipt.exchange?.salt || commitments.some((c) => c.length !== 32)) {
    say(false, "A part of the record is missing.");
    return false;
  }
  const data = await sha256(text.encode("samvirke leaf v1\0"), ...commitments);
  say(true, "The record's parts make a leaf; " + shown + " of 4 are shown, the others by their commitments.");
  const parsed = note(receipt.checkpoint || "");
  if (parsed.origin !== receipt.origin) {
    say(false, "The checkpoint is of another log.");
    return false;
  }
  const index = BigInt(receipt.index || 0);
  const made = await root(await sha256(Uint8Array.of(0), data), index, parsed.size, (receipt.proof || []).map(bytes));
  if (!same(made, parsed.root)) {
    say(false, "The record is not the one in the ledger: the proof leads to another root.");
    return false;
  }
  say(true, "It stands in " + parsed.origin + " as number " + index + " of " + parsed.size + ".");
  if (!(await signed(parsed, keys))) {
    say(false, "The checkpoint is not signed by the ledger's key.");
    return false;
  }
  say(true, "The checkpoint is signed by the ledger's key.");
  return true;
}
