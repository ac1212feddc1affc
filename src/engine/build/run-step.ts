/** RUN: a command in the stage's tree, and its changes as a layer. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dockerfileError, unsupportedError } from '../../dockerfile/dockerfile-error.ts'
import type { Run } from '../../dockerfile/instruction.ts'
import { parseRunMount } from '../../dockerfile/parse-run-mount.ts'
import { heredocMark } from '../../dockerfile/read-heredocs.ts'
import { expandIn, wordsOf } from '../../dockerfile/stage-config.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { BuildSession } from './build-session.ts'
import type { ContextFolder } from './context-folder.ts'
import { addLayerStep } from './layer-step.ts'
import { missingPlaces, removeStubs } from './mount-stubs.ts'
import { runCommand } from './run-command.ts'
import { mountKey, prepareMounts, type ResolvedMount } from './run-mounts.ts'
import type { StageResult } from './stage-result.ts'
import type { TreeSource } from './stage-source.ts'
import type { WorkTree } from './work-tree.ts'

/** Where the runtime mounts what every container has. */
const OWN_MOUNTS = ['/proc', '/dev', '/sys', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf']
/** Build arguments that commands get without an ARG, and that are part of no key (docker's predefined ones). */
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY']

export interface StepContext {
  readonly session: BuildSession
  readonly context: ContextFolder | undefined
  /** For progress: `[build 2/5] RUN make`. */
  readonly name: string
  readonly sourceOf: (from: string) => Promise<TreeSource>
}

export async function runStep(
  step: StepContext,
  stage: StageResult,
  run: Run,
): Promise<StageResult> {
  const { session, context, name, sourceOf } = step
  const { process, args } = stage.config
  const place = { file: session.dockerfile.file, line: run.line }
  const network = networkOf(session, run)
  if (run.security !== undefined && run.security !== 'sandbox')
    throw unsupportedError(place, `RUN --security=${run.security} is not supported by tsrun build`)
  const mounts: ResolvedMount[] = []
  for (const text of run.mounts) {
    const expanded = expandIn(stage.config, session.dockerfile, run.line, text)
    const mount = parseRunMount(expanded, place)
    if (mount.type === 'cache' && (mount.from !== undefined || mount.source !== '/'))
      throw unsupportedError(place, 'a cache mount with from or source is not supported')
    const from = mount.type === 'bind' ? mount.from : undefined
    mounts.push({ mount, tree: from === undefined ? undefined : await sourceOf(from) })
  }
  const { words, script } = commandOf(run, process)
  const env = environmentOf(args, process.Env ?? [])
  const workingDirectory = process.WorkingDir || '/'
  const user = process.User ?? ''
  const key = async () => ({
    ...{ kind: 'RUN', words, script, env, workingDirectory, user, network },
    mounts: await Promise.all(mounts.map((mount) => mountKey(mount, context))),
  })
  const work = async (tree: WorkTree, id: number) => {
    using root = tree.openRoot()
    using ready = await prepareMounts(session, tree, mounts, { workingDirectory, context })
    const all = [...ready.mounts, ...(script === undefined ? [] : [scriptMount(tree, script)])]
    const places = missingPlaces(root, [
      ...OWN_MOUNTS,
      ...all.map(({ destination }) => destination),
    ])
    await runCommand(session.engine, {
      root: tree.root,
      words,
      env: [...proxiesOf(session), ...env, ...ready.env],
      ...{ user, workingDirectory, network },
      mounts: all,
      signal: session.request.signal,
      onOutput: (bytes) => session.request.onProgress({ type: 'output', id, bytes }),
    })
    removeStubs(root, places)
    return 'changed' as const
  }
  return await addLayerStep(session, stage, {
    name,
    createdBy: historyOf(words, args),
    keys: [key],
    readsContext: mounts.some(({ mount, tree }) => mount.type === 'bind' && tree === undefined),
    work,
  })
}

// As docker's: the arguments that were set, then the words.
function historyOf(words: readonly string[], args: ReadonlyMap<string, string>): string {
  const set = [...args].map(([name, value]) => `${name}=${value}`)
  return ['RUN', ...(set.length === 0 ? [] : [`|${set.length}`, ...set]), ...words].join(' ')
}

/** A script that is run by its own interpreter, and where it is. */
const SCRIPT = '/dev/pipes/EOF'

/** The words that run, and the text of a here-document that begins with `#!`. */
function commandOf(
  { command }: Run,
  process: StageResult['config']['process'],
): { readonly words: readonly string[]; readonly script: string | undefined } {
  if (command.form === 'exec' || command.heredocs.length === 0)
    return { words: wordsOf(command, process), script: undefined }
  const [first, ...more] = command.heredocs
  const isAlone = more.length === 0 && heredocMark(command.script.trim()) !== undefined
  if (isAlone && first !== undefined) {
    if (first.content.startsWith('#!')) return { words: [SCRIPT], script: first.content }
    const inline = { form: 'shell', script: first.content, heredocs: [] } as const
    return { words: wordsOf(inline, process), script: undefined }
  }
  // The shell reads them itself; the tabs that `<<-` takes away are gone already.
  const whole = command.heredocs.map(({ name, content }) => `${content}${name}\n`).join('')
  const script = `${command.script}\n${whole}`
  return { words: wordsOf({ form: 'shell', script, heredocs: [] }, process), script: undefined }
}

function scriptMount(tree: WorkTree, script: string): Mount {
  const path = join(tree.addMemory('program'), 'script')
  writeFileSync(path, script, { mode: 0o755 })
  chmodSync(path, 0o755)
  return { destination: SCRIPT, type: 'bind', source: path, options: ['rbind', 'rprivate', 'ro'] }
}

function environmentOf(
  args: ReadonlyMap<string, string>,
  env: readonly string[],
): readonly string[] {
  return [...[...args].map(([name, value]) => `${name}=${value}`), ...env]
}

function proxiesOf({ request }: BuildSession): readonly string[] {
  return [...request.args].flatMap(([name, value]) =>
    PROXIES.includes(name.toUpperCase()) ? [`${name}=${value}`] : [],
  )
}

function networkOf({ request, dockerfile }: BuildSession, { network, line }: Run): string {
  if (network === undefined || network === 'default') return request.network
  if (network === 'none' || network === 'host') return network
  throw dockerfileError(
    { file: dockerfile.file, line },
    `RUN --network takes default, none or host, not ${JSON.stringify(network)}`,
  )
}
