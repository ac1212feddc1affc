/** Runs a CNI plugin: its configuration on standard input, the rest in the environment, its result or error on standard output. */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'

export interface PluginCall {
  readonly verb: 'ADD' | 'DEL'
  readonly type: string
  /** Folders that plugins are in. */
  readonly folders: readonly string[]
  readonly containerId: string
  /** Path of the network namespace; empty for one that is gone. */
  readonly namespace: string
  readonly interface: string
  readonly configuration: Readonly<Record<string, unknown>>
}

const MAX_OUTPUT = 1024 * 1024

/** The plugin's result, undefined for none. Throws `failed-precondition` with what the plugin says. */
export async function runPlugin(
  call: PluginCall,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const path = findPlugin(call)
  const { status, stdout, stderr } = await run(path, call)
  const value = parse(stdout)
  if (status === 0) return value
  const said = [value?.msg, value?.details].filter(
    (text) => typeof text === 'string' && text !== '',
  )
  const reason = said.length > 0 ? said.join(': ') : firstLine(stderr) || `exit status ${status}`
  throw new TsrunError('failed-precondition', `the CNI plugin "${call.type}" failed: ${reason}`)
}

/** Where the plugin is. Throws `failed-precondition` when it is nowhere. */
export function findPlugin({ type, folders }: Pick<PluginCall, 'type' | 'folders'>): string {
  const path = folders.map((folder) => join(folder, type)).find(isExecutable)
  if (path !== undefined) return path
  throw new TsrunError(
    'failed-precondition',
    `cannot run the CNI plugin "${type}": it is in none of ${folders.join(', ')}`,
    { hint: 'install the package containernetworking-plugins' },
  )
}

function run(
  path: string,
  call: PluginCall,
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const env = {
    PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    CNI_COMMAND: call.verb,
    CNI_CONTAINERID: call.containerId,
    CNI_NETNS: call.namespace,
    CNI_IFNAME: call.interface,
    CNI_PATH: call.folders.join(':'),
  }
  return new Promise((resolve, reject) => {
    const child = spawn(path, [], { env, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] })
    const texts = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].on('data', (chunk: Buffer) => {
        if (texts[name].length < MAX_OUTPUT) texts[name] += chunk.toString()
      })
    child.on('error', reject)
    // One that ends without reading says so by its status.
    child.stdin.on('error', () => child.stdin.destroy())
    child.on('close', (code) => resolve({ status: code ?? -1, ...texts }))
    child.stdin.end(JSON.stringify(call.configuration))
  })
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    // Nothing, as DEL has it, or no words of CNI: the status decides.
    return undefined
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // The next folder may have it.
    return false
  }
}
