/** PAX extended header records (POSIX pax, "pax Extended Header"): `<length> <key>=<value>\n`. */
import { TsrunError } from '../errors.ts'

/**
 * The records in `bytes` as byte strings (latin1: one character a byte), because values such as
 * `SCHILY.xattr.security.capability` are no text. Throws on a record whose length lies.
 */
export function decodePaxRecords(bytes: Buffer): Record<string, string> {
  const records: Record<string, string> = Object.create(null)
  let at = 0
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at)
    const digits = space === -1 ? '' : bytes.toString('latin1', at, space)
    const length = /^[0-9]{1,9}$/.test(digits) ? Number(digits) : 0
    const end = at + length
    const equals = bytes.indexOf(0x3d, space)
    if (end > bytes.length || bytes[end - 1] !== 0x0a || equals === -1 || equals >= end - 1) {
      throw new TsrunError('invalid-argument', 'a PAX header is malformed')
    }
    records[bytes.toString('latin1', space + 1, equals)] = bytes.toString(
      'latin1',
      equals + 1,
      end - 1,
    )
    at = end
  }
  return records
}

/** The inverse of {@link decodePaxRecords}. */
export function encodePaxRecords(records: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const body = ` ${key}=${value}\n`
    let length = body.length + String(body.length).length
    if (String(length).length !== String(body.length).length)
      length = body.length + String(length).length
    return `${length}${body}`
  })
  return Buffer.from(lines.join(''), 'latin1')
}

/** Nanoseconds since the epoch of a PAX time such as `1350244992.023960108`; undefined when it is none. */
export function parsePaxTime(text: string): bigint | undefined {
  const match = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(text)
  if (match === null) return undefined
  const [, sign, seconds = '0', fraction = ''] = match
  const value = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  return sign === '-' ? -value : value
}
