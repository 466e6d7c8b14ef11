// A model's 16-bit weights as 32-bit ones: the same numbers, in a form that a browser computes with.
//
// WebAssembly has no 16-bit floats.  llama.cpp looks up every weight, and every number that it is
// multiplied with, in a table there; 32-bit floats are multiplied four at a time.  Every 16-bit
// float is a 32-bit one as well, so no weight changes.

const STRING = 8;
const ARRAY = 9;
// Bytes of GGUF's other value types, in the order of their numbers.
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
const F32 = 0;
const F16 = 1;

/** The parts of a GGUF file like this one (an ArrayBuffer), for a Blob, its F16 tensors as F32. */
export function widened(buffer) {
  const header = readHeader(buffer);
  const patched = new Uint8Array(buffer.slice(0, header.dataStart));
  const facts = new DataView(patched.buffer);
  const parts = [patched];
  let length = 0;
  const ends = [...header.tensors.slice(1).map(({ offset }) => offset), buffer.byteLength - header.dataStart];
  header.tensors.forEach((tensor, index) => {
    const start = header.dataStart + tensor.offset;
    facts.setBigUint64(tensor.offsetAt, BigInt(length), true);
    let data;
    if (tensor.type === F16) {
      facts.setUint32(tensor.typeAt, F32, true);
      data = new Uint8Array(wide(new Uint16Array(buffer, start, tensor.count)).buffer);
    } else {
      data = new Uint8Array(buffer, start, ends[index] - tensor.offset);
    }
    const padding = (header.alignment - (data.length % header.alignment)) % header.alignment;
    parts.push(data, new Uint8Array(padding));
    length += data.length + padding;
  });
  return parts;
}

/** Where the data start and how they are aligned, and each tensor in the order of its data. */
function readHeader(buffer) {
  const view = new DataView(buffer);
  let at = 8; // after the magic and the version
  const u32 = () => view.getUint32((at += 4) - 4, true);
  const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
  const text = () => {
    const length = u64();
    return new TextDecoder().decode(new Uint8Array(buffer, (at += length) - length, length));
  };
  const skip = (type) => {
    if (type === STRING) text();
    else if (type === ARRAY) {
      const each = u32();
      const count = u64();
      if (each === STRING || each === ARRAY) for (let i = 0; i < count; i++) skip(each);
      else at += count * VALUE_BYTES[each];
    } else at += VALUE_BYTES[type];
  };
  const tensorCount = u64();
  const pairs = u64();
  let alignment = 32;
  for (let i = 0; i < pairs; i++) {
    const key = text();
    const type = u32();
    if (key === "general.alignment") alignment = view.getUint32(at, true);
    skip(type);
  }
  const tensors = [];
  for (let i = 0; i < tensorCount; i++) {
    text();
    let count = 1;
    for (let left = u32(); left > 0; left--) count *= u64();
    const typeAt = at;
    const type = u32();
    const offsetAt = at;
    tensors.push({ count, type, typeAt, offset: u64(), offsetAt });
  }
  tensors.sort((a, b) => a.offset - b.offset);
  return { alignment, tensors, dataStart: Math.ceil(at / alignment) * alignment };
}

function wide(halves) {
  const values = table();
  const made = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) made[i] = values[halves[i]];
  return made;
}

let floats; // every 16-bit pattern as the number it stands for

function table() {
  floats ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
  return floats;
}
