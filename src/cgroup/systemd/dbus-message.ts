/**
 * D-Bus messages as bytes (D-Bus specification, "Message Format"):
 *
 *   endian 'l' · type · flags · version 1 · u32 body length · u32 serial · a(yv) fields · padding to 8 · body
 */
import { type DbusValue, damaged, decodeValues, encodeValues, isVariant } from './dbus-values.ts'

const METHOD_CALL = 1
const METHOD_RETURN = 2
const ERROR = 3
const SIGNAL = 4
const FIXED_HEADER = 12
const LITTLE_ENDIAN = 'l'.charCodeAt(0)
const MAX_FIELDS = 64 * 1024
/** Far above anything that systemd says to us; the specification allows 128 MiB. */
const MAX_MESSAGE = 1024 * 1024

// Header fields by their codes.
const PATH = 1
const INTERFACE = 2
const MEMBER = 3
const ERROR_NAME = 4
const REPLY_SERIAL = 5
const DESTINATION = 6
const SENDER = 7
const SIGNATURE = 8

const FIELD_SIGNATURES: Readonly<Record<number, string>> = {
  [PATH]: 'o',
  [INTERFACE]: 's',
  [MEMBER]: 's',
  [ERROR_NAME]: 's',
  [REPLY_SERIAL]: 'u',
  [DESTINATION]: 's',
  [SENDER]: 's',
  [SIGNATURE]: 'g',
}

export interface MethodCall {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly signature: string
  readonly body: readonly DbusValue[]
}

export type MessageType = 'return' | 'error' | 'signal' | 'other'

export interface Message {
  readonly type: MessageType
  readonly replySerial: number | undefined
  readonly path: string | undefined
  readonly interface: string | undefined
  readonly member: string | undefined
  readonly errorName: string | undefined
  /** Set by the bus, so it can be trusted there; absent without one. */
  readonly sender: string | undefined
  readonly signature: string
  /** As it came: whoever wants the message decodes it. */
  readonly body: Buffer
}

/** The bytes of a method call. */
export function encodeCall(call: MethodCall, serial: number): Buffer {
  const body = encodeValues(call.signature, call.body)
  const fields = [
    [PATH, call.path],
    [INTERFACE, call.interface],
    [MEMBER, call.member],
    [DESTINATION, call.destination],
    [SIGNATURE, call.signature],
  ] as const
  const present = fields.filter(([, text]) => text !== '')
  const header = encodeValues('yyyyuua(yv)', [
    LITTLE_ENDIAN,
    METHOD_CALL,
    0,
    1,
    body.length,
    serial,
    present.map(([code, value]) => [code, { signature: FIELD_SIGNATURES[code] ?? 's', value }]),
  ])
  return Buffer.concat([header, Buffer.alloc(-header.length & 7), body])
}

/** The length of the message that `bytes` begins with; undefined when there are too few to tell. */
export function messageLength(bytes: Buffer): number | undefined {
  if (bytes.length < FIXED_HEADER + 4) return undefined
  if (bytes[0] !== LITTLE_ENDIAN || bytes[3] !== 1) throw damaged('it is of another version')
  const fields = bytes.readUInt32LE(FIXED_HEADER)
  if (fields > MAX_FIELDS) throw damaged('its header is too long')
  const header = FIXED_HEADER + 4 + fields
  const length = header + (-header & 7) + bytes.readUInt32LE(4)
  if (length > MAX_MESSAGE) throw damaged('it is too long')
  return length
}

/** The message whose bytes these are, as many as {@link messageLength} said. Throws `invalid-argument`. */
export function decodeMessage(bytes: Buffer): Message {
  const [, type, , , bodyLength, , fields] = decodeValues('yyyyuua(yv)', bytes)
  const values = new Map(
    (Array.isArray(fields) ? fields : []).map(([code, variant]) => [Number(code), variant]),
  )
  return {
    type: typeName(Number(type)),
    replySerial: numberField(values, REPLY_SERIAL),
    path: textField(values, PATH),
    interface: textField(values, INTERFACE),
    member: textField(values, MEMBER),
    errorName: textField(values, ERROR_NAME),
    sender: textField(values, SENDER),
    signature: textField(values, SIGNATURE) ?? '',
    body: bytes.subarray(bytes.length - Number(bodyLength)),
  }
}

type HeaderFields = ReadonlyMap<number, DbusValue>

function textField(fields: HeaderFields, code: number): string | undefined {
  const variant = fields.get(code)
  if (variant === undefined) return undefined
  if (isVariant(variant) && typeof variant.value === 'string') return variant.value
  throw damaged(`header field ${code} is no text`)
}

function numberField(fields: HeaderFields, code: number): number | undefined {
  const variant = fields.get(code)
  if (variant === undefined) return undefined
  if (isVariant(variant) && typeof variant.value === 'number') return variant.value
  throw damaged(`header field ${code} is no number`)
}

function typeName(type: number): MessageType {
  if (type === METHOD_RETURN) return 'return'
  if (type === ERROR) return 'error'
  return type === SIGNAL ? 'signal' : 'other'
}
