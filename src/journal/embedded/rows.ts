/**
 * How a journal lies in its file: one row per thing, all rows with a checksum over key and content.
 *
 *     header                      epoch, format, how it was closed
 *     collection                  its name, and the highest sequence that it gave
 *     floor      collection scope
 *     batch      number           the message ids of one commit, kept for two minutes
 *     record     collection seq   key and body: the newest record of each key
 *     newest     collection key   the sequence of that record
 *
 * A key begins with its kind and the number of its collection, so each kind of a collection is one range; sequences are
 * big-endian, so a range of records is in their order.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Json } from "../journal.ts";
import { Damage } from "./damage.ts";
import type { Row } from "./data-pages.ts";

export const KIND = { header: 1, collection: 2, floor: 3, batch: 4, record: 5, newest: 6 } as const;
type Kind = (typeof KIND)[keyof typeof KIND];

/** Bytes of a text in a key; the library takes 1,978 in all. A longer text is stored as its digest. */
const LONGEST_TEXT = 1_024;
export const MOST_COLLECTIONS = 0xffff;

export const HEADER_KEY = Buffer.of(KIND.header);

/** All rows of a kind, or those of one collection. */
export function prefixOf(kind: Kind, collection?: number): Buffer {
  return collection === undefined ? Buffer.of(kind) : Buffer.of(kind, collection >> 8, collection & 0xff);
}

export const collectionKey = (collection: number): Buffer => prefixOf(KIND.collection, collection);

export function floorKey(collection: number, scope: string | null): Buffer {
  const prefix = prefixOf(KIND.floor, collection);
  return scope === null ? prefix : Buffer.concat([prefix, textKey(scope)]);
}

export function newestKey(collection: number, key: string): Buffer {
  return Buffer.concat([prefixOf(KIND.newest, collection), textKey(key)]);
}

export function recordKey(collection: number, sequence: number): Buffer {
  const key = Buffer.alloc(11);
  prefixOf(KIND.record, collection).copy(key);
  key.writeBigUInt64BE(BigInt(sequence), 3);
  return key;
}

export function batchKey(number: number): Buffer {
  const key = Buffer.alloc(9);
  key[0] = KIND.batch;
  key.writeBigUInt64BE(BigInt(number), 1);
  return key;
}

/** Half a surrogate pair is a text too, so it is not UTF-8. */
function textKey(text: string): Buffer {
  const bytes = Buffer.from(text, "utf16le");
  if (bytes.length <= LONGEST_TEXT) return Buffer.concat([Buffer.of(0), bytes]);
  return Buffer.concat([Buffer.of(1), createHash("sha256").update(bytes).digest()]);
}

const CHECKSUM = 4;

export function seal(key: Buffer, content: Buffer): Buffer {
  const row = Buffer.allocUnsafe(CHECKSUM + content.length);
  content.copy(row, CHECKSUM);
  row.writeUInt32LE(crc32(content, crc32(key)), 0);
  return row;
}

export const sealJson = (key: Buffer, content: Json): Buffer =>
  seal(key, Buffer.from(JSON.stringify(content)));

/** @throws {@link Damage} when the row is not what was stored under this key. */
export function unseal({ key, value }: Row): Buffer {
  const content = value.subarray(CHECKSUM);
  if (value.length < CHECKSUM || value.readUInt32LE(0) !== crc32(content, crc32(key)))
    throw new Damage("a row is not what was written");
  return content;
}

/** @throws {@link Damage} */
export const unsealJson = (row: Row): unknown => JSON.parse(unseal(row).toString());

export function sealSequence(key: Buffer, sequence: number): Buffer {
  const content = Buffer.alloc(8);
  content.writeBigUInt64BE(BigInt(sequence));
  return seal(key, content);
}

export const unsealSequence = (row: Row): number => Number(unseal(row).readBigUInt64BE());
