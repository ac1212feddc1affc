/** Starts Debian's docker-registry on a free port of 127.0.0.1, with folders of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:<port>`. */
  readonly host: string
}

export interface TestRegistryOptions {
  /** Lines of an htpasswd file (bcrypt): then every request needs a login. */
  readonly htpasswd?: string
}

/** A running registry; dispose it to stop it and remove what it stored. */
export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'tsrun-registry-'))
  const port = await freePort()
  const config = [
    'version: 0.1',
    'log: {level: error, accesslog: {disabled: true}}',
    `storage: {filesystem: {rootdirectory: ${folder}/data}, delete: {enabled: true}}`,
    `http: {addr: 127.0.0.1:${port}}`,
  ]
  if (options.htpasswd !== undefined) {
    writeFileSync(join(folder, 'htpasswd'), options.htpasswd)
    config.push(`auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}`)
  }
  writeFileSync(join(folder, 'config.yml'), `${config.join('\n')}\n`)
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  const host = `127.0.0.1:${port}`
  await untilReady(child, host, () => errors)
  return {
    host,
    async [Symbol.asyncDispose]() {
      await stop(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function untilReady(child: ChildProcess, host: string, errors: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended: ${errors()}`)
    try {
      await fetch(`http://${host}/v2/`)
      return
    } catch {
      // It does not listen yet.
      await sleep(20)
    }
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
