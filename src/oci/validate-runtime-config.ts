/** Reads config.json: refuses what is wrong with it, each problem by JSON pointer, and normalises the rest. */
import { TsrunError } from '../errors.ts'
import { JsonCursor, type Problem } from './json-cursor.ts'
import {
  normalizeProcess,
  normalizeRuntimeConfig,
  removeNulls,
} from './normalize-runtime-config.ts'
import type { Process, Resources, RuntimeConfig } from './runtime-config.ts'
import { type ConfiguredNamespaces, checkLinux } from './validate-linux.ts'
import { checkMount } from './validate-mounts.ts'
import { checkProcess } from './validate-process.ts'
import { checkResources } from './validate-resources.ts'

export type { Problem } from './json-cursor.ts'

const HOOK_KINDS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
]
/** Problems named in one error message; a wrong document can have hundreds. */
const SHOWN_PROBLEMS = 4
/** __NEW_UTS_LEN, <linux/utsname.h>. */
const MAX_UTS_NAME = 64

/** The runtime config in the text of a config.json; throws `invalid-argument` naming what is wrong. */
export function parseRuntimeConfig(json: string): RuntimeConfig {
  const value = parseDocument(json, 'config.json')
  refuseProblems(validateRuntimeConfig(value), 'config.json')
  return normalizeRuntimeConfig(value as RuntimeConfig)
}

/** The process in the text that `exec --process` reads; throws `invalid-argument` naming what is wrong. */
export function parseProcess(json: string): Process {
  const value = parseDocument(json, 'process.json')
  const problems: Problem[] = []
  const root = JsonCursor.root(value, problems)
  root.required().object(checkProcess)
  refuseProblems(problems, 'process.json')
  return normalizeProcess(value as Process)
}

/** The resources in the text that `update --resources` reads; throws `invalid-argument` naming what is wrong. */
export function parseResources(json: string): Resources {
  const value = parseDocument(json, 'resources')
  const problems: Problem[] = []
  const root = JsonCursor.root(value, problems)
  root.required().object(checkResources)
  refuseProblems(problems, 'resources')
  return value as Resources
}

/** Everything that is wrong with a parsed config.json, in document order; empty when it can be used. */
export function validateRuntimeConfig(value: unknown): readonly Problem[] {
  const problems: Problem[] = []
  const config = JsonCursor.root(value, problems)
  if (!config.required().object()) return problems
  checkVersion(config.field('ociVersion'))
  config.field('root').required().object(checkRoot)
  // config.md "Process": required when `start` is called.
  config.field('process').object(checkProcess)
  config.field('hooks').object(checkHooks)
  config.field('annotations').object(checkAnnotations)
  const namespaces = checkLinux(config.field('linux'))
  for (const mount of config.field('mounts').items()) {
    mount.object((entry) => checkMount(entry, namespaces))
  }
  checkUtsName(config.field('hostname'), namespaces)
  checkUtsName(config.field('domainname'), namespaces)
  return problems
}

function parseDocument(json: string, what: string): unknown {
  try {
    return removeNulls(JSON.parse(json))
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot parse "${what}": ${parseProblem(cause)}`)
  }
}

// The stack is what bounds nesting; a document of the specification has six levels.
function parseProblem(cause: unknown): string {
  if (cause instanceof RangeError) return 'nested too deeply'
  return `not JSON: ${cause instanceof Error ? cause.message : String(cause)}`
}

function refuseProblems(problems: readonly Problem[], what: string): void {
  if (problems.length === 0) return
  const shown = problems
    .slice(0, SHOWN_PROBLEMS)
    .map(({ pointer, message }) => `${pointer || '/'} ${message}`)
  const rest = problems.length - shown.length
  const tail = rest > 0 ? `; and ${rest} more` : ''
  throw new TsrunError('invalid-argument', `cannot use "${what}": ${shown.join('; ')}${tail}`)
}

function checkVersion(version: JsonCursor): void {
  const text = version.required().string()
  if (text === undefined || /^1\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/.test(text)) return
  version.report(`must be a version 1.x of the runtime specification, not ${JSON.stringify(text)}`)
}

function checkRoot(root: JsonCursor): void {
  root.field('path').required().nonEmptyString()
  root.field('readonly').boolean()
}

function checkHooks(hooks: JsonCursor): void {
  for (const kind of HOOK_KINDS) {
    for (const hook of hooks.field(kind).items()) {
      if (!hook.object()) continue
      hook.field('path').required().absolutePath()
      hook.field('args').strings()
      hook.field('env').strings()
      const timeout = hook.field('timeout').int64()
      if (timeout !== undefined && timeout <= 0) {
        hook.field('timeout').report(`must be above 0 seconds, not ${timeout}`)
      }
    }
  }
}

function checkAnnotations(annotations: JsonCursor): void {
  for (const [key, value] of annotations.entries()) {
    if (key === '') annotations.report('must not have an empty key')
    value.string()
  }
}

function checkUtsName(name: JsonCursor, namespaces: ConfiguredNamespaces): void {
  const text = name.string()
  if (text === undefined || text === '') return
  if (!namespaces.has('uts'))
    name.report('needs a uts namespace in /linux/namespaces, or it would rename the host')
  if (Buffer.byteLength(text) > MAX_UTS_NAME)
    name.report(`must be at most ${MAX_UTS_NAME} bytes long`)
}
