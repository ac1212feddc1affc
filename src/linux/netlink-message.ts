/** Framing of netlink(7): messages with a header, attributes with a length and a type (linux/netlink.h). */

const HEADER_SIZE = 16 // struct nlmsghdr: u32 len, u16 type, u16 flags, u32 seq, u32 pid
const ATTRIBUTE_SIZE = 4 // struct nlattr: u16 len, u16 type
const NLMSG_ERROR = 2
const NLMSG_DONE = 3

export const NLM_F_REQUEST = 1
export const NLM_F_ACK = 4
export const NLM_F_EXCL = 0x200
export const NLM_F_REPLACE = 0x100
export const NLM_F_DUMP = 0x300
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800
const NLA_F_NESTED = 0x8000

/** A request without its sequence number, which the socket gives it. */
export interface NetlinkRequest {
  readonly type: number
  readonly flags: number
  readonly payload: Buffer
}

/** One message of an answer. */
export interface NetlinkMessage {
  readonly type: number
  readonly sequence: number
  readonly payload: Buffer
}

/** The bytes of a request. */
export function encodeRequest(request: NetlinkRequest, sequence: number): Buffer {
  const header = Buffer.alloc(HEADER_SIZE)
  header.writeUInt32LE(HEADER_SIZE + request.payload.length, 0)
  header.writeUInt16LE(request.type, 4)
  header.writeUInt16LE(request.flags, 6)
  header.writeUInt32LE(sequence, 8)
  return Buffer.concat([header, request.payload])
}

/** The messages in one datagram; what is torn at its end is left out. */
export function decodeMessages(bytes: Buffer): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = []
  for (let at = 0; at + HEADER_SIZE <= bytes.length; ) {
    const length = bytes.readUInt32LE(at)
    if (length < HEADER_SIZE || at + length > bytes.length) break
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      sequence: bytes.readUInt32LE(at + 8),
      payload: bytes.subarray(at + HEADER_SIZE, at + length),
    })
    at += aligned(length)
  }
  return messages
}

/** The errno that ends an answer, 0 for success; undefined for a message with more to come. */
export function endOfAnswer({ type, payload }: NetlinkMessage): number | undefined {
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) return undefined
  return payload.length < 4 ? 0 : Math.abs(payload.readInt32LE(0))
}

/** One attribute, padded. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(aligned(ATTRIBUTE_SIZE + value.length))
  bytes.writeUInt16LE(ATTRIBUTE_SIZE + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(value, ATTRIBUTE_SIZE)
  return bytes
}

/** The attributes in `bytes`; what is torn at the end is left out, of one type the last counts. */
export function attributesOf(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const NLA_TYPE_MASK = 0x3fff
  const attributes = new Map<number, Buffer>()
  for (let at = 0; at + ATTRIBUTE_SIZE <= bytes.length; ) {
    const length = bytes.readUInt16LE(at)
    if (length < ATTRIBUTE_SIZE || at + length > bytes.length) break
    const type = bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK
    attributes.set(type, bytes.subarray(at + ATTRIBUTE_SIZE, at + length))
    at += aligned(length)
  }
  return attributes
}

/** An attribute that holds others. */
export function nested(type: number, attributes: readonly Uint8Array[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(attributes))
}

/** Text with a final NUL. */
export function textAttribute(type: number, text: string): Buffer {
  return attribute(type, Buffer.from(`${text}\0`))
}

/** Four bytes in the order of this machine: both architectures of tsrun are little-endian. */
export function wordAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return attribute(type, bytes)
}

/** The text of an attribute, up to its first NUL. */
export function textOf(value: Buffer | undefined): string {
  return value === undefined ? '' : value.toString('utf8').replace(/\0.*$/s, '')
}

function aligned(length: number): number {
  return Math.ceil(length / 4) * 4
}
