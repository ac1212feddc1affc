/** Damages bytes and JSON documents, always the same for the same seed. */
import type { Random } from './random-profiles.ts'

/** Strings that parsers and file systems stumble over. */
const NASTY: readonly unknown[] = [
  '',
  '..',
  '../../../etc/passwd',
  '/',
  '/etc/shadow',
  'a\0b',
  '\u202e',
  '\n',
  '-1',
  'sha256:',
  `sha256:${'0'.repeat(64)}`,
  `sha256:${'../'.repeat(21)}x`,
  'x'.repeat(5000),
  -1,
  0,
  1e308,
  2 ** 53,
  0.5,
  null,
  true,
  [],
  {},
  [[]],
  { a: [null] },
  '__proto__',
]

/** `bytes` with a few bits, ranges or blocks changed, cut, doubled or moved. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  let result = Buffer.from(bytes)
  for (let i = 0; i <= random.below(4); i++) {
    const at = random.below(Math.max(1, result.length))
    const length = Math.min(result.length - at, 1 + random.below(random.below(3) === 0 ? 2000 : 8))
    switch (random.below(6)) {
      case 0:
        result.writeUInt8(
          (result[at] ?? 0) ^ (1 << random.below(8)),
          Math.min(at, Math.max(0, result.length - 1)),
        )
        break
      case 1:
        result.fill(random.below(256), at, at + length)
        break
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + length)])
        break
      case 3:
        result = Buffer.concat([result.subarray(0, at + length), result.subarray(at)])
        break
      case 4:
        result = result.subarray(0, Math.max(1, at))
        break
      default:
        result.copyWithin(random.below(Math.max(1, result.length)), at, at + length)
    }
    if (result.length === 0) return Buffer.from([0])
  }
  return result
}

/** A copy of a JSON value with one to three of its values or keys replaced, removed, doubled or wrapped. */
export function mutateJson(value: unknown, random: Random): unknown {
  let result = structuredClone(value)
  for (let i = 0; i <= random.below(3); i++) result = mutateOnce(result, random)
  return result
}

function mutateOnce(value: unknown, random: Random): unknown {
  const nasty = (): unknown => structuredClone(NASTY[random.below(NASTY.length)])
  if (typeof value !== 'object' || value === null || random.below(12) === 0) return nasty()
  const keys = Object.keys(value)
  const key = keys[random.below(Math.max(1, keys.length))]
  if (key === undefined) return nasty()
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
  switch (random.below(6)) {
    case 0:
      delete copy[key]
      break
    case 1:
      copy[String(nasty())] = copy[key]
      break
    case 2:
      if (Array.isArray(copy)) copy.push(...(copy as unknown[]))
      else copy[key] = [copy[key], copy[key]]
      break
    default:
      copy[key] = mutateOnce(copy[key], random)
  }
  return copy
}
