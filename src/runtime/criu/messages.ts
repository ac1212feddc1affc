/** criu's RPC: the messages that a checkpoint and a restore need (criu images/rpc.proto, criu.org/RPC). */
import { TsrunError } from '../../errors.ts'
import { decodeMessage, encodeMessage, type Message, type Schema } from '../../util/protobuf.ts'

/** enum criu_req_type. */
export const REQUEST_TYPES = {
  dump: 1,
  restore: 2,
  'pre-dump': 4,
  notify: 6,
  'feature-check': 9,
  version: 10,
} as const
export type RequestType = keyof typeof REQUEST_TYPES

/** enum criu_cg_mode, by the words of --manage-cgroups-mode; '' is criu's default. */
export const CGROUP_MODES: Readonly<Record<string, number>> = {
  ignore: 0,
  soft: 3,
  full: 4,
  strict: 5,
  '': 6,
}

const EXT_MOUNT: Schema = { key: { number: 1, type: 'string' }, val: { number: 2, type: 'string' } }

const PAGE_SERVER: Schema = {
  address: { number: 1, type: 'string' },
  port: { number: 2, type: 'int32' },
}

const OPTIONS: Schema = {
  imagesDirFd: { number: 1, type: 'int32' },
  pid: { number: 2, type: 'int32' },
  leaveRunning: { number: 3, type: 'bool' },
  extUnixSk: { number: 4, type: 'bool' },
  tcpEstablished: { number: 5, type: 'bool' },
  evasiveDevices: { number: 6, type: 'bool' },
  shellJob: { number: 7, type: 'bool' },
  fileLocks: { number: 8, type: 'bool' },
  logLevel: { number: 9, type: 'int32' },
  logFile: { number: 10, type: 'string' },
  pageServer: { number: 11, type: PAGE_SERVER },
  notifyScripts: { number: 12, type: 'bool' },
  root: { number: 13, type: 'string' },
  parentImage: { number: 14, type: 'string' },
  trackMemory: { number: 15, type: 'bool' },
  autoDedup: { number: 16, type: 'bool' },
  workDirFd: { number: 17, type: 'int32' },
  linkRemap: { number: 18, type: 'bool' },
  externalMounts: { number: 23, type: EXT_MOUNT, repeated: true },
  manageCgroups: { number: 24, type: 'bool' },
  cgroupRoots: {
    number: 25,
    type: { controller: { number: 1, type: 'string' }, path: { number: 2, type: 'string' } },
    repeated: true,
  },
  restoreSibling: { number: 26, type: 'bool' },
  inheritedFds: {
    number: 27,
    type: { key: { number: 1, type: 'string' }, fd: { number: 2, type: 'int32' } },
    repeated: true,
  },
  manageCgroupsMode: { number: 34, type: 'int32' },
  external: { number: 37, type: 'string', repeated: true },
  emptyNamespaces: { number: 38, type: 'uint32' },
  joinedNamespaces: {
    number: 39,
    type: { kind: { number: 1, type: 'string' }, path: { number: 2, type: 'string' } },
    repeated: true,
  },
  freezeCgroup: { number: 44, type: 'string' },
  tcpSkipInFlight: { number: 46, type: 'bool' },
  lazyPages: { number: 48, type: 'bool' },
  orphanPtsMaster: { number: 50, type: 'bool' },
  configFile: { number: 51, type: 'string' },
  lsmProfile: { number: 53, type: 'string' },
  lsmMountContext: { number: 63, type: 'string' },
}

const FEATURES: Schema = {
  trackMemory: { number: 1, type: 'bool' },
  lazyPages: { number: 2, type: 'bool' },
}

const REQUEST: Schema = {
  type: { number: 1, type: 'int32' },
  options: { number: 2, type: OPTIONS },
  notifySuccess: { number: 3, type: 'bool' },
  keepOpen: { number: 4, type: 'bool' },
  features: { number: 5, type: FEATURES },
}

const RESPONSE: Schema = {
  type: { number: 1, type: 'int32' },
  success: { number: 2, type: 'bool' },
  restore: { number: 4, type: { pid: { number: 1, type: 'int32' } } },
  notify: {
    number: 5,
    type: { script: { number: 1, type: 'string' }, pid: { number: 2, type: 'int32' } },
  },
  errno: { number: 7, type: 'int32' },
  features: { number: 8, type: FEATURES },
  message: { number: 9, type: 'string' },
  version: {
    number: 10,
    type: {
      major: { number: 1, type: 'int32' },
      minor: { number: 2, type: 'int32' },
      sublevel: { number: 4, type: 'int32' },
    },
  },
}

/** struct criu_opts; the names are those of {@link OPTIONS}. */
export type CriuOptions = Message

export interface CriuResponse {
  readonly type: RequestType
  readonly success: boolean
  /** Of the restored init. */
  readonly pid: number | undefined
  readonly script: string | undefined
  readonly errno: number
  readonly message: string | undefined
  readonly features: { readonly trackMemory: boolean; readonly lazyPages: boolean }
  /** 31701 for 3.17.1. */
  readonly version: number
}

export function encodeRequest(type: RequestType, rest: Message = {}): Buffer {
  return encodeMessage(REQUEST, { ...rest, type: REQUEST_TYPES[type] })
}

/** Throws `internal` for what is no answer of criu's. */
export function decodeResponse(bytes: Uint8Array): CriuResponse {
  const response = decode(bytes)
  const number = numberOf(response, 'type')
  const type = Object.entries(REQUEST_TYPES).find(([, value]) => value === number)?.[0]
  if (type === undefined) throw unreadable(`a response of type ${number}`)
  const notify = memberOf(response, 'notify')
  const restored = memberOf(response, 'restore')
  const version = memberOf(response, 'version')
  const features = memberOf(response, 'features')
  return {
    type: type as RequestType,
    success: response.success === true,
    pid: optionalNumber(restored.pid) ?? optionalNumber(notify.pid),
    script: typeof notify.script === 'string' ? notify.script : undefined,
    errno: numberOf(response, 'errno'),
    message: typeof response.message === 'string' ? response.message : undefined,
    features: {
      trackMemory: features.trackMemory === true,
      lazyPages: features.lazyPages === true,
    },
    version:
      numberOf(version, 'major') * 10000 +
      numberOf(version, 'minor') * 100 +
      numberOf(version, 'sublevel'),
  }
}

function decode(bytes: Uint8Array): Message {
  try {
    return decodeMessage(RESPONSE, bytes)
  } catch (cause) {
    throw unreadable(`a response of ${bytes.length} bytes`, cause)
  }
}

function memberOf(message: Message, name: string): Message {
  const value = message[name]
  return typeof value === 'object' && !Array.isArray(value) ? (value as Message) : {}
}

function numberOf(message: Message, name: string): number {
  return optionalNumber(message[name]) ?? 0
}

function optionalNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function unreadable(what: string, cause?: unknown): TsrunError {
  return new TsrunError('internal', `cannot understand criu: ${what}`, {
    cause,
    hint: 'use criu 3.16 or newer',
  })
}
