/** The built command as an engine with roots of its own, and what of it is left in the kernel. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { TSRUN } from './runtime.ts'
import { until } from './until.ts'

export interface EngineResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface EngineRunOptions {
  readonly cwd?: string
  readonly input?: string | Buffer
  readonly env?: NodeJS.ProcessEnv
}

export class TestEngine implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'tsrun-engine-'))
  readonly dataRoot = join(this.directory, 'data')
  readonly stateRoot = join(this.directory, 'state')

  /** Runs `tsrun <args>` and waits. */
  run(args: readonly string[], options: EngineRunOptions = {}): EngineResult {
    const { status, stdout, stderr } = spawnSync(TSRUN, [...this.#globals(), ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      maxBuffer: 64 * 1024 * 1024,
      ...options,
    })
    return { status, stdout: stdout ?? '', stderr: stderr ?? '' }
  }

  /** As {@link run}, throws unless it succeeds; the result is stdout without its last newline. */
  succeed(args: readonly string[], options: EngineRunOptions = {}): string {
    const { status, stdout, stderr } = this.run(args, options)
    if (status !== 0) throw new Error(`tsrun ${args.join(' ')}: ${status}: ${stderr}`)
    return stdout.replace(/\n$/, '')
  }

  /** Starts `tsrun <args>` without waiting. */
  start(args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawn(TSRUN, [...this.#globals(), ...args], { stdio: 'pipe', ...options })
  }

  /** The command line of {@link run}, for a wrapper such as a pty. */
  commandLine(args: readonly string[]): string[] {
    return [TSRUN, ...this.#globals(), ...args]
  }

  /** Puts the busybox image into the store. */
  async loadBusybox(): Promise<void> {
    const path = await buildBusyboxImage()
    this.succeed(['load', '-i', path])
  }

  /** What is there of this engine's containers: folders, names, marks, mounts, cgroups, processes. */
  leftovers(): string[] {
    const files = [
      'containers',
      'names',
      'unfinished',
      'snapshots/active',
      'snapshots/drafts',
    ].flatMap((folder) =>
      listFolder(join(this.dataRoot, folder)).map((name) => `${folder}/${name}`),
    )
    const states = listFolder(this.stateRoot).map((name) => `state/${name}`)
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.directory))
    return [...files, ...states, ...mounts, ...this.#processes()]
  }

  /** {@link leftovers}, once every process of this engine has ended. */
  async settled(): Promise<string[]> {
    await until(
      () => `all has ended, but ${this.leftovers().join(', ')}`,
      () => this.#processes().length === 0,
    )
    return this.leftovers()
  }

  [Symbol.dispose](): void {
    const ids = this.run(['ps', '-aq'])
      .stdout.split('\n')
      .filter((id) => id !== '')
    if (ids.length > 0) this.run(['rm', '-f', ...ids])
    // Bridges are the host's, and outlive the folder.
    if (existsSync(join(this.dataRoot, 'networks'))) this.run(['system', 'reset', '-f'])
    rmSync(this.directory, { recursive: true, force: true })
  }

  #globals(): string[] {
    return ['--data-root', this.dataRoot, '--state-root', this.stateRoot]
  }

  /** Monitors by their working directory, commands by their arguments. */
  #processes(): string[] {
    return listFolder('/proc').flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return []
      const text = commandOf(pid)
      return text.includes(this.directory) ? [`process ${pid} ${text}`] : []
    })
  }
}

function commandOf(pid: string): string {
  try {
    const name = readFileSync(`/proc/${pid}/comm`, 'latin1').trim()
    if (name === 'tsrun-monitor') return `${name} ${readlinkSync(`/proc/${pid}/cwd`)}`
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    // Ended while we looked, ignoring.
    return ''
  }
}

function listFolder(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : []
}
